package keeper_test

import (
	"context"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func TestVS01_ScaledToTheCapAndMovedAtTheCap(t *testing.T) {
	f := newFixture(t, 50)
	f.addSource(1, 1_000_003)
	want := map[string]int64{}
	for i, v := range f.vals {
		want[v.operator] = int64(1_000_000 + i)
	}
	f.hooks.set(1, want)
	f.epoch(1)
	require.Equal(t, "1000003", f.info(1).Delegated.String(), "exactly the cap")
	for _, v := range f.vals {
		require.InDelta(t, 20_000, f.delegated(1, v), 2)
	}
	require.EqualValues(t, 0, f.info(1).Source.Burned.Int64())

	// All of one validator leaves, at the cap: the others grow by as much, in the same epoch.
	delete(want, f.vals[7].operator)
	f.hooks.set(1, want)
	f.epoch(1)
	require.Zero(t, f.delegated(1, f.vals[7]))
	require.Equal(t, "1000003", f.info(1).Delegated.String())
	require.InDelta(t, 20_000, f.info(1).Unbonding.Int64(), 2)
	epochs := events[*types.EventEpoch](f)
	require.Len(t, epochs, 1)
	require.Equal(t, epochs[0].Bonded, epochs[0].Unbonded)
	require.Zero(t, epochs[0].Failed)

	// Nothing to do: nothing is touched.
	f.epoch(1)
	require.Equal(t, []*types.EventEpoch{{Source: 1, Bonded: "0", Unbonded: "0", Delegated: "1000003"}}, events[*types.EventEpoch](f))
	f.end()
}

func TestVS02_CapLoweredToZeroAndUpAgain(t *testing.T) {
	f := newFixture(t, 3)
	f.addSource(1, 900_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 600_000, f.vals[1].operator: 600_000})
	f.epoch(1)
	require.Equal(t, "900000", f.info(1).Delegated.String())
	f.setCap(1, 300_001)
	f.block(time.Second)
	require.Equal(t, "300001", f.info(1).Delegated.String(), "in force in the next block")
	f.setCap(1, 0)
	f.block(time.Second)
	require.Equal(t, "0", f.info(1).Delegated.String())
	require.Equal(t, "900000", f.info(1).Unbonding.String())
	require.Positive(t, f.source(1).NextEpoch)
	f.setCap(1, 500_000)
	f.block(time.Second)
	require.Equal(t, "500000", f.info(1).Delegated.String())
	f.setCap(1, 0)
	f.block(time.Second)
	f.block(unbondingTime)
	f.block(time.Second)
	s := f.source(1)
	require.Equal(t, "0", f.info(1).Unbonding.String())
	require.Equal(t, s.Minted, s.Burned, "all that was minted is burned")
	require.Zero(t, s.NextEpoch, "nothing left to do")
	f.setCap(1, 7)
	f.block(time.Second)
	require.Equal(t, "7", f.info(1).Delegated.String())
	f.end()
}

func TestVS04_StalePriceOnlyLowersAndAFailureKeepsWhatIs(t *testing.T) {
	f := newFixture(t, 3)
	f.addSource(1, 10_000_000)
	v0, v1, v2 := f.vals[0].operator, f.vals[1].operator, f.vals[2].operator
	f.hooks.set(1, map[string]int64{v0: 600_000, v1: 400_000})
	f.epoch(1)

	f.hooks.stale = true
	f.hooks.set(1, map[string]int64{v0: 900_000, v1: 100_000, v2: 5})
	f.epoch(1)
	require.EqualValues(t, 600_000, f.delegated(1, f.vals[0]))
	require.EqualValues(t, 100_000, f.delegated(1, f.vals[1]))
	require.Zero(t, f.delegated(1, f.vals[2]))
	require.Empty(t, f.source(1).LastFailure)

	f.hooks.stale = false
	for name, bad := range map[string][]types.Target{
		"negative": {{Validator: v0, Amount: math.NewInt(-1)}},
		"no value": {{Validator: v0}},
		"twice":    {{Validator: v0, Amount: math.OneInt()}, {Validator: v0, Amount: math.OneInt()}},
	} {
		f.hooks.targets[1] = bad
		f.epoch(1)
		require.Contains(t, f.source(1).LastFailure, "invalid target", name)
		require.EqualValues(t, 600_000, f.delegated(1, f.vals[0]), "the delegations stay")
	}
	// An absurd price is scaled like any other target.
	huge := math.NewIntFromBigInt(math.OneInt().BigInt().Lsh(math.OneInt().BigInt(), 250))
	f.hooks.targets[1] = []types.Target{{Validator: v0, Amount: huge}}
	f.epoch(1)
	require.EqualValues(t, 10_000_000, f.delegated(1, f.vals[0]))
	f.hooks.set(1, nil)
	f.epoch(1)
	require.Equal(t, "0", f.info(1).Delegated.String())
	f.end()
}

