package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// runPrefix begins the name of every run's folder.
	runPrefix = "run-"
	// pidsFile lists the process groups a kept run has left.
	pidsFile = "pids"
	logLines = 6
)

// processes that have been started, in order.
func (st *story) processes() []*process {
	var all []*process
	for _, c := range st.chains() {
		for _, n := range c.nodes {
			if n.proc != nil {
				all = append(all, n.proc)
			}
		}
	}
	for _, p := range []*process{st.relayer.proc, st.observer.proc} {
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

// stop ends everything this run has started and removes its folder.
func (st *story) stop() {
	var all sync.WaitGroup
	for _, p := range st.processes() {
		all.Add(1)
		go func() {
			defer all.Done()
			p.stop()
		}()
	}
	all.Wait()
	if err := os.RemoveAll(st.dir); err != nil {
		st.ui.say("could not remove %s: %v", st.dir, err)
	}
}

// explain shows the end of the logs that may hold the reason, and keeps the logs for a closer
// look. An interruption needs no explanation.
func (st *story) explain(err error) {
	if interrupted(err) {
		return
	}
	files, globErr := filepath.Glob(filepath.Join(st.dir, "logs", "*.log"))
	if globErr != nil {
		return
	}
	kept := filepath.Join(filepath.Dir(st.dir), "failed")
	if err := errors.Join(os.RemoveAll(kept), os.MkdirAll(kept, 0o755)); err != nil {
		st.ui.say("could not keep the logs: %v", err)
	}
	for _, file := range files {
		st.ui.say("\n%s\n%s", st.ui.paint(bold, "the last of "+filepath.Base(file)), worstLines(file, logLines))
		if err := copyFile(file, filepath.Join(kept, filepath.Base(file))); err != nil {
			st.ui.say("could not keep %s: %v", file, err)
		}
	}
	st.ui.say("\nall logs are in %s", kept)
}

// leaveRunning writes down how to end the processes and what can be tried with them.
func (st *story) leaveRunning() error {
	var pids strings.Builder
	for _, p := range st.processes() {
		fmt.Fprintln(&pids, p.cmd.Process.Pid)
	}
	if err := os.WriteFile(filepath.Join(st.dir, pidsFile), []byte(pids.String()), 0o644); err != nil {
		return err
	}
	p, c := st.provider, st.consumer
	fees := "--gas auto --gas-adjustment 1.5 --gas-prices " + p.gasPrices() + " -y"
	st.ui.say("\n%s\n", st.ui.paint(bold, "Both chains, the relayer and the observer go on. Paste this, then try the lines below it:"))
	for _, line := range []string{
		fmt.Sprintf(`prov() { %s "$@" --home %s; }`, p.meshd, p.home()),
		fmt.Sprintf(`cons() { %s "$@" --home %s; }`, c.meshd, c.home()),
		"ALICE=" + p.address(userKey) + " HOME_VALIDATOR=" + st.home,
		"VALIDATOR=" + st.validators[0].Operator + " CHEAT=" + st.validators[cheat].Operator,
		"",
		"prov query vault account $ALICE",
		"prov query vault local-stake $ALICE",
		"prov query vault losses $ALICE",
		"prov query externalstaking positions $ALICE",
		"prov query externalstaking rewards $ALICE",
		"prov query externalstaking slashes " + st.first.consumerID,
		"prov query externalstaking validator " + st.first.consumerID + " $CHEAT",
		"prov query externalstaking simulate-slash $ALICE " + st.second.consumerID + " $VALIDATOR",
		"prov query gov tally " + st.textProposal,
		"prov tx vault deposit " + p.coin(5_000_000) + " --from alice " + fees,
		"prov tx externalstaking stake " + st.first.consumerID + " $VALIDATOR " + p.coin(5_000_000) + " --from alice " + fees,
		"prov tx staking delegate $HOME_VALIDATOR " + p.coin(5_000_000) + " --from alice " + fees,
		"prov tx vault deposit-delegation $HOME_VALIDATOR " + p.coin(5_000_000) + " --from alice " + fees,
		"cons query converter remote-stake " + st.first.converterID,
		"cons query virtualstaking source " + st.first.converterID,
		"cons query virtualstaking supply",
		"cons query virtualstaking exposure",
		"prov mesh-status --provider " + p.nodes[0].rpcURL() + " --consumer " + c.nodes[0].rpcURL(),
	} {
		st.ui.say("  %s", line)
	}
	st.ui.say("\n  logs: %s", filepath.Join(st.dir, "logs"))
	st.ui.say("  end:  %s", st.ui.paint(bold, "make demo-stop"))
	return nil
}

// stopKept ends the processes of kept runs and removes their folders. A process is only ended
// if its command line names the run's folder, since a number may have passed to another program.
func stopKept(ui *console, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	lists, err := filepath.Glob(filepath.Join(dir, runPrefix+"*", pidsFile))
	if err != nil {
		return err
	}
	for _, list := range lists {
		bz, err := os.ReadFile(list)
		if err != nil {
			return err
		}
		home := filepath.Dir(list)
		for _, field := range strings.Fields(string(bz)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return fmt.Errorf("%s: %w", list, err)
			}
			if !runs(pid, home) {
				continue
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for syscall.Kill(pid, 0) == nil {
					time.Sleep(pollInterval)
				}
			}()
			endGroup(pid, done)
		}
		if err := os.RemoveAll(home); err != nil {
			return err
		}
		ui.say("stopped %s", filepath.Base(home))
	}
	if len(lists) == 0 {
		ui.say("nothing was left running")
	}
	return nil
}

// runs says whether the process works with files of the folder. Linux tells without ps, which
// a small machine may not have.
func runs(pid int, folder string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		line, err = exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	}
	return err == nil && strings.Contains(string(line), folder+string(filepath.Separator))
}
