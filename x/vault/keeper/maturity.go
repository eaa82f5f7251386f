package keeper

import (
	"context"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// scheduleMaturity has the user settled at the end of the block in which x/staking pays out an unbonding that completes at
// a time. Nothing about the amount is kept: what arrives is what there is.
func (k *Keeper) scheduleMaturity(ctx context.Context, completion time.Time, user sdk.AccAddress) error {
	return k.Maturities.Set(ctx, collections.Join(completion, user))
}

// takeMatured moves what x/staking has paid out to the user's staking account, positive base units, into the vault's module
// account. No restriction on sending coins can stand in its way.
func (k *Keeper) takeMatured(ctx context.Context, user sdk.AccAddress, arrived math.Int) error {
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return err
	}
	return k.bank.DelegateCoins(ctx, types.StakingAccountAddress(user), k.module, sdk.NewCoins(sdk.NewCoin(denom, arrived)))
}
