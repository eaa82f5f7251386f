package keeper_test

import (
	"context"
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// silenced is a chain in which a source has stake on two validators; silence lasts twenty seconds at most, epochs ten blocks.
func silenced(t *testing.T) *fixture {
	f := newFixture(t, 3)
	f.setParams(func(p *types.Params) { p.MaxSilence = 20 * time.Second })
	f.addSource(1, 900_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 600_000, f.vals[1].operator: 300_000})
	f.epoch(1)
	require.Equal(t, "900000", f.info(1).Delegated.String())
	return f
}

// unwind lets source 1 fall silent until all of it is unbonding.
func (f *fixture) unwind() {
	f.hooks.silent[1] = true
	for range 3 {
		f.epoch(1)
	}
	require.True(f.t, f.source(1).Unwound)
	require.Equal(f.t, "0", f.info(1).Delegated.String())
}

func TestRM20_SilenceUnwindsUntilAReset(t *testing.T) {
	f := silenced(t)
	f.hooks.silent[1] = true
	require.Nil(t, f.source(1).SilentSince)
	f.epoch(1)
	since := f.ctx.BlockTime()
	require.Equal(t, since, *f.source(1).SilentSince)
	require.Len(t, events[*types.EventProviderSilent](f), 1)

	// Up to the bound nothing changes, not even a target that rises.
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 500_000, f.vals[1].operator: 300_000, f.vals[2].operator: 50_000})
	f.epoch(1)
	require.Equal(t, since, *f.source(1).SilentSince)
	require.Equal(t, "850000", f.info(1).Delegated.String())
	require.False(t, f.source(1).Unwound)

	f.hooks.batch[1] = 9
	f.epoch(1)
	require.Equal(t, since.Add(20*time.Second), f.ctx.BlockTime(), "at the bound")
	info := f.info(1)
	require.True(t, info.Source.Unwound, "visible in the query")
	require.Equal(t, since, *info.Source.SilentSince)
	require.Equal(t, "0", info.Delegated.String())
	require.Equal(t, "950000", info.Unbonding.String(), "slashable as ever")
	require.Empty(t, info.Source.LastFailure)
	require.Equal(t, []*types.EventUnwound{{Source: 1, SilentSince: since}}, events[*types.EventUnwound](f))
	require.EqualValues(t, 9, info.Source.Applied.BatchID, "nothing that was taken away counts any more")
	f.creditedEqualsPaid(1)

	// Whatever the targets, and although the provider is back: only a snapshot tells what is still there.
	delete(f.hooks.silent, 1)
	f.epoch(1)
	require.Nil(t, f.source(1).SilentSince)
	require.True(t, f.source(1).Unwound)
	require.Equal(t, "0", f.info(1).Delegated.String())
	require.Empty(t, events[*types.EventUnwound](f), "said once")
	next, err := f.k.ResetEpoch(f.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, f.source(1).NextEpoch, next)

	require.NoError(t, f.k.Heard(f.ctx, 1))
	require.False(t, f.source(1).Unwound)
	require.Equal(t, []*types.EventRestored{{Source: 1}}, events[*types.EventRestored](f))
	next, err = f.k.ResetEpoch(f.ctx, 1)
	require.NoError(t, err)
	require.Zero(t, next)
	f.epoch(1)
	require.Equal(t, "850000", f.info(1).Delegated.String())
	f.block(unbondingTime)
	f.end()
}

func TestRM20_ShortSilencesDoNotAddUp(t *testing.T) {
	f := silenced(t)
	for range 4 {
		f.hooks.silent[1] = true
		f.epoch(1)
		f.epoch(1)
		require.NotNil(t, f.source(1).SilentSince)
		delete(f.hooks.silent, 1)
		f.epoch(1)
		require.Nil(t, f.source(1).SilentSince)
	}
	require.Equal(t, "900000", f.info(1).Delegated.String())

	// A snapshot in between is a sign of life too.
	f.hooks.silent[1] = true
	f.epoch(1)
	f.epoch(1)
	require.NoError(t, f.k.Heard(f.ctx, 1))
	require.Empty(t, events[*types.EventRestored](f), "nothing was taken away")
	f.epoch(1)
	require.Equal(t, f.ctx.BlockTime(), *f.source(1).SilentSince)
	require.Equal(t, "900000", f.info(1).Delegated.String())
	f.end()
}

func TestSilenceConcernsOneSource(t *testing.T) {
	f := silenced(t)
	f.addSource(2, 500_000)
	f.hooks.set(2, map[string]int64{f.vals[0].operator: 400_000})
	f.unwind()
	f.epoch(2)
	require.Equal(t, "400000", f.info(2).Delegated.String())
	require.Nil(t, f.source(2).SilentSince)
	require.ErrorIs(t, f.k.Heard(f.ctx, 9), types.ErrSourceNotFound)
	_, err := f.k.ResetEpoch(f.ctx, 9)
	require.ErrorIs(t, err, types.ErrSourceNotFound)
	f.end()
}

