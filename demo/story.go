package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// story is the whole demo: two chains, a relayer, one delegator, an observer.
type story struct {
	ui                 *console
	dir                string
	provider, consumer *chain
	relayer            *relayer
	observer           *observer
	flow               *flow
	// Two registrations of the one consumer chain: whoever lends to both answers to both.
	first, second registration

	// Learned on the way. home is the provider's validator.
	home string
	// validators of the consumer, by moniker; the last one is small and will sign twice.
	validators []validator
	// voucher is the denom of the consumer's rewards on the provider.
	voucher string
	// capProposal and textProposal are the ids of proposals on the consumer and the provider.
	capProposal, textProposal string
	// bondedAt is the consumer's block in which the first virtual stake was delegated.
	bondedAt int64
	// entry is the unbonding of what alice takes back.
	entry unbonding
	// snapshots are the columns of the summary.
	snapshots []snapshot
	// before and after what the double sign did, offence is its height.
	before, after harm
	offence       int64
}

// chapter is a part of the story.
type chapter struct {
	title, about string
	steps        []step
}

// step does something and checks it on the nodes; its result is one short line.
type step struct {
	title string
	run   func(context.Context) (string, error)
}

func newStory(ui *console, meshd, rly, vector, dir string) (*story, error) {
	f, err := readFlow(vector)
	if err != nil {
		return nil, err
	}
	if dir, err = newRun(dir, &meshd, &rly); err != nil {
		return nil, err
	}
	st := &story{
		ui: ui, dir: dir, flow: f,
		provider: &chain{
			id: "provider-1", prefix: "prov", denom: "uprov", meshd: meshd,
			stakes: []int64{100_000_000},
			funds: []fund{
				{key: adminKey, amount: 1_000_000_000}, {key: userKey, amount: 1_000_000_000}, {key: observerKey, amount: 10_000_000},
			},
		},
		consumer: &chain{
			id: "consumer-1", prefix: "cons", denom: "ucons", meshd: meshd,
			// The last one has so little power that the chain goes on without it.
			stakes: []int64{200_000_000, 60_000_000, 10_000_000},
			// A large supply makes inflation, and with it the rewards, visible.
			funds: []fund{{key: adminKey, amount: 1_000_000_000_000}},
		},
		relayer:  &relayer{program: rly, home: filepath.Join(dir, "relayer"), logFile: filepath.Join(dir, "logs", "relayer.log")},
		observer: &observer{stateFile: filepath.Join(dir, "observer.json"), logFile: filepath.Join(dir, "logs", "observer.log")},
		first:    registration{name: "Consumer One", slashFraction: slashFraction, unbonding: unbondingPeriod},
		second:   registration{name: "Consumer One, milder", slashFraction: mildSlashFraction, unbonding: unbondingPeriod},
	}
	return st, st.lay()
}

// newRun makes a new folder for a run, with one for logs in it, and makes the programs' paths absolute.
func newRun(dir string, programs ...*string) (string, error) {
	for _, file := range append(programs, &dir) {
		abs, err := filepath.Abs(*file)
		if err != nil {
			return "", err
		}
		*file = abs
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(dir, runPrefix)
	if err != nil {
		return "", err
	}
	return dir, os.Mkdir(filepath.Join(dir, "logs"), 0o755)
}

// lay gives all nodes folders and ports. The ports are taken all at once, so that no two nodes get the same.
func (st *story) lay() error {
	ports, err := freePorts(portsPerNode * (len(st.provider.stakes) + len(st.consumer.stakes)))
	if err != nil {
		return errors.Join(err, os.RemoveAll(st.dir))
	}
	for _, c := range st.chains() {
		c.lay(st.dir, ports)
		ports = ports[portsPerNode*len(c.stakes):]
	}
	return nil
}

func (st *story) chains() []*chain { return []*chain{st.provider, st.consumer} }

// tell runs all chapters and stops at the first step that does not hold.
func (st *story) tell(ctx context.Context) error {
	st.ui.say("%s", st.ui.paint(bold, "Mesh Security: stake on one chain secures another"))
	for _, ch := range []chapter{
		st.twoChains(), st.ibc(),
		st.deployment(), st.lending(), st.rewards(), st.leaving(), st.atHome(), st.free(), st.doubleSign(),
	} {
		st.ui.chapter(ch.title, ch.about)
		for _, s := range ch.steps {
			if err := st.ui.step(s.title, func() (string, error) { return s.run(ctx) }); err != nil {
				return fmt.Errorf("%s: %w", s.title, err)
			}
		}
	}
	if err := st.flow.done(); err != nil {
		return err
	}
	return st.summary(ctx)
}

// alive fails when a process that should be running has ended.
func (st *story) alive() error {
	return errors.Join(st.provider.check(), st.consumer.check(), st.relayer.check(), st.observer.check())
}

// wait polls until cond returns nil.
func (st *story) wait(ctx context.Context, cond func() error) error {
	return eventually(ctx, st.alive, cond)
}

// blocks waits for n more blocks of a chain.
func (st *story) blocks(ctx context.Context, c *chain, n int64) error {
	start, _, err := c.latest(ctx)
	if err != nil {
		return err
	}
	return st.wait(ctx, func() error {
		height, _, err := c.latest(ctx)
		if err != nil {
			return err
		}
		if height < start+n {
			return fmt.Errorf("%s is at height %d, waiting for %d", c.id, height, start+n)
		}
		return nil
	})
}
