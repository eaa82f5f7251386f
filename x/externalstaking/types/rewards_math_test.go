package types_test

import (
	"math/big"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// bits draws an integer of up to n bits, small ones as often as large ones.
func bits(t *rapid.T, n int, label string) math.Int {
	size := rapid.IntRange(0, n).Draw(t, label+" bits")
	bz := rapid.SliceOfN(rapid.Byte(), (size+7)/8, (size+7)/8).Draw(t, label)
	i := new(big.Int).SetBytes(bz)
	return math.NewIntFromBigInt(i.Rsh(i, uint((8-size%8)%8)))
}

func TestIndexNeverOverpaysAndDustIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool := types.NewPool()
		positions := make([]types.Position, rapid.IntRange(1, 5).Draw(t, "positions"))
		for i := range positions {
			positions[i] = types.NewPosition()
		}
		received, paid, accruals := math.ZeroInt(), math.ZeroInt(), int64(0)
		limit := math.NewIntFromBigInt(new(big.Int).Lsh(big.NewInt(1), types.MaxRewardBits)).SubRaw(1)
		steps := rapid.IntRange(1, 40).Draw(t, "steps")
		for i := 0; i < steps; i++ {
			p := &positions[rapid.IntRange(0, len(positions)-1).Draw(t, "who")]
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				p.Commit(&pool, bits(t, 100, "stake"))
				accruals++
				pool.Distribute()
			case 1:
				p.Commit(&pool, math.MinInt(p.Bonded, bits(t, 100, "unstake")).Neg())
				accruals++
			case 2:
				amount := math.MinInt(bits(t, types.MaxRewardBits, "reward"), limit.Sub(received))
				received = received.Add(amount)
				if amount.IsPositive() {
					pool.Credit("reward", amount)
				}
			case 3:
				p.Accrue(pool)
				accruals++
				paid = paid.Add(p.TakeRewards().AmountOf("reward"))
			}
			due := pool.HeldOver().AmountOf("reward")
			for _, p := range positions {
				due = due.Add(p.Owed(pool).AmountOf("reward"))
			}
			dust := received.Sub(paid).Sub(due)
			require.False(t, dust.IsNegative(), "dust %s", dust)
			// What the index carries is not lost; besides that, at most one unit for each time a position rounded down.
			carried := math.ZeroInt()
			for _, r := range pool.Rewards {
				carried = r.Remainder.QuoRaw(1_000_000_000_000_000_000)
			}
			require.True(t, dust.Sub(carried).LTE(math.NewInt(accruals+int64(len(positions))+1)), "dust %s, carried %s, after %d accruals", dust, carried, accruals)
		}
	})
}

func TestGrowIndexCarriesTheRemainder(t *testing.T) {
	index, remainder := math.ZeroInt(), math.ZeroInt()
	// A third of a unit each time: after three times exactly one unit per three bonded.
	for i := 0; i < 3; i++ {
		index, remainder = types.GrowIndex(index, remainder, math.OneInt(), math.NewInt(3))
	}
	require.Equal(t, "1000000000000000000", index.String())
	require.True(t, remainder.IsZero())
	require.Equal(t, "3", types.Accrued(math.NewInt(3), math.ZeroInt(), index).String())
}

func TestRW09LargestRewardForTheSmallestStake(t *testing.T) {
	pool, p := types.NewPool(), types.NewPosition()
	p.Commit(&pool, math.OneInt())
	all := math.NewIntFromBigInt(new(big.Int).Lsh(big.NewInt(1), types.MaxRewardBits)).SubRaw(1)
	pool.Credit("reward", all.SubRaw(1_000))
	for i := 0; i < 1_000; i++ {
		pool.Credit("reward", math.OneInt())
	}
	p.Accrue(pool)
	require.Equal(t, all, p.TakeRewards().AmountOf("reward"))
}

