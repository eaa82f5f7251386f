package types_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestKeptIsRoundedDown(t *testing.T) {
	for _, tc := range []struct {
		amount   int64
		fraction string
		kept     int64
	}{
		{0, "0.5", 0},
		{1, "0.5", 0},
		{3, "0.5", 1},
		{100, "0.05", 95},
		{101, "0.05", 95},
		{100, "1", 0},
		{1_000_000, "0.000000000000000001", 999_999},
	} {
		require.Equal(t, tc.kept, types.Kept(math.NewInt(tc.amount), math.LegacyMustNewDecFromStr(tc.fraction)).Int64(), "%d by %s", tc.amount, tc.fraction)
	}
}

func operation(t *rapid.T, most math.Int, label string) *types.Operation {
	amount := math.MinInt(bits(t, 60, label), most)
	if amount.IsZero() {
		return nil
	}
	op := types.NewOperation(amount, time.Unix(1, 0))
	return &op
}

// drawPieces are pieces as they can be: no more leaves than is bonded.
func drawPieces(t *rapid.T) types.Pieces {
	var p types.Pieces
	p.Position = types.NewPosition()
	p.Bonded = bits(t, 60, "bonded")
	p.SentStake, p.QueuedStake = operation(t, bits(t, 60, "most"), "sent"), operation(t, bits(t, 60, "most"), "queued")
	p.SentUnstake = operation(t, p.Bonded, "leaving")
	p.QueuedUnstake = operation(t, p.Unstakeable(), "to leave")
	for i := range rapid.IntRange(0, 4).Draw(t, "entries") {
		p.Entries = append(p.Entries, types.UnbondingEntry{Amount: bits(t, 60, "entry").AddRaw(1), ReleaseTime: time.Unix(int64(i), 0)})
	}
	return p
}

func TestReduceIsExactAndInProportion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := make([]types.Pieces, rapid.IntRange(1, 4).Draw(t, "positions"))
		value := math.ZeroInt()
		for i := range before {
			before[i] = drawPieces(t)
			value = value.Add(before[i].Value())
		}
		by := math.MinInt(value, bits(t, 62, "by"))
		left := math.ZeroInt()
		for i, amounts := range types.ReducedAmounts(before, by) {
			after, pool := before[i], types.NewPool()
			pool.Bonded = before[i].Bonded
			after.Reduce(amounts, &pool, nil)
			left = left.Add(after.Value())
			require.True(t, after.Value().LTE(before[i].Value()))
			require.False(t, after.Unstakeable().IsNegative(), "more leaves than is bonded")
			require.True(t, after.PendingUnstake().LTE(before[i].PendingUnstake()))
			require.Equal(t, after.Bonded.String(), pool.Bonded.String())
			if after.QueuedUnstake != nil && before[i].SentUnstake != nil {
				require.Equal(t, before[i].SentUnstake.Amount.String(), after.SentUnstake.Amount.String(), "the newest is clipped first")
			}
		}
		require.Equal(t, value.Sub(by).String(), left.String())
	})
}

// Whatever the order in which positions settle or shrink, a slashed pool is worth at least its positions, at most one unit
// more for each unsettled one but one, and exactly as much once all are settled.
func TestASlashedPoolIsWorthItsPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slash := types.Slash{Fraction: math.LegacyNewDecWithPrec(rapid.Int64Range(1, 1_000).Draw(t, "permille"), 3)}
		pool := types.NewPool()
		all := make([]types.Pieces, rapid.IntRange(1, 6).Draw(t, "positions"))
		for i := range all {
			all[i].Position = types.NewPosition()
			all[i].Commit(&pool, bits(t, 60, "stake"))
		}
		pool.Slash(slash.Fraction)
		check := func() {
			worth, open := math.ZeroInt(), int64(0)
			for _, p := range all {
				if p.Hit {
					worth = worth.Add(p.Bonded)
				} else {
					worth = worth.Add(types.Kept(p.Bonded, slash.Fraction))
					open++
				}
			}
			rounding := pool.Bonded.Sub(worth)
			require.False(t, rounding.IsNegative())
			require.True(t, rounding.LTE(math.NewInt(max(open, 1)-1)), "%s with %d unsettled", rounding, open)
		}
		check()
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			p := &all[rapid.IntRange(0, len(all)-1).Draw(t, "who")]
			switch {
			case rapid.Bool().Draw(t, "reduce"):
				by := math.MinInt(p.Bonded, bits(t, 60, "by"))
				p.Reduce(types.ReducedAmounts([]types.Pieces{*p}, by)[0], &pool, &slash)
			case !p.Hit:
				p.HitBonded(&pool, slash)
			}
			check()
		}
		for i := range all {
			if !all[i].Hit {
				all[i].HitBonded(&pool, slash)
			}
		}
		check()
		require.True(t, pool.Unsettled.IsZero())
	})
}

