package keeper

import (
	"context"
	stderrors "errors"
	"slices"
	"time"

	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// StakeLocal stakes amount of the user's liquid collateral with a validator of this chain, through the user's staking
// account, under the lien "local". It returns the account afterwards. At a validator that was slashed, the shares can be
// worth a unit less than they cost, as for any delegator; that unit is off the collateral then.
//
// Errors: ErrWrongDenom, ErrInvalidAmount, ErrLocalStakingRefused, ErrDebt, ErrInvalidValidator, ErrTooManyValidators,
// ErrInsufficientCollateral if the lien would break a limit.
func (k *Keeper) StakeLocal(ctx context.Context, user sdk.AccAddress, validator sdk.ValAddress, amount sdk.Coin) (types.Account, error) {
	if err := k.validateCoin(ctx, user, amount); err != nil {
		return types.Account{}, err
	}
	if err := k.checkLocalStaking(ctx, amount.Denom); err != nil {
		return types.Account{}, err
	}
	l, err := k.settled(ctx, user)
	if err != nil {
		return types.Account{}, err
	}
	if err := l.checkNoDebt(); err != nil {
		return types.Account{}, err
	}
	// Both limits hold with the lien, so there is as much liquid collateral.
	if err := k.addLocalLien(ctx, l, amount.Amount); err != nil {
		return types.Account{}, err
	}
	to, err := k.stakeable(ctx, validator)
	if err != nil {
		return types.Account{}, err
	}
	// Straight to where the validator's stake is, so that x/staking need not move it once more.
	if err := k.bank.SendCoinsFromModuleToModule(ctx, types.ModuleName, poolOf(to), sdk.NewCoins(amount)); err != nil {
		return types.Account{}, err
	}
	grown, err := k.growth(ctx, types.StakingAccountAddress(user), validator, func() error {
		return k.delegate(ctx, user, validator, to, amount.Amount)
	})
	if err != nil {
		return types.Account{}, err
	}
	// Nothing else can have changed since the user was settled, so only a unit of rounding needs another settle.
	if grown.LT(amount.Amount) {
		if l, err = k.settled(ctx, user); err != nil {
			return types.Account{}, err
		}
	}
	after, _, err := k.account(ctx, l)
	if err != nil {
		return types.Account{}, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "local", "stakes")
	name, err := k.staking.ValidatorAddressCodec().BytesToString(validator)
	if err != nil {
		return types.Account{}, err
	}
	return after, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventLocalStaked{
		User: after.User, Validator: name, Amount: amount.Amount.String(), Local: types.Local(after.Liens).String(),
	})
}

// UnstakeLocal begins to unbond amount of the user's local stake with a validator. After this chain's unbonding period it
// is liquid collateral again, by itself; until then the lien stays and slashes still reach it. It returns when that is,
// and what unbonds: amount, or what all of the stake is worth to x/staking if that was asked for. Stake that has lost all
// its value leaves with any amount.
//
// Errors: ErrWrongDenom, ErrInvalidAmount, ErrInsufficientStake, ErrTooManyUnbondings, ErrLocalStakingRefused if x/staking
// would pay out another denom by now.
func (k *Keeper) UnstakeLocal(ctx context.Context, user sdk.AccAddress, validator sdk.ValAddress, amount sdk.Coin) (completion time.Time, unbonding math.Int, err error) {
	if err := k.validateCoin(ctx, user, amount); err != nil {
		return time.Time{}, math.Int{}, err
	}
	if err := k.checkBondDenom(ctx, amount.Denom, "withdraw-delegation takes free local stake out as a delegation"); err != nil {
		return time.Time{}, math.Int{}, err
	}
	if err := k.settle(ctx, user); err != nil {
		return time.Time{}, math.Int{}, err
	}
	account := types.StakingAccountAddress(user)
	staked, err := k.holding(ctx, account, validator)
	if err != nil {
		return time.Time{}, math.Int{}, err
	}
	if staked.tokens().IsPositive() {
		if err := staked.checkHas(amount.Amount); err != nil {
			return time.Time{}, math.Int{}, err
		}
	}
	shares := types.SharesFor(staked.validator, staked.shares, amount.Amount)
	completion, unbonding, err = k.staking.Undelegate(withActing(ctx), account, validator, shares)
	if stderrors.Is(err, stakingtypes.ErrMaxUnbondingDelegationEntries) {
		return time.Time{}, math.Int{}, k.tooManyUnbondings(ctx, account, validator)
	}
	if err != nil {
		return time.Time{}, math.Int{}, err
	}
	if err := k.scheduleMaturity(ctx, completion, user); err != nil {
		return time.Time{}, math.Int{}, err
	}
	if err := k.settle(ctx, user); err != nil {
		return time.Time{}, math.Int{}, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "local", "unstakes")
	name, err := k.addresses.BytesToString(user)
	if err != nil {
		return time.Time{}, math.Int{}, err
	}
	return completion, unbonding, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventLocalUnstaked{
		User: name, Validator: staked.validator.GetOperator(), Amount: unbonding.String(), CompletionTime: completion,
	})
}

