package keeper_test

import (
	"testing"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

func TestDepositAndWithdraw(t *testing.T) {
	f := newVault(t)
	events, err := f.send(&types.MsgDeposit{User: alice.String(), Amount: sdk.NewInt64Coin(denom, 300)})
	require.NoError(t, err)
	f.hasEvent(events, &types.EventDeposited{User: alice.String(), Amount: "300", Collateral: "300"})
	f.deposit(alice, 100)
	f.deposit(bob, 7)
	require.Equal(t, int64(600), f.balance(alice))
	require.Equal(t, int64(407), f.balance(f.module))

	a := f.account(alice)
	require.Equal(t, types.Account{
		User: alice.String(), Collateral: math.NewInt(400), Liquid: math.NewInt(400), Free: math.NewInt(400),
		MaxLien: math.ZeroInt(), Slashable: math.ZeroInt(), StakingAccount: types.StakingAccountAddress(alice).String(), Debt: math.ZeroInt(),
	}, a)

	events, err = f.send(&types.MsgWithdraw{User: alice.String(), Amount: sdk.NewInt64Coin(denom, 150)})
	require.NoError(t, err)
	f.hasEvent(events, &types.EventWithdrawn{User: alice.String(), Amount: "150", Collateral: "250"})
	require.Equal(t, int64(750), f.balance(alice))
	require.Equal(t, int64(7), f.account(bob).Collateral.Int64())
	f.holds()

	require.NoError(t, f.withdraw(alice, 250))
	has, err := f.k.Collateral.Has(f.ctx, alice)
	require.NoError(t, err)
	require.False(t, has, "an empty account is not kept")
	require.Equal(t, int64(1000), f.balance(alice))
	f.holds()
}

func TestResponsesTellTheAccountAfterwards(t *testing.T) {
	f := newVault(t)
	after, err := f.k.Deposit(f.ctx, alice, sdk.NewInt64Coin(denom, 100))
	require.NoError(t, err)
	require.Equal(t, f.account(alice), after)
	require.NoError(t, f.holder.add(f, alice, "1", 60, "0.1"))
	after, err = f.k.Withdraw(f.ctx, alice, sdk.NewInt64Coin(denom, 40))
	require.NoError(t, err)
	require.Equal(t, f.account(alice), after)
	require.Equal(t, int64(0), after.Free.Int64())
}

func TestVA01WithdrawBounds(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 40, "0.1"))
	for _, tc := range []struct {
		name   string
		amount sdk.Coin
		want   error
	}{
		{name: "zero", amount: sdk.NewInt64Coin(denom, 0), want: types.ErrInvalidAmount},
		{name: "negative", amount: sdk.Coin{Denom: denom, Amount: math.NewInt(-1)}, want: types.ErrInvalidAmount},
		{name: "wrong denom", amount: sdk.NewInt64Coin(otherDenom, 1), want: types.ErrWrongDenom},
		{name: "free+1", amount: sdk.NewInt64Coin(denom, 61), want: types.ErrInsufficientFree},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.refused(tc.want, func() error {
				_, err := f.send(&types.MsgWithdraw{User: alice.String(), Amount: tc.amount})
				return err
			})
		})
	}
	err := f.withdraw(alice, 61)
	require.ErrorContains(t, err, "asked for 61stake, free is 60stake of 100; unstake to free more")
	require.NoError(t, f.withdraw(alice, 60))
	require.Equal(t, int64(40), f.account(alice).Collateral.Int64())
	f.holds()
}

