package tests

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/testutil/twochain"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

const (
	// defaultSteps of all runs together; the environment variable MESH_STEPS asks for more.
	defaultSteps = 5_000
	stepsPerRun  = 250
	// sdkInvariantsEvery steps the SDK's own invariants are checked, too.
	sdkInvariantsEvery = 50
	machineUsers       = 6
	// shards run side by side.
	shards = 2
)

// TestPropertyTwoChainsKeepEveryInvariant drives two chains with random steps of users, relayers, operators and governance, and
// checks every invariant after each. At the end of a run everything is relayed, and every user leaves with all collateral.
func TestPropertyTwoChainsKeepEveryInvariant(t *testing.T) {
	steps := defaultSteps
	if env := os.Getenv("MESH_STEPS"); env != "" {
		n, err := strconv.Atoi(env)
		require.NoError(t, err, "MESH_STEPS")
		steps = max(n, shards*stepsPerRun)
	}
	runs := (steps + shards*stepsPerRun - 1) / (shards * stepsPerRun)
	// Fixed seeds: what fails once fails again.
	setRapid(t, "rapid.checks", strconv.Itoa(runs))
	setRapid(t, "rapid.nofailfile", "true")
	setRapid(t, "rapid.seed", "1")

	counts := make([]map[string]int, shards)
	t.Run("runs", func(t *testing.T) {
		for shard := range shards {
			counts[shard] = make(map[string]int)
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(r *rapid.T) {
					// The shards share the seed, so each starts elsewhere in its stream.
					for range shard {
						rapid.Uint64().Draw(r, "shard")
					}
					runMachine(t, r, counts[shard])
				})
			})
		}
	})
	if t.Failed() {
		return
	}
	total := 0
	report := func(name string) int {
		n := 0
		for shard := range shards {
			n += counts[shard][name]
		}
		t.Logf("%6d %s", n, name)
		assert.Positive(t, n, "%q was never reached", name)
		return n
	}
	for _, a := range actions {
		total += report(a.name)
	}
	for _, outcome := range outcomes {
		report(outcome)
	}
	require.GreaterOrEqual(t, total, steps)
}

func runMachine(t *testing.T, r *rapid.T, counts map[string]int) {
	w := newWorld(t, func(cfg *twochain.Config) {
		cfg.Provider.UserBalance = math.NewInt(userBalance)
		cfg.Provider.Users, cfg.Consumer.Users = machineUsers, machineUsers
	})
	m := &machine{world: w, r: r, counts: counts, users: w.Provider.Users, entries: map[string][]entry{}}
	// The harness ends the test at once when it cannot go on; then nobody else prints what led there.
	finished := false
	defer func() {
		if !finished && t.Failed() {
			t.Log(strings.Join(m.log, "\n"))
		}
	}()
	m.watchSupply()
	m.watchOutcomes()
	require.NoError(r, m.checkAll())
	for step := range stepsPerRun {
		m.step(step)
	}
	m.leave()
	finished = true
}

// machine is one run under way.
type machine struct {
	*world
	r      *rapid.T
	counts map[string]int
	log    []string
	users  []twochain.Account

	// created counts validators made on the way, for fresh consensus keys.
	created int
	// broken is what the watches over single blocks found.
	broken error
	// entries are the unbonding entries of each position, as seen from outside.
	entries map[string][]entry
	// slashed is true once any validator was slashed: from then on shares are not worth whole units.
	slashed bool
}

func (m *machine) step(i int) {
	a := weighted[uniform(len(weighted)).Draw(m.r, "kind")]
	m.counts[a.name]++
	m.logf("%3d %s", i, a.name)
	a.do(m)
	if err := m.checkAll(); err != nil {
		m.fail("after step %d, %s: %s", i, a.name, err)
	}
	if i%sdkInvariantsEvery == sdkInvariantsEvery-1 {
		if err := m.checkSDK(); err != nil {
			m.fail("after step %d, %s: %s", i, a.name, err)
		}
	}
}

