package keeper

import (
	"context"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"
)

// emit emits typed events.
func emit(ctx context.Context, events ...proto.Message) error {
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvents(events...)
}

// report emits a typed event where nothing can be done about an error.
func (k *Keeper) report(ctx sdk.Context, event proto.Message) {
	if err := emit(ctx, event); err != nil {
		ctx.Logger().Error("converter: event was not emitted", "event", proto.MessageName(event), "err", err)
	}
}

// maxReasonBytes bounds the text of a failure in an event.
const maxReasonBytes = 256

func reason(err error) string { return shorten(err.Error()) }

func shorten(text string) string {
	if len(text) > maxReasonBytes {
		text = text[:maxReasonBytes]
	}
	return strings.ToValidUTF8(text, "")
}