func TestFailingTargetsConcernOneSource(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 1_000)
	f.addSource(2, 1_000)
	for id := uint64(1); id <= 2; id++ {
		f.hooks.set(id, map[string]int64{f.vals[0].operator: 500})
		f.hooks.batch[id] = 4
	}
	f.epoch(2)
	for name, fault := range map[string]func(ctx context.Context, source uint64){
		"panic":    func(context.Context, uint64) { panic("in the converter") },
		"nil":      func(context.Context, uint64) { var c *sdk.Coin; _ = c.Amount },
		"too much": func(ctx context.Context, _ uint64) { sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(1<<40, "") },
	} {
		t.Run(name, func(t *testing.T) {
			f.hooks.onEpoch = func(ctx context.Context, source uint64) {
				if source == 1 {
					fault(ctx, source)
				}
			}
			f.hooks.set(1, map[string]int64{f.vals[0].operator: 700})
			applied := f.source(1).Applied
			f.epoch(1)
			failed := events[*types.EventEpochFailed](f)
			require.Len(t, failed, 1)
			require.EqualValues(t, 1, failed[0].Source)
			require.NotEmpty(t, f.source(1).LastFailure)
			require.Equal(t, f.ctx.BlockHeight()+10, f.source(1).NextEpoch)
			require.Equal(t, applied, f.source(1).Applied)
			require.EqualValues(t, 500, f.delegated(1, f.vals[0]))
			f.creditedEqualsPaid(1)
			f.hooks.set(2, map[string]int64{f.vals[0].operator: 500 + f.ctx.BlockHeight()%100})
			f.epoch(2)
			require.Equal(t, f.ctx.BlockHeight(), f.source(2).LastEpoch)
			require.Empty(t, f.source(2).LastFailure)
		})
	}
	f.hooks.onEpoch = nil
	f.epoch(1)
	require.EqualValues(t, 700, f.delegated(1, f.vals[0]))
	require.Empty(t, f.source(1).LastFailure)
	f.end()
}

// A price feed that fails for good must not keep virtual stake that governance takes away.
func TestVS04_FailingPriceFeedBlockedALowerCap(t *testing.T) {
	f := newFixture(t, 3)
	f.addSource(1, 900_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 600_000, f.vals[1].operator: 300_000})
	f.epoch(1)
	f.hooks.failures[1] = errInjected
	applied := f.source(1).Applied
	f.hooks.batch[1]++
	f.epoch(1)
	require.EqualValues(t, 600_000, f.delegated(1, f.vals[0]))
	f.setCap(1, 300_000)
	f.epoch(1)
	require.EqualValues(t, 200_000, f.delegated(1, f.vals[0]))
	require.EqualValues(t, 100_000, f.delegated(1, f.vals[1]))
	require.Equal(t, "targets: "+errInjected.Error(), f.source(1).LastFailure)
	require.Equal(t, []*types.EventEpochFailed{{Source: 1, Reason: "targets: " + errInjected.Error()}}, events[*types.EventEpochFailed](f))
	require.Equal(t, "300000", f.source(1).EffectiveCap.String())
	require.Equal(t, applied, f.source(1).Applied)
	require.True(t, f.credited(1).IsPositive())
	f.creditedEqualsPaid(1)
	f.setCap(1, 800_000)
	f.epoch(1)
	require.Equal(t, "300000", f.info(1).Delegated.String(), "nothing rises")
	f.end()
}

