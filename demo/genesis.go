package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// genesis is a genesis file under edit. The first edit that fails is kept in err.
type genesis struct {
	doc map[string]any
	err error
}

// set replaces the value at a path of the app state like "staking.params.unbonding_time".
// The path must exist, so a renamed param does not go unnoticed.
func (g *genesis) set(path string, value any) {
	if g.err != nil {
		return
	}
	keys := strings.Split("app_state."+path, ".")
	at := g.doc
	for _, key := range keys[:len(keys)-1] {
		at, _ = at[key].(map[string]any)
	}
	last := keys[len(keys)-1]
	if _, found := at[last]; !found {
		g.err = fmt.Errorf("genesis has no %s", path)
		return
	}
	at[last] = value
}

// editGenesis rewrites a genesis file; numbers keep their spelling.
func editGenesis(file string, edit func(*genesis)) error {
	bz, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(bz))
	decoder.UseNumber()
	var g genesis
	if err := decoder.Decode(&g.doc); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	edit(&g)
	if g.err != nil {
		return fmt.Errorf("%s: %w", file, g.err)
	}
	if bz, err = json.MarshalIndent(g.doc, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(file, bz, 0o644)
}

// shortPeriods makes unbonding and governance short enough to watch.
func shortPeriods(g *genesis, denom string) {
	g.set("staking.params.unbonding_time", seconds(unbondingPeriod))
	g.set("gov.params.voting_period", seconds(votingPeriod))
	g.set("gov.params.expedited_voting_period", seconds(votingPeriod/2))
	g.set("gov.params.max_deposit_period", seconds(votingPeriod))
	g.set("gov.params.min_deposit", []any{map[string]any{"denom": denom, "amount": fmt.Sprint(proposalDeposit)}})
	g.set("gov.params.expedited_min_deposit", []any{map[string]any{"denom": denom, "amount": fmt.Sprint(5 * proposalDeposit)}})
}

// seconds writes a duration as genesis files and the command line like it.
func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int64(d.Seconds())) }
