package keeper

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// UpdateParams replaces all params. What is already there stays, also beyond a bound that was lowered.
func (k *Keeper) UpdateParams(ctx sdk.Context, params types.Params) error {
	if err := params.Validate(); err != nil {
		return err
	}
	if err := k.Params.Set(ctx, params); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventParamsUpdated{Params: params})
}
