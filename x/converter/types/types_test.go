package types_test

import (
	"math/big"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/converter/types"
)

// Any integer of up to 256 bits, any decimal of up to 200 bits.
var (
	anyInt = rapid.Custom(func(t *rapid.T) math.Int {
		bits := rapid.IntRange(0, 255).Draw(t, "bits")
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "bytes"))
		n.Rsh(n, uint(256-bits))
		if rapid.Bool().Draw(t, "negative") {
			n.Neg(n)
		}
		return math.NewIntFromBigInt(n)
	})
	anyDec = rapid.Custom(func(t *rapid.T) math.LegacyDec {
		n := anyInt.Draw(t, "dec").BigInt()
		return math.LegacyNewDecFromBigIntWithPrec(n.Rsh(n, 56), 18)
	})
	discounts = rapid.Custom(func(t *rapid.T) math.LegacyDec {
		return math.LegacyNewDecWithPrec(rapid.Int64Range(0, 999_999_999_999_999_999).Draw(t, "discount"), 18)
	})
)

func TestTarget(t *testing.T) {
	dec := math.LegacyMustNewDecFromStr
	for _, tc := range []struct {
		stake           int64
		price, discount string
		want            string
	}{
		{80_000_000, "0.5", "0.1", "36000000"},
		{50_000_000, "0.5", "0.1", "22500000"},
		{0, "1", "0", "0"},
		{1, "0.999999999999999999", "0", "0"},
		{3, "0.333333333333333334", "0", "1"},
		{1_000, "0", "0", "0"},
		{-5, "1", "0", "0"},
		{5, "-1", "0", "0"},
		{5, "1", "1", "0"},
		{5, "1", "-0.5", "0"},
		{10, "1", "0.000000000000000001", "9"},
	} {
		require.Equal(t, tc.want, types.Target(math.NewInt(tc.stake), dec(tc.price), dec(tc.discount)).String(), tc)
	}
	require.True(t, types.Target(math.Int{}, math.LegacyDec{}, math.LegacyDec{}).IsZero())
	require.Equal(t, types.MaxTarget, types.Target(types.MaxRewardAmount, types.MaxPrice, math.LegacyZeroDec()))
}

func TestTargetNeverPanicsAndStaysInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		got := types.Target(anyInt.Draw(t, "stake"), anyDec.Draw(t, "price"), anyDec.Draw(t, "discount"))
		if got.IsNegative() || got.GT(types.MaxTarget) {
			t.Fatalf("%s is out of range", got)
		}
	})
}

func TestTargetIsTheFloorOfTheExactProduct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stake := anyInt.Draw(t, "stake").Abs()
		price := anyDec.Draw(t, "price").Abs()
		discount := discounts.Draw(t, "discount")
		exact := new(big.Rat).SetInt(stake.BigInt())
		unit := math.LegacyOneDec().BigInt()
		exact.Mul(exact, new(big.Rat).SetFrac(price.BigInt(), unit))
		exact.Mul(exact, new(big.Rat).SetFrac(math.LegacyOneDec().Sub(discount).BigInt(), unit))
		want := new(big.Int).Quo(exact.Num(), exact.Denom())
		if want.Cmp(types.MaxTarget.BigInt()) > 0 {
			want = types.MaxTarget.BigInt()
		}
		if got := types.Target(stake, price, discount); got.BigInt().Cmp(want) != 0 {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func TestTargetIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s1, s2 := anyInt.Draw(t, "s1").Abs(), anyInt.Draw(t, "s2").Abs()
		p1, p2 := anyDec.Draw(t, "p1").Abs(), anyDec.Draw(t, "p2").Abs()
		d1, d2 := discounts.Draw(t, "d1"), discounts.Draw(t, "d2")
		low := types.Target(math.MinInt(s1, s2), math.LegacyMinDec(p1, p2), math.LegacyMaxDec(d1, d2))
		high := types.Target(math.MaxInt(s1, s2), math.LegacyMaxDec(p1, p2), math.LegacyMinDec(d1, d2))
		if low.GT(high) {
			t.Fatalf("%s above %s", low, high)
		}
	})
}

