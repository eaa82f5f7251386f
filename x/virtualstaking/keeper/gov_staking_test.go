package keeper_test

import (
	"context"
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/keeper"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

const proposalID = 1

// votes are what accounts vote, all for one proposal.
type votes map[string]govv1.WeightedVoteOptions

func vote(option govv1.VoteOption) govv1.WeightedVoteOptions {
	return govv1.NewNonSplitVoteOption(option)
}

// tallied is the outcome of a real tally.
type tallied struct {
	passes, burns              bool
	yes, abstain, no, withVeto string
}

// tally lets x/gov count votes. Nothing of it remains.
func (f *fixture) tally(k *govkeeper.Keeper, cast votes) tallied {
	ctx, _ := f.ctx.CacheContext()
	for voter, options := range cast {
		addr := sdk.AccAddress(voter)
		require.NoError(f.t, k.Votes.Set(ctx, collections.Join(uint64(proposalID), addr), govv1.NewVote(proposalID, addr, options, "")))
	}
	passes, burns, result, err := k.Tally(ctx, govv1.Proposal{Id: proposalID})
	require.NoError(f.t, err)
	return tallied{passes, burns, result.YesCount, result.AbstainCount, result.NoCount, result.NoWithVetoCount}
}

// counted is what x/gov sees of a validator: tokens and shares, empty if nothing.
func (f *fixture) counted(v validator) (tokens, shares string) {
	require.NoError(f.t, keeper.NewGovStaking(f.staking, f.k).IterateBondedValidatorsByPower(f.ctx, func(_ int64, seen stakingtypes.ValidatorI) bool {
		if seen.GetOperator() == v.operator {
			tokens, shares = seen.GetBondedTokens().String(), seen.GetDelegatorShares().String()
		}
		return false
	}))
	return tokens, shares
}

func (f *fixture) totalCounted() string {
	total, err := keeper.NewGovStaking(f.staking, f.k).TotalBondedTokens(f.ctx)
	require.NoError(f.t, err)
	return total.String()
}

func (f *fixture) delegate(delegator sdk.AccAddress, v validator, amount int64) {
	f.fund(delegator, amount)
	_, err := stakingkeeper.NewMsgServerImpl(f.staking.Keeper).Delegate(f.ctx, stakingtypes.NewMsgDelegate(delegator.String(), v.operator, sdk.NewInt64Coin(denom, amount)))
	require.NoError(f.t, err)
}

// leave takes the operator's own stake away; x/staking jails the validator for it.
func (f *fixture) leave(v validator) {
	own, err := f.staking.GetDelegation(f.ctx, sdk.AccAddress(v.address), v.address)
	require.NoError(f.t, err)
	_, _, err = f.staking.Undelegate(f.ctx, sdk.AccAddress(v.address), v.address, own.Shares)
	require.NoError(f.t, err)
}

// Four validators of 10, all virtual stake on one of them, and only that one votes. Of N = 40 native and V virtual bonded
// stake it has (10 + wV) / (40 + wV).
func TestVS12_QuorumCountsVirtualStakeByWeight(t *testing.T) {
	for _, tc := range []struct {
		name    string
		virtual int64
		weight  string
		power   string
		total   string
		quorate bool // 33.4 %
	}{
		{"none", 0, "1", "10000000", "40000000", false},
		{"30 %, full weight", 17_142_858, "1", "27142858", "57142858", true},
		{"30 %, half", 17_142_858, "0.5", "18571429", "48571429", true},
		{"30 %, a tenth", 17_142_858, "0.1", "11714285", "41714285", false},
		{"30 %, security only", 17_142_858, "0", "10000000", "40000000", false},
		{"80 %, full weight", 160_000_000, "1", "170000000", "200000000", true},
		{"80 %, half", 160_000_000, "0.5", "90000000", "120000000", true},
		{"80 %, security only", 160_000_000, "0", "10000000", "40000000", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, 4)
			f.addSource(1, 200_000_000)
			f.setWeight(1, tc.weight)
			f.hooks.set(1, map[string]int64{f.vals[0].operator: tc.virtual})
			f.epoch(1)
			require.Equal(t, tc.virtual, f.delegated(1, f.vals[0]))
			require.Equal(t, tc.total, f.totalCounted())
			got := f.tally(f.gov, votes{string(f.vals[0].address): vote(govv1.OptionYes)})
			require.Equal(t, tallied{passes: tc.quorate, yes: tc.power, abstain: "0", no: "0", withVeto: "0"}, got)
			f.end()
		})
	}
}