func TestVA02WithdrawWhileALienIsHeld(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 100, "0.1"))
	f.refused(types.ErrInsufficientFree, func() error { return f.withdraw(alice, 1) })
}

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	tooMuch, ok := math.NewIntFromString("6277101735386680763835789423207666416102355444464034512896") // 2^192
	require.True(t, ok)
	for _, tc := range []struct {
		name   string
		user   string
		amount sdk.Coin
		want   error
	}{
		{name: "nil amount", user: alice.String(), amount: sdk.Coin{Denom: denom}, want: types.ErrInvalidAmount},
		{name: "empty coin", user: alice.String(), want: types.ErrWrongDenom},
		{name: "zero", user: alice.String(), amount: sdk.NewInt64Coin(denom, 0), want: types.ErrInvalidAmount},
		{name: "negative", user: alice.String(), amount: sdk.Coin{Denom: denom, Amount: math.NewInt(-5)}, want: types.ErrInvalidAmount},
		{name: "2^192", user: alice.String(), amount: sdk.NewCoin(denom, tooMuch), want: types.ErrInvalidAmount},
		{name: "wrong denom", user: alice.String(), amount: sdk.NewInt64Coin(otherDenom, 5), want: types.ErrWrongDenom},
		{name: "malformed denom", user: alice.String(), amount: sdk.Coin{Denom: "1!", Amount: math.NewInt(5)}, want: types.ErrWrongDenom},
		{name: "wrong case", user: alice.String(), amount: sdk.NewInt64Coin("Stake", 5), want: types.ErrWrongDenom},
		{name: "no user", amount: sdk.NewInt64Coin(denom, 5), want: sdkerrors.ErrInvalidAddress},
		{name: "not an address", user: "alice", amount: sdk.NewInt64Coin(denom, 5), want: sdkerrors.ErrInvalidAddress},
		{name: "other chain's prefix", user: "osmo1qy352eufqy352eufqy352eufqy35qqqptw34ca", amount: sdk.NewInt64Coin(denom, 5), want: sdkerrors.ErrInvalidAddress},
	} {
		t.Run("deposit/"+tc.name, func(t *testing.T) {
			f.refused(tc.want, func() error {
				_, err := f.send(&types.MsgDeposit{User: tc.user, Amount: tc.amount})
				return err
			})
		})
		t.Run("withdraw/"+tc.name, func(t *testing.T) {
			f.refused(tc.want, func() error {
				_, err := f.send(&types.MsgWithdraw{User: tc.user, Amount: tc.amount})
				return err
			})
		})
	}
	f.refused(sdkerrors.ErrInvalidAddress, func() error {
		_, err := f.k.Deposit(f.ctx, nil, sdk.NewInt64Coin(denom, 1))
		return err
	})
	f.refused(sdkerrors.ErrInsufficientFunds, func() error {
		_, err := f.k.Deposit(f.ctx, alice, sdk.NewInt64Coin(denom, 901))
		return err
	})
	f.refused(types.ErrInsufficientFree, func() error { return f.withdraw(carol, 1) })
}

func TestDepositAboveTheLargestCollateral(t *testing.T) {
	f := newVault(t)
	most, ok := math.NewIntFromString("6277101735386680763835789423207666416102355444464034512895") // 2^192 - 1
	require.True(t, ok)
	f.fund(carol, sdk.NewCoin(denom, most.AddRaw(1)))
	_, err := f.k.Deposit(f.ctx, carol, sdk.NewCoin(denom, most))
	require.NoError(t, err)
	f.refused(types.ErrInvalidAmount, func() error {
		_, err := f.k.Deposit(f.ctx, carol, sdk.NewInt64Coin(denom, 1))
		return err
	})
	f.setParams("0.000000000000000001", 4)
	require.Equal(t, most, f.account(carol).Free)
	f.refused(types.ErrInsufficientCollateral, func() error {
		return f.holder.handle.Add(f.ctx, carol, "1", most, math.LegacyOneDec())
	})
}

func TestSettleComesBeforeDepositAndWithdraw(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 100, "0.1"))
	f.holder.mature(f.ctx, alice, "1", 30)
	f.holder.settled = nil
	require.NoError(t, f.withdraw(alice, 30), "what matured is free at once")
	require.Equal(t, []string{"1"}, f.holder.settled)
	f.deposit(alice, 1)
	require.Equal(t, []string{"1", "1"}, f.holder.settled)
	require.Equal(t, int64(1), f.account(alice).Free.Int64())
	f.holds()

	f.holder.err = sdkerrors.ErrLogic
	f.refused(sdkerrors.ErrLogic, func() error { return f.withdraw(alice, 1) })
	f.refused(sdkerrors.ErrLogic, func() error {
		_, err := f.k.Deposit(f.ctx, alice, sdk.NewInt64Coin(denom, 1))
		return err
	})
}

