package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

// newDebtor is a chain on which alice has 600 with the first validator and 400 with the second, and what is with the first
// cannot be taken.
func newDebtor(t *testing.T) (*chain, validator, validator) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 600)
	c.stakeLocal(alice, w, 400)
	c.faults.refuses[v.name] = true
	return c, v, w
}

func TestStakeThatCannotBeTakenIsADebt(t *testing.T) {
	c, v, w := newDebtor(t)
	supply, height := c.supply(), c.ctx.BlockHeight()
	events := c.lose(alice, 700)
	c.hasEvent(events, &types.EventCollateralBurned{User: alice.String(), Amount: "400", Destination: types.SlashDestinationBurn})
	c.hasEvent(events, &types.EventDebtRecorded{
		User: alice.String(), Debt: "300", Reason: v.name + ": refused by a hook: internal logic error", RetryHeight: height + 10,
	})
	require.Equal(t, [3]int64{300, 300, 0}, c.figures(alice), "the loss itself does not wait")
	require.Equal(t, int64(600), c.local(alice, v))
	require.Zero(t, c.local(alice, w), "the other validator stands for itself")
	require.Equal(t, int64(400), supply-c.supply())
	require.Equal(t, int64(300), c.account(alice).Debt.Int64())
	require.Equal(t, types.Debt{Amount: math.NewInt(300), Failures: 1, RetryHeight: height + 10}, c.debt(alice))
	lost, burned, _ := c.totals()
	require.Equal(t, [2]int64{700, 400}, [2]int64{lost, burned})

	// Nothing is free, not even what is new, and nothing leaves.
	c.deposit(alice, 50)
	require.Equal(t, [3]int64{350, 300, 0}, c.figures(alice))
	c.refuses(types.ErrInsufficientFree, &types.MsgWithdraw{User: alice.String(), Amount: coin(1)})
	c.refuses(types.ErrDebt, &types.MsgStakeLocal{User: alice.String(), Validator: w.name, Amount: coin(1)})
	c.refuses(types.ErrDebt, &types.MsgWithdrawDelegation{User: alice.String(), Validator: v.name, Amount: coin(1)})

	// Attempts come by themselves, ever later.
	for _, wait := range []int64{10, 20, 40} {
		require.Equal(t, height+wait, c.debt(alice).RetryHeight)
		for c.ctx.BlockHeight() <= height+wait {
			c.block(time.Second)
		}
		height += wait
	}
	c.faults.refuses[v.name] = false
	for c.ctx.BlockHeight() <= height+80 {
		require.Equal(t, int64(300), c.debt(alice).Amount.Int64())
		c.block(time.Second)
	}
	require.True(t, c.account(alice).Debt.IsZero())
	require.Equal(t, [3]int64{350, 300, 50}, c.figures(alice))
	require.Equal(t, int64(300), c.local(alice, v))
	require.Equal(t, int64(700), supply-c.supply())
	require.Empty(t, c.pending())
}

func TestDebtIsPaidAsSoonAsItsUserIsTouched(t *testing.T) {
	c, v, _ := newDebtor(t)
	c.lose(alice, 700)
	c.faults.refuses[v.name] = false
	c.deposit(alice, 50)
	require.True(t, c.account(alice).Debt.IsZero())
	require.Equal(t, [3]int64{350, 300, 50}, c.figures(alice))
	require.NoError(t, c.withdraw(alice, 50))
	c.sound()
}

func TestDebtsAddUp(t *testing.T) {
	c, v, _ := newDebtor(t)
	height := c.ctx.BlockHeight()
	c.lose(alice, 700)
	c.block(time.Second)
	events := c.lose(alice, 100)
	c.hasEvent(events, &types.EventDebtRecorded{
		User: alice.String(), Debt: "400", Reason: v.name + ": refused by a hook: internal logic error", RetryHeight: height + 10,
	})
	require.Equal(t, types.Debt{Amount: math.NewInt(400), Failures: 1, RetryHeight: height + 10}, c.debt(alice), "the next attempt stays")
	require.Equal(t, [3]int64{200, 200, 0}, c.figures(alice))
}

