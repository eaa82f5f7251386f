package tests

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/math"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// setWeight sets the governance weight of the world's source.
func (w *world) setWeight(t *testing.T, weight math.LegacyDec) {
	t.Helper()
	require.NoError(t, w.setMaxCap(w.Config().MaxCap, weight))
}

// decided lets the voting period pass and returns how the vote ended.
func decided(t *testing.T, c *twochain.Chain, proposal uint64) *govv1.Proposal {
	t.Helper()
	c.Coordinator.IncrementTimeBy(time.Hour)
	c.NextBlock()
	got, err := c.App.GovKeeper.Proposals.Get(c.Ctx(), proposal)
	require.NoError(t, err)
	require.NotEqual(t, govv1.StatusVotingPeriod, got.Status)
	return &got
}

// requireCounts compares a tally with votes in whole tokens.
func requireCounts(t *testing.T, result govv1.TallyResult, yes, abstain, no int64) {
	t.Helper()
	require.Equal(t, [3]string{fmt.Sprint(yes), fmt.Sprint(abstain), fmt.Sprint(no)}, [3]string{result.YesCount, result.AbstainCount, result.NoCount})
}

// Collateral votes while it secures two chains: x/gov's own end of the vote counts it.
func TestVaultStakeDecidesAVote(t *testing.T) {
	w := newWorld(t)
	user, c := w.Provider.Users[1], w.Provider
	w.staked(t, user, w.validator(0), 900_000_000)
	require.NoError(t, w.stakeLocal(user, w.home(0), 600_000_000))
	require.NoError(t, w.stakeLocal(user, w.home(1), 300_000_000))
	require.NoError(t, w.delegate(user, w.home(1), 50_000_000))

	proposal := propose(c)
	for _, v := range c.Validators {
		require.NoError(t, vote(c, v.Operator, proposal, govv1.OptionNo))
	}
	requireCounts(t, tally(c, proposal), 0, 0, 1_350_000_000)
	require.NoError(t, vote(c, user, proposal, govv1.OptionYes))
	requireCounts(t, tally(c, proposal), 950_000_000, 0, 400_000_000)

	// Stake votes the same on its way into the vault and out of it.
	require.NoError(t, w.depositDelegation(user, w.home(1), 50_000_000))
	requireCounts(t, tally(c, proposal), 950_000_000, 0, 400_000_000)
	require.NoError(t, w.withdrawDelegation(user, w.home(0), 50_000_000))
	requireCounts(t, tally(c, proposal), 950_000_000, 0, 400_000_000)
	require.NoError(t, w.restakeLocal(user, w.home(0), w.home(2), 100_000_000))
	requireCounts(t, tally(c, proposal), 950_000_000, 0, 400_000_000)
	// What unbonds does not vote, as always.
	require.NoError(t, w.unstakeLocal(user, w.home(0), 100_000_000))
	requireCounts(t, tally(c, proposal), 850_000_000, 0, 400_000_000)

	ended := decided(t, c, proposal)
	require.Equal(t, govv1.StatusPassed, ended.Status)
	requireCounts(t, *ended.FinalTallyResult, 850_000_000, 0, 400_000_000)
	require.NoError(t, w.check())
}

// Virtual stake counts by its source's weight, wherever it stands, and takes no vote from anybody.
func TestVirtualStakeVotesByItsWeight(t *testing.T) {
	w := newWorld(t)
	other := &world{w.AddConsumer()}
	user, c := w.Provider.Users[1], w.Consumer
	require.NoError(t, w.deposit(user, 200_000_000))
	require.NoError(t, w.stake(user, w.validator(0), 80_000_000))
	require.NoError(t, other.stake(user, w.validator(0), 40_000_000))
	require.NoError(t, other.stake(user, w.validator(1), 20_000_000))
	require.NoError(t, w.Relay())
	w.epoch()
	other.epoch()
	require.Equal(t, "36000000", w.delegated()[w.validator(0)].String())
	require.Equal(t, "18000000", other.delegated()[w.validator(0)].String())
	require.Equal(t, "9000000", other.delegated()[w.validator(1)].String())
	delegator := c.Users[3]
	_, err := c.Deliver(delegator, stakingtypes.NewMsgDelegate(delegator.String(), w.validator(0), c.Coin(10_000_000)))
	require.NoError(t, err)

	proposal := propose(c)
	for i, option := range []govv1.VoteOption{govv1.OptionYes, govv1.OptionNo, govv1.OptionAbstain} {
		require.NoError(t, vote(c, c.Validators[i].Operator, proposal, option))
	}
	// The delegator does not agree with the first validator.
	require.NoError(t, vote(c, delegator, proposal, govv1.OptionNo))
	for _, weights := range [][2]int64{{0, 0}, {5, 5}, {10, 10}, {0, 10}, {5, 0}} {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			w.setWeight(t, math.LegacyNewDecWithPrec(weights[0], 1))
			other.setWeight(t, math.LegacyNewDecWithPrec(weights[1], 1))
			requireCounts(t, tally(c, proposal),
				100_000_000+weights[0]*3_600_000+weights[1]*1_800_000,
				100_000_000,
				100_000_000+weights[1]*900_000+10_000_000,
			)
		})
	}
	ended := decided(t, c, proposal)
	requireCounts(t, *ended.FinalTallyResult, 118_000_000, 100_000_000, 110_000_000)
	require.Equal(t, govv1.StatusPassed, ended.Status)
}