func TestVirtualStakeVotesWithItsValidatorUnlessADelegatorOverrides(t *testing.T) {
	f := newFixture(t, 2)
	alice := sdk.AccAddress("alice---------------")
	f.delegate(alice, f.vals[0], 4_000_000)
	f.addSource(1, 9_000_000)
	f.addSource(2, 9_000_000)
	f.setWeight(1, "0.5")
	f.setWeight(2, "1")
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 2_000_000, f.vals[1].operator: 6_000_000})
	f.hooks.set(2, map[string]int64{f.vals[0].operator: 1_000_000})
	f.epoch(1)
	f.epoch(2)
	cast := votes{
		string(f.vals[0].address): vote(govv1.OptionYes),
		string(f.vals[1].address): {govv1.NewWeightedVoteOption(govv1.OptionNo, math.LegacyNewDecWithPrec(7, 1)), govv1.NewWeightedVoteOption(govv1.OptionAbstain, math.LegacyNewDecWithPrec(3, 1))},
		string(alice):             vote(govv1.OptionNoWithVeto),
	}
	// 10 of the operator, 2/2 and 1 virtual; 10 and 6/2.
	require.Equal(t, tallied{yes: "12000000", no: "9100000", abstain: "3900000", withVeto: "4000000"}, f.tally(f.gov, cast))

	// Her vote is worth what it would be without virtual stake, and without it everybody's is as if there were none.
	f.setWeight(1, "0")
	f.setWeight(2, "0")
	require.Equal(t, tallied{yes: "10000000", no: "7000000", abstain: "3000000", withVeto: "4000000"}, f.tally(f.gov, cast))
	require.Equal(t, "24000000", f.totalCounted())
	delete(cast, string(alice))
	require.Equal(t, tallied{passes: true, yes: "14000000", no: "7000000", abstain: "3000000", withVeto: "0"}, f.tally(f.gov, cast))
	f.end()
}

// A weight counts at once, for proposals being voted on too: no epoch is needed.
func TestWeightTakesEffectAtOnce(t *testing.T) {
	f := newFixture(t, 1)
	f.addSource(1, 9_000_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 8_000_000})
	f.epoch(1)
	for weight, want := range map[string]string{"0": "10000000", "0.25": "12000000", "1": "18000000"} {
		f.setWeight(1, weight)
		tokens, shares := f.counted(f.vals[0])
		require.Equal(t, []string{want, want + ".000000000000000000", want}, []string{tokens, shares, f.totalCounted()}, weight)
	}
	// What unwinds keeps its weight.
	f.setWeight(1, "0.5")
	f.setCap(1, 0)
	require.Equal(t, "14000000", f.totalCounted())
	f.block(time.Second)
	require.Equal(t, "10000000", f.totalCounted())
	f.end()
}

// x/gov divides by a validator's shares at the end of a block, and a panic there halts the chain.
func TestValidatorWithoutCountedSharesIsLeftOut(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 9_000_000)
	lone := f.vals[0]
	f.hooks.set(1, map[string]int64{lone.operator: 8_000_000})
	f.epoch(1)
	f.leave(lone)
	f.block(time.Second)
	f.hooks.set(1, nil)
	f.hooks.stale = true
	require.NoError(t, f.staking.Unjail(f.ctx, lone.cons))
	f.block(time.Second)
	require.True(t, f.validator(lone).IsBonded())
	require.Equal(t, "8000000.000000000000000000", f.validator(lone).DelegatorShares.String(), "only virtual stake is left")

	submit := func() uint64 {
		proposal, err := f.gov.SubmitProposal(f.ctx, nil, "", "title", "summary", sdk.AccAddress(lone.address), false)
		require.NoError(t, err)
		require.NoError(t, f.gov.ActivateVotingPeriod(f.ctx, proposal))
		for _, v := range f.vals {
			require.NoError(t, f.gov.AddVote(f.ctx, proposal.Id, sdk.AccAddress(v.address), vote(govv1.OptionYes), ""))
		}
		return proposal.Id
	}
	for weight, want := range map[string]string{"0": "10000000", "0.000000000000000001": "10000000", "1": "18000000"} {
		f.setWeight(1, weight)
		id := submit()
		cached, _ := f.ctx.CacheContext()
		cached = cached.WithBlockTime(f.ctx.BlockTime().Add(govv1.DefaultPeriod))
		require.NoError(t, gov.EndBlocker(cached, f.gov))
		proposal, err := f.gov.Proposals.Get(cached, id)
		require.NoError(t, err)
		require.Equal(t, govv1.StatusPassed, proposal.Status, weight)
		require.Equal(t, want, proposal.FinalTallyResult.YesCount, weight)
	}
	require.Equal(t, "18000000", f.totalCounted())
	f.setWeight(1, "0")
	tokens, _ := f.counted(lone)
	require.Empty(t, tokens, "left out")
	require.Equal(t, "10000000", f.totalCounted())
}

