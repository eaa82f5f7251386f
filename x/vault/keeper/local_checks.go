package keeper

import (
	"context"
	stderrors "errors"

	"cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// checkLocalStaking returns ErrLocalStakingRefused if no new local stake is taken: governance switched it off, or the
// chain bonds another denom now.
func (k *Keeper) checkLocalStaking(ctx context.Context, denom string) error {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	if !params.LocalStakingEnabled {
		return errors.Wrap(types.ErrLocalStakingRefused, "governance has switched it off; what is staked can leave")
	}
	return k.checkBondDenom(ctx, denom, "what is staked can leave")
}

// checkBondDenom returns ErrLocalStakingRefused if x/staking deals in another denom than the vault's.
func (k *Keeper) checkBondDenom(ctx context.Context, denom, instead string) error {
	bondDenom, err := k.staking.BondDenom(ctx)
	if err != nil || bondDenom == denom {
		return err
	}
	return errors.Wrapf(types.ErrLocalStakingRefused, "the vault holds %s, but the chain's bond denom is now %s; %s", denom, bondDenom, instead)
}

// checkNoDebt returns ErrDebt while something that a settled user has lost is still in the staking account.
func (l *ledger) checkNoDebt() error {
	if l.debt.Amount.IsZero() {
		return nil
	}
	return errors.Wrapf(types.ErrDebt, "%s; it is tried again at block %d, and whenever the account is touched", l.debt.Amount, l.debt.RetryHeight)
}

// stakeable returns a validator that can be staked with, or ErrInvalidValidator.
func (k *Keeper) stakeable(ctx context.Context, addr sdk.ValAddress) (stakingtypes.Validator, error) {
	validator, err := k.staking.GetValidator(ctx, addr)
	if stderrors.Is(err, stakingtypes.ErrNoValidatorFound) {
		name, err := k.staking.ValidatorAddressCodec().BytesToString(addr)
		if err != nil {
			return stakingtypes.Validator{}, err
		}
		return stakingtypes.Validator{}, errors.Wrapf(types.ErrInvalidValidator, "there is no validator %s", name)
	}
	if err != nil {
		return stakingtypes.Validator{}, err
	}
	if validator.InvalidExRate() {
		return stakingtypes.Validator{}, errors.Wrapf(types.ErrInvalidValidator, "%s has lost all of its stake to slashes; choose another one", validator.GetOperator())
	}
	return validator, nil
}

// checkNotReceiving returns ErrImmatureRedelegation if the delegator has stake with the validator that can still be slashed
// for another one: x/staking looks for it there, so it must stay.
func (k *Keeper) checkNotReceiving(ctx context.Context, delegator sdk.AccAddress, held holding) error {
	receiving, err := k.staking.HasReceivingRedelegation(ctx, delegator, held.address)
	if err != nil || !receiving {
		return err
	}
	return errors.Wrapf(types.ErrImmatureRedelegation, "some of the stake with %s was redelegated to it less than an unbonding period ago; wait, or unbond", held.validator.GetOperator())
}
