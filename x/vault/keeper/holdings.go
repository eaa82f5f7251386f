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

// poolOf returns the module account in which x/staking keeps the stake of a validator of this status.
func poolOf(validator stakingtypes.Validator) string {
	if validator.IsBonded() {
		return stakingtypes.BondedPoolName
	}
	return stakingtypes.NotBondedPoolName
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

// held is all that a staking account holds, in base units.
type held struct {
	// paid is its balance: what has finished unbonding and settle has not taken yet.
	paid math.Int
	// staked is the sum of its delegations, each rounded down, and of its unbonding entries; pieces is how many there are.
	staked math.Int
	pieces int
}

func (h held) total() math.Int { return h.paid.Add(h.staked) }

// holdings returns all that the user's staking account holds.
func (k *Keeper) holdings(ctx context.Context, user sdk.AccAddress) (held, error) {
	paid, err := k.stakingBalance(ctx, user)
	if err != nil {
		return held{}, err
	}
	delegations, err := k.delegationsOf(ctx, user)
	if err != nil {
		return held{}, err
	}
	h := held{paid: paid, staked: math.ZeroInt(), pieces: len(delegations)}
	for _, d := range delegations {
		h.staked = h.staked.Add(d.tokens())
	}
	unbondings, err := k.unbondingsOf(ctx, user)
	if err != nil {
		return held{}, err
	}
	for _, u := range unbondings {
		for _, entry := range u.Entries {
			h.staked = h.staked.Add(entry.Balance)
		}
		h.pieces += len(u.Entries)
	}
	return h, nil
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

// growth returns by how much more the delegator's stake with the validator is worth after op, in base units.
func (k *Keeper) growth(ctx context.Context, delegator sdk.AccAddress, addr sdk.ValAddress, op func() error) (math.Int, error) {
	before, err := k.worth(ctx, delegator, addr)
	if err != nil {
		return math.Int{}, err
	}
	if err := op(); err != nil {
		return math.Int{}, err
	}
	after, err := k.worth(ctx, delegator, addr)
	if err != nil {
		return math.Int{}, err
	}
	return after.Sub(before), nil
}

// checkHas returns ErrInsufficientStake if the holding is worth less than amount.
func (h holding) checkHas(amount math.Int) error {
	if has := h.tokens(); amount.GT(has) {
		return errors.Wrapf(types.ErrInsufficientStake, "asked for %s, %s is staked with %s", amount, has, h.validator.GetOperator())
	}
	return nil
}