// A source that cannot vouch for its stake is not vouched for by an error, a panic or endless work either.
func TestAnOwnerThatCannotAnswerCountsAsSilent(t *testing.T) {
	f := silenced(t)
	f.hooks.unsure = errInjected
	f.epoch(1)
	require.NotNil(t, f.source(1).SilentSince)
	require.Empty(t, f.source(1).LastFailure)
	require.Equal(t, "900000", f.info(1).Delegated.String())
	f.hooks.unsure = nil
	f.epoch(1)
	require.Nil(t, f.source(1).SilentSince)
	f.end()
}

// While everything in the epochs of a source fails, the silence goes on; the first epoch that works unwinds it.
func TestSilenceIsCountedThroughFailingEpochs(t *testing.T) {
	f := silenced(t)
	f.hooks.silent[1] = true
	// Rewards cannot be withdrawn, so the stake behind them is left alone, and cannot leave when its turn comes either.
	f.distr.gasOn[f.vals[0].operator], f.distr.gasOn[f.vals[1].operator] = true, true
	f.staking.failUnbond[f.vals[0].operator], f.staking.failUnbond[f.vals[1].operator] = true, true
	for range 3 {
		f.epoch(1)
	}
	require.True(t, f.source(1).Unwound)
	require.NotEmpty(t, f.source(1).LastFailure)
	require.Equal(t, "900000", f.info(1).Delegated.String(), "nothing can leave yet")
	clear(f.distr.gasOn)
	clear(f.staking.failUnbond)
	f.epoch(1)
	f.epoch(1)
	require.Equal(t, "0", f.info(1).Delegated.String())
	f.end()
}

func TestUnwoundSourceOutlivesTurnsOfItsCap(t *testing.T) {
	f := silenced(t)
	f.unwind()
	f.setCap(1, 0)
	next, err := f.k.ResetEpoch(f.ctx, 1)
	require.NoError(t, err)
	require.Zero(t, next, "without a cap there is nothing to ask for")
	f.block(time.Second)
	f.block(unbondingTime)
	f.block(time.Second)
	require.Zero(t, f.source(1).NextEpoch)
	f.setCap(1, 500_000)
	f.epoch(1)
	require.Equal(t, "0", f.info(1).Delegated.String(), "a new cap is no snapshot")
	delete(f.hooks.silent, 1)
	f.setCap(1, 700_000)
	f.epoch(1)
	require.Equal(t, "0", f.info(1).Delegated.String())
	require.NoError(t, f.k.Heard(f.ctx, 1))
	f.epoch(1)
	require.Equal(t, "700000", f.info(1).Delegated.String())
	f.end()
}

func TestMaxSilenceIsAtMostTheUnbondingPeriod(t *testing.T) {
	f := silenced(t)
	set := func(d time.Duration) error {
		params, err := f.k.Params.Get(f.ctx)
		require.NoError(t, err)
		params.MaxSilence = d
		_, err = f.msg.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
		return err
	}
	require.ErrorIs(t, set(unbondingTime+1), types.ErrInvalidParams)
	require.ErrorContains(t, set(unbondingTime+1), "at most the unbonding period 1m40s")
	require.ErrorIs(t, set(0), types.ErrInvalidParams)
	require.NoError(t, set(unbondingTime))

	// The unbonding period became shorter: it counts, and other params can still be changed.
	sp, err := f.staking.GetParams(f.ctx)
	require.NoError(t, err)
	sp.UnbondingTime = 15 * time.Second
	require.NoError(t, f.staking.SetParams(f.ctx, sp))
	f.setParams(func(p *types.Params) { p.MaxSources = 7 })
	f.hooks.silent[1] = true
	f.epoch(1)
	f.epoch(1)
	require.False(t, f.source(1).Unwound)
	f.epoch(1)
	require.True(t, f.source(1).Unwound)
	f.end()
}

func TestK1_AnUnwoundSourceHasNoStakeAfterItsEpoch(t *testing.T) {
	f := silenced(t)
	cached, _ := f.ctx.CacheContext()
	s := f.source(1)
	s.Unwound = true
	require.NoError(t, f.k.Sources.Set(cached, 1, s))
	require.ErrorIs(t, f.k.InvariantK1(cached), types.ErrInvariant)
	require.NoError(t, f.k.InvariantK1(f.ctx))
	f.end()
}

// The owner is asked outside of the epoch, so its work must be bounded there too.
func TestEndlessQuestionsConcernNobodyElse(t *testing.T) {
	f := silenced(t)
	for name, fault := range map[string]func(context.Context){
		"panic":   func(context.Context) { panic("in the converter") },
		"endless": func(ctx context.Context) { sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(1<<40, "") },
	} {
		t.Run(name, func(t *testing.T) {
			f.hooks.onSilence = fault
			f.epoch(1)
			require.Equal(t, f.ctx.BlockHeight(), f.source(1).LastEpoch)
			require.NotNil(t, f.source(1).SilentSince)
			f.hooks.onSilence = nil
			f.epoch(1)
			require.Nil(t, f.source(1).SilentSince)
		})
	}
	f.end()
}
