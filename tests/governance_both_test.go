package tests

import (
	"fmt"
	"math/big"
	"math/rand"
	"testing"
	"time"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaultkeeper "github.com/mesh-security/mesh/x/vault/keeper"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingkeeper "github.com/mesh-security/mesh/x/virtualstaking/keeper"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// both is a chain that is provider and consumer at once: its users stake through its vault, and two sources lend it
// virtual stake. x/gov sees it through the vault's and virtual staking's decorators.
type both struct {
	t       *testing.T
	random  *rand.Rand
	home    *world
	sources []*world
	weights map[uint64]string
	users   []twochain.Account
	options map[string]govv1.WeightedVoteOptions
	// seen counts what the votes had to deal with.
	seen map[string]int
}

// Random stake of every kind, slashes, weights and votes: what x/gov counts is what the hand computes from x/staking's
// delegations alone, but for less than a unit for each validator.
func TestPropertyVotesOfAChainThatIsBothByHand(t *testing.T) {
	seen := map[string]int{}
	for seed := range int64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, func(cfg *twochain.Config) { cfg.Provider.VotingPeriod = 2 * time.Hour })
			back := &world{w.Reverse()}
			b := &both{
				t: t, random: rand.New(rand.NewSource(seed)), home: w, sources: []*world{back, {back.AddConsumer()}},
				weights: map[uint64]string{}, users: w.Provider.Users[1:5], options: map[string]govv1.WeightedVoteOptions{}, seen: seen,
			}
			b.stakeAll()
			proposal := propose(w.Provider)
			for range 15 {
				b.step(proposal)
				b.compare(proposal)
			}
			require.NoError(t, w.check())
			require.NoError(t, back.check())
		})
	}
	for _, what := range []string{
		"weight 0", "weight between", "weight 1", "vault stake votes", "vault stake against its validator", "operator with vault stake",
		"slashed validator", "passes", "does not pass",
	} {
		require.Positive(t, seen[what], what)
	}
}

func (b *both) amount() int64 { return 1 + b.random.Int63n(60_000_000) }

func (b *both) validator() string { return b.home.home(b.random.Intn(len(b.home.Provider.Validators))) }

// stakeAll gives everybody stake: users directly, through the vault, and by delegations moved in; an operator in the vault;
// and both sources.
func (b *both) stakeAll() {
	w := b.home
	for _, user := range b.users {
		amount := b.amount()
		require.NoError(b.t, w.delegate(user, w.home(0), amount))
		require.NoError(b.t, w.depositDelegation(user, w.home(0), 1+amount/2))
		require.NoError(b.t, w.deposit(user, 200_000_000))
		require.NoError(b.t, w.stakeLocal(user, b.validator(), b.amount()))
		require.NoError(b.t, w.delegate(user, b.validator(), b.amount()))
	}
	require.NoError(b.t, w.depositDelegation(w.Provider.Validators[1].Operator, w.home(1), b.amount()))
	for i, source := range b.sources {
		b.setWeight(source)
		for j := range 2 {
			user := source.Provider.Users[1+2*i+j]
			require.NoError(b.t, source.deposit(user, 120_000_000))
			require.NoError(b.t, source.stake(user, b.validator(), b.amount()))
			require.NoError(b.t, source.stake(user, b.validator(), b.amount()))
		}
	}
	require.NoError(b.t, w.Relay())
	for _, source := range b.sources {
		source.epoch()
		require.True(b.t, source.source().Delegated.IsPositive())
	}
}

func (b *both) setWeight(source *world) {
	weight := []string{"0", "0.5", "1", "0.333333333333333333"}[b.random.Intn(4)]
	b.weights[source.ConverterID] = weight
	source.setWeight(b.t, math.LegacyMustNewDecFromStr(weight))
}

