package keeper

import (
	"context"
	"slices"

	"cosmossdk.io/math"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// GovStaking is x/staking as x/gov shall see it: virtual stake votes with its validator, by the governance weight of its
// source. Delegators and operators vote with what they have; see types.Counted for the rounding. It may be wrapped, and
// may wrap others that change what one delegator has.
type GovStaking struct {
	types.GovStakingKeeper
	k *Keeper
}

// NewGovStaking panics if one of the two is missing.
func NewGovStaking(staking types.GovStakingKeeper, k *Keeper) GovStaking {
	if staking == nil || k == nil {
		panic("virtualstaking: what x/gov sees of x/staking needs both keepers")
	}
	return GovStaking{GovStakingKeeper: staking, k: k}
}

// IterateBondedValidatorsByPower yields the bonded validators with the tokens and shares that count. One with none is
// left out: x/gov would divide by its shares.
func (g GovStaking) IterateBondedValidatorsByPower(ctx context.Context, fn func(index int64, validator stakingtypes.ValidatorI) (stop bool)) error {
	uncounted, err := g.k.uncounted(ctx)
	if err != nil {
		return err
	}
	return g.GovStakingKeeper.IterateBondedValidatorsByPower(ctx, func(index int64, validator stakingtypes.ValidatorI) bool {
		shares, found := uncounted.shares[validator.GetOperator()]
		if !found {
			return fn(index, validator)
		}
		tokens, left := types.Counted(validator.GetBondedTokens(), validator.GetDelegatorShares(), shares)
		if tokens.IsZero() {
			return false
		}
		return fn(index, countedValidator{ValidatorI: validator, tokens: tokens, shares: left})
	})
}

// TotalBondedTokens leaves out what does not count. That is found by the delegations of virtual stake and not by power: a
// validator that was jailed in this block has no power left, but its tokens are still bonded. It cannot fall below zero,
// as the total has all tokens of all bonded validators.
func (g GovStaking) TotalBondedTokens(ctx context.Context) (math.Int, error) {
	total, err := g.GovStakingKeeper.TotalBondedTokens(ctx)
	if err != nil {
		return math.Int{}, err
	}
	uncounted, err := g.k.uncounted(ctx)
	if err != nil {
		return math.Int{}, err
	}
	for _, operator := range uncounted.operators {
		validator, err := g.k.validator(ctx, operator)
		if err != nil {
			return math.Int{}, err
		}
		if validator.IsBonded() {
			counted, _ := types.Counted(validator.Tokens, validator.DelegatorShares, uncounted.shares[operator])
			total = total.Sub(validator.Tokens).Add(counted)
		}
	}
	return total, nil
}

// uncounted are the shares of virtual stake that do not vote.
func (k *Keeper) uncounted(ctx context.Context) (sharesByValidator, error) {
	sources, err := k.activeSources(ctx)
	if err != nil {
		return sharesByValidator{}, err
	}
	sources = slices.DeleteFunc(sources, func(s types.Source) bool { return s.GovernanceWeight.Equal(math.LegacyOneDec()) })
	return k.virtualShares(ctx, sources, func(source types.Source, shares math.LegacyDec) math.LegacyDec {
		return types.Uncounted(shares, source.GovernanceWeight)
	})
}

// countedValidator is a bonded validator with the tokens and shares that count in votes.
type countedValidator struct {
	stakingtypes.ValidatorI
	tokens math.Int
	shares math.LegacyDec
}

// GetBondedTokens returns the tokens that count.
func (v countedValidator) GetBondedTokens() math.Int { return v.tokens }

// GetDelegatorShares returns the shares that count.
func (v countedValidator) GetDelegatorShares() math.LegacyDec { return v.shares }