func TestVA05DonationsChangeNoAccounting(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 40, "0.5"))
	before := f.account(alice)
	exported, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)

	// A message, a transfer voucher and a genesis balance all end up as a balance of the module account.
	require.NoError(t, f.bank.SendCoins(f.ctx, bob, f.module, sdk.NewCoins(sdk.NewInt64Coin(denom, 500), sdk.NewInt64Coin(otherDenom, 3))))
	f.fund(f.module, sdk.NewInt64Coin("ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2", 9))

	require.Equal(t, before, f.account(alice))
	require.Equal(t, int64(0), f.account(bob).Collateral.Int64())
	after, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, after)
	f.refused(types.ErrInsufficientFree, func() error { return f.withdraw(alice, 61) })
	f.refused(types.ErrInsufficientFree, func() error { return f.withdraw(bob, 1) })
	require.NoError(t, f.withdraw(alice, 60))
	f.holds()

	g := newFixture(t)
	g.fund(g.module, sdk.NewInt64Coin(denom, 5000))
	require.NoError(t, g.k.InitGenesis(g.ctx, *after))
	require.Equal(t, int64(100), g.account(alice).Collateral.Int64())
	g.holds()
}

func TestVA09DepositsAreRefusedAfterTheBondDenomChanged(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 40, "0.5"))
	f.setBondDenom(otherDenom)

	f.refused(types.ErrDepositsRefused, func() error {
		_, err := f.send(&types.MsgDeposit{User: alice.String(), Amount: sdk.NewInt64Coin(denom, 1)})
		return err
	})
	f.refused(types.ErrWrongDenom, func() error {
		_, err := f.send(&types.MsgDeposit{User: alice.String(), Amount: sdk.NewInt64Coin(otherDenom, 1)})
		return err
	})
	require.NoError(t, f.withdraw(alice, 60))
	require.NoError(t, f.holder.release(f, alice, "1", 40))
	require.NoError(t, f.withdraw(alice, 40))
	require.Equal(t, int64(1000), f.balance(alice))
	f.holds()
}

func TestModuleAccountMayBurnAndNothingElse(t *testing.T) {
	f := newVault(t)
	account := f.accounts.GetModuleAccount(f.ctx, types.ModuleName)
	require.Equal(t, authtypes.NewModuleAddress(types.ModuleName), account.GetAddress())
	require.Equal(t, []string{authtypes.Burner}, account.GetPermissions())
}

// A chain that adds the vault in an upgrade must not be halted by who sent coins to its address before.
func TestModuleAccountReplacesOneThatWasThereBefore(t *testing.T) {
	locked := sdk.NewCoins(sdk.NewInt64Coin(denom, 5))
	for _, tc := range []struct {
		name string
		make func(f *fixture, base *authtypes.BaseAccount) sdk.AccountI
	}{
		{name: "ordinary", make: func(_ *fixture, base *authtypes.BaseAccount) sdk.AccountI { return base }},
		{name: "vesting", make: func(f *fixture, base *authtypes.BaseAccount) sdk.AccountI {
			account, err := vestingtypes.NewPermanentLockedAccount(base, locked)
			require.NoError(f.t, err)
			return account
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			base, ok := f.accounts.NewAccountWithAddress(f.ctx, f.module).(*authtypes.BaseAccount)
			require.True(t, ok)
			before := tc.make(f, base)
			f.accounts.SetAccount(f.ctx, before)
			f.fund(f.module, locked...)

			require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesis()))
			after := f.accounts.GetModuleAccount(f.ctx, types.ModuleName)
			require.Equal(t, before.GetAccountNumber(), after.GetAccountNumber())
			f.fund(alice, sdk.NewInt64Coin(denom, 10))
			f.deposit(alice, 10)
			require.NoError(t, f.withdraw(alice, 10))
			f.holds()
		})
	}
}
