package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// flow is the shared vector of one user's whole life: what is done and the exact amounts that
// must follow. Implementations and tests read the same file.
type flow struct {
	steps []flowStep
	next  int
}

// flowStep is one step; empty wants are not asserted. Amounts are base units in decimal.
type flowStep struct {
	Do   string `json:"do"`
	Want struct {
		Error            bool      `json:"error"`
		Free             string    `json:"free"`
		PositionBonded   string    `json:"position_bonded"`
		VirtualDelegated string    `json:"virtual_delegated"`
		Unbondings       *[]string `json:"unbondings"`
		BankGain         string    `json:"bank_gain"`
		VoucherBalance   string    `json:"voucher_balance"`
	} `json:"want"`
}

func readFlow(file string) (*flow, error) {
	bz, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Steps []flowStep `json:"steps"`
	}
	if err := json.Unmarshal(bz, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &flow{steps: doc.Steps}, nil
}

// take returns the next step, which must be the one the story is about to tell.
func (f *flow) take(do string) (flowStep, error) {
	if f.next >= len(f.steps) || !strings.HasPrefix(f.steps[f.next].Do, do) {
		return flowStep{}, fmt.Errorf("the vector's step %d is not %q", f.next+1, do)
	}
	f.next++
	return f.steps[f.next-1], nil
}

// done fails if the story has left steps of the vector out.
func (f *flow) done() error {
	if f.next < len(f.steps) {
		return fmt.Errorf("the vector's step %q has not been told", f.steps[f.next].Do)
	}
	return nil
}

var number = regexp.MustCompile(`\d+`)

// amount is the first number of the step's text.
func (s flowStep) amount() (int64, error) {
	return strconv.ParseInt(number.FindString(s.Do), 10, 64)
}

// last is the step taken last.
func (f *flow) last() flowStep { return f.steps[f.next-1] }
