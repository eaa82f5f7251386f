package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// tortureResults are the figures of a run.
type tortureResults struct {
	load, totals, virtual, left string
	nodes                       []nodeResult
}

// nodeResult compares a victim with its witness.
type nodeResult struct {
	chain  *chain
	height int64
	hash   string
}

// remoteInfo is what the provider knows of the consumer; amounts in base units of the provider.
type remoteInfo struct {
	SyncComplete bool   `json:"sync_complete"`
	Validators   string `json:"validators"`
	Bonded       int64  `json:"total_bonded,string"`
	Synced       int64  `json:"total_synced,string"`
	InFlight     int64  `json:"in_flight,string"`
	Dirty        int64  `json:"dirty,string"`
}

func (t *torture) remote(ctx context.Context) (info remoteInfo, err error) {
	err = t.provider.witness().query(ctx, "/mesh/externalstaking/v1/consumers/"+t.first.consumerID, &info)
	return info, err
}

// counted is what the consumer counts on one validator: stake in base units of the provider, target in its own.
type counted struct {
	Validator string `json:"validator"`
	Stake     int64  `json:"stake,string"`
	Target    int64  `json:"target,string"`
}

func (t *torture) counted(ctx context.Context) (map[string]counted, error) {
	var reply struct {
		Stake []counted `json:"stake"`
	}
	if err := t.consumer.witness().query(ctx, "/mesh/converter/v1/converters/"+t.first.converterID+"/remote_stake", &reply); err != nil {
		return nil, err
	}
	byValidator := map[string]counted{}
	for _, c := range reply.Stake {
		byValidator[c.Validator] = c
	}
	return byValidator, nil
}

// settle waits until nothing is on its way, then five accounts of the same stake must agree: the users' books of what
// succeeded, their positions, the provider's totals of what is bonded and what the consumer counts, and the consumer's own count.
func (t *torture) settle(ctx context.Context) (string, error) {
	began := time.Now()
	err := t.steady(ctx, 2*waitLimit, func() error { return t.agree(ctx) })
	t.results.totals = fmt.Sprintf("%d in the users' books, their positions, both chains' totals", t.booked())
	return fmt.Sprintf("%d everywhere, after %.0fs", t.booked(), time.Since(began).Seconds()), err
}

func (t *torture) booked() (total int64) {
	for _, u := range t.load.users {
		for _, amount := range u.bonded {
			total += amount
		}
	}
	return total
}

func (t *torture) agree(ctx context.Context) error {
	remote, err := t.remote(ctx)
	if err != nil {
		return err
	}
	counts, err := t.counted(ctx)
	if err != nil {
		return err
	}
	books, positions := map[string]int64{}, map[string]int64{}
	for _, u := range t.load.users {
		at, err := t.positions(ctx, u)
		if err != nil {
			return err
		}
		for _, v := range t.validators {
			p := at[v.Operator]
			if p.PendingStake+p.PendingUnstake != 0 || p.Bonded != u.bonded[v.Operator] {
				return fmt.Errorf("%s on %s: bonded %d, pending +%d −%d, its own book says %d",
					u.key, v.Operator, p.Bonded, p.PendingStake, p.PendingUnstake, u.bonded[v.Operator])
			}
			books[v.Operator] += u.bonded[v.Operator]
			positions[v.Operator] += p.Bonded
		}
	}
	for _, v := range t.validators {
		if counted := counts[v.Operator].Stake; books[v.Operator] != positions[v.Operator] || counted != positions[v.Operator] {
			return fmt.Errorf("%s: books %d, positions %d, the consumer counts %d", v.Operator, books[v.Operator], positions[v.Operator], counted)
		}
	}
	if remote.InFlight != 0 || remote.Dirty != 0 || remote.Bonded != t.booked() || remote.Synced != t.booked() {
		return fmt.Errorf("the provider says %+v, the books %d", remote, t.booked())
	}
	return nil
}

