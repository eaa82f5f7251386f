package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

// until lets blocks go by up to a time after the start.
func (c *chain) until(after time.Duration) {
	c.t.Helper()
	c.block(start.Add(after).Sub(c.ctx.BlockTime()))
}

// Every way that local stake can go, in and out, leaves locked coins locked and the trackers where they began.
func TestVA06LocalStakeOfAVestingAccountStaysLocked(t *testing.T) {
	for _, tc := range vestingAccounts {
		t.Run(tc.name, func(t *testing.T) {
			c := newChain(t, 2)
			v, w := c.vals[0], c.vals[1]
			c.vesting(tc.make, 1000)
			require.Equal(t, int64(10_000), c.spendable(carol))

			// 60,000 locked coins go into the vault as coins, 40,000 as a delegation.
			c.deposit(carol, 60_000)
			c.delegate(carol, v, 40_000)
			require.Equal(t, []int64{100_000, 0}, trackers(c.fixture, carol))
			c.depositDelegation(carol, v, 40_000)
			c.stakeLocal(carol, w, 60_000)
			c.restakeLocal(carol, v, w, 5_000)
			require.Equal(t, [3]int64{100_000, 100_000, 0}, c.figures(carol))
			require.Equal(t, []int64{100_000, 0}, trackers(c.fixture, carol), "the bank has not noticed any of it")
			require.Equal(t, int64(10_000), c.spendable(carol))
			require.ErrorIs(t, c.bank.SendCoins(c.ctx, carol, bob, sdk.NewCoins(coin(10_001))), sdkerrors.ErrInsufficientFunds)

			// Out again: 35,000 as a delegation that unbonds past the vault, 65,000 through it.
			c.withdrawDelegation(carol, v, 35_000)
			c.unstakeLocal(carol, w, 65_000)
			_, err := stakingkeeper.NewMsgServerImpl(c.staking).Undelegate(c.ctx, stakingtypes.NewMsgUndelegate(carol.String(), v.name, coin(35_000)))
			require.NoError(t, err)
			require.Equal(t, []int64{100_000, 0}, trackers(c.fixture, carol))
			c.block(unbondingTime)
			c.until(year / 2)
			require.Equal(t, []int64{65_000, 0}, trackers(c.fixture, carol))
			require.Equal(t, [3]int64{65_000, 0, 65_000}, c.figures(carol))
			require.NoError(t, c.withdraw(carol, 65_000))
			require.Equal(t, []int64{0, 0}, trackers(c.fixture, carol))
			require.Equal(t, int64(110_000), c.balance(carol))
			require.Equal(t, 110_000-1000*tc.lockedLater, c.spendable(carol), "exactly what the schedule says is locked")
			c.sound()
		})
	}
}

// A slash takes coins that were locked. As with any delegation the account goes on tracking them as delegated, so nothing
// that is locked ever becomes free by it.
func TestVA06SlashedLocalStakeOfAVestingAccount(t *testing.T) {
	for _, tc := range vestingAccounts {
		t.Run(tc.name, func(t *testing.T) {
			run := func(through bool) (spendable int64, tracked []int64) {
				c := newChain(t, 2)
				v := c.vals[0]
				c.vesting(tc.make, 1000)
				if through {
					c.deposit(carol, 100_000)
					c.stakeLocal(carol, v, 100_000)
				} else {
					c.delegate(carol, v, 100_000)
				}
				_, err := c.staking.Slash(c.ctx, v.cons, c.ctx.BlockHeight(), 1, math.LegacyMustNewDecFromStr("0.5"))
				require.NoError(t, err)
				c.block(time.Second)
				left := c.delegated(carol, v) + c.local(carol, v)
				require.Less(t, left, int64(100_000))
				if through {
					c.unstakeLocal(carol, v, left)
				} else {
					_, err := stakingkeeper.NewMsgServerImpl(c.staking).Undelegate(c.ctx, stakingtypes.NewMsgUndelegate(carol.String(), v.name, coin(left)))
					require.NoError(t, err)
				}
				c.block(unbondingTime)
				c.until(year / 2)
				if through {
					require.NoError(t, c.withdraw(carol, c.figures(carol)[0]))
				}
				return c.spendable(carol), trackers(c.fixture, carol)
			}
			directly, directTrackers := run(false)
			spendable, tracked := run(true)
			require.Equal(t, directly, spendable)
			require.Equal(t, directTrackers, tracked)
			require.Positive(t, tracked[0], "the lost coins stay tracked as delegated")
		})
	}
}

// A loss on a consumer burns locked collateral wherever it is; the rest is as locked as it was.
func TestVA06BurnedLocalStakeOfAVestingAccount(t *testing.T) {
	for _, tc := range vestingAccounts {
		t.Run(tc.name, func(t *testing.T) {
			c := newChain(t, 1)
			v := c.vals[0]
			c.vesting(tc.make, 1000)
			c.delegate(carol, v, 100_000)
			c.depositDelegation(carol, v, 100_000)
			require.NoError(t, c.holder.add(c.fixture, carol, "1", 100_000, "0.2"))
			sequence, err := c.holder.handle.NextLossSequence(c.ctx)
			require.NoError(t, err)
			require.NoError(t, c.holder.handle.Lose(c.ctx, carol, "1", sequence, math.NewInt(20_000)))
			require.NoError(t, c.holder.release(c.fixture, carol, "1", 80_000))
			require.Equal(t, [3]int64{80_000, 80_000, 0}, c.figures(carol))
			c.withdrawDelegation(carol, v, 30_000)
			c.unstakeLocal(carol, v, 50_000)
			c.block(unbondingTime)
			c.until(year / 2)
			require.NoError(t, c.withdraw(carol, 50_000))
			require.Equal(t, []int64{50_000, 0}, trackers(c.fixture, carol), "30,000 delegated, 20,000 gone")
			require.Equal(t, int64(60_000), c.balance(carol))
			require.Equal(t, 60_000-max(0, 1000*tc.lockedLater-50_000), c.spendable(carol))
		})
	}
}

