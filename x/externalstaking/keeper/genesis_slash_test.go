package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// midSweep is a provider in the middle of a sweep: val1 was slashed twice, the first of two users is settled, with entries that
// are hit, spared and still to be hit; of another validator an outcome is kept.
func midSweep(t testing.TB) *fixture {
	f := newAttacked(t)
	f.stake(bob, 1, "val1", 101)
	f.acceptAll()
	for i, user := range []sdk.AccAddress{alice, bob, bob} {
		f.unstake(user, 1, "val1", 20)
		f.acceptAll()
		require.Empty(t, f.applied(uint64(3+i), uint64(70+i)))
	}
	prove := func(height int64) {
		f.mustSend(&types.MsgSubmitDoubleVoting{Submitter: bob.String(), ConsumerID: 1, Evidence: doubleVote(t, keyOf("val1"), height)}, nil)
	}
	prove(100)
	f.nextBlock(time.Second)
	prove(72)
	require.NotZero(t, f.k.Sweep(f.ctx, 1))
	f.stake(alice, 1, "val2", 7)
	f.nextBlock(time.Second)
	pool := f.pool(1, "val2")
	key := collections.Join3(alice, uint64(1), "val2")
	require.NoError(t, f.k.SentOps.Remove(f.ctx, collections.Join3(uint64(1), pool.BatchID, collections.Join("val2", alice))))
	require.NoError(t, f.k.Outcomes.Set(f.ctx, key, types.Outcome{Refused: "no", RetryHeight: f.ctx.BlockHeight() + 50}))
	require.NoError(t, f.k.OutcomeQueue.Set(f.ctx, collections.Join(f.ctx.BlockHeight()+50, key)))
	f.holds()
	return f
}

func TestGenesisInMidSweepGoesOn(t *testing.T) {
	f := midSweep(t)
	gs := f.exported()
	v := gs.Consumers[0].Validators[0]
	require.Len(t, v.Slashes, 2)
	require.NotNil(t, v.Sweep)
	require.NotEmpty(t, v.Sweep.Cursor)
	require.True(t, v.Pool.Unsettled.IsPositive())

	g := restart(t, f)
	require.NoError(t, g.k.InitGenesis(g.ctx, *roundTrip(t, f, gs, &types.GenesisState{})))
	require.Equal(t, f.state(), g.state())
	for _, x := range []*fixture{f, g} {
		for x.k.Sweep(x.ctx, 1) > 0 {
			x.holds()
		}
		for _, p := range x.ibc.inFlight(x.ctx) {
			x.acknowledge(p, x.accepted(1, p.Data))
		}
		x.ctx = x.ctx.WithBlockHeight(x.ctx.BlockHeight() + 50)
		x.acceptAll()
		// An earlier offence still finds what is spared.
		x.mustSend(&types.MsgSubmitDoubleVoting{Submitter: bob.String(), ConsumerID: 1, Evidence: doubleVote(t, keyOf("val1"), 70)}, nil)
		for x.k.Sweep(x.ctx, 1) > 0 {
			x.holds()
		}
		x.acceptAll()
		require.True(t, x.pool(1, "val1").Unsettled.IsZero())
		require.Equal(t, "40", x.position(alice, 1, "val1").Bonded.String())
		require.Equal(t, "30", x.position(bob, 1, "val1").Bonded.String())
		require.Equal(t, "100", x.position(alice, 1, "val2").Bonded.String())
		require.True(t, x.position(alice, 1, "val2").PendingStake.IsZero(), "the kept outcome is booked")
		for _, user := range []sdk.AccAddress{alice, bob} {
			for _, e := range x.position(user, 1, "val1").Unbondings {
				require.Equal(t, "10", e.Amount.String())
			}
		}
	}
	require.Equal(t, f.state(), g.state())
}

