package types

import (
	"time"
	"unicode"
	"unicode/utf8"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/x/control"
)

const (
	// MaxConsumerNameBytes bounds the name of a consumer.
	MaxConsumerNameBytes = 64
	// MaxUnbondingPeriod bounds a consumer's unbonding period, whoever asks for it: without it a consumer could raise
	// its period until nobody's stake ever comes free.
	MaxUnbondingPeriod = 365 * 24 * time.Hour
)

// Validate checks all of c that does not depend on another module's state; the error names the field.
func (c Consumer) Validate() error {
	if c.ID == 0 {
		return errorsmod.Wrap(ErrInvalidConsumer, "id is 0; ids count from 1")
	}
	if err := ValidateConsumerName(c.Name); err != nil {
		return err
	}
	if _, err := control.ParsePortID(control.ConverterPortPrefix, c.CounterpartyPort); err != nil {
		return errorsmod.Wrapf(ErrInvalidConsumer, "counterparty_port: %s", err)
	}
	if err := ValidateUnbondingPeriod(c.UnbondingPeriod); err != nil {
		return err
	}
	if err := ValidateSlashFraction(c.SlashFraction); err != nil {
		return err
	}
	if err := ValidateMinStake(c.MinStake); err != nil {
		return err
	}
	for _, f := range []struct{ name, value string }{
		{"connection_id", c.ConnectionID}, {"client_id", c.ClientID}, {"chain_id", c.ChainID}, {"transfer_channel", c.TransferChannel},
	} {
		if f.value == "" {
			return errorsmod.Wrapf(ErrInvalidConsumer, "%s is empty", f.name)
		}
	}
	switch c.Status {
	case ConsumerRegistered:
		if c.ChannelID != "" {
			return errorsmod.Wrapf(ErrInvalidConsumer, "channel_id is %s although no channel was ever opened", c.ChannelID)
		}
	case ConsumerOpen, ConsumerClosed:
		if c.ChannelID == "" {
			return errorsmod.Wrap(ErrInvalidConsumer, "channel_id is empty although a channel was opened")
		}
	default:
		return errorsmod.Wrapf(ErrInvalidConsumer, "status %s is unknown", c.Status)
	}
	return nil
}

// ValidateConsumerName accepts up to MaxConsumerNameBytes bytes of printable UTF-8, also none.
func ValidateConsumerName(name string) error {
	if len(name) > MaxConsumerNameBytes {
		return errorsmod.Wrapf(ErrInvalidConsumer, "name has %d bytes, at most %d are possible", len(name), MaxConsumerNameBytes)
	}
	if !utf8.ValidString(name) {
		return errorsmod.Wrap(ErrInvalidConsumer, "name is not UTF-8")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return errorsmod.Wrapf(ErrInvalidConsumer, "name %q has characters that cannot be printed", name)
		}
	}
	return nil
}

// ValidateUnbondingPeriod accepts above 0 to MaxUnbondingPeriod.
func ValidateUnbondingPeriod(d time.Duration) error {
	if d <= 0 || d > MaxUnbondingPeriod {
		return errorsmod.Wrapf(ErrInvalidUnbondingPeriod, "unbonding period is %s, above 0 and up to %s are possible", d, MaxUnbondingPeriod)
	}
	return nil
}

// ValidateSlashFraction accepts fractions in (0, 1].
func ValidateSlashFraction(f math.LegacyDec) error {
	if f.IsNil() || !f.IsPositive() || f.GT(math.LegacyOneDec()) {
		return errorsmod.Wrapf(ErrInvalidConsumer, "slash fraction is %s, above 0 and up to 1 are possible", f)
	}
	return nil
}

// ValidateMinStake accepts amounts of at least 1 base unit, below 2^128.
func ValidateMinStake(amount math.Int) error {
	if amount.IsNil() || !amount.IsPositive() || amount.BigInt().BitLen() > control.MaxAmountBits {
		return errorsmod.Wrapf(ErrInvalidConsumer, "minimum stake is %s, at least 1 and below 2^%d are possible", amount, control.MaxAmountBits)
	}
	return nil
}
