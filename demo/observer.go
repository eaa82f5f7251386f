package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

// observerKey pays for the observer's transactions on the provider; it is nobody special.
const observerKey = "observer"

// observer is `meshd observe`: it carries evidence from the consumer to the provider.
type observer struct {
	stateFile, logFile string
	proc               *process
}

// start follows the consumer for one registration on the provider, until stopped.
func (o *observer) start(consumer, provider *chain, r *registration) (err error) {
	o.proc, err = startProcess("observer", o.logFile, provider.meshd, "observe",
		"--consumer", consumer.nodes[0].rpcURL(), "--provider", provider.nodes[0].rpcURL(), "--consumer-id", r.consumerID,
		"--from", observerKey, "--gas-prices", provider.gasPrices(), "--state-file", o.stateFile, "--log_no_color", "--home", provider.home())
	return err
}

// next is the consumer's block the observer looks at next.
func (o *observer) next() (int64, error) {
	bz, err := os.ReadFile(o.stateFile)
	if err != nil {
		return 0, err
	}
	var state struct {
		Next int64 `json:"next_height,string"`
	}
	if err := json.Unmarshal(bz, &state); err != nil {
		return 0, fmt.Errorf("%s: %w", o.stateFile, err)
	}
	return state.Next, nil
}

// sent is how many transactions an account has made.
func (c *chain) sent(ctx context.Context, address string) (int64, error) {
	var reply struct {
		Account struct {
			Sequence int64 `json:"sequence,string"`
		} `json:"account"`
	}
	err := c.rest(ctx, "/cosmos/auth/v1beta1/accounts/"+address, &reply)
	return reply.Account.Sequence, err
}

// check fails when the observer should be running and is not.
func (o *observer) check() error { return o.proc.exited() }
