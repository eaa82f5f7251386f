package twochain

import (
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
)

// Authority is the governance account, which signs the chain's own messages.
func Authority() string { return authtypes.NewModuleAddress(govtypes.ModuleName).String() }

// Execute carries messages out by a real governance proposal: the first operator pays the deposit, all operators vote
// yes, the voting period passes on both chains. The error says why the proposal failed.
func (c *Chain) Execute(msgs ...sdk.Msg) error {
	params, err := c.App.GovKeeper.Params.Get(c.Ctx())
	if err != nil {
		return err
	}
	submit, err := govv1.NewMsgSubmitProposal(
		msgs, params.MinDeposit, c.Validators[0].Operator.String(), "", "test", "test", false,
	)
	if err != nil {
		return err
	}
	res, err := c.Deliver(c.Validators[0].Operator, submit)
	if err != nil {
		return err
	}
	id := Response[govv1.MsgSubmitProposalResponse](c, res).ProposalId
	for _, v := range c.Validators {
		c.Queue(v.Operator, govv1.NewMsgVote(v.Operator.Address, id, govv1.OptionYes, ""))
	}
	c.NextBlock()
	for _, err := range c.Results() {
		if err != nil {
			return err
		}
	}
	c.Coordinator.IncrementTimeBy(*params.VotingPeriod)
	c.NextBlock()
	proposal, err := c.App.GovKeeper.Proposals.Get(c.Ctx(), id)
	if err != nil {
		return err
	}
	if proposal.Status != govv1.StatusPassed {
		return fmt.Errorf("proposal %d: %s: %s", id, proposal.Status, proposal.FailedReason)
	}
	return nil
}