func TestAppliedMovesOnlyWhenEveryValidatorSucceeded(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 1_000_000)
	applied, err := f.k.Applied(f.ctx, 1)
	require.NoError(t, err)
	require.Nil(t, applied)
	_, err = f.k.Applied(f.ctx, 9)
	require.ErrorIs(t, err, types.ErrSourceNotFound)

	f.hooks.set(1, map[string]int64{f.vals[0].operator: 500, f.vals[1].operator: 500})
	f.hooks.batch[1] = 3
	// A batch that comes in while the epoch runs is not in the targets for sure.
	f.hooks.onEpoch = func(context.Context, uint64) { f.hooks.batch[1] = 4 }
	f.epoch(1)
	at := func(batch uint64, height int64) *control.Applied {
		return &control.Applied{BatchID: batch, Height: clienttypes.NewHeight(3, uint64(height)+1)}
	}
	first := at(3, f.ctx.BlockHeight())
	require.Equal(t, first, f.source(1).Applied)

	f.hooks.onEpoch = nil
	f.staking.failUnbond[f.vals[0].operator] = true
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 100, f.vals[1].operator: 100})
	f.epoch(1)
	require.Equal(t, first, f.source(1).Applied, "one validator failed")
	require.Contains(t, f.source(1).LastFailure, f.vals[0].operator)
	require.EqualValues(t, 500, f.delegated(1, f.vals[0]))
	require.EqualValues(t, 100, f.delegated(1, f.vals[1]))

	delete(f.staking.failUnbond, f.vals[0].operator)
	f.epoch(1)
	second := at(4, f.ctx.BlockHeight())
	require.Equal(t, second, f.source(1).Applied)
	f.epoch(1)
	require.Equal(t, second, f.source(1).Applied, "no new batch: the height stays")
	f.end()
}

// The cap holds although an unbond failed: bonds wait for room.
func TestBondsWaitForRoomUnderTheCap(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 1_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 1_000})
	f.epoch(1)
	f.staking.failUnbond[f.vals[0].operator] = true
	f.hooks.set(1, map[string]int64{f.vals[1].operator: 1_000})
	f.epoch(1)
	require.Equal(t, "1000", f.info(1).Delegated.String())
	require.Zero(t, f.delegated(1, f.vals[1]))
	failed := events[*types.EventValidatorFailed](f)
	require.Len(t, failed, 2)
	require.Contains(t, failed[1].Reason, "no room under the cap")
	delete(f.staking.failUnbond, f.vals[0].operator)
	f.epoch(1)
	require.EqualValues(t, 1_000, f.delegated(1, f.vals[1]))
	f.end()
}

