package tests

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

const (
	// defaultSteps of all runs together; the environment variable MESH_STEPS asks for more.
	defaultSteps = 5_000
	stepsPerRun  = 250
	machineUsers = 6
	// strangers of the provider give coins away and run validators.
	strangers = 3
	// shards run side by side.
	shards = 2
)

// TestPropertyTwoChainsKeepEveryInvariant drives two chains with random steps of users, relayers, operators and governance, and
// checks every invariant after each. At the end of a run everything is relayed, and every user leaves with all collateral that
// slashes have left.
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
		cfg.Provider.Users, cfg.Consumer.Users = machineUsers+strangers, machineUsers+strangers
	})
	other := &world{w.AddConsumer(func(cfg *twochain.Config) { cfg.SlashFraction = math.LegacyNewDecWithPrec(6, 1) })}
	m := &machine{
		world: w, registrations: []*world{w, other}, r: r, counts: counts, users: w.Provider.Users[:machineUsers],
		lostAbroad: math.ZeroInt(), burned: math.ZeroInt(), entries: map[string][]entry{}, ballots: map[*twochain.Chain]*ballot{},
	}
	// The harness ends the test at once when it cannot go on; then nobody else prints what led there.
	finished := false
	defer func() {
		if !finished && t.Failed() {
			t.Log(strings.Join(m.log, "\n"))
		}
	}()
	m.watchSupply()
	m.watchOutcomes()
	m.begin()
	require.NoError(r, m.checkAll())
	for step := range stepsPerRun {
		m.step(step)
	}
	m.leave()
	finished = true
}

// machine is one run under way.
type machine struct {
	// world is the registration that the present step is about, one of registrations.
	*world
	registrations []*world

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
	// slashed is true once any validator of the consumer was slashed, slashedAtHome one of the provider: from then on shares
	// are not worth whole units.
	slashed, slashedAtHome bool
	// dust is the most that rounding may have left with a user since then.
	dust    int64
	purses  map[string]*purse
	ballots map[*twochain.Chain]*ballot
	// lostAbroad is what users lost to slashes of the consumer's validators, burned what left the supply for it.
	lostAbroad, burned math.Int
	// offences are the double signs of the consumer's validators.
	offences []*offence
}

// begin gives most users collateral, so that the first steps do not come to nothing.
func (m *machine) begin() {
	m.logf("    begin")
	for i, user := range m.users {
		if m.chance(80, "begins with collateral") {
			amount := m.amount()
			m.notef("user %d %d", i, amount)
			m.Provider.Queue(user, &vaulttypes.MsgDeposit{User: user.String(), Amount: m.coin(amount)})
		}
	}
	m.Provider.NextBlock()
	for _, err := range m.Provider.Results() {
		m.must(err, "depositing")
	}
}

func (m *machine) step(i int) {
	a := weighted[uniform(len(weighted)).Draw(m.r, "kind")]
	m.counts[a.name]++
	m.world = m.registrations[0]
	if m.chance(35, "registration") {
		m.world = m.registrations[1]
	}
	m.logf("%3d %s (%d)", i, a.name, m.ConsumerID)
	a.do(m)
	if err := m.checkAll(); err != nil {
		m.fail("after step %d, %s: %s", i, a.name, err)
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
