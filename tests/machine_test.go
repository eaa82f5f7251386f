package tests

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

const (
	// defaultSteps of all runs together; the environment variable MESH_STEPS asks for another number, MESH_SEED for other runs.
	defaultSteps = 10_000
	// coveringSteps come by every action and outcome.
	coveringSteps = 20_000
	stepsPerRun   = 250
	machineUsers  = 6
	// strangers of the provider give coins away and run validators.
	strangers = 3
	// shards run side by side.
	shards = 2
	// memoryLimit makes the collector work harder above it (bytes).
	memoryLimit = 10 << 30
)

// TestPropertyTwoChainsKeepEveryInvariant drives two chains with random steps of users, relayers, operators and governance, and
// checks every invariant after each. Packets time out, channels close and open again, clients expire and freeze, nodes restart.
// At the end of a run everything is healed and relayed, and every user leaves with all collateral that slashes have left.
//
// A run is told by its seed: they count up from MESH_SEED, 1 unless set. So the run that failed with seed 17 is run again by
// MESH_SEED=17 MESH_STEPS=250, and MESH_SEED=41 goes on where 10,000 steps from seed 1 have ended.
func TestPropertyTwoChainsKeepEveryInvariant(t *testing.T) {
	seed, steps := number(t, "MESH_SEED", 1), number(t, "MESH_STEPS", defaultSteps)
	runs := (steps + stepsPerRun - 1) / stepsPerRun
	// Much is made and dropped.
	defer debug.SetGCPercent(debug.SetGCPercent(200))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryLimit))

	var next atomic.Int64
	counts := make([]map[string]int, shards)
	t.Run("runs", func(t *testing.T) {
		for shard := range shards {
			counts[shard] = make(map[string]int)
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				for run := next.Add(1); run <= int64(runs) && !t.Failed(); run = next.Add(1) {
					runMachine(t, uint64(seed)+uint64(run)-1, counts[shard])
				}
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
		// A few runs need not come by everything.
		if steps >= coveringSteps {
			assert.Positive(t, n, "%q was never reached", name)
		}
		return n
	}
	for _, a := range actions {
		total += report(a.name)
	}
	for _, outcome := range outcomes {
		report(outcome)
	}
	t.Logf("%6d steps in %d runs, seeds %d to %d; %d is next", total, runs, seed, seed+runs-1, seed+runs)
	require.GreaterOrEqual(t, total, steps)
}

// number is what an environment variable says, or else the default.
func number(t *testing.T, name string, byDefault int) int {
	env := os.Getenv(name)
	if env == "" {
		return byDefault
	}
	n, err := strconv.Atoi(env)
	require.NoError(t, err, name)
	require.Positive(t, n, name)
	return n
}

func runMachine(t *testing.T, seed uint64, counts map[string]int) {
	w := newWorld(t, func(cfg *twochain.Config) {
		cfg.Provider.UserBalance = math.NewInt(userBalance)
		cfg.Provider.Users, cfg.Consumer.Users = machineUsers+strangers, machineUsers+strangers
	})
	other := &world{w.AddConsumer(func(cfg *twochain.Config) { cfg.SlashFraction = math.LegacyNewDecWithPrec(6, 1) })}
	m := &machine{
		world: w, registrations: []*world{w, other}, r: t, random: rand.New(rand.NewPCG(seed, 0)), counts: counts,
		users: w.Provider.Users[:machineUsers], lostAbroad: math.ZeroInt(), burned: math.ZeroInt(), entries: map[string][]entry{},
		ballots: map[*twochain.Chain]*ballot{}, handshakes: map[*world]*twochain.Handshake{}, refused: map[*twochain.Packet]bool{},
	}
	// The harness ends the test at once when it cannot go on; then nobody else prints what led there.
	defer func() {
		if t.Failed() {
			t.Logf("seed %d, steps:\n%s", seed, strings.Join(m.log, "\n"))
		}
	}()
	m.watchSupply()
	m.watchOutcomes()
	m.begin()
	m.must(m.checkAll(), "at the beginning")
	for step := range stepsPerRun {
		m.step(step)
	}
	m.leave()
	require.NoError(t, w.Close())
	t.Logf("seed %d ended well; in this shard so far %d timeouts of control packets, %d closures, %d channels opened again, %d clients recovered, "+
		"%d proven offences, %d operations ended by force, %d exits", seed, counts[controlTimeout], counts[closedByTimeout]+counts[closedByAuthority],
		counts[reopened], counts[clientRecovered], counts[offenceProven], counts[forcedOut], counts[userLeft])
}

// machine is one run under way.
type machine struct {
	// world is the registration that the present step is about, one of registrations.
	*world
	registrations []*world

	r      *testing.T
	random *rand.Rand
	counts map[string]int
	log    []string
	users  []twochain.Account

	// at is the step under way.
	at int
	// handshakes are those under way to open a control channel again, refused the batches that the faulty consumer has answered
	// with an error.
	handshakes map[*world]*twochain.Handshake
	refused    map[*twochain.Packet]bool

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
	// Operations are ended by force before the packet times out that carries them, or after.
	m.changeParams(m.r, func(p *externalstakingtypes.Params) {
		p.ForcedUnstakeDelay, p.ResyncInterval = oneOf(m, []time.Duration{0, patient}), 5
	})
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
	m.at = i
	a := oneOf(m, weighted)
	m.world = m.registrations[0]
	if m.chance(35, "registration") {
		m.world = m.registrations[1]
	}
	if broken := m.repairs(); len(broken) > 0 && m.chance(20, "repair") {
		a = oneOf(m, broken)
	}
	m.counts[a.name]++
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
	m.r.Helper()
	m.r.Fatalf(format, args...)
}

func (m *machine) must(err error, format string, args ...any) {
	if err != nil {
		m.fail("%s: %s", fmt.Sprintf(format, args...), err)
	}
}
