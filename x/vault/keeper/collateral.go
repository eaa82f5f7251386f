package keeper

import (
	"context"

	"cosmossdk.io/errors"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/mesh-security/mesh/x/vault/types"
)

// Deposit moves amount, vesting coins included, from the user to the vault and adds it to the user's collateral. It
// returns the account afterwards.
//
// Errors: ErrWrongDenom, ErrInvalidAmount, ErrDepositsRefused when the chain's bond denom is not the vault's any more,
// the bank's ErrInsufficientFunds.
func (k *Keeper) Deposit(ctx context.Context, user sdk.AccAddress, amount sdk.Coin) (types.Account, error) {
	if err := k.validateCoin(ctx, user, amount); err != nil {
		return types.Account{}, err
	}
	// Nothing could be secured with collateral the chain does not bond any more, so none is taken in. It can leave.
	if bondDenom, err := k.staking.BondDenom(ctx); err != nil {
		return types.Account{}, err
	} else if bondDenom != amount.Denom {
		return types.Account{}, errors.Wrapf(types.ErrDepositsRefused,
			"the vault holds %s, but the chain's bond denom is now %s; withdrawals work", amount.Denom, bondDenom)
	}
	account, params, err := k.settledAccount(ctx, user)
	if err != nil {
		return types.Account{}, err
	}
	collateral := account.Collateral.Add(amount.Amount)
	if err := types.ValidateAmount(collateral); err != nil {
		return types.Account{}, errors.Wrapf(err, "deposit of %s to collateral of %s", amount, account.Collateral)
	}
	if err := k.bank.DelegateCoins(ctx, user, k.module, sdk.NewCoins(amount)); err != nil {
		return types.Account{}, err
	}
	if err := k.setCollateral(ctx, user, collateral); err != nil {
		return types.Account{}, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "deposits")
	account.Collateral = collateral
	account = account.Derived(params.MaxCollateralUse)
	return account, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventDeposited{
		User: account.User, Amount: amount.Amount.String(), Collateral: collateral.String(),
	})
}

// Withdraw returns amount of the user's free collateral. Coins that were vesting when deposited are as locked as
// before. It returns the account afterwards.
//
// Errors: ErrWrongDenom, ErrInvalidAmount, ErrInsufficientFree.
func (k *Keeper) Withdraw(ctx context.Context, user sdk.AccAddress, amount sdk.Coin) (types.Account, error) {
	if err := k.validateCoin(ctx, user, amount); err != nil {
		return types.Account{}, err
	}
	account, params, err := k.settledAccount(ctx, user)
	if err != nil {
		return types.Account{}, err
	}
	if amount.Amount.GT(account.Free) {
		return types.Account{}, errors.Wrapf(types.ErrInsufficientFree,
			"asked for %s, free is %s%s of %s; unstake to free more",
			amount, account.Free, amount.Denom, account.Collateral)
	}
	if err := k.bank.UndelegateCoins(ctx, k.module, user, sdk.NewCoins(amount)); err != nil {
		return types.Account{}, err
	}
	collateral := account.Collateral.Sub(amount.Amount)
	if err := k.setCollateral(ctx, user, collateral); err != nil {
		return types.Account{}, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "withdrawals")
	account.Collateral = collateral
	account = account.Derived(params.MaxCollateralUse)
	return account, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventWithdrawn{
		User: account.User, Amount: amount.Amount.String(), Collateral: collateral.String(),
	})
}

// validateCoin checks what deposit and withdraw ask of their input.
func (k *Keeper) validateCoin(ctx context.Context, user sdk.AccAddress, amount sdk.Coin) error {
	if err := sdk.VerifyAddressFormat(user); err != nil {
		return sdkerrors.ErrInvalidAddress.Wrapf("user: %s", err)
	}
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return err
	}
	if amount.Denom != denom {
		return errors.Wrapf(types.ErrWrongDenom, "%q, the vault takes %s only", amount.Denom, denom)
	}
	return types.ValidateAmount(amount.Amount)
}