func TestRewardsOfASlashedPoolWaitUntilItIsSettled(t *testing.T) {
	slash := types.Slash{Fraction: math.LegacyNewDecWithPrec(5, 1)}
	pool := types.NewPool()
	var a, b types.Pieces
	for _, p := range []*types.Pieces{&a, &b} {
		p.Position = types.NewPosition()
		p.Commit(&pool, math.NewInt(3))
	}
	pool.Credit("reward", math.NewInt(60))
	pool.Slash(slash.Fraction)
	pool.Credit("reward", math.NewInt(1_000))
	a.HitBonded(&pool, slash)
	require.Equal(t, "1000", pool.HeldOver().AmountOf("reward").String())
	b.HitBonded(&pool, slash)
	require.True(t, pool.HeldOver().IsZero())
	for _, p := range []types.Pieces{a, b} {
		require.Equal(t, "530", p.Owed(pool).AmountOf("reward").String(), "half of what came before, half of what came later")
	}
}

func TestEntriesThatWereHitStayApart(t *testing.T) {
	at := func(second int64, hit bool) types.UnbondingEntry {
		return types.UnbondingEntry{Amount: math.OneInt(), ReleaseTime: time.Unix(second, 0), BatchID: 1, Hit: hit}
	}
	u := types.Unbonding{Entries: []types.UnbondingEntry{at(1, false), at(2, false)}}
	// At the same time as another: a nanosecond later.
	added, joined := u.Add(at(1, true), 5)
	require.Nil(t, joined)
	require.Equal(t, time.Unix(1, 1), added.ReleaseTime)
	// The next one of that time is behind it, or joins its own kind.
	added, joined = u.Add(at(1, false), 5)
	require.Nil(t, joined)
	require.Equal(t, "2", added.Amount.String())
	require.Equal(t, time.Unix(1, 0), added.ReleaseTime)
	// Full: the latest of its own kind, moved behind whatever is due at the same time.
	added, joined = u.Add(at(2, true), 3)
	require.Equal(t, time.Unix(1, 1), *joined)
	require.Equal(t, "2", added.Amount.String())
	require.Equal(t, time.Unix(2, 1), added.ReleaseTime)
	require.Equal(t, []bool{false, false, true}, []bool{u.Entries[0].Hit, u.Entries[1].Hit, u.Entries[2].Hit})
	// Full, and none of its own kind: one more.
	u = types.Unbonding{Entries: []types.UnbondingEntry{at(1, false)}}
	_, joined = u.Add(at(9, true), 1)
	require.Nil(t, joined)
	require.Len(t, u.Entries, 2)
}

func TestASlashReachesWhatHadNotStoppedToCount(t *testing.T) {
	now := time.Unix(100, 0)
	s := types.Slash{FromBatch: 5, Time: now}
	for _, tc := range []struct {
		name    string
		batch   uint64
		release time.Time
		reached bool
	}{
		{"left before", 4, now.Add(1), false},
		{"left with the first", 5, now.Add(1), true},
		{"left later", 6, now.Add(1), true},
		{"left without a packet", 0, now.Add(1), true},
		{"due at the slash", 6, now, false},
	} {
		require.Equal(t, tc.reached, s.Reaches(types.UnbondingEntry{BatchID: tc.batch, ReleaseTime: tc.release}), tc.name)
	}
}
