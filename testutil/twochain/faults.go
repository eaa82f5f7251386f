package twochain

import (
	abci "github.com/cometbft/cometbft/abci/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
)

// SetDown stops a validator from signing blocks, or lets it sign again.
func (c *Chain) SetDown(v *Validator, down bool) { v.down = down }

// DoubleSign makes the next block report a duplicate vote of v in the last block: it is slashed, jailed and tombstoned.
func (c *Chain) DoubleSign(v *Validator) {
	_, val := c.lastVals.GetByAddress(v.ConsAddress.Bytes())
	if val == nil {
		c.TB.Fatalf("%s did not sign the last block", v.Address)
	}
	c.misbehaviour = append(c.misbehaviour, abci.Misbehavior{
		Type:             abci.MisbehaviorType_DUPLICATE_VOTE,
		Validator:        abci.Validator{Address: val.Address, Power: val.VotingPower},
		Height:           c.App.LastBlockHeight(),
		Time:             c.LastHeader.GetTime(),
		TotalVotingPower: c.lastVals.TotalVotingPower(),
	})
}

// Jail puts a validator out of the active set in the next block without slashing it.
func (c *Chain) Jail(v *Validator) error {
	ctx := c.GetContext()
	return c.App.SlashingKeeper.Jail(ctx, v.ConsAddress)
}

// Unjail brings a jailed validator back.
func (c *Chain) Unjail(v *Validator) error {
	_, err := c.Deliver(v.Operator, slashingtypes.NewMsgUnjail(v.Address))
	return err
}