// x/staking does not ask whose tokens it burns: first the user pays, then it is the debt that is gone.
func TestSlashAtHomeOfStakeThatIsOwed(t *testing.T) {
	c, v, _ := newDebtor(t)
	c.lose(alice, 700) // 600 held, 300 of it owed
	c.block(time.Second)
	c.slash(v, c.ctx.BlockHeight()-1, "0.9")
	c.settle(alice)
	c.sound()
	require.Equal(t, [3]int64{0, 0, 0}, c.figures(alice))
	require.Equal(t, int64(60), c.debt(alice).Amount.Int64(), "all that is left")
	lost, burned, _ := c.totals()
	require.Equal(t, [2]int64{700, 640}, [2]int64{lost, burned})

	c.faults.refuses[v.name] = false
	c.settle(alice)
	c.sound()
	require.Zero(t, c.local(alice, v))
	lost, burned, _ = c.totals()
	require.Equal(t, [2]int64{700, 700}, [2]int64{lost, burned})
}

// A debt that was imported is paid with what had finished unbonding first.
func TestDebtIsPaidFromWhatHasMatured(t *testing.T) {
	c := newChain(t, 2)
	v := c.vals[0]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 1000)
	c.unstakeLocal(alice, v, 500)
	c.block(unbondingTime)
	_, err := c.staking.EndBlocker(c.ctx)
	require.NoError(t, err)
	require.Equal(t, int64(500), c.balance(types.StakingAccountAddress(alice)))

	gs := c.export()
	a := &gs.Accounts[0]
	a.Collateral, a.Liens[0].Amount = a.Collateral.SubRaw(200), a.Liens[0].Amount.SubRaw(200)
	a.Debt = &types.Debt{Amount: math.NewInt(200), Failures: 3, RetryHeight: 1_000_000}
	gs.Totals.Lost = math.NewInt(200)
	require.NoError(t, c.k.InitGenesis(c.ctx, *gs))
	require.Equal(t, c.ctx.BlockHeight(), c.debt(alice).RetryHeight, "of a chain that was higher")

	events := c.settle(alice)
	c.hasEvent(events, &types.EventCollateralBurned{User: alice.String(), Amount: "200", Destination: types.SlashDestinationBurn})
	c.hasEvent(events, &types.EventLocalMatured{User: alice.String(), Amount: "300"})
	require.Equal(t, [3]int64{800, 500, 300}, c.figures(alice))
	require.Equal(t, int64(500), c.local(alice, v))
	c.sound()
}

// SL-17 on the provider: with a validator that was slashed to nothing, everything that leads out works, and nothing in.
func TestSL17ValidatorSlashedToNothing(t *testing.T) {
	c := newChain(t, 3)
	v, w := c.vals[0], c.vals[1]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 600)
	c.stakeLocal(alice, w, 100)
	require.NoError(t, c.holder.add(c.fixture, alice, "1", 900, "0.5"))
	c.unstakeLocal(alice, v, 200)
	c.block(time.Second)
	_, err := c.staking.Slash(c.ctx, v.cons, c.ctx.BlockHeight()-1, 100, math.LegacyOneDec())
	require.NoError(t, err)
	c.jail(v)
	c.settle(alice)
	c.sound()
	require.True(t, c.validator(v).InvalidExRate())
	require.Equal(t, [3]int64{400, 100, 0}, c.figures(alice), "what unbonds is lost as well")
	require.Equal(t, int64(400), c.lien(c.holder, alice, "1"))
	c.refuses(types.ErrInvalidValidator, &types.MsgStakeLocal{User: alice.String(), Validator: v.name, Amount: coin(1)})

	c.lose(alice, 350) // liquid 300, and 50 with the other validator
	require.Equal(t, int64(50), c.local(alice, w))
	require.Equal(t, [3]int64{50, 50, 0}, c.figures(alice))
	c.unstakeLocal(alice, v, 1) // leaves with all its worthless shares
	c.unstakeLocal(alice, w, 50)
	c.block(unbondingTime)
	c.block(time.Second)
	require.Equal(t, [3]int64{50, 0, 0}, c.figures(alice))
	require.NoError(t, c.holder.release(c.fixture, alice, "1", 50))
	require.NoError(t, c.withdraw(alice, 50))
	c.sound()
}
