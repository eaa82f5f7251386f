package twochain

import (
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
)

// SetDown stops a validator from signing blocks, or lets it sign again.
func (c *Chain) SetDown(v *Validator, down bool) { v.down = down }

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
