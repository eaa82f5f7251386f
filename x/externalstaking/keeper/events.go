package keeper

import (
	"context"

	"cosmossdk.io/log"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

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
	k.emitOrLog(ctx, &types.EventEntrySkipped{ConsumerID: consumerID, Validator: validator, Reason: reason})
}

// reportOutboxFailure emits that a batch could not be sent or ended.
func (k *Keeper) reportOutboxFailure(ctx sdk.Context, consumerID uint64, cause error) {
	k.emitOrLog(ctx, &types.EventOutboxFailed{ConsumerID: consumerID, Reason: cause.Error()})
}

// emitOrLog is for places that must go on whatever happens.
func (k *Keeper) emitOrLog(ctx sdk.Context, event proto.Message) {
	if err := emit(ctx, event); err != nil {
		k.Logger(ctx).Error("event could not be emitted", "event", proto.MessageName(event), "error", err)
	}
}
