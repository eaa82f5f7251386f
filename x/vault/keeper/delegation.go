package keeper

import (
	"bytes"
	"context"
	"slices"

	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// DepositDelegation moves amount of the user's own delegation into the vault: the collateral grows by it, and it stays
// staked with the same validator all the time, as local stake. No coins move, so what the bank tracks of a vesting account
// stays right. It returns what the delegation moved is worth, at most amount, and the account afterwards.
//
// Errors: those of StakeLocal; ErrInsufficientStake; ErrImmatureRedelegation; ErrDelegationStays for an operator's own stake
// below its minimum, and for the last stake of an unbonded validator, which x/staking removes.
func (k *Keeper) DepositDelegation(ctx context.Context, user sdk.AccAddress, validator sdk.ValAddress, amount sdk.Coin) (moved math.Int, after types.Account, err error) {
	if err := k.validateCoin(ctx, user, amount); err != nil {
		return math.Int{}, types.Account{}, err
	}
	if err := k.checkLocalStaking(ctx, amount.Denom); err != nil {
		return math.Int{}, types.Account{}, err
	}
	l, err := k.settled(ctx, user)
	if err != nil {
		return math.Int{}, types.Account{}, err
	}
	if err := l.checkNoDebt(); err != nil {
		return math.Int{}, types.Account{}, err
	}
	own, err := k.holding(ctx, user, validator)
	if err != nil {
		return math.Int{}, types.Account{}, err
	}
	if err := k.checkMinSelfDelegation(user, own, amount.Amount); err != nil {
		return math.Int{}, types.Account{}, err
	}
	account := types.StakingAccountAddress(user)
	moved, err = k.move(ctx, own, user, account, amount.Amount, func(returned math.Int) error {
		to, err := k.stakeable(ctx, validator)
		if err != nil {
			return err
		}
		return k.delegate(ctx, user, validator, to, returned)
	})
	if err != nil {
		return math.Int{}, types.Account{}, err
	}
	l.collateral = l.collateral.Add(moved)
	if err := types.ValidateAmount(l.collateral); err != nil {
		return math.Int{}, types.Account{}, errors.Wrapf(err, "delegation of %s to collateral of %s", moved, l.storedCollateral)
	}
	if err := k.save(ctx, l); err != nil {
		return math.Int{}, types.Account{}, err
	}
	if err := k.addLocalLien(ctx, l, moved); err != nil {
		return math.Int{}, types.Account{}, err
	}
	// What came in is what is booked, so there is nothing to settle.
	if after, _, err = k.account(ctx, l); err != nil {
		return math.Int{}, types.Account{}, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "local", "delegations_deposited")
	return moved, after, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventDelegationDeposited{
		User: after.User, Validator: own.validator.GetOperator(), Amount: moved.String(), Collateral: after.Collateral.String(),
	})
}

// WithdrawDelegation moves amount of the user's local stake out of the vault: the collateral falls by it, and it stays
// staked with the same validator all the time, as the user's own delegation. It returns what the delegation is worth, at
// most amount, and the account afterwards.
//
// Only what the other liens leave free can go, after every slash up to now; and nothing that can still be slashed for
// another validator, which x/staking would look for in the staking account.
//
// Errors: ErrWrongDenom, ErrInvalidAmount, ErrDebt, ErrInsufficientStake, ErrInsufficientFree, ErrImmatureRedelegation,
// ErrDelegationStays for the last stake of an unbonded validator, which x/staking removes.
func (k *Keeper) WithdrawDelegation(ctx context.Context, user sdk.AccAddress, validator sdk.ValAddress, amount sdk.Coin) (moved math.Int, after types.Account, err error) {
	if err := k.validateCoin(ctx, user, amount); err != nil {
		return math.Int{}, types.Account{}, err
	}
	l, err := k.settled(ctx, user)
	if err != nil {
		return math.Int{}, types.Account{}, err
	}
	if err := l.checkNoDebt(); err != nil {
		return math.Int{}, types.Account{}, err
	}
	account := types.StakingAccountAddress(user)
	staked, err := k.holding(ctx, account, validator)
	if err != nil {
		return math.Int{}, types.Account{}, err
	}
	if err := k.releaseLocal(ctx, l, amount.Amount); err != nil {
		return math.Int{}, types.Account{}, err
	}
	moved, err = k.move(ctx, staked, account, user, amount.Amount, func(returned math.Int) error {
		to, err := k.stakeable(ctx, validator)
		if err != nil {
			return err
		}
		_, err = k.staking.Delegate(withActing(ctx), user, returned, to.GetStatus(), to, false)
		return err
	})
	if err != nil {
		return math.Int{}, types.Account{}, err
	}
	if after, _, err = k.settledAccount(ctx, user); err != nil {
		return math.Int{}, types.Account{}, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "local", "delegations_withdrawn")
	return moved, after, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventDelegationWithdrawn{
		User: after.User, Validator: staked.validator.GetOperator(), Amount: moved.String(), Collateral: after.Collateral.String(),
	})
}

