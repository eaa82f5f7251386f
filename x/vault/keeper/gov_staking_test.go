package keeper_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/vault/keeper"
	"github.com/mesh-security/mesh/x/vault/types"
)

// propose opens the vote on a proposal.
func (c *chain) propose() uint64 {
	c.t.Helper()
	require.NoError(c.t, c.gov.ProposalID.Set(c.ctx, 1))
	proposer := sdk.AccAddress("proposer____________")
	c.fund(proposer, coin(10_000_000))
	proposal, err := c.gov.SubmitProposal(c.ctx, nil, "metadata", "title", "summary", proposer, false)
	require.NoError(c.t, err)
	open, err := c.gov.AddDeposit(c.ctx, proposal.Id, proposer, sdk.NewCoins(coin(10_000_000)))
	require.NoError(c.t, err)
	require.True(c.t, open)
	return proposal.Id
}

// vote casts or changes a vote, "yes 0.7, no 0.3" for instance.
func (c *chain) vote(proposal uint64, voter sdk.AccAddress, options ...*govv1.WeightedVoteOption) {
	c.t.Helper()
	_, err := govkeeper.NewMsgServerImpl(c.gov).VoteWeighted(c.ctx, govv1.NewMsgVoteWeighted(voter, proposal, options, ""))
	require.NoError(c.t, err)
}

func all(option govv1.VoteOption) *govv1.WeightedVoteOption {
	return govv1.NewWeightedVoteOption(option, math.LegacyOneDec())
}

func part(option govv1.VoteOption, weight string) *govv1.WeightedVoteOption {
	return govv1.NewWeightedVoteOption(option, math.LegacyMustNewDecFromStr(weight))
}

// tally is what the query shows while the vote is open, and the result afterwards.
func (c *chain) tally(proposal uint64) govv1.TallyResult {
	c.t.Helper()
	ctx, _ := c.ctx.CacheContext()
	res, err := govkeeper.NewQueryServer(c.gov).TallyResult(ctx, &govv1.QueryTallyResultRequest{ProposalId: proposal})
	require.NoError(c.t, err)
	return *res.Tally
}

// stakers are the ways to stake with a validator.
var stakers = []struct {
	name  string
	stake func(c *chain, user sdk.AccAddress, v validator, amount int64)
}{
	{"directly", func(c *chain, user sdk.AccAddress, v validator, amount int64) { c.delegate(user, v, amount) }},
	{"through the vault", func(c *chain, user sdk.AccAddress, v validator, amount int64) {
		c.deposit(user, amount)
		c.stakeLocal(user, v, amount)
	}},
	{"by a delegation moved into the vault", func(c *chain, user sdk.AccAddress, v validator, amount int64) {
		c.delegate(user, v, amount)
		c.depositDelegation(user, v, amount)
	}},
	{"half and half", func(c *chain, user sdk.AccAddress, v validator, amount int64) {
		c.delegate(user, v, amount-amount/2)
		c.deposit(user, amount/2)
		c.stakeLocal(user, v, amount/2)
	}},
	{"by a delegation moved in and half of it out again", func(c *chain, user sdk.AccAddress, v validator, amount int64) {
		c.delegate(user, v, amount)
		c.depositDelegation(user, v, amount)
		c.withdrawDelegation(user, v, amount/2)
	}},
}

