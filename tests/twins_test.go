package tests

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// twins are one user in two chains that are alike but for this: in one the user stakes directly, in the other through
// the vault. On one chain they would differ by x/staking's rounding, which depends on who comes first.
type twins struct {
	t               *testing.T
	random          *rand.Rand
	direct, vaulted *world
	user            twochain.Account
	// proposal is the vote under way, 0 without one.
	proposal uint64
	votes    int
	// rounded counts what may differ by a unit: whoever leaves a slashed validator in part gets exactly what was asked for
	// from the vault, and up to a unit less from x/staking.
	rounded int64
}

// A user who stakes through the vault gets the same rewards, the same vote and the same slashes as one who stakes
// directly, block for block.
func TestPropertyVaultStakeIsLikeDirectStake(t *testing.T) {
	votes := 0
	for seed := range int64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			short := func(cfg *twochain.Config) {
				cfg.Provider.UnbondingTime, cfg.Provider.VotingPeriod = 5*time.Minute, 2*time.Minute
			}
			tw := &twins{t: t, random: rand.New(rand.NewSource(seed)), direct: unconnected(t, short), vaulted: unconnected(t, short)}
			tw.user = tw.direct.Provider.Users[1]
			const collateral = 1_000_000_000
			require.NoError(t, tw.vaulted.deposit(tw.user, collateral))
			tw.direct.Provider.NextBlock()
			tw.delegate(tw.validator(1), 300_000_000)
			tw.delegate(tw.validator(2), 200_000_000)
			for range 50 {
				tw.step()
			}
			tw.leave(collateral)
			votes += tw.votes
		})
	}
	require.Positive(t, votes)
}

func (tw *twins) worlds() []*world { return []*world{tw.direct, tw.vaulted} }

func (tw *twins) validator(i int) string { return tw.direct.home(i) }

// both makes a block with one message of each twin, and compares them. Both are accepted, or both refused.
func (tw *twins) both(direct, vaulted sdk.Msg) {
	tw.t.Helper()
	_, errDirect := tw.direct.Provider.Deliver(tw.user, direct)
	_, errVaulted := tw.vaulted.Provider.Deliver(tw.user, vaulted)
	require.Equal(tw.t, errDirect == nil, errVaulted == nil, "%T: %v, %T: %v", direct, errDirect, vaulted, errVaulted)
	tw.compare()
}

// all does the same in both chains, and compares the twins.
func (tw *twins) all(do func(*twochain.Chain)) {
	tw.t.Helper()
	for _, w := range tw.worlds() {
		do(w.Provider)
	}
	tw.compare()
}

func (tw *twins) delegate(validator string, amount int64) {
	tw.both(
		stakingtypes.NewMsgDelegate(tw.user.String(), validator, tw.direct.coin(amount)),
		&vaulttypes.MsgStakeLocal{User: tw.user.String(), Validator: validator, Amount: tw.direct.coin(amount)},
	)
}

func (tw *twins) undelegate(validator string, amount int64) {
	tw.rounds(validator)
	tw.both(
		stakingtypes.NewMsgUndelegate(tw.user.String(), validator, tw.direct.coin(amount)),
		&vaulttypes.MsgUnstakeLocal{User: tw.user.String(), Validator: validator, Amount: tw.direct.coin(amount)},
	)
}

func (tw *twins) rounds(validator string) {
	addr, err := sdk.ValAddressFromBech32(validator)
	require.NoError(tw.t, err)
	v, err := tw.direct.Provider.App.StakingKeeper.GetValidator(tw.direct.Provider.Ctx(), addr)
	require.NoError(tw.t, err)
	if !v.DelegatorShares.Equal(math.LegacyNewDecFromInt(v.Tokens)) {
		tw.rounded++
	}
}