// RestakeLocal redelegates amount of the user's local stake from one validator to another. It returns until when the stake
// can still be slashed for the validator it has left; now, if that was unbonded.
//
// Errors: ErrWrongDenom, ErrInvalidAmount, ErrInsufficientStake, ErrInvalidValidator, ErrTooManyValidators,
// ErrImmatureRedelegation, x/staking's ErrMaxRedelegationEntries and ErrSelfRedelegation.
func (k *Keeper) RestakeLocal(ctx context.Context, user sdk.AccAddress, source, destination sdk.ValAddress, amount sdk.Coin) (completion time.Time, err error) {
	if err := k.validateCoin(ctx, user, amount); err != nil {
		return time.Time{}, err
	}
	if err := k.settle(ctx, user); err != nil {
		return time.Time{}, err
	}
	account := types.StakingAccountAddress(user)
	staked, err := k.holding(ctx, account, source)
	if err != nil {
		return time.Time{}, err
	}
	if err := staked.checkHas(amount.Amount); err != nil {
		return time.Time{}, err
	}
	to, err := k.stakeable(ctx, destination)
	if err != nil {
		return time.Time{}, err
	}
	if err := k.checkNotReceiving(ctx, account, staked); err != nil {
		return time.Time{}, err
	}
	err = k.withinValidators(ctx, user, to.GetOperator(), func() error {
		shares := types.SharesFor(staked.validator, staked.shares, amount.Amount)
		completion, err = k.staking.BeginRedelegation(withActing(ctx), account, source, destination, shares)
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	if err := k.addLocalUser(ctx, destination, user); err != nil {
		return time.Time{}, err
	}
	if err := k.settle(ctx, user); err != nil {
		return time.Time{}, err
	}
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	// x/staking returns no time for what has no redelegation to wait for.
	if completion.Before(sdkCtx.BlockTime()) {
		completion = sdkCtx.BlockTime()
	}
	telemetry.IncrCounter(1, types.ModuleName, "local", "restakes")
	name, err := k.addresses.BytesToString(user)
	if err != nil {
		return time.Time{}, err
	}
	return completion, sdkCtx.EventManager().EmitTypedEvent(&types.EventLocalRestaked{
		User: name, ValidatorSrc: staked.validator.GetOperator(), ValidatorDst: to.GetOperator(), Amount: amount.Amount.String(), CompletionTime: completion,
	})
}

// delegate has the user's staking account delegate amount, positive base units, to a validator as it is now. The coins are
// in the pool of its status already.
func (k *Keeper) delegate(ctx context.Context, user sdk.AccAddress, addr sdk.ValAddress, validator stakingtypes.Validator, amount math.Int) error {
	account, err := k.stakingAccount(ctx, user)
	if err != nil {
		return err
	}
	err = k.withinValidators(ctx, user, validator.GetOperator(), func() error {
		_, err := k.staking.Delegate(withActing(ctx), account, amount, validator.GetStatus(), validator, false)
		return err
	})
	if err != nil {
		return err
	}
	return k.addLocalUser(ctx, addr, user)
}

// withinValidators runs op, which stakes with a validator, and returns ErrTooManyValidators if that makes it one more than
// a staking account may have. A validator that op leaves makes room.
func (k *Keeper) withinValidators(ctx context.Context, user sdk.AccAddress, operator string, op func() error) error {
	before, err := k.stakedWith(ctx, user)
	if err != nil {
		return err
	}
	if err := op(); err != nil || slices.Contains(before, operator) {
		return err
	}
	after, err := k.stakedWith(ctx, user)
	if err != nil {
		return err
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	if len(after) > int(params.MaxValidatorsPerStakingAccount) {
		return errors.Wrapf(types.ErrTooManyValidators,
			"%s would be one more than the %d a user may stake with locally, those that stake unbonds from included; stake with one of these, or leave one",
			operator, params.MaxValidatorsPerStakingAccount)
	}
	return nil
}

// addLocalLien makes or grows the local lien of a settled user by amount. What is added can lose what a validator's worst
// fault costs by x/slashing's present params.
func (k *Keeper) addLocalLien(ctx context.Context, l *ledger, amount math.Int) error {
	doubleSign, err := k.slashing.SlashFractionDoubleSign(ctx)
	if err != nil {
		return err
	}
	downtime, err := k.slashing.SlashFractionDowntime(ctx)
	if err != nil {
		return err
	}
	return k.addLien(ctx, l, types.LocalHolder, amount, math.LegacyMaxDec(doubleSign, downtime))
}

// tooManyUnbondings is the error of one unbonding more than x/staking allows an account with a validator.
func (k *Keeper) tooManyUnbondings(ctx context.Context, account sdk.AccAddress, validator sdk.ValAddress) error {
	ubd, err := k.staking.GetUnbondingDelegation(ctx, account, validator)
	if err != nil {
		return err
	}
	next := slices.MinFunc(ubd.Entries, func(a, b stakingtypes.UnbondingDelegationEntry) int {
		return a.CompletionTime.Compare(b.CompletionTime)
	})
	return errors.Wrapf(types.ErrTooManyUnbondings, "%d unbond from %s already, as many as x/staking allows; the next one ends at %s",
		len(ubd.Entries), ubd.ValidatorAddress, next.CompletionTime.Format(time.RFC3339))
}