// Whichever way stake got where it is, a vote with it counts the same, at every moment.
func TestVotesCountAsIfTheVaultWereNotThere(t *testing.T) {
	var want []govv1.TallyResult
	for _, tc := range stakers {
		t.Run(tc.name, func(t *testing.T) {
			c := newChain(t, 3)
			v, w := c.vals[0], c.vals[1]
			c.fund(alice, coin(9_000_000))
			c.fund(bob, coin(9_000_000))
			c.fund(carol, coin(9_000_000))
			tc.stake(c, alice, v, 6_000_000)
			tc.stake(c, alice, w, 2_000_000)
			tc.stake(c, bob, w, 3_000_000)
			tc.stake(c, carol, v, 5_000_000) // never votes
			c.block(time.Second)

			var got []govv1.TallyResult
			id := c.propose()
			see := func() { got = append(got, c.tally(id)) }
			c.vote(id, v.operator, all(govv1.OptionNo))
			see()
			c.vote(id, alice, part(govv1.OptionYes, "0.7"), part(govv1.OptionAbstain, "0.3"))
			see()
			c.vote(id, bob, all(govv1.OptionAbstain))
			c.vote(id, bob, all(govv1.OptionNoWithVeto))
			see()
			c.vote(id, w.operator, all(govv1.OptionYes))
			see()
			c.slash(v, c.ctx.BlockHeight(), "0.5")
			c.block(time.Second)
			see()
			// Until the end: what unbonds meanwhile has no vote.
			c.block(*govv1.DefaultParams().VotingPeriod)
			c.block(time.Second)
			proposal, err := c.gov.Proposals.Get(c.ctx, id)
			require.NoError(t, err)
			require.NotEqual(t, govv1.StatusVotingPeriod, proposal.Status)
			got = append(got, *proposal.FinalTallyResult)
			see()

			if want == nil {
				want = got
				// v has 10 of its own, 6 of alice and 5 of carol.
				require.Equal(t, govv1.TallyResult{YesCount: "0", AbstainCount: "0", NoCount: "21000000", NoWithVetoCount: "0"}, got[0])
				require.Equal(t, govv1.TallyResult{YesCount: "5600000", AbstainCount: "2400000", NoCount: "15000000", NoWithVetoCount: "0"}, got[1])
				require.Equal(t, govv1.TallyResult{YesCount: "5600000", AbstainCount: "2400000", NoCount: "15000000", NoWithVetoCount: "3000000"}, got[2])
				require.Equal(t, govv1.TallyResult{YesCount: "15600000", AbstainCount: "2400000", NoCount: "15000000", NoWithVetoCount: "3000000"}, got[3])
			}
			require.Equal(t, want, got)
		})
	}
}

// An operator votes with all of the validator's stake. Its own part counts once, also if it is in the vault.
func TestOperatorWithItsStakeInTheVault(t *testing.T) {
	for _, voters := range [][]int{{0}, {0, 1}, {1}} {
		var want *govv1.TallyResult
		for _, moved := range []int64{0, 1, selfStake / 2, selfStake - 1} {
			c := newChain(t, 2)
			v, w := c.vals[0], c.vals[1]
			c.delegate(alice, v, 500_000)
			c.fund(v.operator, coin(700_000))
			c.delegate(v.operator, w, 700_000)
			if moved > 0 {
				c.depositDelegation(v.operator, v, moved)
				c.depositDelegation(v.operator, w, min(moved, 700_000))
			}
			c.block(time.Second)
			id := c.propose()
			for _, i := range voters {
				c.vote(id, c.vals[i].operator, all([]govv1.VoteOption{govv1.OptionYes, govv1.OptionNo}[i]))
			}
			got := c.tally(id)
			if want == nil {
				want = &got
			}
			require.Equal(t, *want, got, "%d moved", moved)
		}
	}
}

// Random stakes, votes and slashes: a chain whose voters use the vault counts like one without it.
func TestPropertyTalliesAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type step func(c *chain, through bool)
		var steps []step
		options := []govv1.VoteOption{govv1.OptionYes, govv1.OptionNo, govv1.OptionAbstain, govv1.OptionNoWithVeto}
		users := make([]sdk.AccAddress, 5)
		for i := range users {
			users[i] = sdk.AccAddress(fmt.Sprintf("voter%015d", i))
		}
		for range rapid.IntRange(1, 12).Draw(rt, "stakes") {
			user, i := rapid.SampledFrom(users).Draw(rt, "user"), rapid.IntRange(0, 2).Draw(rt, "validator")
			amount := rapid.Int64Range(1, 3_000_000).Draw(rt, "amount")
			inside := rapid.Bool().Draw(rt, "inside")
			steps = append(steps, func(c *chain, through bool) {
				c.fund(user, coin(amount))
				if through && inside {
					c.deposit(user, amount)
					c.stakeLocal(user, c.vals[i], amount)
					return
				}
				c.delegate(user, c.vals[i], amount)
			})
			if rapid.IntRange(0, 4).Draw(rt, "slash") == 0 {
				fraction := rapid.SampledFrom([]string{"0.01", "0.05", "0.333333333333333333"}).Draw(rt, "fraction")
				steps = append(steps, func(c *chain, _ bool) { c.slash(c.vals[i], c.ctx.BlockHeight(), fraction) })
			}
		}
		var votes []step
		for range rapid.IntRange(1, 8).Draw(rt, "votes") {
			voter := rapid.IntRange(0, len(users)+2).Draw(rt, "voter")
			first, second := rapid.SampledFrom(options).Draw(rt, "first"), rapid.SampledFrom(options).Draw(rt, "second")
			weight := rapid.IntRange(1, 99).Draw(rt, "weight")
			votes = append(votes, func(c *chain, _ bool) {
				addr := c.vals[max(0, voter-len(users))%3].operator
				if voter < len(users) {
					addr = users[voter]
				}
				if first == second {
					c.vote(1, addr, all(first))
					return
				}
				c.vote(1, addr, part(first, fmt.Sprintf("0.%02d", weight)), part(second, fmt.Sprintf("0.%02d", 100-weight)))
			})
		}
		run := func(through bool) govv1.TallyResult {
			c := newChain(t, 3)
			for _, s := range steps {
				s(c, through)
			}
			c.propose()
			for _, s := range votes {
				s(c, through)
			}
			return c.tally(1)
		}
		require.Equal(rt, run(false), run(true))
	})
}

