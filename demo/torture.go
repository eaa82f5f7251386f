package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// tortureUnbonding of both chains: the light clients must outlive every outage of a run on a slow machine.
	tortureUnbonding = 3 * time.Minute
	// tortureLog shows what a node is doing when it is killed.
	tortureLog = "p2p:error,pex:error,txindex:error,*:info"
	// relayerPause is how long a relayer that gave up stays down, as under a service manager.
	relayerPause = 2 * time.Second
)

// torture kills nodes and the relayer at random moments while users stake and unstake, and checks that nothing is lost by
// it. On both chains the first node is the victim: it has so much power that its chain stands still without it. The second
// one, the witness, is never touched.
type torture struct {
	*story
	kills int
	rng   *rand.Rand
	load  *load

	// done are the kills, in order.
	done []kill
	// gaveUp counts how often the relayer ended by itself, relayerSince is when it was started last.
	gaveUp       int
	relayerSince time.Time
	results      tortureResults
	// mu guards the relayer, which whoever waits starts again.
	mu sync.Mutex
}

// newTorture prepares a run with so many kills of a chain's node, and as many of the relayer. The seed decides what is
// killed in which order, and what the users do.
func newTorture(ui *console, meshd, rly, dir string, kills int, seed uint64) (*torture, error) {
	if kills < 1 {
		return nil, fmt.Errorf("%d kills are asked for, 1 or more are possible", kills)
	}
	dir, err := newRun(dir, &meshd, &rly)
	if err != nil {
		return nil, err
	}
	t := &torture{
		story: &story{
			ui: ui, dir: dir,
			provider: &chain{
				id: "provider-1", prefix: "prov", denom: "uprov", meshd: meshd,
				stakes: []int64{100_000_000, 5_000_000},
				funds:  []fund{{key: adminKey, amount: 1_000_000_000}},
			},
			consumer: &chain{
				id: "consumer-1", prefix: "cons", denom: "ucons", meshd: meshd,
				stakes: []int64{200_000_000, 10_000_000},
				funds:  []fund{{key: adminKey, amount: 1_000_000_000_000}},
			},
			relayer:  &relayer{program: rly, home: filepath.Join(dir, "relayer"), logFile: filepath.Join(dir, "logs", "relayer.log")},
			observer: &observer{},
			first:    registration{name: "Consumer One", slashFraction: "0.2", unbonding: tortureUnbonding},
		},
		kills: kills,
		rng:   rand.New(rand.NewPCG(seed, 0)),
		load:  newLoad(seed),
	}
	for _, u := range t.load.users {
		t.provider.funds = append(t.provider.funds, fund{key: u.key, amount: userFunds})
	}
	if err := t.lay(); err != nil {
		return nil, err
	}
	for _, c := range t.chains() {
		for _, n := range c.nodes {
			n.logLevel = tortureLog
		}
	}
	return t, nil
}

func (c *chain) victim() *node  { return c.nodes[0] }
func (c *chain) witness() *node { return c.nodes[1] }

// query queries the node's REST API.
func (n *node) query(ctx context.Context, path string, out any) error {
	return n.queryAt(ctx, path, 0, out)
}

// height of the node's last block.
func (n *node) height(ctx context.Context) (int64, error) {
	height, _, err := n.latest(ctx)
	return height, err
}

