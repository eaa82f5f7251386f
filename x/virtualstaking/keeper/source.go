package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// CreateSource creates source id without a cap. Its virtual stake will be held by types.VirtualAccount(id), and its
// rewards are paid to rewardAccount, which must be able to receive coins.
func (k *Keeper) CreateSource(ctx context.Context, id uint64, rewardAccount sdk.AccAddress) error {
	if id == 0 {
		return types.ErrSourceNotFound.Wrap("source ids start at 1, got 0")
	}
	if has, err := k.Sources.Has(ctx, id); err != nil {
		return err
	} else if has {
		return types.ErrSourceExists.Wrapf("source %d: choose the next unused id", id)
	}
	account := types.VirtualAccount(id)
	if rewardAccount.Empty() || rewardAccount.Equals(account) {
		return types.ErrInvalidAccount.Wrapf("rewards of source %d cannot be paid to %q, name another account", id, rewardAccount)
	}

	if err := k.createAccount(ctx, account); err != nil {
		return err
	}
	// Through the keeper, because the message can be switched off and nobody could sign it.
	if err := k.distribution.SetDelegatorWithdrawAddr(ctx, account, rewardAccount); err != nil {
		return err
	}
	accountText, err := k.addresses.BytesToString(account)
	if err != nil {
		return err
	}
	rewardText, err := k.addresses.BytesToString(rewardAccount)
	if err != nil {
		return err
	}
	if err := k.Accounts.Set(ctx, account, id); err != nil {
		return err
	}
	return k.Sources.Set(ctx, id, types.NewSource(id, accountText, rewardText))
}

// createAccount makes sure that a plain account exists: without one, x/staking loses the coins of unbondings. The address
// can be known before, so someone may have made an account there, even a vesting one, or sent coins to it. The account is
// replaced. Its bond denom goes to the community pool, or it would look like stake that came back.
func (k *Keeper) createAccount(ctx context.Context, addr sdk.AccAddress) error {
	if err := k.adopt(ctx, authtypes.NewBaseAccountWithAddress(addr)); err != nil {
		return err
	}
	denom, err := k.staking.BondDenom(ctx)
	if err != nil {
		return err
	}
	if balance := k.bank.GetBalance(ctx, addr, denom); balance.IsPositive() {
		return k.distribution.FundCommunityPool(ctx, sdk.NewCoins(balance), addr)
	}
	return nil
}

// adopt stores an account of the module's own at its address. What anyone has made there before is replaced, keeping its
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

// GetSource returns source id, or ErrSourceNotFound.
func (k *Keeper) GetSource(ctx context.Context, id uint64) (types.Source, error) {
	source, err := k.Sources.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Source{}, types.ErrSourceNotFound.Wrapf("source %d: there is no converter with this id", id)
	}
	return source, err
}

// SendRestriction refuses coins for virtual accounts; the app appends it to x/bank's. Only x/staking can pay them, which
// does not ask.
//
// Rewards are the exception: anyone can name a virtual account as the withdraw address of their own rewards. Were these
// refused, x/staking could not slash a redelegation of theirs, and an error there halts the chain. They go to the fee
// collector instead.
func (k *Keeper) SendRestriction(ctx context.Context, from, to sdk.AccAddress, _ sdk.Coins) (sdk.AccAddress, error) {
	id, err := k.Accounts.Get(ctx, to)
	if errors.Is(err, collections.ErrNotFound) {
		return to, nil
	}
	if err != nil {
		return nil, err
	}
	if k.feeCollector != nil && from.Equals(k.distributionModule) {
		return k.feeCollector, nil
	}
	return nil, types.ErrSendRefused.Wrapf("%s holds the virtual stake of converter %d and nothing else", to, id)
}