// halving is another decorator of what x/gov sees: everything a validator has counts half.
type halving struct{ types.GovStakingKeeper }

type halved struct{ stakingtypes.ValidatorI }

func (v halved) GetBondedTokens() math.Int { return v.ValidatorI.GetBondedTokens().QuoRaw(2) }

func (h halving) IterateBondedValidatorsByPower(ctx context.Context, fn func(int64, stakingtypes.ValidatorI) bool) error {
	return h.GovStakingKeeper.IterateBondedValidatorsByPower(ctx, func(i int64, v stakingtypes.ValidatorI) bool { return fn(i, halved{v}) })
}

// seen is all that x/gov could learn from its staking keeper about a voter.
func (c *chain) seen(staking types.GovStakingKeeper, voter sdk.AccAddress) []string {
	c.t.Helper()
	var out []string
	require.NoError(c.t, staking.IterateBondedValidatorsByPower(c.ctx, func(i int64, v stakingtypes.ValidatorI) bool {
		out = append(out, fmt.Sprint(i, v.GetOperator(), v.GetBondedTokens(), v.GetDelegatorShares()))
		return false
	}))
	total, err := staking.TotalBondedTokens(c.ctx)
	require.NoError(c.t, err)
	out = append(out, total.String())
	require.NoError(c.t, staking.IterateDelegations(c.ctx, voter, func(i int64, d stakingtypes.DelegationI) bool {
		out = append(out, fmt.Sprint(i, d.GetValidatorAddr(), d.GetShares()))
		return false
	}))
	return out
}

func TestGovStakingComposesInEitherOrder(t *testing.T) {
	c := newChain(t, 3)
	c.delegate(alice, c.vals[0], 1000)
	c.deposit(alice, 3000)
	c.stakeLocal(alice, c.vals[0], 1000)
	c.stakeLocal(alice, c.vals[1], 1000)
	inner := c.seen(keeper.NewGovStaking(halving{c.staking}, c.k), alice)
	require.Equal(t, inner, c.seen(halving{keeper.NewGovStaking(c.staking, c.k)}, alice))
	require.Len(t, inner, 3+1+3)

	// Without local stake nothing differs.
	require.Equal(t, c.seen(c.staking, bob), c.seen(keeper.NewGovStaking(c.staking, c.k), bob))
}

func TestGovStakingCountsOnAndStops(t *testing.T) {
	c := newChain(t, 3)
	c.delegate(alice, c.vals[0], 1000)
	c.delegate(alice, c.vals[1], 1000)
	c.deposit(alice, 2000)
	c.stakeLocal(alice, c.vals[0], 1000)
	c.stakeLocal(alice, c.vals[2], 1000)
	staking := keeper.NewGovStaking(c.staking, c.k)
	for stop := range int64(5) {
		var indexes []int64
		require.NoError(t, staking.IterateDelegations(c.ctx, alice, func(i int64, _ stakingtypes.DelegationI) bool {
			indexes = append(indexes, i)
			return i == stop
		}))
		want := []int64{0, 1, 2, 3}
		require.Equal(t, want[:min(stop+1, 4)], indexes)
	}
}

func TestGovStakingCostsOneReadWithoutAStakingAccount(t *testing.T) {
	c := newChain(t, 1)
	c.delegate(alice, c.vals[0], 1000)
	gas := func(staking types.GovStakingKeeper) uint64 {
		ctx := c.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()).WithKVGasConfig(storetypes.GasConfig{HasCost: 1, ReadCostFlat: 1, IterNextCostFlat: 1})
		require.NoError(t, staking.IterateDelegations(ctx, alice, func(int64, stakingtypes.DelegationI) bool { return false }))
		return ctx.GasMeter().GasConsumed()
	}
	require.Equal(t, gas(c.staking)+1, gas(keeper.NewGovStaking(c.staking, c.k)))
}
