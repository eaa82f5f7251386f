package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pathName names the one path the relayer serves: from the consumer to the provider, since
// only the consumer may start the control channel's handshake.
const pathName = "mesh"

// relayer is rly with a home of its own and one funded key per chain.
type relayer struct {
	program, home, logFile string
	proc                   *process
}

// configure writes rly's config (JSON is YAML too) and makes a key on each chain. The
// addresses are added to the chains' genesis funds.
func (r *relayer) configure(ctx context.Context, chains ...*chain) error {
	type object = map[string]any
	configured := object{}
	for _, c := range chains {
		configured[c.id] = object{"type": "cosmos", "value": object{
			"key-directory":     filepath.Join(r.home, "keys", c.id),
			"key":               "relayer",
			"chain-id":          c.id,
			"rpc-addr":          c.nodes[0].rpcURL(),
			"account-prefix":    c.prefix,
			"keyring-backend":   "test",
			"gas-adjustment":    1.5,
			"gas-prices":        c.gasPrices(),
			"debug":             false,
			"timeout":           "20s",
			"output-format":     "json",
			"sign-mode":         "direct",
			"coin-type":         118,
			"broadcast-mode":    "batch",
			"min-loop-duration": (100 * time.Millisecond).String(),
		}}
	}
	config := object{
		"global": object{"timeout": "10s", "light-cache-size": 20, "log-level": "info"},
		"chains": configured,
		"paths": object{pathName: object{
			"src":                object{"chain-id": chains[0].id},
			"dst":                object{"chain-id": chains[1].id},
			"src-channel-filter": object{"rule": "", "channel-list": []string{}},
		}},
	}
	bz, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(r.home, "config", "config.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, bz, 0o600); err != nil {
		return err
	}
	for _, c := range chains {
		out, err := run(ctx, r.program, "keys", "add", c.id, "relayer", "--home", r.home)
		if err != nil {
			return err
		}
		var key struct {
			Address string `json:"address"`
		}
		if err := json.Unmarshal(out, &key); err != nil {
			return fmt.Errorf("rly keys add: %w: %s", err, out)
		}
		c.funds = append(c.funds, fund{"relayer", key.Address, 1_000_000_000})
	}
	return nil
}

// tx runs one of rly's handshake commands; its output is kept in the relayer's log.
func (r *relayer) tx(ctx context.Context, args ...string) error {
	args = append(append([]string{"tx"}, args...), "--home", r.home)
	p, err := startProcess("rly "+strings.Join(args[:2], " "), r.logFile, r.program, args...)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%s: %w", commandLine(r.program, args), p.err)
		}
		return nil
	case <-ctx.Done():
		p.stop()
		return context.Cause(ctx)
	}
}

// start relays packets and keeps both light clients fresh, until stopped. Earlier blocks are not read: a part of a finished
// handshake in them would be carried on, and its refusal takes the packets of the same transaction along. What was sent
// before is found by the flush at the start, and what rly has given up by the next one.
func (r *relayer) start() (err error) {
	r.proc, err = startProcess("relayer", r.logFile, r.program, "start", pathName,
		"--block-history", "0", "--flush-interval", "30s", "--time-threshold", (unbondingPeriod / 4).String(), "--home", r.home)
	return err
}

// check fails when the relayer should be running and is not.
func (r *relayer) check() error { return r.proc.exited() }
