package types

import (
	"time"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/control"
)

// Bounds of the params.
const (
	// MinPacketTimeout and MaxPacketTimeout bound packet_timeout: shorter would close channels over a relayer's bad day.
	MinPacketTimeout = 24 * time.Hour
	MaxPacketTimeout = 365 * 24 * time.Hour
	// maxEntryBytes is what one entry of a StakeSync takes at most: name, 128 bit amount and the JSON around them.
	maxEntryBytes = control.MaxNameBytes + 39 + 32
	// maxEnvelopeBytes is what a StakeSync takes beside its entries.
	maxEnvelopeBytes = 256
	// MaxEntriesPerPacket is the largest max_entries_per_packet whose packet always fits.
	MaxEntriesPerPacket = (control.MaxPacketBytes - maxEnvelopeBytes) / maxEntryBytes
	// The other counts are bounded so that no param can unbound the work of a block, a packet or a message.
	MaxOpsPerPacket                = 2000
	MaxPacketsPerBlock             = 100
	MaxPositionsPerUserAndConsumer = 256
	MaxEntriesPerPosition          = 256
	MaxValidatorsPerConsumer       = 2000
	MaxRewardDenoms                = 16
	MaxReleasesPerBlock            = 10_000
	MaxForcedPerBlock              = 10_000
	MaxResyncInterval              = 100_000
	// MinForcedDelay and MaxForcedDelay bound forced_unstake_delay: shorter would take the answer of a consumer that is out of
	// reach for a few days from it, longer would be no exit.
	MinForcedDelay = 7 * 24 * time.Hour
	MaxForcedDelay = MaxUnbondingPeriod
)

// DefaultParams are the values of a new chain.
func DefaultParams() Params {
	return Params{
		RegistrationFee:                sdk.NewCoins(),
		PacketTimeout:                  28 * 24 * time.Hour,
		MaxEntriesPerPacket:            200,
		MaxOpsPerPacket:                500,
		MaxPacketsPerBlock:             10,
		MaxPositionsPerUserAndConsumer: 32,
		MaxEntriesPerPosition:          64,
		MaxValidatorsPerConsumer:       1000,
		MaxRewardDenoms:                3,
		MaxReleasesPerBlock:            500,
		ForcedUnstakeDelay:             0,
		MaxForcedPerBlock:              500,
		ResyncInterval:                 100,
	}
}

// Validate names the param that is out of its bounds and says what is possible.
func (p Params) Validate() error {
	if err := p.RegistrationFee.Validate(); err != nil {
		return errorsmod.Wrapf(ErrInvalidParams, "registration_fee: %s", err)
	}
	if p.PacketTimeout < MinPacketTimeout || p.PacketTimeout > MaxPacketTimeout {
		return errorsmod.Wrapf(ErrInvalidParams, "packet_timeout is %s, %s to %s are possible", p.PacketTimeout, MinPacketTimeout, MaxPacketTimeout)
	}
	if p.ForcedUnstakeDelay != 0 && (p.ForcedUnstakeDelay < MinForcedDelay || p.ForcedUnstakeDelay > MaxForcedDelay) {
		return errorsmod.Wrapf(ErrInvalidParams, "forced_unstake_delay is %s, %s to %s are possible, and 0 for each consumer's unbonding period", p.ForcedUnstakeDelay, MinForcedDelay, MaxForcedDelay)
	}
	for _, c := range []struct {
		name       string
		value, max uint32
	}{
		{"max_entries_per_packet", p.MaxEntriesPerPacket, MaxEntriesPerPacket},
		{"max_ops_per_packet", p.MaxOpsPerPacket, MaxOpsPerPacket},
		{"max_packets_per_block", p.MaxPacketsPerBlock, MaxPacketsPerBlock},
		{"max_positions_per_user_and_consumer", p.MaxPositionsPerUserAndConsumer, MaxPositionsPerUserAndConsumer},
		{"max_entries_per_position", p.MaxEntriesPerPosition, MaxEntriesPerPosition},
		{"max_validators_per_consumer", p.MaxValidatorsPerConsumer, MaxValidatorsPerConsumer},
		{"max_reward_denoms", p.MaxRewardDenoms, MaxRewardDenoms},
		{"max_releases_per_block", p.MaxReleasesPerBlock, MaxReleasesPerBlock},
		{"max_forced_per_block", p.MaxForcedPerBlock, MaxForcedPerBlock},
		{"resync_interval", p.ResyncInterval, MaxResyncInterval},
	} {
		if c.value == 0 || c.value > c.max {
			return errorsmod.Wrapf(ErrInvalidParams, "%s is %d, 1 to %d are possible", c.name, c.value, c.max)
		}
	}
	return nil
}

// ForceDelay is how old an operation on the consumer becomes at most before it ends without an answer.
func (p Params) ForceDelay(consumer Consumer) time.Duration {
	if p.ForcedUnstakeDelay > 0 {
		return p.ForcedUnstakeDelay
	}
	return consumer.UnbondingPeriod
}
