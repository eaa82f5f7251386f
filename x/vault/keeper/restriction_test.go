package keeper_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

func TestStakingAccountsHaveTheirOwnAddresses(t *testing.T) {
	seen := map[string]bool{}
	for _, user := range []sdk.AccAddress{alice, bob, alice[:19], append(append(sdk.AccAddress{}, alice...), 0), {0}, {}} {
		addr := types.StakingAccountAddress(user)
		require.Len(t, addr, types.StakingAccountLength)
		require.NoError(t, sdk.VerifyAddressFormat(addr))
		require.False(t, seen[string(addr)])
		seen[string(addr)] = true
	}
	require.Equal(t, types.StakingAccountAddress(alice), types.StakingAccountAddress(alice))
}

// Whatever is sent to a staking account is the user's, like anything sent to the user, and nothing of the vault's.
func TestDonationsToAStakingAccountReachItsUser(t *testing.T) {
	c := newChain(t, 2)
	c.deposit(alice, 1000)
	c.stakeLocal(alice, c.vals[0], 1000)
	account := types.StakingAccountAddress(alice)
	before, exported := c.account(alice), c.export()
	coins := sdk.NewCoins(coin(50), sdk.NewInt64Coin(otherDenom, 3))

	require.NoError(t, c.bank.SendCoins(c.ctx, bob, account, coins))
	require.Equal(t, int64(999_050), c.balance(alice))
	input := banktypes.NewInput(bob, coins)
	require.NoError(t, c.bank.InputOutputCoins(c.ctx, input, []banktypes.Output{banktypes.NewOutput(account, coins)}))
	require.Equal(t, int64(999_100), c.balance(alice))
	// As a transfer from another chain, and what modules pay.
	c.fund(account, coin(7))
	require.Equal(t, int64(999_107), c.balance(alice))

	// Wherever the user's own rewards go at that moment.
	require.NoError(t, c.distr.SetWithdrawAddr(c.ctx, alice, carol))
	c.fund(account, coin(7))
	require.Equal(t, int64(7), c.balance(carol))

	require.Empty(t, c.bank.GetAllBalances(c.ctx, account))
	require.Equal(t, before, c.account(alice))
	require.Equal(t, exported, c.export())
	c.block(time.Second)
	c.unstakeLocal(alice, c.vals[0], 1000)
	c.block(unbondingTime)
	c.block(time.Second)
	require.Equal(t, [3]int64{1000, 0, 1000}, c.figures(alice), "exactly what was staked has come back")
}

func (c *chain) export() *types.GenesisState {
	c.t.Helper()
	gs, err := c.k.ExportGenesis(c.ctx)
	require.NoError(c.t, err)
	return gs
}

// A staking account as withdraw address would let coins look like unbonded stake.
func TestStakingAccountAsWithdrawAddress(t *testing.T) {
	c := newChain(t, 1)
	c.fees = 1_000_000
	for _, user := range []sdk.AccAddress{alice, bob} {
		c.deposit(user, 900_000)
		c.stakeLocal(user, c.vals[0], 900_000)
	}
	ofAlice, ofBob := types.StakingAccountAddress(alice), types.StakingAccountAddress(bob)
	for _, withdraw := range []sdk.AccAddress{ofAlice, ofBob} {
		require.NoError(t, c.distr.SetWithdrawAddr(c.ctx, alice, withdraw))
		c.block(time.Second)
		had := c.balance(alice)
		c.does(&types.MsgWithdrawLocalRewards{User: alice.String()})
		require.Greater(t, c.balance(alice), had, "as if none were named")
	}
	// Those of bob, who named his own, when alice names his.
	require.NoError(t, c.distr.SetWithdrawAddr(c.ctx, bob, ofBob))
	c.fund(ofAlice, coin(5))
	require.Zero(t, c.balance(ofAlice))
	require.Zero(t, c.balance(ofBob))
	// And delegators' who have nothing to do with the vault.
	c.delegate(carolWith(c, 100_000), c.vals[0], 100_000)
	require.NoError(t, c.distr.SetWithdrawAddr(c.ctx, carol, ofBob))
	c.block(time.Second)
	had := c.balance(bob)
	_, err := c.distr.WithdrawDelegationRewards(c.ctx, carol, c.vals[0].address)
	require.NoError(t, err)
	require.Greater(t, c.balance(bob), had)
	c.sound()
}

