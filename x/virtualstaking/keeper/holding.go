package keeper

import (
	"context"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// holding is a delegation of a virtual account together with its validator.
type holding struct {
	address   sdk.ValAddress
	validator stakingtypes.Validator
	shares    math.LegacyDec
}

// tokens is what the holding is worth now, in bond denom base units; slashes are in it.
func (h holding) tokens() math.Int { return types.TokensOf(h.validator, h.shares) }

// holdings returns the delegations of account in the order of x/staking's store.
func (k *Keeper) holdings(ctx context.Context, account sdk.AccAddress) ([]holding, error) {
	var delegations []stakingtypes.Delegation
	err := k.staking.IterateDelegatorDelegations(ctx, account, func(d stakingtypes.Delegation) bool {
		delegations = append(delegations, d)
		return false
	})
	if err != nil {
		return nil, err
	}
	holdings := make([]holding, 0, len(delegations))
	for _, d := range delegations {
		addr, err := k.staking.ValidatorAddressCodec().StringToBytes(d.ValidatorAddress)
		if err != nil {
			return nil, err
		}
		validator, err := k.staking.GetValidator(ctx, addr)
		if err != nil {
			return nil, err
		}
		holdings = append(holdings, holding{address: addr, validator: validator, shares: d.Shares})
	}
	return holdings, nil
}

// delegated is what all delegations of account are worth now, in bond denom base units.
func (k *Keeper) delegated(ctx context.Context, account sdk.AccAddress) (math.Int, error) {
	holdings, err := k.holdings(ctx, account)
	if err != nil {
		return math.Int{}, err
	}
	sum := math.ZeroInt()
	for _, h := range holdings {
		sum = sum.Add(h.tokens())
	}
	return sum, nil
}

// unbonding is what the unbonding entries of account are worth now, in bond denom base units.
func (k *Keeper) unbonding(ctx context.Context, account sdk.AccAddress) (math.Int, error) {
	sum := math.ZeroInt()
	err := k.staking.IterateDelegatorUnbondingDelegations(ctx, account, func(ubd stakingtypes.UnbondingDelegation) bool {
		for _, entry := range ubd.Entries {
			sum = sum.Add(entry.Balance)
		}
		return false
	})
	return sum, err
}

// hasOutstanding reports whether account has a delegation or an unbonding entry, whatever it is worth.
func (k *Keeper) hasOutstanding(ctx context.Context, account sdk.AccAddress) (bool, error) {
	found := false
	err := k.staking.IterateDelegatorDelegations(ctx, account, func(stakingtypes.Delegation) bool {
		found = true
		return true
	})
	if err != nil || found {
		return found, err
	}
	err = k.staking.IterateDelegatorUnbondingDelegations(ctx, account, func(stakingtypes.UnbondingDelegation) bool {
		found = true
		return true
	})
	return found, err
}

// returning is what is on its way back from account's delegations, in bond denom base units: unbonding, or paid by
// x/staking in this block and not burned yet.
func (k *Keeper) returning(ctx context.Context, account sdk.AccAddress) (math.Int, error) {
	denom, err := k.staking.BondDenom(ctx)
	if err != nil {
		return math.Int{}, err
	}
	unbonding, err := k.unbonding(ctx, account)
	if err != nil {
		return math.Int{}, err
	}
	return unbonding.Add(k.bank.GetBalance(ctx, account, denom).Amount), nil
}

// outstanding is all virtual stake of source id: delegated, and on its way back, in bond denom base units.
func (k *Keeper) outstanding(ctx context.Context, id uint64) (math.Int, error) {
	account := types.VirtualAccount(id)
	delegated, err := k.delegated(ctx, account)
	if err != nil {
		return math.Int{}, err
	}
	returning, err := k.returning(ctx, account)
	if err != nil {
		return math.Int{}, err
	}
	return delegated.Add(returning), nil
}
