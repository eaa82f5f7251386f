package twochain

import (
	"cosmossdk.io/math"
	cmttypes "github.com/cometbft/cometbft/types"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// CreateValidator makes operator, who pays amount of self-delegation, the operator of a new validator with the consensus
// key of a secret. The validator signs once it is bonded.
func (c *Chain) CreateValidator(operator Account, keySecret string, amount int64) (*Validator, error) {
	v := newValidator(keySecret)
	v.Operator, v.Address = operator, sdk.ValAddress(operator.Address).String()
	pubKey, err := cryptocodec.FromCmtPubKeyInterface(v.key.PrivKey.PubKey())
	if err != nil {
		return nil, err
	}
	msg, err := stakingtypes.NewMsgCreateValidator(
		v.Address, pubKey, c.Coin(amount), stakingtypes.Description{Moniker: keySecret},
		stakingtypes.NewCommissionRates(math.LegacyZeroDec(), math.LegacyZeroDec(), math.LegacyZeroDec()), math.OneInt(),
	)
	if err != nil {
		return nil, err
	}
	// Known before the message, because the block may bond it.
	c.Signers[cmttypes.Address(v.ConsAddress).String()] = v.key
	if _, err := c.Deliver(operator, msg); err != nil {
		return nil, err
	}
	c.Validators = append(c.Validators, v)
	return v, nil
}
