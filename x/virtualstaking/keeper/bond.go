package keeper

import (
	"context"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// bond mints amount, positive bond denom base units, and delegates it from account. The coins go straight into x/staking's
// pool, so the account never holds any. On an error the caller drops all writes, also the mint.
func (k *Keeper) bond(ctx context.Context, id uint64, account sdk.AccAddress, addr sdk.ValAddress, amount math.Int) error {
	validator, err := k.staking.GetValidator(ctx, addr)
	if err != nil {
		return err
	}
	if validator.InvalidExRate() {
		return stakingtypes.ErrDelegatorShareExRateInvalid.Wrapf("validator %s has lost all its stake", validator.GetOperator())
	}
	bonded, err := k.staking.TotalBondedTokens(ctx)
	if err != nil {
		return err
	}
	if err := k.checkPower(ctx, bonded.Add(amount)); err != nil {
		return err
	}
	denom, err := k.staking.BondDenom(ctx)
	if err != nil {
		return err
	}
	coins := sdk.NewCoins(sdk.NewCoin(denom, amount))
	if err := k.bank.MintCoins(ctx, types.ModuleName, coins); err != nil {
		return err
	}
	if err := k.bank.SendCoinsFromModuleToModule(ctx, types.ModuleName, stakingtypes.NotBondedPoolName, coins); err != nil {
		return err
	}
	// Unbonded says where the coins are; x/staking moves them to the bonded pool if the validator is bonded.
	shares, err := k.staking.Delegate(ctx, account, amount, stakingtypes.Unbonded, validator, false)
	if err != nil {
		return err
	}
	if !shares.IsPositive() {
		return types.ErrInvalidDelegated.Wrapf("%s is worth less than the smallest share of validator %s", coins, validator.GetOperator())
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventVirtualBonded{
		Source: id, Validator: validator.GetOperator(), Amount: amount.String(),
	})
}