func (tw *twins) step() {
	i := 1 + tw.random.Intn(3)
	validator, other := tw.validator(i), tw.validator(1+tw.random.Intn(3))
	part := 1 + tw.random.Int63n(max(tw.direct.delegation(tw.user.Address, validator).Int64(), 1))
	switch tw.random.Intn(9) {
	case 0, 1:
		tw.delegate(validator, 1+tw.random.Int63n(10_000_000))
	case 2, 3:
		tw.undelegate(validator, part)
	case 4:
		amount := tw.direct.coin(part)
		tw.rounds(validator)
		tw.both(
			stakingtypes.NewMsgBeginRedelegate(tw.user.String(), validator, other, amount),
			&vaulttypes.MsgRestakeLocal{User: tw.user.String(), ValidatorSrc: validator, ValidatorDst: other, Amount: amount},
		)
	case 5:
		tw.both(
			distrtypes.NewMsgWithdrawDelegatorReward(tw.user.String(), validator),
			&vaulttypes.MsgWithdrawLocalRewards{User: tw.user.String(), Validator: validator},
		)
	case 6:
		tw.misbehave(i)
	case 7:
		tw.vote()
	case 8:
		for i := range tw.direct.Provider.Validators {
			tw.all(func(c *twochain.Chain) {
				_, _ = c.Deliver(c.Validators[i].Operator, slashingtypes.NewMsgUnjail(c.Validators[i].Address))
			})
		}
	}
}

// misbehave slashes a validator that the chain can do without: for downtime, or for a double sign some blocks ago, which
// also hits what has left since then.
func (tw *twins) misbehave(i int) {
	c := tw.direct.Provider
	_, signs := c.Vals.GetByAddress(c.Validators[i].ConsAddress.Bytes())
	if signs == nil || c.Power(c.Validators[i]) == 0 || c.NextVals.Size() < 3 {
		return
	}
	if i == 3 {
		height := max(c.App.LastBlockHeight()-tw.random.Int63n(10), 2)
		tw.all(func(c *twochain.Chain) {
			c.DoubleSignAt(c.Validators[i], height)
			c.NextBlock()
		})
		return
	}
	for block := range 13 {
		tw.all(func(c *twochain.Chain) {
			c.SetDown(c.Validators[i], block < 12)
			c.NextBlock()
		})
	}
}

// vote lets the twins vote, or change their votes.
func (tw *twins) vote() {
	if tw.proposal == 0 {
		tw.all(func(c *twochain.Chain) { tw.proposal = propose(c) })
	}
	proposal, err := tw.direct.Provider.App.GovKeeper.Proposals.Get(tw.direct.Provider.Ctx(), tw.proposal)
	require.NoError(tw.t, err)
	if proposal.Status != govv1.StatusVotingPeriod {
		tw.proposal = 0
		return
	}
	options := govv1.NewNonSplitVoteOption([]govv1.VoteOption{govv1.OptionYes, govv1.OptionNo}[tw.random.Intn(2)])
	if tw.random.Intn(3) == 0 {
		options = govv1.WeightedVoteOptions{
			govv1.NewWeightedVoteOption(govv1.OptionYes, math.LegacyNewDecWithPrec(3, 1)),
			govv1.NewWeightedVoteOption(govv1.OptionAbstain, math.LegacyNewDecWithPrec(7, 1)),
		}
	}
	operator := tw.direct.Provider.Validators[1+tw.random.Intn(3)].Operator
	for _, w := range tw.worlds() {
		require.NoError(tw.t, vote(w.Provider, operator, tw.proposal, govv1.OptionNoWithVeto))
	}
	msg := govv1.NewMsgVoteWeighted(tw.user.Address, tw.proposal, options, "")
	tw.both(msg, msg)
	tw.votes++
}

// compare demands that both have the same with every validator and the same in hand, and that every vote stands alike:
// exactly, until somebody has left a slashed validator in part.
func (tw *twins) compare() {
	tw.t.Helper()
	direct := tw.atStake(tw.direct, tw.user.Address)
	vaulted := tw.atStake(tw.vaulted, vaulttypes.StakingAccountAddress(tw.user.Address))
	denom := tw.direct.Provider.Denom
	direct["in hand"] = tw.direct.Provider.Balance(tw.user.Address, denom)
	vaulted["in hand"] = tw.vaulted.Provider.Balance(tw.user.Address, denom).Add(tw.vaulted.account(tw.user).Liquid)
	if tw.proposal != 0 {
		tw.counted(direct, tally(tw.direct.Provider, tw.proposal))
		tw.counted(vaulted, tally(tw.vaulted.Provider, tw.proposal))
	}
	for _, name := range names(direct, vaulted) {
		a, b := zeroIfNil(direct[name]), zeroIfNil(vaulted[name])
		require.LessOrEqual(tw.t, a.Sub(b).Abs().Int64(), tw.rounded, "%s: %s, through the vault %s", name, a, b)
	}
}

