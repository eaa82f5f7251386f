package keeper

import (
	"context"
	"errors"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// sharesFor returns the shares of account's delegation that are worth amount, or all of them.
func (k *Keeper) sharesFor(ctx context.Context, account sdk.AccAddress, addr sdk.ValAddress, amount math.Int, all bool) (math.LegacyDec, error) {
	delegation, err := k.staking.GetDelegation(ctx, account, addr)
	if err != nil {
		return math.LegacyDec{}, err
	}
	if all {
		return delegation.Shares, nil
	}
	validator, err := k.staking.GetValidator(ctx, addr)
	if err != nil {
		return math.LegacyDec{}, err
	}
	return types.SharesFor(validator, delegation.Shares, amount), nil
}

// unbond takes shares of account's delegation away and returns what they were worth, in bond denom base units. Their
// power leaves at once. The tokens stay as an unbonding entry, so that they answer for past faults, until the validator
// cannot be slashed for these any more; what is free of that already is burned now and returned as burned.
//
// It does what x/staking's Undelegate does, except for the limit of entries, which would stop rebalancing, and for the
// time: an entry at an unbonding validator ends with it.
func (k *Keeper) unbond(ctx context.Context, id uint64, account sdk.AccAddress, addr sdk.ValAddress, shares math.LegacyDec) (returned, burned math.Int, err error) {
	// Read first: the last shares of an unbonded validator take it away.
	validator, err := k.staking.GetValidator(ctx, addr)
	if err != nil {
		return math.Int{}, math.Int{}, err
	}
	returned, err = k.staking.Unbond(ctx, account, addr, shares)
	if err != nil {
		return math.Int{}, math.Int{}, err
	}
	burned = math.ZeroInt()
	// Shares of a validator that lost everything are worth nothing.
	if returned.IsPositive() {
		if burned, err = k.settleUnbonded(ctx, id, account, addr, validator, returned); err != nil {
			return math.Int{}, math.Int{}, err
		}
	}
	return returned, burned, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventVirtualUnbonded{
		Source: id, Validator: validator.GetOperator(), Amount: returned.String(),
	})
}

// settleUnbonded books amount that has left validator, whose state is that from before, and returns what it burned.
func (k *Keeper) settleUnbonded(ctx context.Context, id uint64, account sdk.AccAddress, addr sdk.ValAddress, validator stakingtypes.Validator, amount math.Int) (burned math.Int, err error) {
	denom, err := k.staking.BondDenom(ctx)
	if err != nil {
		return math.Int{}, err
	}
	coins := sdk.NewCoins(sdk.NewCoin(denom, amount))
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	completion := validator.UnbondingTime
	switch {
	case validator.IsUnbonded():
		if err := k.bank.SendCoinsFromModuleToModule(ctx, stakingtypes.NotBondedPoolName, types.ModuleName, coins); err != nil {
			return math.Int{}, err
		}
		return amount, k.burn(ctx, id, coins)
	case validator.IsBonded():
		period, err := k.staking.UnbondingTime(ctx)
		if err != nil {
			return math.Int{}, err
		}
		completion = sdkCtx.BlockTime().Add(period)
		if err := k.bank.SendCoinsFromModuleToModule(ctx, stakingtypes.BondedPoolName, stakingtypes.NotBondedPoolName, coins); err != nil {
			return math.Int{}, err
		}
	}
	return math.ZeroInt(), k.addEntry(ctx, account, addr, completion, amount)
}

// addEntry adds an unbonding entry of amount. x/staking rewrites all entries of an account and validator with each one
// and goes through them at every slash, so from types.MaxExactEntries on completion is rounded up to a bucket, and there
// is one entry for each bucket. It takes the height of the latest unbonding in it, because x/staking slashes an entry
// that was created at the height of the fault or later: it stays slashable for all that each part of it is.
func (k *Keeper) addEntry(ctx context.Context, account sdk.AccAddress, addr sdk.ValAddress, completion time.Time, amount math.Int) error {
	height := sdk.UnwrapSDKContext(ctx).BlockHeight()
	ubd, err := k.staking.GetUnbondingDelegation(ctx, account, addr)
	if err != nil && !errors.Is(err, stakingtypes.ErrNoUnbondingDelegation) {
		return err
	}
	if len(ubd.Entries) >= types.MaxExactEntries {
		period, err := k.staking.UnbondingTime(ctx)
		if err != nil {
			return err
		}
		completion = types.RoundUp(completion, period)
		for i := range ubd.Entries {
			// An entry on hold stays after its time.
			if entry := &ubd.Entries[i]; entry.CompletionTime.Equal(completion) && !entry.OnHold() {
				entry.CreationHeight = height
				entry.InitialBalance, entry.Balance = entry.InitialBalance.Add(amount), entry.Balance.Add(amount)
				return k.staking.SetUnbondingDelegation(ctx, ubd)
			}
		}
	}
	ubd, err = k.staking.SetUnbondingDelegationEntry(ctx, account, addr, height, completion, amount)
	if err != nil {
		return err
	}
	return k.staking.InsertUBDQueue(ctx, ubd, completion)
}