func carolWith(c *chain, amount int64) sdk.AccAddress {
	c.fund(carol, coin(amount))
	return carol
}

// Anyone can know the address before, make an account there and send coins to it.
func TestStakingAccountReplacesOneThatWasThereBefore(t *testing.T) {
	locked := sdk.NewCoins(coin(5))
	account := types.StakingAccountAddress(alice)
	for _, tc := range []struct {
		name string
		make func(t *testing.T, base *authtypes.BaseAccount) sdk.AccountI
	}{
		{name: "ordinary", make: func(_ *testing.T, base *authtypes.BaseAccount) sdk.AccountI { return base }},
		{name: "vesting", make: func(t *testing.T, base *authtypes.BaseAccount) sdk.AccountI {
			account, err := vestingtypes.NewPermanentLockedAccount(base, locked)
			require.NoError(t, err)
			return account
		}},
		{name: "module", make: func(_ *testing.T, base *authtypes.BaseAccount) sdk.AccountI {
			return authtypes.NewModuleAccount(base, "squatter", authtypes.Minter)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newChain(t, 1)
			base, ok := c.accounts.NewAccountWithAddress(c.ctx, account).(*authtypes.BaseAccount)
			require.True(t, ok)
			before := tc.make(t, base)
			c.accounts.SetAccount(c.ctx, before)
			c.fund(account, coin(5), sdk.NewInt64Coin(otherDenom, 3))
			require.Equal(t, int64(5), c.balance(account), "not a staking account yet")
			require.NoError(t, c.distr.SetWithdrawAddr(c.ctx, alice, account), "and nobody's withdraw address changes that")

			c.deposit(alice, 1000)
			had := c.balance(alice)
			c.stakeLocal(alice, c.vals[0], 1000)
			after := c.accounts.GetAccount(c.ctx, account)
			require.IsType(t, &authtypes.BaseAccount{}, after)
			require.Equal(t, before.GetAccountNumber(), after.GetAccountNumber())
			require.Equal(t, had+5, c.balance(alice), "they are the user's")
			require.Zero(t, c.balance(account))

			c.unstakeLocal(alice, c.vals[0], 1000)
			c.block(unbondingTime)
			c.block(time.Second)
			require.Equal(t, [3]int64{1000, 0, 1000}, c.figures(alice))
		})
	}
}

// No message reaches a staking account: nobody can sign for it, and what could be done with an address alone does nothing.
func TestStakingAccountCannotBeReached(t *testing.T) {
	c := newChain(t, 2)
	v := c.vals[0]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 1000)
	c.unstakeLocal(alice, v, 100)
	account := types.StakingAccountAddress(alice).String()
	height := c.ctx.BlockHeight()

	for _, msg := range []sdk.Msg{
		&banktypes.MsgSend{FromAddress: account, ToAddress: bob.String(), Amount: sdk.NewCoins(coin(1))},
		stakingtypes.NewMsgDelegate(account, v.name, coin(1)),
		stakingtypes.NewMsgUndelegate(account, v.name, coin(1)),
		stakingtypes.NewMsgBeginRedelegate(account, v.name, c.vals[1].name, coin(1)),
		stakingtypes.NewMsgCancelUnbondingDelegation(account, v.name, height, coin(1)),
		&distrtypes.MsgSetWithdrawAddress{DelegatorAddress: account, WithdrawAddress: bob.String()},
		&distrtypes.MsgWithdrawDelegatorReward{DelegatorAddress: account, ValidatorAddress: v.name},
		&types.MsgDeposit{User: account, Amount: coin(1)},
		&types.MsgDepositDelegation{User: account, Validator: v.name, Amount: coin(1)},
	} {
		// Nobody has granted anything, and nobody can.
		_, err := c.authz.DispatchActions(c.ctx, bob, []sdk.Msg{msg})
		require.ErrorIs(t, err, authz.ErrNoAuthorizationFound, "%T", msg)
	}
	stored := c.accounts.GetAccount(c.ctx, types.StakingAccountAddress(alice))
	require.Nil(t, stored.GetPubKey())
	require.Zero(t, stored.GetSequence())
	// Others cannot act on it by naming its user either.
	c.refuses(types.ErrInsufficientStake, &types.MsgUnstakeLocal{User: bob.String(), Validator: v.name, Amount: coin(1)})
}