// Governance changes the bond denom: nothing more is staked, what is can leave as a delegation. Unbonding would be paid in
// the new denom, which x/staking does not have.
func TestVA09LocalStakeAfterTheBondDenomChanged(t *testing.T) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 600)
	c.delegate(alice, v, 100)
	params, err := c.staking.GetParams(c.ctx)
	require.NoError(t, err)
	params.BondDenom = otherDenom
	require.NoError(t, c.staking.SetParams(c.ctx, params))

	c.refuses(types.ErrLocalStakingRefused, &types.MsgStakeLocal{User: alice.String(), Validator: v.name, Amount: coin(1)})
	c.refuses(types.ErrLocalStakingRefused, &types.MsgDepositDelegation{User: alice.String(), Validator: v.name, Amount: coin(1)})
	msg := &types.MsgUnstakeLocal{User: alice.String(), Validator: v.name, Amount: coin(1)}
	c.refuses(types.ErrLocalStakingRefused, msg)
	_, err = c.try(msg)
	require.ErrorContains(t, err, "withdraw-delegation")

	for _, msg := range []sdk.Msg{
		&types.MsgWithdraw{User: alice.String(), Amount: coin(400)},
		&types.MsgRestakeLocal{User: alice.String(), ValidatorSrc: v.name, ValidatorDst: w.name, Amount: coin(100)},
		&types.MsgWithdrawLocalRewards{User: alice.String()},
		&types.MsgWithdrawDelegation{User: alice.String(), Validator: v.name, Amount: coin(500)},
	} {
		_, err := c.try(msg)
		require.NoError(t, err, "%T", msg)
		c.holds()
	}
	require.Equal(t, int64(600), c.delegated(alice, v))
	require.Equal(t, [3]int64{100, 100, 0}, c.figures(alice))
}

// x/staking pays what was unbonding when the bond denom changed in the new one, to whoever delegated it: here to an account
// without a key, where the coins were stuck.
func TestVA09UnbondingPaidInTheNewDenomWasStuck(t *testing.T) {
	for _, tc := range []struct {
		name string
		pool int64 // of the new denom
		want [3]int64
		got  int64
	}{
		{"x/staking has coins of the new denom", 5000, [3]int64{600, 600, 0}, 400},
		{"x/staking has none", 0, [3]int64{1000, 1000, 0}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newChain(t, 2)
			v := c.vals[0]
			c.deposit(alice, 1000)
			c.stakeLocal(alice, v, 1000)
			c.unstakeLocal(alice, v, 400)
			require.NoError(t, c.holder.add(c.fixture, alice, "1", 900, "0.5"))
			params, err := c.staking.GetParams(c.ctx)
			require.NoError(t, err)
			params.BondDenom = otherDenom
			require.NoError(t, c.staking.SetParams(c.ctx, params))
			if tc.pool > 0 {
				c.fund(c.accounts.GetModuleAddress(stakingtypes.NotBondedPoolName), sdk.NewInt64Coin(otherDenom, tc.pool))
			}
			require.NoError(t, c.distr.SetWithdrawAddr(c.ctx, alice, carol))

			c.ctx = c.ctx.WithBlockTime(c.ctx.BlockTime().Add(unbondingTime))
			_, err = c.staking.EndBlocker(c.ctx)
			require.NoError(t, err)
			c.k.EndBlock(c.ctx)
			require.Equal(t, tc.want, c.figures(alice))
			require.Equal(t, tc.got, c.bank.GetBalance(c.ctx, carol, otherDenom).Amount.Int64())
			require.Empty(t, c.bank.GetAllBalances(c.ctx, types.StakingAccountAddress(alice)))
			lien, err := c.holder.handle.Lien(c.ctx, alice, "1")
			require.NoError(t, err)
			require.LessOrEqual(t, lien.Int64(), tc.want[0], "what is gone secures nothing")
			c.holds()
		})
	}
}

// What was staked before x/slashing became stricter keeps its fraction; what is added mixes by amount.
func TestVA09NativeFractionRaisedWithLiveLiens(t *testing.T) {
	c := newChain(t, 1)
	v := c.vals[0]
	c.deposit(alice, 4000)
	c.stakeLocal(alice, v, 1000)
	fraction := func() string {
		for _, l := range c.account(alice).Liens {
			if l.Holder == types.LocalHolder {
				return l.SlashFraction.String()
			}
		}
		return ""
	}
	require.Equal(t, "0.050000000000000000", fraction(), "a double sign costs more than downtime")
	params, err := c.slashing.GetParams(c.ctx)
	require.NoError(t, err)
	params.SlashFractionDowntime = math.LegacyMustNewDecFromStr("0.25")
	require.NoError(t, c.slashing.SetParams(c.ctx, params))
	require.NoError(t, c.holder.handle.Settle(c.ctx, alice))
	require.Equal(t, "0.050000000000000000", fraction())
	c.stakeLocal(alice, v, 1000)
	require.Equal(t, "0.150000000000000000", fraction())
	c.delegate(alice, v, 1000)
	c.depositDelegation(alice, v, 1000)
	require.Equal(t, "0.183333333333333334", fraction())
	c.unstakeLocal(alice, v, 1500)
	c.block(unbondingTime)
	c.block(time.Second)
	require.Equal(t, "0.183333333333333334", fraction(), "what leaves leaves the mean")
}