// step is a vote, or something that changes what votes are worth while the vote is open.
func (b *both) step(proposal uint64) {
	w, user := b.home, b.users[b.random.Intn(len(b.users))]
	switch b.random.Intn(10) {
	case 0:
		b.setWeight(b.sources[b.random.Intn(len(b.sources))])
	case 1: // x/staking's power reduction is a million; the fraction makes shares odd
		v := w.Provider.Validators[b.random.Intn(3)]
		validator := w.Provider.StakingValidator(v)
		power, fraction := validator.ConsensusPower(sdk.DefaultPowerReduction), math.LegacyNewDecWithPrec(1+b.random.Int63n(99_999), 6)
		ctx := w.Provider.GetContext()
		_, err := w.Provider.App.StakingKeeper.Slash(ctx, v.ConsAddress, ctx.BlockHeight()-1, power, fraction)
		require.NoError(b.t, err)
		w.Provider.NextBlock()
		b.seen["slashed validator"]++
	case 2: // any of these may be more than there is
		_ = w.stakeLocal(user, b.validator(), b.amount())
		_ = w.depositDelegation(user, b.validator(), b.amount())
	case 3:
		_ = w.unstakeLocal(user, b.validator(), b.amount())
		_ = w.withdrawDelegation(user, b.validator(), b.amount())
	default:
		voter := user
		if i := b.random.Intn(2 * len(w.Provider.Validators)); i < len(w.Provider.Validators) {
			voter = w.Provider.Validators[i].Operator
		}
		options := govv1.NewNonSplitVoteOption(govv1.VoteOption(1 + b.random.Intn(4)))
		if b.random.Intn(3) == 0 {
			options = govv1.WeightedVoteOptions{
				govv1.NewWeightedVoteOption(govv1.OptionYes, math.LegacyNewDecWithPrec(65, 2)),
				govv1.NewWeightedVoteOption(govv1.OptionNo, math.LegacyNewDecWithPrec(35, 2)),
			}
		}
		_, err := w.Provider.Deliver(voter, govv1.NewMsgVoteWeighted(voter.Address, proposal, options, ""))
		require.NoError(b.t, err)
		b.options[string(voter.Address)] = options
	}
}

// byHand counts in fractions: every delegation is worth its part of its validator's tokens, and votes as its owner did, or
// else as its validator did. The owner of what a staking account has is the user; virtual stake has none, and counts by the
// weight of its source.
func (b *both) byHand() (options map[govv1.VoteOption]*big.Rat, voting, bonded *big.Rat) {
	ctx, staking := b.home.Provider.Ctx(), b.home.Provider.App.StakingKeeper
	sources, inVault := map[string]string{}, map[string]twochain.Account{}
	for id, weight := range b.weights {
		sources[virtualstakingtypes.VirtualAccount(id).String()] = weight
	}
	owners := append([]twochain.Account{}, b.users...)
	for _, v := range b.home.Provider.Validators {
		owners = append(owners, v.Operator)
	}
	for _, owner := range owners {
		inVault[vaulttypes.StakingAccountAddress(owner.Address).String()] = owner
	}
	options, voting, bonded = map[govv1.VoteOption]*big.Rat{}, new(big.Rat), new(big.Rat)
	for option := govv1.OptionYes; option <= govv1.OptionNoWithVeto; option++ {
		options[option] = new(big.Rat)
	}
	delegations, err := staking.GetAllDelegations(ctx)
	require.NoError(b.t, err)
	for _, d := range delegations {
		operator, err := sdk.ValAddressFromBech32(d.ValidatorAddress)
		require.NoError(b.t, err)
		v, err := staking.GetValidator(ctx, operator)
		require.NoError(b.t, err)
		if !v.IsBonded() {
			continue
		}
		power := new(big.Rat).Quo(b.rat(v.Tokens.String()), b.rat(v.DelegatorShares.String()))
		power.Mul(power, b.rat(d.Shares.String()))
		voter := string(sdk.MustAccAddressFromBech32(d.DelegatorAddress))
		if weight, virtual := sources[d.DelegatorAddress]; virtual {
			power.Mul(power, b.rat(weight))
			b.seen[map[string]string{"0": "weight 0", "1": "weight 1"}[weight]]++
			if weight != "0" && weight != "1" {
				b.seen["weight between"]++
			}
		} else if owner, found := inVault[d.DelegatorAddress]; found {
			voter = string(owner.Address)
			b.seesVaultStake(voter, operator)
		}
		bonded.Add(bonded, power)
		votes := b.options[voter]
		if len(votes) == 0 {
			votes = b.options[string(operator)]
		}
		for _, option := range votes {
			part := new(big.Rat).Mul(power, b.rat(option.Weight))
			options[option.Option].Add(options[option.Option], part)
			voting.Add(voting, part)
		}
	}
	return options, voting, bonded
}

func (b *both) seesVaultStake(owner string, operator sdk.ValAddress) {
	if len(b.options[owner]) > 0 {
		b.seen["vault stake votes"]++
		if len(b.options[string(operator)]) > 0 && owner != string(operator) {
			b.seen["vault stake against its validator"]++
		}
	}
	if owner == string(operator) {
		b.seen["operator with vault stake"]++
	}
}