// A user whom the bank refuses to pay, which a restriction of the chain may bring about, cannot change local stake, but the
// maturity of what unbonds and a slash go on.
func TestUserWhoCannotReceiveIsNotInTheWay(t *testing.T) {
	c := newChain(t, 1)
	v := c.vals[0]
	c.fees = 1_000_000
	c.deposit(alice, 900_000)
	c.stakeLocal(alice, v, 900_000)
	c.block(time.Second)
	c.unstakeLocal(alice, v, 100_000)
	c.block(time.Second)
	errBanned := errors.New("banned")
	banned := true
	c.bank.AppendSendRestriction(func(_ context.Context, _, to sdk.AccAddress, _ sdk.Coins) (sdk.AccAddress, error) {
		if banned && to.Equals(alice) {
			return nil, errBanned
		}
		return to, nil
	})
	c.refuses(errBanned, &types.MsgWithdrawLocalRewards{User: alice.String()})
	c.refuses(errBanned, &types.MsgUnstakeLocal{User: alice.String(), Validator: v.name, Amount: coin(1)})
	res, err := c.query.LocalStake(c.ctx, &types.QueryLocalStakeRequest{User: alice.String()})
	require.NoError(t, err)
	require.Equal(t, int64(800_000), res.Stakes[0].Amount.Int64())

	require.NoError(t, c.holder.add(c.fixture, alice, "1", 900_000, "0.5"))
	sequence, err := c.holder.handle.NextLossSequence(c.ctx)
	require.NoError(t, err)
	require.NoError(t, c.holder.handle.Lose(c.ctx, alice, "1", sequence, math.NewInt(450_000)))
	require.Equal(t, [3]int64{450_000, 450_000, 0}, c.figures(alice))
	require.Equal(t, int64(450_000), c.held(alice), "the loss is burned, the rewards of what was burned are diverted")
	c.ctx = c.ctx.WithBlockTime(c.ctx.BlockTime().Add(unbondingTime))
	_, err = c.staking.EndBlocker(c.ctx)
	require.NoError(t, err)
	c.k.EndBlock(c.ctx)
	require.Equal(t, [3]int64{450_000, 350_000, 0}, c.figures(alice), "what unbonded has come back")
	banned = false
	c.sound()
}

// The restriction costs others next to nothing: no read for addresses of the usual length, one for long ones.
func TestSendRestrictionReads(t *testing.T) {
	c := newChain(t, 1)
	gas := func(to sdk.AccAddress) uint64 {
		ctx := c.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()).WithKVGasConfig(storetypes.GasConfig{HasCost: 1, ReadCostFlat: 1})
		require.NoError(t, c.bank.SendCoins(ctx, bob, to, sdk.NewCoins(coin(1))))
		return ctx.GasMeter().GasConsumed()
	}
	c.fund(carol, coin(1))
	long := types.StakingAccountAddress(carol)
	c.fund(long, coin(1))
	require.Equal(t, gas(carol)+1, gas(long))
}