func TestGenesisOfALowerChainDoesNotWaitForTheOldHeightOfAnOutcome(t *testing.T) {
	f := midSweep(t)
	gs := f.exported()
	for i := range gs.Positions {
		if gs.Positions[i].Outcome != nil {
			gs.Positions[i].Outcome.RetryHeight = 5_000_000
		}
	}
	g := restart(t, f)
	require.NoError(t, g.k.InitGenesis(g.ctx, *gs))
	outcome, err := g.k.Outcomes.Get(g.ctx, collections.Join3(alice, uint64(1), "val2"))
	require.NoError(t, err)
	require.Equal(t, g.ctx.BlockHeight(), outcome.RetryHeight)
}

func TestGN02GenesisNamesTheBadFieldOfASlash(t *testing.T) {
	f := midSweep(t)
	slashed := func(gs *types.GenesisState) *types.GenesisValidator { return &gs.Consumers[0].Validators[0] }
	for _, tc := range []struct {
		name   string
		change func(*types.GenesisState)
		field  string
	}{
		{"not tombstoned", func(gs *types.GenesisState) { slashed(gs).Validator.Status = control.StatusRemoved }, "slashes: the validator is"},
		{"hit without a slash", func(gs *types.GenesisState) { slashed(gs).Slashes, slashed(gs).Sweep = nil, nil }, "slashes: none"},
		{"sweep without a slash", func(gs *types.GenesisState) { gs.Consumers[0].Validators[2].Sweep = &types.GenesisSweep{} }, "sweep: there is no slash"},
		{"cursor", func(gs *types.GenesisState) { slashed(gs).Sweep.Cursor = "alice" }, "sweep.cursor"},
		{"batch 0", func(gs *types.GenesisState) { slashed(gs).Slashes[0].FromBatch = 0 }, "slashes[0]: from_batch"},
		{"batch of the future", func(gs *types.GenesisState) { slashed(gs).Slashes[1].FromBatch = 99 }, "slashes[1]: from_batch"},
		{"sequence", func(gs *types.GenesisState) { slashed(gs).Slashes[1].Sequence = 0 }, "slashes[1]: sequence"},
		{"fraction", func(gs *types.GenesisState) { slashed(gs).Slashes[1].Fraction = math.LegacyNewDec(2) }, "slashes[1]: fraction"},
		{"bonded", func(gs *types.GenesisState) { slashed(gs).Slashes[1].Bonded = math.NewInt(-1) }, "slashes[1]: bonded"},
		{"heights", func(gs *types.GenesisState) { slashed(gs).Slashes[1].Height = clienttypes.NewHeight(1, 1) }, "slashes[1]: batches and heights"},
		{"order", func(gs *types.GenesisState) {
			s := slashed(gs).Slashes
			s[0], s[1] = s[1], s[0]
		}, "slashes[1]: batches and heights"},
		{"unsettled", func(gs *types.GenesisState) { slashed(gs).Pool.Unsettled = math.ZeroInt() }, "pool.unsettled"},
		{"settled by hand", func(gs *types.GenesisState) { gs.Positions[len(gs.Positions)-1].Position.Hit = true }, "pool.unsettled"},
		{"more than rounding", func(gs *types.GenesisState) { slashed(gs).Pool.Bonded = slashed(gs).Pool.Bonded.AddRaw(1) }, "pool.bonded"},
		{"outcome of nothing", func(gs *types.GenesisState) { gs.Positions[0].Outcome = &types.Outcome{} }, "outcome"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gs := roundTrip(t, f, f.exported(), &types.GenesisState{})
			tc.change(gs)
			err := gs.Validate()
			require.ErrorIs(t, err, types.ErrInvalidGenesis)
			require.ErrorContains(t, err, tc.field)
		})
	}
}