// virtualIsTarget waits until an epoch has delegated what the counted stake is worth.
func (t *torture) virtualIsTarget(ctx context.Context) (string, error) {
	var total int64
	err := t.steady(ctx, waitLimit, func() error {
		counts, err := t.counted(ctx)
		if err != nil {
			return err
		}
		total = 0
		for i, v := range t.validators {
			delegated, err := t.virtual(ctx, i, 0)
			if err != nil {
				return err
			}
			if want := counts[v.Operator].Target; delegated != fmt.Sprint(want) {
				return fmt.Errorf("virtual stake on %s is %s, the target is %d", v.Operator, delegated, want)
			}
			total += counts[v.Operator].Target
		}
		return nil
	})
	t.results.virtual = fmt.Sprintf("%d %s delegated, the targets of what is counted", total, t.consumer.denom)
	return fmt.Sprintf("%d %s delegated", total, t.consumer.denom), err
}

// everybodyLeaves walks every user out: unstake all, wait for the unbonding period, withdraw all.
func (t *torture) everybodyLeaves(ctx context.Context) (string, error) {
	for _, u := range t.load.users {
		for _, v := range t.validators {
			amount := u.bonded[v.Operator]
			if amount == 0 {
				continue
			}
			if err := t.userTx(ctx, u, "externalstaking", "unstake", t.first.consumerID, v.Operator, t.provider.coin(amount)); err != nil {
				return "", err
			}
			u.bonded[v.Operator] = 0
		}
	}
	if err := t.steady(ctx, 2*waitLimit, func() error { return t.agree(ctx) }); err != nil {
		return "", err
	}
	var total int64
	for _, u := range t.load.users {
		err := t.steady(ctx, tortureUnbonding+waitLimit, func() error {
			acc, err := t.userAccount(ctx, u)
			if err != nil {
				return err
			}
			if acc.Free != userCollateral || acc.Collateral != userCollateral {
				return fmt.Errorf("%s has %d free of %d, deposited %d", u.key, acc.Free, acc.Collateral, userCollateral)
			}
			return nil
		})
		if err != nil {
			return "", err
		}
		if err := t.userTx(ctx, u, "vault", "withdraw", t.provider.coin(userCollateral)); err != nil {
			return "", err
		}
		acc, err := t.userAccount(ctx, u)
		if err != nil {
			return "", err
		}
		if acc.Collateral != 0 {
			return "", fmt.Errorf("%s still has %d in the vault", u.key, acc.Collateral)
		}
		total += userCollateral
	}
	t.results.left = fmt.Sprintf("%d %s deposited, %d withdrawn, nothing bonded or counted", total, t.provider.denom, total)
	return t.results.left, nil
}

// sameHashes compares the app hash after every block, as victim and witness have stored it, and that of their present states.
func (t *torture) sameHashes(ctx context.Context) (string, error) {
	var parts []string
	for _, c := range t.chains() {
		r := nodeResult{chain: c}
		err := t.steady(ctx, waitLimit, func() (err error) {
			r.height, r.hash, err = sameState(ctx, c)
			return err
		})
		if err != nil {
			return "", err
		}
		for height := int64(1); height <= r.height; height++ {
			var hashes [2]string
			for i, n := range []*node{c.victim(), c.witness()} {
				var results struct {
					AppHash string `json:"app_hash"`
				}
				if err := n.comet(ctx, fmt.Sprintf("/block_results?height=%d", height), &results); err != nil {
					return "", err
				}
				hashes[i] = results.AppHash
			}
			if hashes[0] != hashes[1] || hashes[0] == "" {
				return "", fmt.Errorf("%s block %d: app hash %q on the victim, %q on the witness", c.id, height, hashes[0], hashes[1])
			}
		}
		t.results.nodes = append(t.results.nodes, r)
		parts = append(parts, fmt.Sprintf("%s 1 to %d", c.id, r.height))
	}
	return "equal: " + strings.Join(parts, ", "), nil
}