func (b *both) rat(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	require.True(b.t, ok, text)
	return r
}

// compare demands that x/gov counts, and decides, as the hand does.
func (b *both) compare(proposal uint64) {
	b.t.Helper()
	options, voting, bonded := b.byHand()
	lost := float64(1 + len(b.home.Provider.Validators))
	got := tally(b.home.Provider, proposal)
	for option, count := range map[govv1.VoteOption]string{
		govv1.OptionYes: got.YesCount, govv1.OptionAbstain: got.AbstainCount, govv1.OptionNo: got.NoCount, govv1.OptionNoWithVeto: got.NoWithVetoCount,
	} {
		less, _ := new(big.Rat).Sub(options[option], b.rat(count)).Float64()
		require.GreaterOrEqual(b.t, less, -1e-6, option)
		require.Less(b.t, less, lost, option)
	}

	ctx := b.home.Provider.Ctx()
	open, err := b.home.Provider.App.GovKeeper.Proposals.Get(ctx, proposal)
	require.NoError(b.t, err)
	passes, burns, _, err := b.home.Provider.App.GovKeeper.Tally(ctx, open)
	require.NoError(b.t, err)
	ratio := func(part, whole *big.Rat) float64 {
		if whole.Sign() == 0 {
			return 0
		}
		f, _ := new(big.Rat).Quo(part, whole).Float64()
		return f
	}
	params, err := b.home.Provider.App.GovKeeper.Params.Get(ctx)
	require.NoError(b.t, err)
	quorate := ratio(voting, bonded) >= math.LegacyMustNewDecFromStr(params.Quorum).MustFloat64()
	decided := new(big.Rat).Sub(voting, options[govv1.OptionAbstain])
	vetoed := quorate && decided.Sign() > 0 && ratio(options[govv1.OptionNoWithVeto], voting) > math.LegacyMustNewDecFromStr(params.VetoThreshold).MustFloat64()
	agreed := ratio(options[govv1.OptionYes], decided) > math.LegacyMustNewDecFromStr(params.Threshold).MustFloat64()
	require.Equal(b.t, quorate && !vetoed && agreed, passes)
	require.Equal(b.t, vetoed && params.BurnVoteVeto, burns && quorate)
	b.seen[map[bool]string{true: "passes", false: "does not pass"}[passes]]++
}

// Both decorators together cost one read each where nobody uses the vault and no source has a cap.
func TestViewsOfAChainThatIsBothCostOneReadWhenUnused(t *testing.T) {
	w := unconnected(t)
	c := w.Provider
	user := c.Users[1]
	for i := range c.Validators {
		require.NoError(t, w.delegate(user, w.home(i), 1_000_000))
	}
	a := c.App
	decorated := vaultkeeper.NewGovStaking(virtualstakingkeeper.NewGovStaking(a.StakingKeeper, a.VirtualStakingKeeper), a.VaultKeeper)
	reversed := virtualstakingkeeper.NewGovStaking(vaultkeeper.NewGovStaking(a.StakingKeeper, a.VaultKeeper), a.VirtualStakingKeeper)
	for name, read := range map[string]func(ctx sdk.Context, staking govtypes.StakingKeeper) error{
		"validators": func(ctx sdk.Context, staking govtypes.StakingKeeper) error {
			return staking.IterateBondedValidatorsByPower(ctx, func(int64, stakingtypes.ValidatorI) bool { return false })
		},
		"total": func(ctx sdk.Context, staking govtypes.StakingKeeper) error {
			_, err := staking.TotalBondedTokens(ctx)
			return err
		},
		"delegations": func(ctx sdk.Context, staking govtypes.StakingKeeper) error {
			return staking.IterateDelegations(ctx, user.Address, func(int64, stakingtypes.DelegationI) bool { return false })
		},
	} {
		reads := func(staking govtypes.StakingKeeper) uint64 {
			ctx := c.Ctx().WithGasMeter(storetypes.NewInfiniteGasMeter()).
				WithKVGasConfig(storetypes.GasConfig{HasCost: 1, ReadCostFlat: 1, IterNextCostFlat: 1})
			require.NoError(t, read(ctx, staking))
			return ctx.GasMeter().GasConsumed()
		}
		require.Equal(t, reads(a.StakingKeeper)+1, reads(decorated), name)
		require.Equal(t, reads(decorated), reads(reversed), name)
	}
}