// tell runs all steps and stops at the first that does not hold.
func (t *torture) tell(ctx context.Context) error {
	t.ui.say("%s", t.ui.paint(bold, fmt.Sprintf("%d kills of a chain's node and %d of the relayer, under load", t.kills, t.kills)))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first := &t.first
	for _, ch := range []chapter{
		{
			title: "1  Two chains, two nodes each",
			about: "The first node of a chain will be killed, the second one is never touched.",
			steps: []step{
				{"make homes, keys and genesis", t.initialise},
				{"start the nodes", t.startChains},
				{"light clients", t.openClients},
				{"connection", t.openConnection},
				{"transfer channel", t.openTransfer},
				{"consumer: create a converter", first.with(t.createConverter)},
				{"provider: register the consumer", first.with(t.registerConsumer)},
				{"consumer: allow this provider", first.with(t.allowProvider)},
				{"consumer governance votes on a cap", t.proposeCap},
				{"open the ordered control channel", first.with(t.openControl)},
				{"start the relayer", t.startRelayer},
				{"consumer governance: cap in force", t.capInForce},
				{"users deposit collateral", t.fundVault},
			},
		},
		{title: "2  Kills", about: "Users stake and unstake all the time. Every kill is SIGKILL.", steps: t.killSteps(cancel)},
		{
			title: "3  Outages, a damaged WAL, a full disk",
			about: "The users go on.",
			steps: []step{
				{"the consumer is away", t.away(t.consumer, t.provider)},
				{"the provider is away", t.away(t.provider, t.consumer)},
				{"provider: rubbish at the end of the WAL", t.damagedWAL(t.provider, appendRubbish)},
				{"consumer: the WAL's last record is torn", t.damagedWAL(t.consumer, tearLastRecord)},
				{"provider: no room on the disk", t.fullDisk(t.provider)},
				{"consumer: no room on the disk", t.fullDisk(t.consumer)},
			},
		},
		{
			title: "4  Calm",
			about: "The faults are over; what both chains say must agree.",
			steps: []step{
				{"the users stop", t.stopLoad},
				{"everything is relayed, all totals agree", t.settle},
				{"virtual stake is what the stake is worth", t.virtualIsTarget},
				{"everybody takes everything back", t.everybodyLeaves},
			},
		},
		{
			title: "5  Victims and witnesses",
			about: "The state of a node that was killed again and again is that of one that never was.",
			steps: []step{
				{"app hashes of every block", t.sameHashes},
				{"invariants on the stopped nodes' states", t.invariants},
			},
		},
	} {
		t.ui.chapter(ch.title, ch.about)
		for _, s := range ch.steps {
			if err := t.ui.step(s.title, func() (string, error) { return s.run(ctx) }); err != nil {
				return fmt.Errorf("%s: %w", s.title, err)
			}
		}
	}
	t.summary()
	return nil
}

// initialise makes both chains with long unbonding, and lets each of a chain's nodes dial the other one, so that a victim
// that is back does not wait to be found.
func (t *torture) initialise(ctx context.Context) (string, error) {
	if err := t.relayer.configure(ctx, t.consumer, t.provider); err != nil {
		return "", err
	}
	for _, c := range t.chains() {
		err := c.initialise(ctx, func(g *genesis) {
			shortPeriods(g, c.denom)
			g.set("staking.params.unbonding_time", seconds(tortureUnbonding))
			g.set("virtualstaking.params.epoch_length", fmt.Sprint(epochLength))
			g.set("virtualstaking.params.total_max_cap", fmt.Sprint(maxCap))
			// A witness without its victim's votes must not be jailed for missing blocks.
			g.set("slashing.params.signed_blocks_window", "100000")
		})
		if err != nil {
			return "", err
		}
		id, err := run(ctx, c.meshd, "comet", "show-node-id", "--home", c.witness().home)
		if err != nil {
			return "", err
		}
		if err := c.victim().configure(c, fmt.Sprintf("%s@127.0.0.1:%d", strings.TrimSpace(string(id)), c.witness().p2p)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("unbonding %s, an epoch every %d blocks", tortureUnbonding, epochLength), nil
}

func (t *torture) startRelayer(ctx context.Context) (string, error) {
	if err := t.relayer.start(); err != nil {
		return "", err
	}
	t.relayerSince = time.Now()
	err := t.wait(ctx, func() error {
		remote, err := t.remote(ctx)
		if err != nil {
			return err
		}
		if !remote.SyncComplete || remote.Validators != fmt.Sprint(len(t.validators)) {
			return fmt.Errorf("the provider knows %s of %d validators", remote.Validators, len(t.validators))
		}
		return nil
	})
	return fmt.Sprintf("the provider knows all %d validators", len(t.validators)), err
}

// renewRelayer makes the relayer forget what it waits for. It can wait for ever for a transaction that was lost with a node, and
// until then sends that chain neither the packet nor updates of its light client.
func (t *torture) renewRelayer() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.relayer.proc.stop()
	t.relayerSince = time.Now()
	return t.relayer.start()
}

// steady waits until cond holds while victims may be down. It fails when a witness has ended, and starts a relayer again
// that gave up.
func (t *torture) steady(ctx context.Context, limit time.Duration, cond func() error) error {
	return within(ctx, limit, t.untouched, cond)
}

func (t *torture) untouched() error {
	for _, c := range t.chains() {
		if err := c.witness().proc.exited(); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.relayer.proc.exited() == nil || time.Since(t.relayerSince) < relayerPause {
		return nil
	}
	t.gaveUp++
	t.relayerSince = time.Now()
	return t.relayer.start()
}

// pause waits for a random time of at most limit.
func (t *torture) pause(ctx context.Context, limit time.Duration) (time.Duration, error) {
	d := time.Duration(t.rng.Int64N(int64(limit)))
	return d, sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