// releaseLocal takes amount out of the local lien and the collateral of a settled user, if the liens are within their
// limits then.
func (k *Keeper) releaseLocal(ctx context.Context, l *ledger, amount math.Int) error {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(l.liens, func(lien types.Lien) bool { return lien.Holder == types.LocalHolder })
	if i < 0 || l.liens[i].Amount.LT(amount) {
		return errors.Wrapf(types.ErrInsufficientStake, "asked for %s, all local stake is %s", amount, types.Local(l.liens))
	}
	if err := l.liens[i].Lower(amount); err != nil {
		return err
	}
	l.collateral = l.collateral.Sub(amount) // a lien never exceeds the collateral
	if needed := types.Needed(l.liens, params.MaxCollateralUse); needed.GT(l.collateral) {
		return errors.Wrapf(types.ErrInsufficientFree, "asked for %s, the liens that stay need collateral of %s, but %s would be left; withdraw %s less, or unstake to free more",
			amount, needed, l.collateral, needed.Sub(l.collateral))
	}
	released := l.liens[i]
	if err := k.save(ctx, l); err != nil {
		return err
	}
	return k.released(ctx, l.user, released, amount)
}

// move takes amount out of the delegation that from holds and has delegate give what x/staking returned for it to to, at
// the same validator. It returns by how much to's delegation grew, at most amount: x/staking rounds shares down.
func (k *Keeper) move(ctx context.Context, held holding, from, to sdk.AccAddress, amount math.Int, delegate func(returned math.Int) error) (math.Int, error) {
	if err := held.checkHas(amount); err != nil {
		return math.Int{}, err
	}
	if err := k.checkNotReceiving(ctx, from, held); err != nil {
		return math.Int{}, err
	}
	shares := types.SharesFor(held.validator, held.shares, amount)
	if held.validator.IsUnbonded() && shares.Equal(held.validator.DelegatorShares) {
		return math.Int{}, errors.Wrapf(types.ErrDelegationStays,
			"%s is unbonded and this is all of its stake, x/staking would remove it; move less, or unbond", held.validator.GetOperator())
	}
	grown, err := k.growth(ctx, to, held.address, func() error {
		returned, err := k.staking.Unbond(withActing(ctx), from, held.address, shares)
		if err != nil {
			return err
		}
		return delegate(returned)
	})
	if err != nil {
		return math.Int{}, err
	}
	moved := math.MinInt(grown, amount)
	if !moved.IsPositive() {
		return math.Int{}, errors.Wrapf(types.ErrInvalidAmount, "%s is too little: rounding of the shares of %s would leave nothing", amount, held.validator.GetOperator())
	}
	return moved, nil
}

// checkMinSelfDelegation returns ErrDelegationStays if the holding is that of the validator's own operator and less than
// its minimum would stay: x/staking would jail the validator.
func (k *Keeper) checkMinSelfDelegation(delegator sdk.AccAddress, own holding, amount math.Int) error {
	if !bytes.Equal(delegator, own.address) {
		return nil
	}
	left := own.shares.Sub(types.SharesFor(own.validator, own.shares, amount))
	if least := own.validator.GetMinSelfDelegation(); types.TokensOf(own.validator, left).LT(least) {
		return errors.Wrapf(types.ErrDelegationStays, "the operator of %s must keep %s of %s itself; move less, or stake more of your own",
			own.validator.GetOperator(), least, own.tokens())
	}
	return nil
}
