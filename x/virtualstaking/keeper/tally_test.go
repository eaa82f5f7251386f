package keeper_test

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// handTally counts votes in fractions, from the validators and delegations alone: every share is worth tokens / shares of
// its validator, times the weight of its source; it votes as its delegator did, or else as its validator.
type handTally struct {
	options map[govv1.VoteOption]*big.Rat
	voting  *big.Rat
	bonded  *big.Rat
}

func (f *fixture) handTally(weights map[uint64]string, cast votes) handTally {
	h := handTally{options: map[govv1.VoteOption]*big.Rat{}, voting: new(big.Rat), bonded: new(big.Rat)}
	for option := govv1.OptionYes; option <= govv1.OptionNoWithVeto; option++ {
		h.options[option] = new(big.Rat)
	}
	sources := map[string]uint64{}
	for id := range weights {
		sources[types.VirtualAccount(id).String()] = id
	}
	rat := func(text string) *big.Rat {
		r, ok := new(big.Rat).SetString(text)
		require.True(f.t, ok, text)
		return r
	}
	delegations, err := f.staking.GetAllDelegations(f.ctx)
	require.NoError(f.t, err)
	for _, d := range delegations {
		addr, err := sdk.ValAddressFromBech32(d.ValidatorAddress)
		require.NoError(f.t, err)
		v, err := f.staking.GetValidator(f.ctx, addr)
		require.NoError(f.t, err)
		if !v.IsBonded() {
			continue
		}
		power := new(big.Rat).Quo(rat(v.Tokens.String()), rat(v.DelegatorShares.String()))
		power.Mul(power, rat(d.Shares.String()))
		options := cast[string(sdk.MustAccAddressFromBech32(d.DelegatorAddress))]
		if id, virtual := sources[d.DelegatorAddress]; virtual {
			power.Mul(power, rat(weights[id]))
		}
		h.bonded.Add(h.bonded, power)
		if v.IsJailed() {
			continue // in this block: it still counts for the quorum, but has no vote
		}
		if len(options) == 0 {
			options = cast[string(addr)]
		}
		for _, option := range options {
			part := new(big.Rat).Mul(power, rat(option.Weight))
			h.options[option.Option].Add(h.options[option.Option], part)
			h.voting.Add(h.voting, part)
		}
	}
	return h
}

// decide returns whether the proposal passes by x/gov's default params, and false for sure if that is too close to say in
// the face of rounding.
func (h handTally) decide() (passes, burns, sure bool) {
	ratio := func(part, whole *big.Rat) float64 {
		if whole.Sign() == 0 {
			return 0
		}
		f, _ := new(big.Rat).Quo(part, whole).Float64()
		return f
	}
	sure = true
	above := func(value, threshold float64) bool {
		sure = sure && (value < threshold-1e-4 || value > threshold+1e-4)
		return value > threshold
	}
	if !above(ratio(h.voting, h.bonded), 0.334) {
		return false, false, sure
	}
	decided := new(big.Rat).Sub(h.voting, h.options[govv1.OptionAbstain])
	if decided.Sign() == 0 {
		return false, false, sure
	}
	if above(ratio(h.options[govv1.OptionNoWithVeto], h.voting), 0.334) {
		return false, true, sure
	}
	return above(ratio(h.options[govv1.OptionYes], decided), 0.5), false, sure
}

// requireNear checks that got is at most exact, and less by fewer than lost units.
func requireNear(t require.TestingT, exact *big.Rat, got string, lost int, what string) {
	value, ok := new(big.Rat).SetString(got)
	require.True(t, ok, got)
	less, _ := new(big.Rat).Sub(exact, value).Float64()
	require.GreaterOrEqual(t, less, -1e-6, what)
	require.Less(t, less, float64(lost)+1e-6, what)
}

