package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Applied returns the last batch that is reflected in every delegation of source id, nil before the first.
func (k *Keeper) Applied(ctx context.Context, id uint64) (*control.Applied, error) {
	source, err := k.GetSource(ctx, id)
	if err != nil {
		return nil, err
	}
	return source.Applied, nil
}

// applyBatch moves the applied batch up. Its height is the last at which removed stake could still sign: an epoch in
// BeginBlock of h changes who signs from h+2 on. The height of a batch is never moved: it was true then.
func applyBatch(ctx sdk.Context, source *types.Source, batch uint64) {
	if batch == 0 || (source.Applied != nil && batch <= source.Applied.BatchID) {
		return
	}
	revision := clienttypes.ParseChainID(ctx.ChainID())
	source.Applied = &control.Applied{
		BatchID: batch,
		Height:  clienttypes.NewHeight(revision, uint64(ctx.BlockHeight())+1),
	}
}
