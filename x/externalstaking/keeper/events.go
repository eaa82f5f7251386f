package keeper

import (
	"context"
	"strings"

	"cosmossdk.io/log"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	// maxRefusalBytes bounds what is kept of a consumer's refusal, which appears in one event for each operation.
	maxRefusalBytes = 128
	// maxReasonBytes bounds the reason in any other event.
	maxReasonBytes = 512
)

// shorten returns at most max bytes of text, as valid UTF-8. Another chain decides about the text and its length.
func shorten(text string, max int) string {
	if len(text) > max {
		text = text[:max]
	}
	return strings.ToValidUTF8(text, "")
}

// Logger returns the module's logger.
func (k *Keeper) Logger(ctx context.Context) log.Logger {
	return sdk.UnwrapSDKContext(ctx).Logger().With("module", "x/"+types.ModuleName)
}

// emit emits a typed event.
func emit(ctx context.Context, event proto.Message) error {
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event)
}

// reportSkipped emits that a part of a packet or of a block's work was passed over.
func (k *Keeper) reportSkipped(ctx sdk.Context, consumerID uint64, validator, reason string) {
	k.emitOrLog(ctx, &types.EventEntrySkipped{
		ConsumerID: consumerID, Validator: shorten(validator, control.MaxNameBytes), Reason: shorten(reason, maxReasonBytes),
	})
}

// reportOutboxFailure emits that a batch could not be sent or ended.
func (k *Keeper) reportOutboxFailure(ctx sdk.Context, consumerID uint64, cause error) {
	k.emitOrLog(ctx, &types.EventOutboxFailed{ConsumerID: consumerID, Reason: shorten(cause.Error(), maxReasonBytes)})
}

// emitOrLog is for places that must go on whatever happens.
func (k *Keeper) emitOrLog(ctx sdk.Context, event proto.Message) {
	if err := emit(ctx, event); err != nil {
		k.Logger(ctx).Error("event could not be emitted", "event", proto.MessageName(event), "error", err)
	}
}