func (m *machine) logf(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

// notef adds what a step did to its line.
func (m *machine) notef(format string, args ...any) {
	m.log[len(m.log)-1] += " " + fmt.Sprintf(format, args...)
}

func (m *machine) fail(format string, args ...any) {
	m.r.Fatalf("%s\nsteps:\n%s", fmt.Sprintf(format, args...), strings.Join(m.log, "\n"))
}

func (m *machine) must(err error, format string, args ...any) {
	if err != nil {
		m.fail("%s: %s", fmt.Sprintf(format, args...), err)
	}
}

// checkAll is every invariant of this design, K2 block by block, and that nobody's money went anywhere.
func (m *machine) checkAll() error {
	return errors.Join(m.check(), m.broken, m.checkMoney())
}

// checkMoney: what a user does not have in the bank is collateral.
func (m *machine) checkMoney() error {
	for i, user := range m.users {
		has := m.Provider.Balance(user.Address, m.Provider.Denom)
		account := m.account(user)
		if !has.Add(account.Collateral).Equal(math.NewInt(userBalance)) {
			return fmt.Errorf("user %d began with %d, has %s and collateral %s", i, userBalance, has, account.Collateral)
		}
		if account.Free.GT(account.Collateral) || account.Free.IsNegative() {
			return fmt.Errorf("user %d has %s free of %s", i, account.Free, account.Collateral)
		}
	}
	return nil
}

// watchSupply checks K2 around every block of the consumer: the supply without virtual stake changes by inflation and by
// slashes of native stake only.
func (m *machine) watchSupply() {
	native := m.nativeSupply()
	m.Consumer.Observe = func(block *abci.ResponseFinalizeBlock) {
		now := m.nativeSupply()
		minted, burned, changes := m.supplyEvents(block)
		m.slashed = m.slashed || burned.IsPositive()
		// x/staking leaves up to a unit with other delegators at every change of a delegation that was slashed before.
		dust := math.ZeroInt()
		if m.slashed {
			dust = math.NewInt(int64(2*changes + 2*len(m.Consumer.Validators)))
		}
		diff := now.Sub(native).Sub(minted)
		if diff.GT(dust) || diff.LT(burned.Add(dust).Neg()) {
			m.broken = errors.Join(m.broken, fmt.Errorf("K2: at height %d the native supply went from %s to %s, minted %s, slashed %s",
				m.Consumer.App.LastBlockHeight(), native, now, minted, burned))
		}
		native = now
	}
}

func (m *machine) nativeSupply() math.Int {
	ctx := m.Consumer.Ctx()
	outstanding, err := m.Consumer.App.VirtualStakingKeeper.VirtualOutstanding(ctx)
	require.NoError(m.r, err)
	return m.Consumer.App.BankKeeper.GetSupply(ctx, m.Consumer.Denom).Amount.Sub(outstanding)
}

// supplyEvents sums inflation, the burns of slashes, and counts the changes of virtual stake in a block.
func (m *machine) supplyEvents(block *abci.ResponseFinalizeBlock) (minted, burned math.Int, changes int) {
	minted, burned = math.ZeroInt(), math.ZeroInt()
	inflation := authtypes.NewModuleAddress(minttypes.ModuleName).String()
	virtual := authtypes.NewModuleAddress(virtualstakingtypes.ModuleName).String()
	for _, e := range m.Consumer.LastEvents() {
		attributes := map[string]string{}
		for _, a := range e.Attributes {
			attributes[a.Key] = a.Value
		}
		amount := func() math.Int {
			coins, err := sdk.ParseCoinsNormalized(attributes["amount"])
			require.NoError(m.r, err)
			return coins.AmountOf(m.Consumer.Denom)
		}
		switch {
		case e.Type == "coinbase" && attributes["minter"] == inflation:
			minted = minted.Add(amount())
		case e.Type == "burn" && attributes["burner"] != virtual:
			burned = burned.Add(amount())
		case strings.HasPrefix(e.Type, "mesh.virtualstaking.v1.EventVirtual"):
			changes++
		}
	}
	return minted, burned, changes
}

// checkSDK is K5: what the SDK's own modules demand.
func (m *machine) checkSDK() error {
	for _, c := range []*twochain.Chain{m.Provider, m.Consumer} {
		for name, invariant := range map[string]sdk.Invariant{
			"bank":         bankkeeper.AllInvariants(c.App.BankKeeper),
			"staking":      stakingkeeper.AllInvariants(c.App.StakingKeeper),
			"distribution": distrkeeper.AllInvariants(c.App.DistrKeeper),
		} {
			if msg, broken := invariant(c.Ctx()); broken {
				return fmt.Errorf("K5: %s of %s: %s", name, c.ChainID, msg)
			}
		}
	}
	return nil
}

// leave ends a run: everything is relayed, both chains agree, the next epoch brings the delegations to their targets;
// then every user takes everything back.
func (m *machine) leave() {
	m.logf("    settle")
	m.drain()
	m.logf("    targets")
	m.checkTargets()
	for i, user := range m.users {
		for _, p := range m.positions(user) {
			if p.Bonded.IsPositive() {
				m.logf("    user %d leaves %s", i, p.Validator)
				m.must(m.unstake(user, p.Validator, p.Bonded.Int64()), "leaving")
			}
		}
	}
	m.drain()
	m.must(m.Advance(m.consumerInfo().Consumer.UnbondingPeriod+day), "letting the unbonding period pass")
	m.Provider.Blocks(2)
	for i, user := range m.users {
		account := m.account(user)
		if !account.Free.Equal(account.Collateral) {
			m.fail("user %d has %s free of %s after leaving, liens %v", i, account.Free, account.Collateral, account.Liens)
		}
		if account.Free.IsPositive() {
			m.must(m.withdraw(user, account.Free.Int64()), "withdrawing everything")
		}
	}
	m.drain()
	m.epoch()
	if delegated := m.source().Delegated; !delegated.IsZero() {
		m.fail("everybody left, but %s are delegated", delegated)
	}
	m.must(errors.Join(m.checkAll(), m.checkSDK()), "at the end")
}

func (m *machine) drain() {
	m.timeoutTransfers()
	quiet, err := m.settle()
	m.must(err, "settling")
	if !quiet {
		m.fail("packets are still waiting")
	}
	m.must(m.checkAll(), "after settling")
}

// checkTargets runs an epoch with a fresh price and compares the delegations with the converted stake.
func (m *machine) checkTargets() {
	price := m.price()
	m.must(m.setPrice(price), "repeating the price")
	m.epoch()
	source := m.source()
	if source.Source.LastFailure != "" {
		m.fail("epoch failed: %s", source.Source.LastFailure)
	}
	remote, delegated := m.remoteStake(), m.delegated()
	sum, want := math.ZeroInt(), map[string]math.Int{}
	for _, v := range m.Consumer.Validators {
		// An operator who left and came back is listed twice.
		if _, again := want[v.Address]; again {
			continue
		}
		if stake, ok := remote[v.Address]; ok && m.takesVirtualStake(v) {
			want[v.Address] = stake.Target
			sum = sum.Add(stake.Target)
		}
	}
	limit := source.Source.MaxCap
	for _, validator := range names(want, delegated) {
		expected := zeroIfNil(want[validator])
		if sum.GT(limit) {
			expected = expected.Mul(limit).Quo(sum)
		}
		// One unit of scaling by largest remainder, one of share rounding.
		if got := zeroIfNil(delegated[validator]); got.Sub(expected).Abs().GT(math.NewInt(2)) {
			m.fail("%s has %s delegated, %s wanted: targets %v add up to %s, cap %s, all delegations %v",
				validator, got, expected, want, sum, limit, delegated)
		}
	}
}

// takesVirtualStake is false for validators an epoch leaves out.
func (m *machine) takesVirtualStake(v *twochain.Validator) bool {
	ctx := m.Consumer.Ctx()
	validator, err := m.Consumer.App.StakingKeeper.GetValidator(ctx, sdk.ValAddress(v.Operator.Address))
	return err == nil && !validator.IsJailed() && !validator.InvalidExRate()
}