func TestEP03_EpochLengths(t *testing.T) {
	t.Run("of one block", func(t *testing.T) {
		f := newFixture(t, 1)
		f.setParams(func(p *types.Params) { p.EpochLength = 1 })
		f.addSource(1, 1_000)
		f.addSource(2, 1_000)
		f.block(time.Second)
		for range 3 {
			f.block(time.Second)
			require.Equal(t, f.ctx.BlockHeight(), f.source(1).LastEpoch)
			require.Equal(t, f.ctx.BlockHeight(), f.source(2).LastEpoch)
		}
	})
	t.Run("changed in the middle", func(t *testing.T) {
		f := newFixture(t, 1)
		f.setParams(func(p *types.Params) { p.EpochLength = types.MaxEpochLength })
		for id := uint64(1); id <= 3; id++ {
			f.addSource(id, 1_000)
		}
		for range 4 {
			f.block(time.Second)
		}
		require.Equal(t, f.source(1).LastEpoch+types.MaxEpochLength, f.source(1).NextEpoch)
		f.setParams(func(p *types.Params) { p.EpochLength = 5 })
		seen := map[int64]bool{}
		for id := uint64(1); id <= 3; id++ {
			next := f.source(id).NextEpoch
			require.Greater(t, next, f.ctx.BlockHeight())
			require.LessOrEqual(t, next, f.ctx.BlockHeight()+5)
			require.False(t, seen[next], "each in a block of its own")
			seen[next] = true
		}
		f.epoch(3)
		require.Equal(t, f.ctx.BlockHeight()+5, f.source(3).NextEpoch)
		f.setParams(func(p *types.Params) { p.EpochLength = 50 })
		require.Equal(t, f.ctx.BlockHeight()+5, f.source(3).NextEpoch, "a longer one counts from the next epoch on")
		f.epoch(3)
		require.Equal(t, f.ctx.BlockHeight()+50, f.source(3).NextEpoch)
		f.end()
	})
	t.Run("missed ten times", func(t *testing.T) {
		f := newFixture(t, 1)
		f.addSource(1, 1_000)
		f.epoch(1)
		f.end()
		header := f.ctx.BlockHeader()
		header.Height += 100
		f.ctx = f.ctx.WithBlockHeader(header)
		runs := 0
		f.hooks.onEpoch = func(context.Context, uint64) { runs++ }
		f.begin(time.Hour)
		require.Equal(t, 1, runs)
		require.Equal(t, f.ctx.BlockHeight()+10, f.source(1).NextEpoch)
		for range 9 {
			f.block(time.Second)
		}
		require.Equal(t, 1, runs)
	})
}

func TestMoreSourcesThanBlocksInAnEpoch(t *testing.T) {
	f := newFixture(t, 1)
	f.setParams(func(p *types.Params) { p.EpochLength, p.MaxSources = 3, 100 })
	for id := uint64(1); id <= 7; id++ {
		f.addSource(id, 1_000)
	}
	runs := map[int64]int{}
	last := map[uint64]int64{}
	f.hooks.onEpoch = func(ctx context.Context, source uint64) {
		height := sdk.UnwrapSDKContext(ctx).BlockHeight()
		runs[height]++
		if at, ok := last[source]; ok {
			require.LessOrEqual(t, height-at, int64(4))
		}
		last[source] = height
	}
	for range 15 {
		f.block(time.Second)
	}
	require.Len(t, last, 7)
	for height, n := range runs {
		require.LessOrEqual(t, n, 3, "at height %d", height)
	}
	f.end()
}

func TestRW12_AFailingWithdrawalConcernsOneValidator(t *testing.T) {
	f := newFixture(t, 3)
	f.addSource(1, 30_000_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 9_000_000, f.vals[1].operator: 9_000_000, f.vals[2].operator: 9_000_000})
	f.epoch(1)
	bad := f.vals[1]
	f.distr.panicOn[bad.operator] = true
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 1_000_000, bad.operator: 1_000_000, f.vals[2].operator: 1_000_000})
	f.epoch(1)
	require.NotContains(t, f.hooks.rewards[1], bad.operator)
	require.True(t, f.hooks.rewards[1][f.vals[0].operator].IsAllPositive())
	require.True(t, f.hooks.rewards[1][f.vals[2].operator].IsAllPositive())
	require.EqualValues(t, 9_000_000, f.delegated(1, bad), "not touched: that would pay its rewards unattributed")
	require.EqualValues(t, 1_000_000, f.delegated(1, f.vals[0]))
	require.Equal(t, bad.operator+": panic", f.source(1).LastFailure)
	failed := events[*types.EventValidatorFailed](f)
	require.Len(t, failed, 1)
	require.Equal(t, "panic: injected panic", failed[0].Reason)
	f.creditedEqualsPaid(1)

	delete(f.distr.panicOn, bad.operator)
	f.epoch(1)
	require.True(t, f.hooks.rewards[1][bad.operator].IsAllPositive())
	require.EqualValues(t, 1_000_000, f.delegated(1, bad))
	require.Empty(t, f.source(1).LastFailure)
	f.creditedEqualsPaid(1)
	f.end()
}

