package keeper

import (
	"context"

	"cosmossdk.io/math"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// VirtualOutstanding is all virtual stake of all sources, delegated, unbonding, and paid by x/staking in this block but not
// burned yet, in bond denom base units: what the supply of the bond denom has beyond the native one. What is delegated is
// rounded to the nearest unit for each validator.
func (k *Keeper) VirtualOutstanding(ctx context.Context) (math.Int, error) {
	_, outstanding, err := k.virtualStake(ctx)
	return outstanding, err
}

// virtualStake is all virtual stake of all sources: the part at bonded validators, and all of it.
func (k *Keeper) virtualStake(ctx context.Context) (bonded, outstanding math.Int, err error) {
	bonded, outstanding = math.ZeroInt(), math.ZeroInt()
	sources, err := k.activeSources(ctx)
	if err != nil {
		return bonded, outstanding, err
	}
	delegated, err := k.virtualShares(ctx, sources, func(_ types.Source, shares math.LegacyDec) math.LegacyDec { return shares })
	if err != nil {
		return bonded, outstanding, err
	}
	for _, operator := range delegated.operators {
		validator, err := k.validator(ctx, operator)
		if err != nil {
			return bonded, outstanding, err
		}
		tokens := types.TokensOf(validator, delegated.shares[operator])
		outstanding = outstanding.Add(tokens)
		if validator.IsBonded() {
			bonded = bonded.Add(tokens)
		}
	}
	for _, source := range sources {
		returning, err := k.returning(ctx, types.VirtualAccount(source.ID))
		if err != nil {
			return bonded, outstanding, err
		}
		outstanding = outstanding.Add(returning)
	}
	return bonded, outstanding, nil
}

// sharesByValidator are shares of several delegations, added up by operator address.
type sharesByValidator struct {
	// operators in the order they were found, to go through: that of a map is not the same on every node.
	operators []string
	shares    map[string]math.LegacyDec
}

// virtualShares adds up a part of each virtual delegation of sources.
func (k *Keeper) virtualShares(ctx context.Context, sources []types.Source, part func(types.Source, math.LegacyDec) math.LegacyDec) (sharesByValidator, error) {
	sum := sharesByValidator{shares: make(map[string]math.LegacyDec)}
	for _, source := range sources {
		err := k.staking.IterateDelegatorDelegations(ctx, types.VirtualAccount(source.ID), func(d stakingtypes.Delegation) bool {
			shares, found := sum.shares[d.ValidatorAddress]
			if !found {
				shares = math.LegacyZeroDec()
				sum.operators = append(sum.operators, d.ValidatorAddress)
			}
			sum.shares[d.ValidatorAddress] = shares.Add(part(source, d.Shares))
			return false
		})
		if err != nil {
			return sharesByValidator{}, err
		}
	}
	return sum, nil
}

// validator returns the validator with an operator address.
func (k *Keeper) validator(ctx context.Context, operator string) (stakingtypes.Validator, error) {
	address, err := k.staking.ValidatorAddressCodec().StringToBytes(operator)
	if err != nil {
		return stakingtypes.Validator{}, err
	}
	return k.staking.GetValidator(ctx, address)
}
