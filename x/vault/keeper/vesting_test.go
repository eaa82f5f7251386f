package keeper_test

import (
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingexported "github.com/cosmos/cosmos-sdk/x/auth/vesting/exported"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

const year = 365 * 24 * time.Hour

// vestingAccounts are all kinds of them, with coins locked for up to a year. lockedLater is what percentage of these is
// still locked after half of it, with nothing delegated.
var vestingAccounts = []struct {
	name        string
	lockedLater int64
	make        func(base *authtypes.BaseAccount, locked sdk.Coins) (sdk.AccountI, error)
}{
	{"continuous", 50, func(base *authtypes.BaseAccount, locked sdk.Coins) (sdk.AccountI, error) {
		return vestingtypes.NewContinuousVestingAccount(base, locked, start.Unix(), start.Add(year).Unix())
	}},
	{"delayed", 100, func(base *authtypes.BaseAccount, locked sdk.Coins) (sdk.AccountI, error) {
		return vestingtypes.NewDelayedVestingAccount(base, locked, start.Add(year).Unix())
	}},
	{"periodic", 70, func(base *authtypes.BaseAccount, locked sdk.Coins) (sdk.AccountI, error) {
		period := func(percent int64) vestingtypes.Period {
			part := sdk.NewCoin(denom, locked.AmountOf(denom).MulRaw(percent).QuoRaw(100))
			return vestingtypes.Period{Length: int64(year.Seconds()) / 3, Amount: sdk.NewCoins(part)}
		}
		return vestingtypes.NewPeriodicVestingAccount(base, locked, start.Unix(), vestingtypes.Periods{period(30), period(30), period(40)})
	}},
	{"permanently locked", 100, func(base *authtypes.BaseAccount, locked sdk.Coins) (sdk.AccountI, error) {
		return vestingtypes.NewPermanentLockedAccount(base, locked)
	}},
}

// vesting makes carol an account with 100 units locked and 10 free.
func (f *fixture) vesting(kind func(base *authtypes.BaseAccount, locked sdk.Coins) (sdk.AccountI, error), unit int64) {
	f.t.Helper()
	base, ok := f.accounts.NewAccountWithAddress(f.ctx, carol).(*authtypes.BaseAccount)
	require.True(f.t, ok)
	account, err := kind(base, sdk.NewCoins(sdk.NewInt64Coin(denom, 100*unit)))
	require.NoError(f.t, err)
	f.accounts.SetAccount(f.ctx, account)
	f.fund(carol, sdk.NewInt64Coin(denom, 110*unit))
}

func (f *fixture) spendable(user sdk.AccAddress) int64 {
	return f.bank.SpendableCoins(f.ctx, user).AmountOf(denom).Int64()
}

// Locked coins can be collateral; what comes back is as locked as it was, and the bank's trackers end where they began.
func TestVestingCoinsAreCollateral(t *testing.T) {
	for _, tc := range vestingAccounts {
		t.Run(tc.name, func(t *testing.T) {
			f := newVault(t)
			f.vesting(tc.make, 1)
			require.Equal(t, int64(10), f.spendable(carol))

			// 60 locked coins are deposited; the free ones stay spendable.
			f.deposit(carol, 60)
			require.Equal(t, int64(60), f.account(carol).Free.Int64())
			require.Equal(t, int64(10), f.spendable(carol))
			require.Equal(t, []int64{60, 0}, trackers(f, carol))
			require.NoError(t, f.holder.add(f, carol, "1", 60, "0.1"))
			f.refused(types.ErrInsufficientFree, func() error { return f.withdraw(carol, 1) })

			// The rest, the free coins last.
			f.deposit(carol, 50)
			require.Equal(t, int64(0), f.balance(carol))
			require.Equal(t, []int64{100, 10}, trackers(f, carol))
			f.refused(sdkerrors.ErrInsufficientFunds, func() error {
				_, err := f.k.Deposit(f.ctx, carol, sdk.NewInt64Coin(denom, 1))
				return err
			})

			// A part comes back: the free coins first.
			require.NoError(t, f.withdraw(carol, 50))
			require.Equal(t, int64(10), f.spendable(carol))
			require.Equal(t, []int64{60, 0}, trackers(f, carol))

			// Time passes, the lien ends, all of it comes back: exactly what the schedule says is locked.
			f.ctx = f.ctx.WithBlockTime(start.Add(year / 2))
			require.NoError(t, f.holder.release(f, carol, "1", 60))
			require.NoError(t, f.withdraw(carol, 60))
			require.Equal(t, int64(110), f.balance(carol))
			require.Equal(t, 110-tc.lockedLater, f.spendable(carol))
			require.Equal(t, []int64{0, 0}, trackers(f, carol))
			require.ErrorIs(t, f.bank.SendCoins(f.ctx, carol, bob, sdk.NewCoins(sdk.NewInt64Coin(denom, 111-tc.lockedLater))), sdkerrors.ErrInsufficientFunds)
			f.holds()
		})
	}
}

// trackers returns the account's delegated vesting and delegated free amounts.
func trackers(f *fixture, user sdk.AccAddress) []int64 {
	account, ok := f.accounts.GetAccount(f.ctx, user).(vestingexported.VestingAccount)
	require.True(f.t, ok)
	return []int64{account.GetDelegatedVesting().AmountOf(denom).Int64(), account.GetDelegatedFree().AmountOf(denom).Int64()}
}
