package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// GovStaking is x/staking as x/gov shall see it: a voter's delegations include those of the voter's staking account. So a
// vote counts as if the local stake were delegated directly, and the validators' own votes count that much less.
type GovStaking struct {
	types.GovStakingKeeper
	vault *Keeper
}

// NewGovStaking decorates inner, which may be a decorated keeper already.
func NewGovStaking(inner types.GovStakingKeeper, vault *Keeper) GovStaking {
	return GovStaking{GovStakingKeeper: inner, vault: vault}
}

// IterateDelegations calls fn with every delegation of the voter and then of the voter's staking account, until it returns
// true. The index goes on. A voter without a staking account costs one read more.
func (g GovStaking) IterateDelegations(ctx context.Context, voter sdk.AccAddress, fn func(index int64, delegation stakingtypes.DelegationI) (stop bool)) error {
	var next int64
	stopped := false
	err := g.GovStakingKeeper.IterateDelegations(ctx, voter, func(index int64, delegation stakingtypes.DelegationI) bool {
		next = index + 1
		stopped = fn(index, delegation)
		return stopped
	})
	if err != nil || stopped {
		return err
	}
	account := types.StakingAccountAddress(voter)
	if exists, err := g.vault.StakingAccounts.Has(ctx, account); err != nil || !exists {
		return err
	}
	return g.GovStakingKeeper.IterateDelegations(ctx, account, func(index int64, delegation stakingtypes.DelegationI) bool {
		return fn(next+index, delegation)
	})
}
