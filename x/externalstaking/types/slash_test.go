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

// fractionOf draws from the whole range of slash fractions, often a plain one.
func fractionOf(t *rapid.T) math.LegacyDec {
	if rapid.Bool().Draw(t, "plain") {
		return math.LegacyMustNewDecFromStr(rapid.SampledFrom([]string{"0.05", "0.1", "0.333333333333333333", "0.5", "1"}).Draw(t, "fraction"))
	}
	return math.LegacyNewDecFromIntWithPrec(math.NewInt(rapid.Int64Range(1, 1e18).Draw(t, "fraction")), 18)
}

// What is kept is the floor of the exact product, whatever the amount; and two amounts never keep more than their sum, so
// nobody gains by splitting stake.
func TestPropertyKeptIsTheFloorOfTheExactProduct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, fraction := bits(t, 128, "a"), bits(t, 128, "b"), fractionOf(t)
		share := new(big.Rat).Sub(big.NewRat(1, 1), new(big.Rat).SetFrac(fraction.BigInt(), big.NewInt(1e18)))
		exact := share.Mul(share, new(big.Rat).SetInt(a.BigInt()))
		require.Equal(t, new(big.Int).Quo(exact.Num(), exact.Denom()).String(), types.Kept(a, fraction).String())
		apart := types.Kept(a, fraction).Add(types.Kept(b, fraction))
		together := types.Kept(a.Add(b), fraction)
		require.True(t, apart.LTE(together))
		require.True(t, together.Sub(apart).LTE(math.OneInt()))
	})
}

func TestAHitEntryKeepsItsPlace(t *testing.T) {
	entry := types.UnbondingEntry{
		Amount: math.NewInt(101), ReleaseTime: time.Unix(9, 0), BatchID: 3, CommittedAt: time.Unix(1, 0), UnbondingPeriod: 8 * time.Second,
	}
	hit := entry.HitBy(types.Slash{Fraction: math.LegacyNewDecWithPrec(5, 1)})
	require.Equal(t, int64(101), entry.Amount.Int64(), "what it was is left alone")
	entry.Amount, entry.Hit = math.NewInt(50), true
	require.Equal(t, entry, hit)
}

// A slash of the bonded stake takes its share of what is about to leave, so never more leaves than is bonded; what is on
// its way in, and what has left, is not touched; and the pool falls by what the position lost.
func TestPropertyASlashOfBondedStake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, slash := drawPieces(t), types.Slash{Fraction: fractionOf(t)}
		pool := types.NewPool()
		pool.Bonded = before.Bonded
		pool.Slash(slash.Fraction)
		after := before
		after.HitBonded(&pool, slash)
		require.True(t, after.Hit)
		require.Equal(t, types.Kept(before.Bonded, slash.Fraction).String(), after.Bonded.String())
		require.Equal(t, after.Bonded.String(), pool.Bonded.String())
		require.True(t, pool.Unsettled.IsZero())
		require.Equal(t, before.SentStake.Value().String(), after.SentStake.Value().String())
		require.Equal(t, before.QueuedStake.Value().String(), after.QueuedStake.Value().String())
		require.Equal(t, types.Kept(before.SentUnstake.Value(), slash.Fraction).String(), after.SentUnstake.Value().String())
		require.Equal(t, types.Kept(before.QueuedUnstake.Value(), slash.Fraction).String(), after.QueuedUnstake.Value().String())
		require.False(t, after.Unstakeable().IsNegative())
		require.Equal(t, before.Entries, after.Entries)
	})
}
