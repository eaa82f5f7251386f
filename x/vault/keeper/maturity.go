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

// takeMatured moves what x/staking has paid out to the user's staking account into the vault's module account and returns
// it, in base units. No restriction on sending coins can stand in its way.
func (k *Keeper) takeMatured(ctx context.Context, user sdk.AccAddress) (math.Int, error) {
	arrived, err := k.stakingBalance(ctx, user)
	if err != nil || arrived.IsZero() {
		return arrived, err
	}
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return math.Int{}, err
	}
	coins := sdk.NewCoins(sdk.NewCoin(denom, arrived))
	return arrived, k.bank.DelegateCoins(ctx, types.StakingAccountAddress(user), k.module, coins)
}
