package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// moment is when a process is killed.
type moment string

const (
	anyTime  moment = "any time"
	inCommit moment = "commit"
	inEpoch  moment = "epoch"
	inStart  moment = "start"
)

// phase is what a node's log says it was doing when it was killed.
type phase string

const (
	betweenBlocks phase = "between blocks"
	inFinalize    phase = "executing"
	beforeSave    phase = "committing"
	starting      phase = "starting"
)

const (
	// killPause is the longest time between two kills, and the longest time a victim is down.
	killPause = 3 * time.Second
	// commitTime is about how long a node is busy with a block.
	commitTime = 15 * time.Millisecond
	// startTime is about how long a node takes to start and replay.
	startTime = 2 * time.Second
)

// kill of a chain's victim, or of the relayer if chain is nil.
type kill struct {
	chain *chain
	when  moment
	phase phase
	// took is the time from the kill to the next block of a chain, or to the relayer's next start.
	took time.Duration
}

// aims are the moments of the kills of chains, over and over. The chains take turns, the provider first: it has no epochs.
var aims = []moment{inCommit, inEpoch, anyTime, inCommit, inStart, inEpoch, inCommit, anyTime, anyTime, inStart}

// schedule lists all kills in random order.
func (t *torture) schedule() []kill {
	var all []kill
	for i := range t.kills {
		all = append(all, kill{chain: t.chains()[i%2], when: aims[i%len(aims)]}, kill{when: anyTime})
	}
	t.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// killSteps starts the load with the first one. stopAll ends the run with the reason a user gives.
func (t *torture) killSteps(stopAll context.CancelCauseFunc) []step {
	steps := []step{{"users begin to stake and unstake", func(ctx context.Context) (string, error) {
		return fmt.Sprintf("%d users", len(t.load.users)), t.startLoad(ctx, stopAll)
	}}}
	for i, k := range t.schedule() {
		name, run := "relayer", t.killRelayer
		if k.chain != nil {
			name, run = k.chain.id, t.killNode
		}
		steps = append(steps, step{fmt.Sprintf("kill %d: %s, %s", i+1, name, k.when), func(ctx context.Context) (string, error) {
			if _, err := t.pause(ctx, killPause); err != nil {
				return "", err
			}
			result, err := run(ctx, &k)
			t.done = append(t.done, k)
			return result, err
		}})
	}
	return steps
}

func (t *torture) killNode(ctx context.Context, k *kill) (string, error) {
	n := k.chain.victim()
	log, err := follow(n.logFile)
	if err != nil {
		return "", err
	}
	defer log.close()
	if err := t.aim(ctx, k, log); err != nil {
		return "", err
	}
	if err := n.proc.exited(); err != nil {
		return "", err
	}
	n.proc.kill()
	began := time.Now()
	if err := log.catchUp(); err != nil {
		return "", err
	}
	var height int64
	k.phase, height = log.seen.phase()
	// A log that has not told of a block since the aim was taken.
	if height == 0 {
		if k.when == inStart {
			k.phase = starting
		}
		if height, err = k.chain.witness().height(ctx); err != nil {
			return "", err
		}
	}
	if _, err := t.pause(ctx, killPause); err != nil {
		return "", err
	}
	after, err := t.revive(ctx, k.chain)
	k.took = time.Since(began)
	return fmt.Sprintf("%s (%d), next block after %.1fs: %d", k.phase, height, k.took.Seconds(), after), err
}

// revive starts the victim and waits until it and its chain have a block more than both had. What the victim had is known
// only when it answers: it may have done a block that nobody has heard of.
func (t *torture) revive(ctx context.Context, c *chain) (int64, error) {
	before, err := c.witness().height(ctx)
	if err != nil {
		return 0, err
	}
	if err := c.victim().start(c.meshd); err != nil {
		return 0, err
	}
	err = within(ctx, waitLimit, c.victim().proc.exited, func() error {
		own, err := c.victim().height(ctx)
		before = max(before, own)
		return err
	})
	if err != nil {
		return 0, err
	}
	return t.goesOn(ctx, c, before)
}

// goesOn waits for a block after the height on both nodes of a chain, and fails if the victim ends.
func (t *torture) goesOn(ctx context.Context, c *chain, before int64) (after int64, err error) {
	alive := func() error {
		if err := c.victim().proc.exited(); err != nil {
			return err
		}
		return t.untouched()
	}
	err = within(ctx, waitLimit, alive, func() error {
		for _, n := range c.nodes {
			if after, err = n.height(ctx); err != nil {
				return err
			}
			if after <= before {
				return fmt.Errorf("%s is at height %d, waiting for %d", n.moniker, after, before+1)
			}
		}
		return nil
	})
	return after, err
}

// aim waits for the moment.
func (t *torture) aim(ctx context.Context, k *kill, log *logFollower) error {
	switch k.when {
	case inCommit, inEpoch:
		var from int64
		if k.when == inEpoch {
			next, err := t.nextEpoch(ctx)
			if err != nil {
				return err
			}
			from = next
		}
		begun := func() error {
			if err := log.catchUp(); err != nil {
				return err
			}
			if log.seen.finalizing < max(from, 1) {
				return fmt.Errorf("%s has not begun to commit block %d", k.chain.id, from)
			}
			return nil
		}
		if err := closely(ctx, begun); err != nil {
			return err
		}
		_, err := t.pause(ctx, commitTime)
		return err
	case inStart:
		k.chain.victim().proc.kill()
		if err := log.catchUp(); err != nil {
			return err
		}
		log.seen = progress{}
		if err := k.chain.victim().start(k.chain.meshd); err != nil {
			return err
		}
		_, err := t.pause(ctx, startTime)
		return err
	default:
		_, err := t.pause(ctx, killPause)
		return err
	}
}

// closely waits until cond holds, with so short a wait between two looks that a commit is not missed.
func closely(ctx context.Context, cond func() error) error {
	for deadline := time.Now().Add(waitLimit); ; {
		err := cond()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// nextEpoch is the consumer's block that will do an epoch; one that is due already is the next block.
func (t *torture) nextEpoch(ctx context.Context) (int64, error) {
	var reply struct {
		Source source `json:"source"`
	}
	n := t.consumer.witness()
	if err := n.query(ctx, "/mesh/virtualstaking/v1/sources/"+t.first.converterID, &reply); err != nil {
		return 0, err
	}
	now, err := n.height(ctx)
	// A block of which the log has told already is over.
	return max(reply.Source.Source.NextEpoch, now+1), err
}

func (t *torture) killRelayer(ctx context.Context, k *kill) (string, error) {
	if _, err := t.pause(ctx, killPause); err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// One that has given up is not there to be killed; it is started first.
	if t.relayer.proc.exited() != nil {
		t.gaveUp++
		if err := t.relayer.start(); err != nil {
			return "", err
		}
		if _, err := t.pause(ctx, startTime); err != nil {
			return "", err
		}
	}
	t.relayer.proc.kill()
	began := time.Now()
	if _, err := t.pause(ctx, killPause); err != nil {
		return "", err
	}
	err := t.relayer.start()
	t.relayerSince = time.Now()
	k.took = time.Since(began)
	return fmt.Sprintf("down for %.1fs", k.took.Seconds()), err
}

// progress is the last block a node's log speaks of: being finalized, finalized by the application, saved by it.
type progress struct{ finalizing, finalized, committed int64 }

var progressLine = regexp.MustCompile(`INF (finalizing commit of block|finalized block|committed state) .*?\bheight=(\d+)`)

// read takes in more lines of the log.
func (p *progress) read(lines []string) {
	for _, line := range lines {
		m := progressLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		height, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			continue
		}
		switch m[1] {
		case "finalizing commit of block":
			p.finalizing = height
		case "finalized block":
			p.finalized = height
		default:
			p.committed = height
		}
	}
}

// phase a node is in, and the block it is busy with or has done last.
func (p *progress) phase() (phase, int64) {
	switch {
	case p.finalizing > max(p.finalized, p.committed):
		return inFinalize, p.finalizing
	case p.finalized > p.committed:
		return beforeSave, p.finalized
	default:
		return betweenBlocks, p.committed
	}
}