// Two steps on either side of the end of an interval were more than one interval may have.
func TestPricesOfAnyIntervalStayWithinTheBound(t *testing.T) {
	start := time.Unix(1_700_000_000, 0).UTC()
	type held struct {
		price math.LegacyDec
		until time.Time
	}
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		change := math.LegacyNewDecWithPrec(rapid.Int64Range(100, 300).Draw(t, "change"), 2)
		interval := time.Duration(rapid.Int64Range(1, 100).Draw(t, "interval")) * time.Hour
		now, last, past := start, (*types.Price)(nil), []held(nil)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 120).Draw(t, "hours")) * time.Hour)
			price := math.LegacyNewDecWithPrec(rapid.Int64Range(50, 300).Draw(t, "price"), 2)
			next, err := types.NextPrice(last, price, now, change, interval)
			if err != nil {
				if last != nil && price.Equal(last.Price) {
					t.Fatalf("the present price was refused: %s", err)
				}
				continue
			}
			accepted++
			if err := next.Validate(); err != nil {
				t.Fatal(err)
			}
			if last != nil {
				past = append(past, held{last.Price, now})
			}
			for _, p := range past {
				if !p.until.After(now.Add(-interval)) {
					continue
				}
				ratio := new(big.Rat).SetFrac(price.BigInt(), p.price.BigInt())
				most := new(big.Rat).SetFrac(change.BigInt(), math.LegacyOneDec().BigInt())
				if ratio.Cmp(most) > 0 || ratio.Cmp(new(big.Rat).Inv(most)) < 0 {
					t.Fatalf("%s, and %s until %s before, is more than a factor of %s", price, p.price, now.Sub(p.until), change)
				}
			}
			last = &next
		}
	})
	require.Greater(t, accepted, 100)
}

// An interval without a change leaves only the price itself.
func TestPriceMovesByTheBoundInEveryInterval(t *testing.T) {
	now, two := time.Unix(1_700_000_000, 0).UTC(), math.LegacyNewDec(2)
	p, err := types.NextPrice(nil, math.LegacyOneDec(), now, two, time.Hour)
	require.NoError(t, err)
	for range 5 {
		now = now.Add(time.Hour)
		p, err = types.NextPrice(&p, p.Price.Mul(two), now, two, time.Hour)
		require.NoError(t, err)
		_, err = types.NextPrice(&p, p.Price.QuoInt64(2).Sub(math.LegacySmallestDec()), now, two, time.Hour)
		require.ErrorIs(t, err, types.ErrPriceChange)
	}
}

func TestBackoffDoublesToItsBound(t *testing.T) {
	var got []int64
	for n := range uint32(14) {
		got = append(got, types.Backoff(n))
	}
	require.Equal(t, []int64{0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_000, 10_000, 10_000}, got)
	require.Equal(t, int64(10_000), types.Backoff(1<<31))
}

func TestParamsBounds(t *testing.T) {
	day := 24 * time.Hour
	for _, tc := range []struct {
		field  string
		change func(*types.Params)
	}{
		{"creation_fee", func(p *types.Params) { p.CreationFee = sdk.Coins{{Denom: "x", Amount: math.OneInt()}} }},
		{"packet_timeout", func(p *types.Params) { p.PacketTimeout = day - 1 }},
		{"packet_timeout", func(p *types.Params) { p.PacketTimeout = 367 * day }},
		{"reward_denoms", func(p *types.Params) { p.RewardDenoms = []string{"!"} }},
		{"reward_denoms", func(p *types.Params) { p.RewardDenoms = []string{"stake", "stake"} }},
		{"reward_denoms", func(p *types.Params) { p.RewardDenoms = make([]string, types.MaxRewardDenoms+1) }},
		{"max_packets_per_block", func(p *types.Params) { p.MaxPacketsPerBlock = 0 }},
		{"max_packets_per_block", func(p *types.Params) { p.MaxPacketsPerBlock = types.MaxPacketsPerBlock + 1 }},
		{"max_price_age", func(p *types.Params) { p.MaxPriceAge = 0 }},
		{"max_price_age", func(p *types.Params) { p.MaxPriceAge = 367 * day }},
		{"max_price_change", func(p *types.Params) { p.MaxPriceChange = math.LegacyDec{} }},
		{"max_price_change", func(p *types.Params) { p.MaxPriceChange = math.LegacyMustNewDecFromStr("0.999") }},
		{"max_price_change", func(p *types.Params) { p.MaxPriceChange = math.LegacyNewDec(1_001) }},
		{"price_interval", func(p *types.Params) { p.PriceInterval = time.Second }},
		{"price_interval", func(p *types.Params) { p.PriceInterval = 367 * day }},
	} {
		p := types.DefaultParams()
		require.NoError(t, p.Validate())
		tc.change(&p)
		err := p.Validate()
		require.ErrorIs(t, err, types.ErrInvalidParams)
		require.ErrorContains(t, err, tc.field)
	}
}
