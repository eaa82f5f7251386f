package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pollInterval is how often a condition on a node is looked at.
const pollInterval = 250 * time.Millisecond

var httpClient = &http.Client{Timeout: 10 * time.Second}

// getJSON reads a URL into out; a height above 0 asks for the state after that block.
func getJSON(ctx context.Context, address string, height int64, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if height > 0 {
		req.Header.Set("x-cosmos-block-height", strconv.FormatInt(height, 10))
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	bz, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", address, resp.Status, strings.TrimSpace(string(bz)))
	}
	if err := json.Unmarshal(bz, out); err != nil {
		return fmt.Errorf("GET %s: %w", address, err)
	}
	return nil
}

// rest queries the chain's REST API.
func (c *chain) rest(ctx context.Context, path string, out any) error {
	return c.restAt(ctx, path, 0, out)
}

// restAt queries the state after the block at height.
func (c *chain) restAt(ctx context.Context, path string, height int64, out any) error {
	return c.nodes[0].queryAt(ctx, path, height, out)
}

// rpc queries CometBFT.
func (c *chain) rpc(ctx context.Context, path string, out any) error {
	return c.nodes[0].comet(ctx, path, out)
}

// queryAt queries the node's REST API for the state after the block at height (0: the last one).
func (n *node) queryAt(ctx context.Context, path string, height int64, out any) error {
	return getJSON(ctx, n.restURL()+path, height, out)
}

// comet queries the node's CometBFT.
func (n *node) comet(ctx context.Context, path string, out any) error {
	reply := struct {
		Result any `json:"result"`
	}{out}
	return getJSON(ctx, n.rpcURL()+path, 0, &reply)
}

// latest returns the height and the time of the last block.
func (c *chain) latest(ctx context.Context) (height int64, at time.Time, err error) {
	return c.nodes[0].latest(ctx)
}

// latest returns the height and the time of the node's last block.
func (n *node) latest(ctx context.Context) (height int64, at time.Time, err error) {
	var status struct {
		Sync struct {
			Height int64     `json:"latest_block_height,string"`
			Time   time.Time `json:"latest_block_time"`
		} `json:"sync_info"`
	}
	err = n.comet(ctx, "/status", &status)
	return status.Sync.Height, status.Sync.Time, err
}

// powers asks CometBFT who signs the next blocks: voting power by base64 consensus key.
func (c *chain) powers(ctx context.Context) (map[string]int64, error) {
	var set struct {
		Validators []struct {
			PubKey struct {
				Value string `json:"value"`
			} `json:"pub_key"`
			Power int64 `json:"voting_power,string"`
		} `json:"validators"`
	}
	if err := c.rpc(ctx, "/validators?per_page=100", &set); err != nil {
		return nil, err
	}
	powers := make(map[string]int64, len(set.Validators))
	for _, v := range set.Validators {
		powers[v.PubKey.Value] = v.Power
	}
	return powers, nil
}

// validator is what a chain's x/staking says about one of its validators.
type validator struct {
	Operator string `json:"operator_address"`
	Key      struct {
		Key string `json:"key"`
	} `json:"consensus_pubkey"`
	Description struct {
		Moniker string `json:"moniker"`
	} `json:"description"`
}

// validators returns the bonded validators, ordered by moniker.
func (c *chain) validators(ctx context.Context) ([]validator, error) {
	var page struct {
		Validators []validator `json:"validators"`
	}
	if err := c.rest(ctx, "/cosmos/staking/v1beta1/validators?status=BOND_STATUS_BONDED", &page); err != nil {
		return nil, err
	}
	slices.SortFunc(page.Validators, func(a, b validator) int {
		return strings.Compare(a.Description.Moniker, b.Description.Moniker)
	})
	return page.Validators, nil
}

