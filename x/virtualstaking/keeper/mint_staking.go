package keeper

import (
	"context"

	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// MintStaking is x/staking as x/mint shall see it: without virtual stake, so that inflation is what it would be had
// nobody lent any.
type MintStaking struct {
	staking types.MintStakingKeeper
	k       *Keeper
}

// NewMintStaking panics if one of the two is missing.
func NewMintStaking(staking types.MintStakingKeeper, k *Keeper) MintStaking {
	if staking == nil || k == nil {
		panic("virtualstaking: what x/mint sees of x/staking needs both keepers")
	}
	return MintStaking{staking: staking, k: k}
}

// StakingTokenSupply is the native supply of the bond denom, in base units.
func (m MintStaking) StakingTokenSupply(ctx context.Context) (math.Int, error) {
	supply, err := m.staking.StakingTokenSupply(ctx)
	if err != nil {
		return math.Int{}, err
	}
	outstanding, err := m.k.VirtualOutstanding(ctx)
	if err != nil {
		return math.Int{}, err
	}
	return types.Native(supply, outstanding), nil
}

// BondedRatio is the part of the native supply that is bonded.
func (m MintStaking) BondedRatio(ctx context.Context) (math.LegacyDec, error) {
	supply, err := m.staking.StakingTokenSupply(ctx)
	if err != nil {
		return math.LegacyDec{}, err
	}
	total, err := m.staking.TotalBondedTokens(ctx)
	if err != nil {
		return math.LegacyDec{}, err
	}
	bonded, outstanding, err := m.k.virtualStake(ctx)
	if err != nil {
		return math.LegacyDec{}, err
	}
	return types.BondedRatio(types.Native(total, bonded), types.Native(supply, outstanding)), nil
}
