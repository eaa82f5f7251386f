package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// propose submits a proposal and returns its id.
func (c *chain) propose(ctx context.Context, dir, from string, proposal []byte) (string, error) {
	file := filepath.Join(dir, c.id+"-proposal.json")
	if err := os.WriteFile(file, proposal, 0o644); err != nil {
		return "", err
	}
	result, err := c.tx(ctx, from, "gov", "submit-proposal", file)
	if err != nil {
		return "", err
	}
	return result.attribute("submit_proposal", "proposal_id"), nil
}

// passed waits for the end of the vote.
func (st *story) passed(ctx context.Context, c *chain, id string) error {
	return within(ctx, votingPeriod+waitLimit, st.alive, func() error {
		var reply struct {
			Proposal struct {
				Status       string `json:"status"`
				FailedReason string `json:"failed_reason"`
			} `json:"proposal"`
		}
		if err := c.rest(ctx, "/cosmos/gov/v1/proposals/"+id, &reply); err != nil {
			return err
		}
		if reply.Proposal.Status != "PROPOSAL_STATUS_PASSED" {
			return fmt.Errorf("proposal %s of %s is %s %s", id, c.id, reply.Proposal.Status, reply.Proposal.FailedReason)
		}
		return nil
	})
}

// expectYes asserts the yes votes of a proposal, in base units: those so far, or the result once the vote has ended.
func (c *chain) expectYes(ctx context.Context, id string, want int64) error {
	var reply struct {
		Tally struct {
			Yes     int64 `json:"yes_count,string"`
			No      int64 `json:"no_count,string"`
			Abstain int64 `json:"abstain_count,string"`
			Veto    int64 `json:"no_with_veto_count,string"`
		} `json:"tally"`
	}
	if err := c.rest(ctx, "/cosmos/gov/v1/proposals/"+id+"/tally", &reply); err != nil {
		return err
	}
	if t := reply.Tally; t.Yes != want || t.No+t.Abstain+t.Veto != 0 {
		return fmt.Errorf("the tally is %+v, want %d yes and nothing else", t, want)
	}
	return nil
}