// balance of an account in one denom.
func (c *chain) balance(ctx context.Context, address, denom string) (int64, error) {
	var reply struct {
		Balance struct {
			Amount int64 `json:"amount,string"`
		} `json:"balance"`
	}
	err := c.rest(ctx, fmt.Sprintf("/cosmos/bank/v1beta1/balances/%s/by_denom?denom=%s", address, url.QueryEscape(denom)), &reply)
	return reply.Balance.Amount, err
}

// txResult is a transaction that made it into a block and succeeded.
type txResult struct {
	Height int64 `json:"height,string"`
	Result struct {
		Code   int     `json:"code"`
		Log    string  `json:"log"`
		Events []event `json:"events"`
	} `json:"tx_result"`
}

// event of a transaction or a block.
type event struct {
	Type       string `json:"type"`
	Attributes []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"attributes"`
}

// attribute of the transaction's events.
func (r *txResult) attribute(kind, key string) string { return attribute(r.Result.Events, kind, key) }

// attribute returns the first value of an event attribute; typed events quote strings and
// 64 bit numbers, which is undone.
func attribute(events []event, kind, key string) string {
	for _, e := range events {
		if e.Type != kind {
			continue
		}
		for _, a := range e.Attributes {
			if a.Key == key {
				return strings.Trim(a.Value, `"`)
			}
		}
	}
	return ""
}

// fee is what the sender paid, in base units of the chain's denom.
func (r *txResult) fee() (int64, error) {
	digits := strings.TrimRight(r.attribute("tx", "fee"), "abcdefghijklmnopqrstuvwxyz")
	return strconv.ParseInt(digits, 10, 64)
}

// tx signs with a key, sends, and waits until the transaction has succeeded in a block.
func (c *chain) tx(ctx context.Context, from string, args ...string) (*txResult, error) {
	return c.txVia(ctx, c.nodes[0], c.check, from, args...)
}

// txVia is tx through one of the chain's nodes. It waits as long as alive lets it, up to waitLimit. The gas is a generous
// multiple of the estimate, since the state may have changed by the time there is a block.
func (c *chain) txVia(ctx context.Context, n *node, alive func() error, from string, args ...string) (*txResult, error) {
	args = append([]string{"tx"}, args...)
	args = append(args, "--from", from, "--gas", "auto", "--gas-adjustment", "3", "--gas-prices", c.gasPrices(),
		"--yes", "--output", "json", "--node", n.rpcURL(), "--home", c.home())
	out, err := run(ctx, c.meshd, args...)
	if err != nil {
		return nil, err
	}
	var sent struct {
		Hash string `json:"txhash"`
		Code int    `json:"code"`
		Log  string `json:"raw_log"`
	}
	if err := json.Unmarshal(out, &sent); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", commandLine(c.meshd, args), err, out)
	}
	if sent.Code != 0 {
		return nil, &commandError{command: commandLine(c.meshd, args), message: sent.Log, err: errors.New("refused")}
	}
	var result txResult
	if err := eventually(ctx, alive, func() error { return n.comet(ctx, "/tx?hash=0x"+sent.Hash, &result) }); err != nil {
		return nil, fmt.Errorf("transaction %s does not arrive in a block: %w", sent.Hash, err)
	}
	if result.Result.Code != 0 {
		return nil, &commandError{command: commandLine(c.meshd, args), message: result.Result.Log, err: errors.New("failed")}
	}
	return &result, nil
}

// check fails when one of the chain's processes has ended.
func (c *chain) check() error {
	for _, n := range c.nodes {
		if err := n.proc.exited(); err != nil {
			return err
		}
	}
	return nil
}

// eventually polls until cond returns nil. It gives up when a process has ended and when
// waitLimit has passed; the error is then what cond said last.
func eventually(ctx context.Context, alive, cond func() error) error {
	return within(ctx, waitLimit, alive, cond)
}

// within is eventually with a deadline of its own.
func within(ctx context.Context, limit time.Duration, alive, cond func() error) error {
	deadline := time.Now().Add(limit)
	for {
		if err := alive(); err != nil {
			return err
		}
		err := cond()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("still not so after %s: %w", limit, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}
