// Command demo runs Mesh Security between two real chains on this machine and tells what
// happens. It drives the binaries meshd and rly and asks the nodes over HTTP; it shares no
// code with the modules. Only what a cheating validator signs is made here, with CometBFT's types.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// unbondingPeriod of both chains: long enough for the light clients, short enough to watch.
	unbondingPeriod = 45 * time.Second
	// votingPeriod leaves room for a transaction on a slow machine; other things happen meanwhile.
	votingPeriod    = 20 * time.Second
	proposalDeposit = 10_000_000
	// epochLength of virtual staking, in blocks.
	epochLength = 20
	// waitLimit is how long the demo waits for anything that should happen within seconds.
	waitLimit = 3 * time.Minute
)

func main() {
	os.Exit(realMain())
}

func realMain() int {
	meshd := flag.String("meshd", "build/meshd", "the chain binary")
	rly := flag.String("rly", "build/rly", "the relayer binary")
	vector := flag.String("vector", "tests/testdata/cross-stake-flow.json", "the amounts that must come out")
	dir := flag.String("dir", "build/demo", "folder for the homes and logs of the processes")
	keep := flag.Bool("keep", false, "leave the chains and the relayer running")
	stop := flag.Bool("stop", false, "end what an earlier run with -keep has left running")
	kills := flag.Int("torture", 0, "instead of the story, kill a chain's node so often, and the relayer as often, under load")
	seed := flag.Uint64("seed", 1, "with -torture, what is killed in which order and what the users do")
	flag.Parse()

	ui := newConsole(os.Stdout)
	if *stop {
		return exitCode(ui, stopKept(ui, *dir))
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer cancel()
	if *kills != 0 {
		return exitCode(ui, tortureRun(ctx, ui, *meshd, *rly, *dir, *kills, *seed))
	}
	st, err := newStory(ui, *meshd, *rly, *vector, *dir)
	if err != nil {
		return exitCode(ui, err)
	}
	// Deferred, so that not even a panic leaves a process behind.
	leave := false
	defer func() {
		if !leave {
			st.stop()
		}
	}()
	if err := st.tell(ctx); err != nil {
		st.explain(err)
		return exitCode(ui, err)
	}
	if *keep {
		err = st.leaveRunning()
		leave = err == nil
	}
	return exitCode(ui, err)
}

// tortureRun kills nodes instead of telling the story.
func tortureRun(ctx context.Context, ui *console, meshd, rly, dir string, kills int, seed uint64) error {
	t, err := newTorture(ui, meshd, rly, dir, kills, seed)
	if err != nil {
		return err
	}
	defer t.stop()
	if err := t.tell(ctx); err != nil {
		t.explain(err)
		return err
	}
	return nil
}

func exitCode(ui *console, err error) int {
	switch {
	case err == nil:
		return 0
	case interrupted(err):
		ui.say("\ninterrupted: stopping everything")
		return 130
	default:
		fmt.Fprintln(os.Stderr, ui.paint(red, "demo: ")+err.Error())
		return 1
	}
}

// interrupted says whether the demo ended because somebody asked it to.
func interrupted(err error) bool { return errors.Is(err, context.Canceled) }