// Random stake, native and virtual, slashes, jailings, weights and votes: the real tally is what the hand computes, but for
// less than one unit for each validator, and the vote of who has native stake is what it would be without us.
func TestTallyEqualsTheHandComputation(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 4).Draw(rt, "validators")
		f := start(rt, n)
		f.unchecked = true
		val := rapid.IntRange(0, n-1)
		weights, sources := map[uint64]string{}, rapid.Uint64Range(1, 3).Draw(rt, "sources")
		// Sometimes the last validator ends with nothing but virtual stake that has no vote.
		lone := rapid.IntRange(0, 3).Draw(rt, "lone") == 0
		for id := uint64(1); id <= sources; id++ {
			maxCap, weight := int64(60_000_000), "0"
			if !lone {
				maxCap = rapid.SampledFrom([]int64{3, 999_983, maxCap}).Draw(rt, "cap")
				weight = rapid.SampledFrom([]string{"0", "0.5", "1", "0.333333333333333333"}).Draw(rt, "weight")
			}
			f.addSource(id, maxCap)
			f.setWeight(id, weight)
			weights[id] = weight
		}
		var delegators []sdk.AccAddress
		for i := range rapid.IntRange(0, 4).Draw(rt, "delegators") {
			delegators = append(delegators, sdk.AccAddress(fmt.Sprintf("delegator%011d", i)))
		}
		// Twice, with slashes in between, so that the shares of a validator are not worth the same.
		for range 2 {
			for id := range uint64(len(weights)) {
				targets := map[string]int64{}
				for _, v := range f.vals {
					if rapid.Bool().Draw(rt, "has") {
						targets[v.operator] = rapid.Int64Range(1, 40_000_000).Draw(rt, "target")
					}
				}
				if lone {
					targets[f.vals[n-1].operator] = 20_000_000
				}
				f.hooks.set(id+1, targets)
			}
			for range 10 {
				f.block(time.Second)
			}
			for _, d := range delegators { // the last validator has none
				if v := f.vals[rapid.IntRange(0, n-2).Draw(rt, "of")]; !f.validator(v).InvalidExRate() {
					f.delegate(d, v, rapid.Int64Range(1, 30_000_000).Draw(rt, "native"))
				}
			}
			if v := f.vals[val.Draw(rt, "slashed")]; !f.validator(v).Tokens.IsZero() {
				f.slash(v, f.ctx.BlockHeight(), rapid.SampledFrom([]string{"0", "0.05", "0.3333333", "1"}).Draw(rt, "fraction"))
			}
		}
		last := f.vals[n-1]
		if (lone || rapid.Bool().Draw(rt, "leaves")) && f.validator(last).Tokens.IsPositive() {
			f.leave(last)
			if lone || rapid.Bool().Draw(rt, "is unjailed without own stake") {
				require.NoError(rt, f.staking.Unjail(f.ctx, last.cons))
			}
			f.block(time.Second)
		}
		if v := f.vals[val.Draw(rt, "jailed")]; rapid.Bool().Draw(rt, "in this block") && !f.validator(v).IsJailed() {
			require.NoError(rt, f.staking.Jail(f.ctx, v.cons))
		}

		cast, native := votes{}, votes{}
		options := func() govv1.WeightedVoteOptions {
			option := rapid.SampledFrom([]govv1.VoteOption{govv1.OptionYes, govv1.OptionYes, govv1.OptionNo, govv1.OptionNoWithVeto, govv1.OptionAbstain})
			first, second := option.Draw(rt, "option"), option.Draw(rt, "second option")
			if first == second {
				return vote(first)
			}
			return govv1.WeightedVoteOptions{
				govv1.NewWeightedVoteOption(first, math.LegacyNewDecWithPrec(65, 2)),
				govv1.NewWeightedVoteOption(second, math.LegacyNewDecWithPrec(35, 2)),
			}
		}
		for _, d := range delegators {
			if rapid.Bool().Draw(rt, "votes") {
				cast[string(d)] = options()
				native[string(d)] = cast[string(d)]
			}
		}
		for _, v := range f.vals {
			if rapid.Bool().Draw(rt, "votes") {
				cast[string(v.address)] = options()
			}
		}

		hand, got := f.handTally(weights, cast), f.tally(f.gov, cast)
		for option, count := range map[govv1.VoteOption]string{
			govv1.OptionYes: got.yes, govv1.OptionAbstain: got.abstain, govv1.OptionNo: got.no, govv1.OptionNoWithVeto: got.withVeto,
		} {
			requireNear(rt, hand.options[option], count, n+1, option.String())
		}
		requireNear(rt, hand.bonded, f.totalCounted(), n, "total")
		passes, burns, sure := hand.decide()
		if sure {
			require.Equal(rt, []bool{passes, burns}, []bool{got.passes, got.burns})
		}

		// Only people vote, no validators: their power is that of x/staking as it is.
		plain, ours := f.tally(f.newGov(f.staking), native), f.tally(f.gov, native)
		for i, count := range []string{ours.yes, ours.abstain, ours.no, ours.withVeto} {
			exact, _ := new(big.Rat).SetString([]string{plain.yes, plain.abstain, plain.no, plain.withVeto}[i])
			requireNear(rt, exact, count, n+1, "native power")
		}

		for kind, is := range map[string]bool{
			"passes": sure && passes, "vetoed": sure && burns, "no quorum": sure && hand.voting.Sign() > 0 && !passes && !burns,
			"virtual": hand.bonded.Cmp(f.handTally(nil, nil).bonded) != 0, "overridden": len(native) > 0 && len(cast) > len(native),
			"left out": f.leftOut() > 0,
			"jailed":   slices.ContainsFunc(f.vals, func(v validator) bool { return f.validator(v).IsJailed() && f.validator(v).IsBonded() }),
		} {
			if is {
				seen[kind]++
			}
		}
	})
	for _, kind := range []string{"passes", "vetoed", "no quorum", "virtual", "overridden", "left out", "jailed"} {
		require.Positive(t, seen[kind], kind)
	}
}

// leftOut counts the validators with power that x/gov does not see.
func (f *fixture) leftOut() (n int) {
	for _, v := range f.vals {
		if tokens, _ := f.counted(v); tokens == "" && f.validator(v).GetBondedTokens().IsPositive() && !f.validator(v).IsJailed() {
			n++
		}
	}
	return n
}