// A validator whose rewards are made expensive (anyone can add denoms to them) does not use up the epoch of the others.
func TestExpensiveValidatorConcernsOnlyItself(t *testing.T) {
	f := newFixture(t, 3)
	f.addSource(1, 30_000_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 9, f.vals[1].operator: 9, f.vals[2].operator: 9})
	f.epoch(1)
	f.distr.gasOn[f.vals[0].operator] = true
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 5, f.vals[1].operator: 5, f.vals[2].operator: 15})
	f.epoch(1)
	require.EqualValues(t, 9, f.delegated(1, f.vals[0]))
	require.EqualValues(t, 5, f.delegated(1, f.vals[1]))
	require.EqualValues(t, 15, f.delegated(1, f.vals[2]))
	require.Contains(t, f.source(1).LastFailure, "out of gas")
	f.end()
}

// An epoch that needs more gas than it has does what it can and goes on in the next one.
func TestEP01_EpochWithTooLittleGasIsResumed(t *testing.T) {
	f := newFixture(t, 60)
	f.hooks.onEpoch = func(ctx context.Context, _ uint64) {
		sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(types.MinEpochGas/2, "targets of many stakers")
	}
	f.setParams(func(p *types.Params) { p.EpochGas = types.MinEpochGas })
	f.addSource(1, 60_000)
	want := map[string]int64{}
	for _, v := range f.vals {
		want[v.operator] = 1_000
	}
	f.hooks.set(1, want)
	f.epoch(1)
	first := f.info(1).Delegated.Int64()
	require.Positive(t, first)
	require.Less(t, first, int64(60_000))
	require.Contains(t, f.source(1).LastFailure, "epoch gas")
	for range 20 {
		f.epoch(1)
	}
	require.Equal(t, "60000", f.info(1).Delegated.String())
	f.end()
}

func TestRW11_DonationsAreNotRewards(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 30_000_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 10_000_000})
	f.epoch(1)
	f.fund(rewardAccount(1), 777)
	alice := sdk.AccAddress("alice---------------")
	f.fund(alice, 10)
	require.ErrorIs(t, f.try(func(ctx sdk.Context) error {
		return f.bank.SendCoins(ctx, alice, types.VirtualAccount(1), sdk.NewCoins(sdk.NewInt64Coin(denom, 10)))
	}), types.ErrSendRefused)
	before := f.bank.GetBalance(f.ctx, rewardAccount(1), denom).Amount
	f.epoch(1)
	paid := f.bank.GetBalance(f.ctx, rewardAccount(1), denom).Amount.Sub(before)
	require.True(t, paid.IsPositive())
	require.Equal(t, paid.String(), f.hooks.rewards[1][f.vals[0].operator].AmountOf(denom).String())

	// Each validator's own rewards, also when the delegation changes in the same epoch.
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 1, f.vals[1].operator: 10_000_000})
	f.epoch(1)
	require.NotContains(t, f.hooks.rewards[1], f.vals[1].operator)
	f.epoch(1)
	require.Contains(t, f.hooks.rewards[1], f.vals[1].operator)
	require.Equal(t, f.bank.GetBalance(f.ctx, rewardAccount(1), denom).Amount.SubRaw(777).String(), f.credited(1).String())
	f.end()
}

func (f *fixture) credited(id uint64) math.Int {
	sum := math.ZeroInt()
	for _, coins := range f.hooks.rewards[id] {
		sum = sum.Add(coins.AmountOf(denom))
	}
	return sum
}

func (f *fixture) creditedEqualsPaid(id uint64) {
	require.Equal(f.t, f.bank.GetBalance(f.ctx, rewardAccount(id), denom).Amount.String(), f.credited(id).String())
}
