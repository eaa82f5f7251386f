package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// stakingAccount returns the user's staking account and makes sure that it exists. Without an account x/staking loses the
// coins of unbondings. The address can be known before, so someone may have made an account there, even a vesting one, or
// have sent coins to it: from now on what it holds is what x/staking pays out, so they go to the user.
func (k *Keeper) stakingAccount(ctx context.Context, user sdk.AccAddress) (sdk.AccAddress, error) {
	addr := types.StakingAccountAddress(user)
	if exists, err := k.StakingAccounts.Has(ctx, addr); err != nil || exists {
		return addr, err
	}
	if err := k.adopt(ctx, authtypes.NewBaseAccountWithAddress(addr)); err != nil {
		return nil, err
	}
	if err := k.StakingAccounts.Set(ctx, addr, user); err != nil {
		return nil, err
	}
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return nil, err
	}
	balance := k.bank.GetBalance(ctx, addr, denom)
	if !balance.IsPositive() {
		return addr, nil
	}
	receiver, err := k.rewardReceiver(ctx, user)
	if err != nil {
		return nil, err
	}
	return addr, k.bank.SendCoins(ctx, addr, receiver, sdk.NewCoins(balance))
}

// adopt stores an account of the vault's own at its address. What anyone has made there before is replaced, keeping its
// number: nobody has a key for it.
func (k *Keeper) adopt(ctx context.Context, account sdk.AccountI) error {
	existing := k.accounts.GetAccount(ctx, account.GetAddress())
	if existing == nil {
		k.accounts.SetAccount(ctx, k.accounts.NewAccount(ctx, account))
		return nil
	}
	if err := account.SetAccountNumber(existing.GetAccountNumber()); err != nil {
		return err
	}
	k.accounts.SetAccount(ctx, account)
	return nil
}