// With weight 0 native stake alone makes the quorum, however much virtual stake there is; with weight 1 it does not.
func TestQuorumWithMuchVirtualStake(t *testing.T) {
	for weight, want := range map[int64]govv1.ProposalStatus{0: govv1.StatusPassed, 1: govv1.StatusRejected} {
		t.Run(fmt.Sprint("weight ", weight), func(t *testing.T) {
			w := newWorld(t, func(cfg *twochain.Config) { cfg.MaxCap = math.NewInt(10_000_000_000) })
			w.staked(t, w.Provider.Users[1], w.validator(3), 4_000_000_000)
			w.epoch()
			require.Equal(t, "1800000000", w.source().Delegated.String())
			w.setWeight(t, math.LegacyNewDec(weight))
			proposal := propose(w.Consumer)
			for _, v := range w.Consumer.Validators[:2] {
				require.NoError(t, vote(w.Consumer, v.Operator, proposal, govv1.OptionYes))
			}
			requireCounts(t, tally(w.Consumer, proposal), 200_000_000, 0, 0)
			require.Equal(t, want, decided(t, w.Consumer, proposal).Status)
		})
	}
}

// Inflation, what is minted, and the bonded ratio are those of a chain without virtual stake, in every block.
func TestInflationDoesNotSeeVirtualStake(t *testing.T) {
	type minted struct{ block, inflation, provisions, bonded, supply string }
	run := func(t *testing.T, stake, want int64) []minted {
		t.Helper()
		w := newWorld(t, func(cfg *twochain.Config) { cfg.MaxCap = math.NewInt(10_000_000_000) })
		w.staked(t, w.Provider.Users[1], w.validator(0), stake)
		w.epoch()
		require.Equal(t, fmt.Sprint(want), w.source().Delegated.String())
		c := w.Consumer
		var out []minted
		for range 50 {
			c.NextBlock()
			events := bankEvents(c, "coinbase")
			require.Len(t, events, 1)
			minter, err := c.App.MintKeeper.Minter.Get(c.Ctx())
			require.NoError(t, err)
			supply, err := virtualstakingtypes.NewQueryClient(querier(c)).Supply(c.Ctx(), &virtualstakingtypes.QuerySupplyRequest{})
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(want), supply.Virtual.String())
			require.Equal(t, c.App.BankKeeper.GetSupply(c.Ctx(), c.Denom).Amount, supply.Total)
			bonded, err := c.App.MintKeeper.BondedRatio(c.Ctx())
			require.NoError(t, err)
			out = append(out, minted{
				events[0].amount.String(), minter.Inflation.String(), minter.AnnualProvisions.String(), bonded.String(), supply.Native.String(),
			})
		}
		require.NoError(t, w.check())
		return out
	}
	// Native stake is 400 million: virtual stake of none, 30 % and 80 % of all.
	none := run(t, 1, 0)
	require.Equal(t, none, run(t, 380_952_382, 171_428_571))
	require.Equal(t, none, run(t, 3_555_555_556, 1_600_000_000))
}

// A chain that is provider and consumer at once counts vault stake in full and virtual stake by its weight.
func TestVotesOfAChainThatIsBoth(t *testing.T) {
	w := newWorld(t)
	back := &world{w.Reverse()}
	c := w.Provider
	user, abroad := c.Users[1], w.Consumer.Users[1]
	w.staked(t, user, w.validator(0), 50_000_000)
	require.NoError(t, w.stakeLocal(user, w.home(0), 50_000_000))
	back.staked(t, abroad, w.home(0), 80_000_000)
	require.NoError(t, back.stakeLocal(abroad, w.validator(0), 30_000_000))
	w.epoch()
	back.epoch()
	require.Equal(t, "36000000", back.delegated()[w.home(0)].String())

	proposal := propose(c)
	require.NoError(t, vote(c, c.Validators[0].Operator, proposal, govv1.OptionNo))
	require.NoError(t, vote(c, user, proposal, govv1.OptionYes))
	requireCounts(t, tally(c, proposal), 50_000_000, 0, 118_000_000)
	back.setWeight(t, math.LegacyZeroDec())
	requireCounts(t, tally(c, proposal), 50_000_000, 0, 100_000_000)
	back.setWeight(t, math.LegacyOneDec())
	requireCounts(t, tally(c, proposal), 50_000_000, 0, 136_000_000)

	// A slash at home hits both alike: the collateral behind the stake abroad, and the virtual stake from there.
	w.homeDoubleSigns(c.Validators[0])
	require.Equal(t, "47500000", w.account(user).Collateral.String())
	require.Equal(t, "80000000", back.account(abroad).Collateral.String(), "the chain's own word is no evidence")
	w.requireQuiet(t)
	back.requireQuiet(t)
	require.Equal(t, "47500000", w.remoteStake()[w.validator(0)].Stake.String())
	require.Empty(t, back.remoteStake(), "a tombstoned validator counts nothing")
	require.NoError(t, w.check())
	require.NoError(t, back.check())
}