func TestNewStakeEarnsFromNowOn(t *testing.T) {
	pool, early, late := types.NewPool(), types.NewPosition(), types.NewPosition()
	early.Commit(&pool, math.NewInt(10))
	pool.Credit("bbb", math.NewInt(100))
	late.Commit(&pool, math.NewInt(10))
	pool.Credit("aaa", math.NewInt(40))
	require.Equal(t, "20aaa,100bbb", early.Owed(pool).String())
	require.Equal(t, "20aaa", late.Owed(pool).String())
	late.Commit(&pool, math.NewInt(-10))
	pool.Credit("aaa", math.NewInt(10))
	require.Equal(t, "20aaa", late.Owed(pool).String())
	require.Equal(t, "30aaa,100bbb", early.Owed(pool).String())
}

func TestUnbondingEntries(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(int64(n), 0).UTC() }
	entry := func(amount int64, release int, batch uint64) types.UnbondingEntry {
		return types.UnbondingEntry{Amount: math.NewInt(amount), ReleaseTime: at(release), BatchID: batch}
	}
	for _, tc := range []struct {
		name    string
		add     []types.UnbondingEntry
		want    []types.UnbondingEntry
		release int
		joined  int
	}{
		{name: "in order", add: []types.UnbondingEntry{entry(1, 20, 1), entry(2, 10, 2)}, want: []types.UnbondingEntry{entry(2, 10, 2), entry(1, 20, 1)}, release: 10},
		{name: "same time merges", add: []types.UnbondingEntry{entry(1, 20, 1), entry(2, 20, 2)}, want: []types.UnbondingEntry{entry(3, 20, 2)}, release: 20},
		{name: "no batch wins", add: []types.UnbondingEntry{entry(1, 20, 7), entry(2, 20, 0), entry(4, 20, 9)}, want: []types.UnbondingEntry{entry(7, 20, 0)}, release: 20},
		{
			name: "beyond the bound joins the latest, later", add: []types.UnbondingEntry{entry(1, 10, 1), entry(2, 20, 2), entry(4, 30, 3)},
			want: []types.UnbondingEntry{entry(1, 10, 1), entry(6, 30, 3)}, release: 30, joined: 20,
		},
		{
			name: "beyond the bound an earlier one waits for the latest", add: []types.UnbondingEntry{entry(1, 10, 1), entry(2, 20, 2), entry(4, 15, 0)},
			want: []types.UnbondingEntry{entry(1, 10, 1), entry(6, 20, 0)}, release: 20, joined: 20,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var u types.Unbonding
			var added types.UnbondingEntry
			var joined *time.Time
			for _, e := range tc.add {
				added, joined = u.Add(e, 2)
			}
			require.Equal(t, tc.want, u.Entries)
			require.Contains(t, u.Entries, added)
			require.Equal(t, at(tc.release), added.ReleaseTime)
			if tc.joined == 0 {
				require.Nil(t, joined)
			} else {
				require.Equal(t, at(tc.joined), *joined)
			}
		})
	}
	// What merges keeps the latest commit and its period, so it can still be told whether it is released early.
	var merged types.Unbonding
	first, second := entry(1, 20, 1), entry(2, 20, 2)
	first.CommittedAt, first.UnbondingPeriod = at(11), 8*time.Second
	second.CommittedAt, second.UnbondingPeriod = at(12), 8*time.Second
	merged.Add(second, 1)
	merged.Add(first, 1)
	require.Equal(t, at(12), merged.Entries[0].CommittedAt)
	require.Equal(t, at(20), merged.Entries[0].Earliest(types.Validator{}))
	u := types.Unbonding{Entries: []types.UnbondingEntry{entry(1, 10, 1), entry(2, 20, 2)}}
	require.Empty(t, u.TakeDue(at(9)))
	require.Equal(t, []types.UnbondingEntry{entry(1, 10, 1)}, u.TakeDue(at(10)))
	require.Equal(t, []types.UnbondingEntry{entry(2, 20, 2)}, u.Entries)
}

func TestOutboxBacksOffUpToABound(t *testing.T) {
	outbox := types.NewOutboxState()
	var waits []int64
	for i := 0; i < 10; i++ {
		outbox.BackOff(100)
		waits = append(waits, outbox.RetryHeight-100)
	}
	require.Equal(t, []int64{2, 4, 8, 16, 32, 64, 128, 128, 128, 128}, waits)
}
