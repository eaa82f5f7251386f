package types

import (
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/control"
)

// Port is the converter's IBC port.
func (c Converter) Port() string { return PortID(c.ID) }

// Account holds the converter's rewards until they travel.
func (c Converter) Account() sdk.AccAddress { return ConverterAddress(c.ID) }

// Bound reports whether a control channel was ever opened.
func (c Converter) Bound() bool { return c.ChannelID != "" }

// ValidateCounterpartyPort accepts the port of a registration on the provider, "externalstaking.<id>", and returns its
// id.
func ValidateCounterpartyPort(port string) (uint64, error) {
	id, err := control.ParsePortID(control.ExternalStakingPortPrefix, port)
	if err != nil {
		return 0, errorsmod.Wrapf(ErrInvalidPort, "counterparty port %s", err)
	}
	return id, nil
}

// Validate checks a stored converter by itself.
func (c Converter) Validate() error {
	if c.ID == 0 {
		return errorsmod.Wrap(ErrInvalidGenesis, "id is 0; ids count from 1")
	}
	if c.ConnectionID == "" || c.TransferChannel == "" {
		return errorsmod.Wrap(ErrInvalidGenesis, "connection_id and transfer_channel are needed")
	}
	if err := sdk.ValidateDenom(c.ProviderDenom); err != nil {
		return errorsmod.Wrapf(ErrInvalidGenesis, "provider_denom: %s", err)
	}
	if err := ValidateDiscount(c.Discount); err != nil {
		return errorsmod.Wrap(err, "discount")
	}
	if err := ValidateFeedName(c.PriceFeed); err != nil {
		return errorsmod.Wrap(err, "price_feed")
	}
	if c.TotalStake.IsNil() || c.TotalStake.IsNegative() {
		return errorsmod.Wrap(ErrInvalidGenesis, "total_stake is missing or negative")
	}
	if c.CounterpartyPort == "" && c.Bound() {
		return errorsmod.Wrap(ErrInvalidGenesis, "counterparty_port is missing from a converter with a channel")
	}
	registration := uint64(0)
	if c.CounterpartyPort != "" {
		var err error
		if registration, err = ValidateCounterpartyPort(c.CounterpartyPort); err != nil {
			return errorsmod.Wrap(err, "counterparty_port")
		}
	}
	switch c.Status {
	case ConverterCreated:
		if c.Bound() || c.ConsumerID != 0 || c.RewardReceiver != "" || c.LastBatchID != 0 || c.TotalStake.IsPositive() {
			return errorsmod.Wrap(ErrInvalidGenesis, "status is created, but fields of an open channel are set")
		}
	case ConverterOpen, ConverterClosed:
		if !c.Bound() || c.ConsumerID != registration {
			return errorsmod.Wrap(ErrInvalidGenesis, "channel_id and the consumer_id of counterparty_port are needed")
		}
		if err := control.ValidateName(c.RewardReceiver); err != nil {
			return errorsmod.Wrapf(ErrInvalidGenesis, "reward_receiver: %s", err)
		}
	default:
		return errorsmod.Wrapf(ErrInvalidGenesis, "status %d is unknown", c.Status)
	}
	return nil
}