// x/gov's turn is before x/staking's: a validator jailed in the block has no power any more, but its tokens are bonded.
func TestTotalCountsValidatorsJailedInTheSameBlock(t *testing.T) {
	f := newFixture(t, 3)
	f.addSource(1, 9_000_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 8_000_000})
	f.epoch(1)
	require.Equal(t, "30000000", f.totalCounted())
	require.NoError(t, f.staking.Jail(f.ctx, f.vals[0].cons))
	tokens, _ := f.counted(f.vals[0])
	require.Empty(t, tokens)
	require.Equal(t, "30000000", f.totalCounted(), "its native stake still counts, as x/gov does for any validator")
	f.block(time.Second)
	require.Equal(t, "20000000", f.totalCounted())
	f.end()
}

// withExtra is another view of x/staking: an account votes with what another one delegates, too.
type withExtra struct {
	types.GovStakingKeeper
	account, extra sdk.AccAddress
}

func (w withExtra) IterateDelegations(ctx context.Context, delegator sdk.AccAddress, fn func(int64, stakingtypes.DelegationI) bool) error {
	if err := w.GovStakingKeeper.IterateDelegations(ctx, delegator, fn); err != nil || !delegator.Equals(w.account) {
		return err
	}
	return w.GovStakingKeeper.IterateDelegations(ctx, w.extra, fn)
}

func TestGovStakingComposesInEitherOrder(t *testing.T) {
	f := newFixture(t, 2)
	alice, proxy := sdk.AccAddress("alice---------------"), sdk.AccAddress("proxy---------------")
	f.delegate(alice, f.vals[1], 1_000_000)
	f.delegate(proxy, f.vals[0], 3_000_000)
	f.addSource(1, 9_000_000)
	f.setWeight(1, "0.5")
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 8_000_000})
	f.epoch(1)
	cast := votes{string(f.vals[0].address): vote(govv1.OptionNo), string(alice): vote(govv1.OptionYes)}
	require.Equal(t, tallied{yes: "1000000", no: "17000000", abstain: "0", withVeto: "0"}, f.tally(f.gov, cast))

	inner := keeper.NewGovStaking(withExtra{f.staking, alice, proxy}, f.k)
	outer := withExtra{keeper.NewGovStaking(f.staking, f.k), alice, proxy}
	for name, staking := range map[string]types.GovStakingKeeper{"inner": inner, "outer": outer} {
		got := f.tally(f.newGov(staking), cast)
		require.Equal(t, tallied{yes: "4000000", no: "14000000", abstain: "0", withVeto: "0"}, got, name)
	}
	f.end()
}

func TestViewsOfStakingCostOneReadWhenUnused(t *testing.T) {
	f := newFixture(t, 3)
	f.addSource(1, 0) // anyone can create these
	gas := func(read func(ctx sdk.Context) error) storetypes.Gas {
		ctx := f.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter())
		require.NoError(t, read(ctx))
		return ctx.GasMeter().GasConsumed()
	}
	view, supply := keeper.NewGovStaking(f.staking, f.k), keeper.NewMintStaking(f.staking, f.k)
	each := func(int64, stakingtypes.ValidatorI) bool { return false }
	for name, read := range map[string][2]func(ctx sdk.Context) error{
		"validators": {
			func(ctx sdk.Context) error { return view.IterateBondedValidatorsByPower(ctx, each) },
			func(ctx sdk.Context) error { return f.staking.IterateBondedValidatorsByPower(ctx, each) },
		},
		"total": {
			func(ctx sdk.Context) error { _, err := view.TotalBondedTokens(ctx); return err },
			func(ctx sdk.Context) error { _, err := f.staking.TotalBondedTokens(ctx); return err },
		},
		"supply": {
			func(ctx sdk.Context) error { _, err := supply.StakingTokenSupply(ctx); return err },
			func(ctx sdk.Context) error { _, err := f.staking.StakingTokenSupply(ctx); return err },
		},
		"ratio": {
			func(ctx sdk.Context) error { _, err := supply.BondedRatio(ctx); return err },
			func(ctx sdk.Context) error { _, err := f.staking.BondedRatio(ctx); return err },
		},
	} {
		require.Equal(t, storetypes.KVGasConfig().IterNextCostFlat, gas(read[0])-gas(read[1]), name)
	}
}

func TestViewsOfStakingNeedBothKeepers(t *testing.T) {
	f := newFixture(t, 1)
	require.Panics(t, func() { keeper.NewGovStaking(nil, f.k) })
	require.Panics(t, func() { keeper.NewGovStaking(f.staking, nil) })
	require.Panics(t, func() { keeper.NewMintStaking(nil, f.k) })
	require.Panics(t, func() { keeper.NewMintStaking(f.staking, nil) })
}