func (tw *twins) counted(to map[string]math.Int, result govv1.TallyResult) {
	for name, votes := range map[string]string{
		"yes": result.YesCount, "abstain": result.AbstainCount, "no": result.NoCount, "veto": result.NoWithVetoCount,
	} {
		to[name] = intOf(tw.t, votes)
	}
}

// atStake is an account's delegations, unbondings, redelegations and rewards.
func (tw *twins) atStake(w *world, delegator sdk.AccAddress) map[string]math.Int {
	ctx, staking := w.Provider.Ctx(), w.Provider.App.StakingKeeper
	out := map[string]math.Int{}
	add := func(amount math.Int, format string, args ...any) {
		name := fmt.Sprintf(format, args...)
		out[name] = zeroIfNil(out[name]).Add(amount)
	}
	for i := range w.Provider.Validators {
		add(w.delegation(delegator, w.home(i)), "with validator %d", i)
	}
	unbondings, err := staking.GetUnbondingDelegations(ctx, delegator, 100)
	require.NoError(tw.t, err)
	for _, u := range unbondings {
		for _, e := range u.Entries {
			add(e.Balance, "leaves %s at %s", u.ValidatorAddress, e.CompletionTime)
		}
	}
	redelegations, err := staking.GetRedelegations(ctx, delegator, 100)
	require.NoError(tw.t, err)
	for _, r := range redelegations {
		for _, e := range r.Entries {
			add(e.SharesDst.TruncateInt(), "moved from %s to %s until %s", r.ValidatorSrcAddress, r.ValidatorDstAddress, e.CompletionTime)
		}
	}
	rewards, err := distrtypes.NewQueryClient(querier(w.Provider)).DelegationTotalRewards(ctx, &distrtypes.QueryDelegationTotalRewardsRequest{
		DelegatorAddress: delegator.String(),
	})
	require.NoError(tw.t, err)
	add(rewards.Total.AmountOf(w.Provider.Denom).TruncateInt(), "rewards")
	return out
}

// leave takes everything out: the vault has kept what was deposited, less what slashes took.
func (tw *twins) leave(collateral int64) {
	wait := func() {
		for _, w := range tw.worlds() {
			w.Coordinator.IncrementTimeBy(time.Hour)
		}
		tw.all((*twochain.Chain).NextBlock)
	}
	wait()
	account := vaulttypes.StakingAccountAddress(tw.user.Address)
	for i := range tw.direct.Provider.Validators {
		validator := tw.validator(i)
		if has := tw.vaulted.delegation(account, validator); has.IsPositive() {
			require.NoError(tw.t, tw.vaulted.unstakeLocal(tw.user, validator, has.Int64()))
		}
		if has := tw.direct.delegation(tw.user.Address, validator); has.IsPositive() {
			_, err := tw.direct.Provider.Deliver(tw.user, stakingtypes.NewMsgUndelegate(tw.user.String(), validator, sdk.NewCoin(tw.direct.Provider.Denom, has)))
			require.NoError(tw.t, err)
		}
	}
	wait()
	left, lost := tw.vaulted.account(tw.user), tw.vaulted.lost(tw.user)
	require.Empty(tw.t, left.Liens)
	require.True(tw.t, lost.IsPositive(), "nothing was slashed")
	require.Equal(tw.t, math.NewInt(collateral).Sub(lost), left.Free)
	require.NoError(tw.t, tw.vaulted.withdraw(tw.user, left.Free.Int64()))
	tw.direct.Provider.NextBlock()
	tw.compare()
	require.NoError(tw.t, tw.vaulted.CheckInvariants())
}