// sameState returns the height and app hash of two nodes that are at the same block.
func sameState(ctx context.Context, c *chain) (int64, string, error) {
	type state struct {
		Response struct {
			Height int64  `json:"last_block_height,string"`
			Hash   string `json:"last_block_app_hash"`
		} `json:"response"`
	}
	var victim, witness state
	if err := errors.Join(c.victim().comet(ctx, "/abci_info", &victim), c.witness().comet(ctx, "/abci_info", &witness)); err != nil {
		return 0, "", err
	}
	if victim.Response.Height != witness.Response.Height {
		return 0, "", fmt.Errorf("%s: victim at %d, witness at %d", c.id, victim.Response.Height, witness.Response.Height)
	}
	if victim != witness {
		return 0, "", fmt.Errorf("%s at %d: app hash %s on the victim, %s on the witness",
			c.id, victim.Response.Height, victim.Response.Hash, witness.Response.Hash)
	}
	return victim.Response.Height, victim.Response.Hash, nil
}

// invariants stops all processes and checks every invariant on each node's state.
func (t *torture) invariants(ctx context.Context) (string, error) {
	for _, p := range t.processes() {
		p.stop()
	}
	var parts []string
	for _, c := range t.chains() {
		for _, n := range c.nodes {
			out, err := run(ctx, c.meshd, "inspect", "invariants", "--home", n.home)
			if err != nil {
				return "", fmt.Errorf("%s: %w", n.moniker, err)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			parts = append(parts, fmt.Sprintf("%s: %d %s", n.moniker, len(lines)-1, lines[len(lines)-1]))
		}
	}
	return strings.Join(parts, "; "), nil
}

// summary prints the figures.
func (t *torture) summary() {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault
	w.AppendHeader(table.Row{"", t.provider.id, t.consumer.id, "relayer"})
	count := func(is func(kill) bool) table.Row {
		row := table.Row{"", 0, 0, 0}
		for _, k := range t.done {
			if !is(k) {
				continue
			}
			column := 3
			for i, c := range t.chains() {
				if k.chain == c {
					column = i + 1
				}
			}
			row[column] = row[column].(int) + 1
		}
		return row
	}
	titled := func(title string, row table.Row) table.Row {
		row[0] = title
		return row
	}
	w.AppendRow(titled("kills", count(func(kill) bool { return true })))
	for _, m := range []moment{anyTime, inCommit, inEpoch, inStart} {
		w.AppendRow(titled("  aimed at: "+string(m), count(func(k kill) bool { return k.when == m })))
	}
	for _, p := range []phase{betweenBlocks, inFinalize, beforeSave, starting} {
		w.AppendRow(titled("  hit: "+string(p), count(func(k kill) bool { return k.phase == p })))
	}
	longest := table.Row{"longest without blocks / down", "", "", ""}
	ended := table.Row{"gave up by itself, started again", "", "", t.gaveUp}
	blocks, hash := table.Row{"blocks with equal app hashes", "", "", ""}, table.Row{"last app hash, both nodes", "", "", ""}
	for i, c := range append(t.chains(), nil) {
		var most time.Duration
		for _, k := range t.done {
			if k.chain == c {
				most = max(most, k.took)
			}
		}
		longest[i+1] = most.Round(100 * time.Millisecond).String()
	}
	for i, r := range t.results.nodes {
		blocks[i+1], hash[i+1] = r.height, r.hash[:min(16, len(r.hash))]+"…"
	}
	w.AppendRows([]table.Row{longest, ended, blocks, hash})
	t.ui.say("\n%s\n", w.Render())
	for _, line := range []string{
		"load:          " + t.results.load,
		"totals:        " + t.results.totals,
		"virtual stake: " + t.results.virtual,
		"exit:          " + t.results.left,
	} {
		t.ui.say("%s", line)
	}
	t.ui.say("\n%s", t.ui.paint(bold+green, fmt.Sprintf("Nothing was lost, in %s.", time.Since(t.ui.start).Round(time.Second))))
}
