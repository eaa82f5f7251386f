package types

import (
	"time"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// DefaultParams are free creation, 28 days of packet timeout, only the bond denom travelling, ten packets a block, and
// prices that may move by half within a day and hold for a week.
func DefaultParams() Params {
	return Params{
		PacketTimeout:      28 * 24 * time.Hour,
		MaxPacketsPerBlock: 10,
		MaxPriceAge:        7 * 24 * time.Hour,
		MaxPriceChange:     math.LegacyMustNewDecFromStr("1.5"),
		PriceInterval:      24 * time.Hour,
	}
}

// Validate checks every param against its bounds; the error names the param.
func (p Params) Validate() error {
	if err := p.CreationFee.Validate(); err != nil {
		return errorsmod.Wrapf(ErrInvalidParams, "creation_fee: %s", err)
	}
	if p.PacketTimeout < minPacketTimeout || p.PacketTimeout > maxDuration {
		return errorsmod.Wrapf(ErrInvalidParams, "packet_timeout %s; %s to %s is possible", p.PacketTimeout, minPacketTimeout, maxDuration)
	}
	if len(p.RewardDenoms) > MaxRewardDenoms {
		return errorsmod.Wrapf(ErrInvalidParams, "reward_denoms: %d denoms; at most %d are possible", len(p.RewardDenoms), MaxRewardDenoms)
	}
	seen := make(map[string]struct{}, len(p.RewardDenoms))
	for _, denom := range p.RewardDenoms {
		if err := sdk.ValidateDenom(denom); err != nil {
			return errorsmod.Wrapf(ErrInvalidParams, "reward_denoms: %s", err)
		}
		if _, twice := seen[denom]; twice {
			return errorsmod.Wrapf(ErrInvalidParams, "reward_denoms: %s is named twice", denom)
		}
		seen[denom] = struct{}{}
	}
	if p.MaxPacketsPerBlock < 1 || p.MaxPacketsPerBlock > MaxPacketsPerBlock {
		return errorsmod.Wrapf(ErrInvalidParams, "max_packets_per_block %d; 1 to %d is possible", p.MaxPacketsPerBlock, MaxPacketsPerBlock)
	}
	if p.MaxPriceAge <= 0 || p.MaxPriceAge > maxDuration {
		return errorsmod.Wrapf(ErrInvalidParams, "max_price_age %s; above 0 and up to %s is possible", p.MaxPriceAge, maxDuration)
	}
	if p.MaxPriceChange.IsNil() || p.MaxPriceChange.LT(math.LegacyOneDec()) || p.MaxPriceChange.GT(math.LegacyNewDec(maxPriceChange)) {
		return errorsmod.Wrapf(ErrInvalidParams, "max_price_change %s; 1 to %d is possible", p.MaxPriceChange, maxPriceChange)
	}
	if p.PriceInterval < minPriceInterval || p.PriceInterval > maxDuration {
		return errorsmod.Wrapf(ErrInvalidParams, "price_interval %s; %s to %s is possible", p.PriceInterval, minPriceInterval, maxDuration)
	}
	return nil
}

// Travels reports whether rewards in denom are sent to the provider.
func (p Params) Travels(denom, bondDenom string) bool {
	if len(p.RewardDenoms) == 0 {
		return denom == bondDenom
	}
	for _, d := range p.RewardDenoms {
		if d == denom {
			return true
		}
	}
	return false
}
