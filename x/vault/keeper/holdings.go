package keeper

import (
	"context"
	stderrors "errors"

	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// holding is a delegation of a staking account together with its validator.
type holding struct {
	address   sdk.ValAddress
	validator stakingtypes.Validator
	shares    math.LegacyDec
}

// tokens is what leaving now would return, in base units; slashes are in it.
func (h holding) tokens() math.Int { return types.TokensOf(h.validator, h.shares) }

// delegationsOf returns the delegations of the user's staking account in the order of x/staking's store. Their number is
// bounded when they are made.
func (k *Keeper) delegationsOf(ctx context.Context, user sdk.AccAddress) ([]holding, error) {
	// Collected first: nothing may be read or written by a caller while x/staking iterates.
	var delegations []stakingtypes.Delegation
	err := k.staking.IterateDelegatorDelegations(ctx, types.StakingAccountAddress(user), func(d stakingtypes.Delegation) bool {
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

// unbondingsOf returns the unbonding delegations of the user's staking account in the order of x/staking's store.
func (k *Keeper) unbondingsOf(ctx context.Context, user sdk.AccAddress) ([]stakingtypes.UnbondingDelegation, error) {
	var unbondings []stakingtypes.UnbondingDelegation
	err := k.staking.IterateDelegatorUnbondingDelegations(ctx, types.StakingAccountAddress(user), func(u stakingtypes.UnbondingDelegation) bool {
		unbondings = append(unbondings, u)
		return false
	})
	return unbondings, err
}

// stakingBalance is what x/staking has paid out to the user's staking account and settle has not taken yet, in base units:
// nothing else can reach the account.
func (k *Keeper) stakingBalance(ctx context.Context, user sdk.AccAddress) (math.Int, error) {
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return math.Int{}, err
	}
	return k.bank.GetBalance(ctx, types.StakingAccountAddress(user), denom).Amount, nil
}

// holdings returns all that the user's staking account holds, in base units: its delegations, each rounded down, its
// unbonding entries and its balance. pieces is how many of these there were to read.
func (k *Keeper) holdings(ctx context.Context, user sdk.AccAddress) (held math.Int, pieces int, err error) {
	if held, err = k.stakingBalance(ctx, user); err != nil {
		return math.Int{}, 0, err
	}
	delegations, err := k.delegationsOf(ctx, user)
	if err != nil {
		return math.Int{}, 0, err
	}
	for _, d := range delegations {
		held = held.Add(d.tokens())
	}
	unbondings, err := k.unbondingsOf(ctx, user)
	if err != nil {
		return math.Int{}, 0, err
	}
	pieces = len(delegations)
	for _, u := range unbondings {
		for _, entry := range u.Entries {
			held = held.Add(entry.Balance)
		}
		pieces += len(u.Entries)
	}
	return held, pieces, nil
}

// holding returns what the delegator has delegated to the validator, or ErrInsufficientStake.
func (k *Keeper) holding(ctx context.Context, delegator sdk.AccAddress, addr sdk.ValAddress) (holding, error) {
	delegation, err := k.staking.GetDelegation(ctx, delegator, addr)
	if stderrors.Is(err, stakingtypes.ErrNoDelegation) {
		name, err := k.staking.ValidatorAddressCodec().BytesToString(addr)
		if err != nil {
			return holding{}, err
		}
		return holding{}, errors.Wrapf(types.ErrInsufficientStake, "nothing is delegated to %s", name)
	}
	if err != nil {
		return holding{}, err
	}
	validator, err := k.staking.GetValidator(ctx, addr)
	if err != nil {
		return holding{}, err
	}
	return holding{address: addr, validator: validator, shares: delegation.Shares}, nil
}

// worth returns what the delegator's stake with the validator is worth, zero if there is none.
func (k *Keeper) worth(ctx context.Context, delegator sdk.AccAddress, addr sdk.ValAddress) (math.Int, error) {
	held, err := k.holding(ctx, delegator, addr)
	if stderrors.Is(err, types.ErrInsufficientStake) {
		return math.ZeroInt(), nil
	}
	if err != nil {
		return math.Int{}, err
	}
	return held.tokens(), nil
}

// checkHas returns ErrInsufficientStake if the holding is worth less than amount.
func (h holding) checkHas(amount math.Int) error {
	if has := h.tokens(); amount.GT(has) {
		return errors.Wrapf(types.ErrInsufficientStake, "asked for %s, %s is staked with %s", amount, has, h.validator.GetOperator())
	}
	return nil
}