func TestE5FindsWhatMustNotBe(t *testing.T) {
	f := midSweep(t)
	slash := func(f *fixture, batch uint64, change func(*types.Slash)) {
		key := collections.Join3(uint64(1), "val1", batch)
		s, err := f.k.Slashes.Get(f.ctx, key)
		require.NoError(t, err)
		change(&s)
		require.NoError(t, f.k.Slashes.Set(f.ctx, key, s))
	}
	for _, tc := range []struct {
		name   string
		change func(f *fixture) error
	}{
		{"slashed, not tombstoned", func(f *fixture) error {
			v := f.validator(1, "val1")
			v.Status = control.StatusRemoved
			return f.k.Validators.Set(f.ctx, collections.Join(uint64(1), "val1"), v)
		}},
		{"slash of another batch", func(f *fixture) error { slash(f, 5, func(s *types.Slash) { s.FromBatch++ }); return nil }},
		{"slashes out of order", func(f *fixture) error { slash(f, 5, func(s *types.Slash) { s.Sequence = 1 }); return nil }},
		{"heights out of order", func(f *fixture) error {
			slash(f, 5, func(s *types.Slash) { s.Height.RevisionHeight = 100 })
			return nil
		}},
		{"last slash not noted", func(f *fixture) error { return f.k.LastSlashes.Set(f.ctx, 1, 1) }},
		{"slashes not noted", func(f *fixture) error { return f.k.LastSlashes.Remove(f.ctx, 1) }},
		{"sweep of nobody", func(f *fixture) error { return f.k.Sweeps.Set(f.ctx, collections.Join(uint64(1), "val3"), nil) }},
		{"hit, not slashed", func(f *fixture) error {
			key := collections.Join3(alice, uint64(1), "val3")
			p, err := f.k.Positions.Get(f.ctx, key)
			p.Hit = true
			require.NoError(t, err)
			return f.k.Positions.Set(f.ctx, key, p)
		}},
		{"position that is not swept", func(f *fixture) error { return f.k.Stakers.Remove(f.ctx, collections.Join3(uint64(1), "val3", alice)) }},
		{"swept without a position", func(f *fixture) error { return f.k.Stakers.Set(f.ctx, collections.Join3(uint64(1), "val3", bob)) }},
		{"back-dated key", func(f *fixture) error {
			v := f.validator(1, "val3")
			v.Keys = append(v.Keys, types.ConsumerKey{ConsPubkey: keyA, From: clienttypes.NewHeight(1, 1)})
			return f.k.Validators.Set(f.ctx, collections.Join(uint64(1), "val3"), v)
		}},
		{"key without an owner", func(f *fixture) error {
			v := f.validator(1, "val3")
			v.Keys = append(v.Keys, types.ConsumerKey{ConsPubkey: keyA, From: clienttypes.NewHeight(1, 100)})
			return f.k.Validators.Set(f.ctx, collections.Join(uint64(1), "val3"), v)
		}},
		{"owner without a key", func(f *fixture) error {
			v := f.validator(1, "val3")
			v.Keys = nil
			return f.k.Validators.Set(f.ctx, collections.Join(uint64(1), "val3"), v)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := *f
			x.ctx, _ = f.ctx.CacheContext()
			require.NoError(t, x.k.InvariantE5(x.ctx))
			require.NoError(t, tc.change(&x))
			require.ErrorIs(t, x.k.InvariantE5(x.ctx), types.ErrInconsistent)
			require.ErrorContains(t, invariant.CheckAll(x.ctx, x.k.Invariants()), "E5")
		})
	}
}

func TestE2FindsAPoolThatIsNotWorthItsPositions(t *testing.T) {
	f := midSweep(t)
	for name, change := range map[string]func(*types.Pool){
		"too little":  func(p *types.Pool) { p.Bonded = p.Bonded.SubRaw(1) },
		"too much":    func(p *types.Pool) { p.Bonded = p.Bonded.AddRaw(1) },
		"settled":     func(p *types.Pool) { p.Unsettled = math.ZeroInt() },
		"one missing": func(p *types.Pool) { p.Positions-- },
	} {
		ctx, _ := f.ctx.CacheContext()
		pool := f.pool(1, "val1")
		change(&pool)
		require.NoError(t, f.k.Pools.Set(ctx, collections.Join(uint64(1), "val1"), pool))
		require.ErrorIs(t, f.k.InvariantE2(ctx), types.ErrInconsistent, name)
	}
}
