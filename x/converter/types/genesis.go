package types

import (
	"fmt"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/x/control"
)

// DefaultGenesis has no converter.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams(), NextConverterID: 1}
}

// Validate checks the whole state by itself; the error names the field.
func (gs GenesisState) Validate() error {
	if err := gs.Params.Validate(); err != nil {
		return errorsmod.Wrap(err, "params")
	}
	if gs.NextConverterID == 0 {
		return errorsmod.Wrap(ErrInvalidGenesis, "next_converter_id is 0; ids count from 1")
	}
	inFlight := make(map[uint64][]RewardTransfer)
	type packet struct {
		channel  string
		sequence uint64
	}
	seen := make(map[packet]struct{}, len(gs.Transfers))
	for i, t := range gs.Transfers {
		if err := t.Validate(); err != nil {
			return errorsmod.Wrapf(err, "transfers[%d]", i)
		}
		key := packet{t.ChannelID, t.Sequence}
		if _, twice := seen[key]; twice {
			return errorsmod.Wrapf(ErrInvalidGenesis, "transfers[%d]: %s/%d is listed twice", i, t.ChannelID, t.Sequence)
		}
		seen[key] = struct{}{}
		inFlight[t.ConverterID] = append(inFlight[t.ConverterID], t)
	}
	last := uint64(0)
	for i, c := range gs.Converters {
		field := fmt.Sprintf("converters[%d]", i)
		if c.Converter.ID <= last || c.Converter.ID >= gs.NextConverterID {
			return errorsmod.Wrapf(ErrInvalidGenesis, "%s.converter.id %d; ids rise and stay below next_converter_id %d", field, c.Converter.ID, gs.NextConverterID)
		}
		last = c.Converter.ID
		if err := c.validate(inFlight[c.Converter.ID]); err != nil {
			return errorsmod.Wrap(err, field)
		}
		delete(inFlight, c.Converter.ID)
	}
	if len(inFlight) > 0 {
		return errorsmod.Wrapf(ErrInvalidGenesis, "transfers: %d converters named there are missing from converters", len(inFlight))
	}
	return nil
}

func (c GenesisConverter) validate(inFlight []RewardTransfer) error {
	if err := c.Converter.Validate(); err != nil {
		return errorsmod.Wrap(err, "converter")
	}
	total, err := sumStake(c.Stake)
	if err != nil {
		return errorsmod.Wrap(err, "stake")
	}
	if !total.Equal(c.Converter.TotalStake) {
		return errorsmod.Wrapf(ErrInvalidGenesis, "converter.total_stake is %s, stake adds up to %s", c.Converter.TotalStake, total)
	}
	if _, err := sumStake(c.Staged); err != nil {
		return errorsmod.Wrap(err, "staged")
	}
	if c.Snapshot == nil && len(c.Staged) > 0 {
		return errorsmod.Wrap(ErrInvalidGenesis, "staged entries without a snapshot")
	}
	if c.Snapshot != nil && (c.Snapshot.NextChunk == 0 || c.Converter.Status != ConverterOpen) {
		return errorsmod.Wrap(ErrInvalidGenesis, "snapshot.next_chunk is 0, or its channel is not open")
	}
	if c.Sync.UnbondingPeriod < 0 {
		return errorsmod.Wrap(ErrInvalidGenesis, "sync.unbonding_period is negative")
	}
	if c.Sync.ResetEpoch < 0 {
		return errorsmod.Wrapf(ErrInvalidGenesis, "sync.reset_epoch is %d, must be 0 or more", c.Sync.ResetEpoch)
	}
	if c.Sync.RetryHeight < 0 || c.Sync.Failures > maxFailures {
		return errorsmod.Wrapf(ErrInvalidGenesis, "sync.retry_height is negative, or sync.failures above %d", maxFailures)
	}
	if c.Price != nil {
		if err := c.Price.Validate(); err != nil {
			return errorsmod.Wrap(err, "price")
		}
	}
	return c.validateRewards(inFlight)
}

// validateRewards checks that withdrawn = backlog + in flight + arrived holds for every denom.
func (c GenesisConverter) validateRewards(inFlight []RewardTransfer) error {
	if c.Rewards.InFlight != uint32(len(inFlight)) {
		return errorsmod.Wrapf(ErrInvalidGenesis, "rewards.in_flight is %d, %d transfers are listed", c.Rewards.InFlight, len(inFlight))
	}
	if c.Rewards.RetryHeight < 0 {
		return errorsmod.Wrap(ErrInvalidGenesis, "rewards.retry_height is negative")
	}
	open := make(map[string]math.Int)
	for _, t := range c.Rewards.Totals {
		if _, twice := open[t.Denom]; twice || t.Denom == "" {
			return errorsmod.Wrapf(ErrInvalidGenesis, "rewards.totals: denom %q is empty or listed twice", t.Denom)
		}
		if t.Withdrawn.IsNil() || t.Arrived.IsNil() || t.Arrived.IsNegative() || t.Withdrawn.LT(t.Arrived) {
			return errorsmod.Wrapf(ErrInvalidGenesis, "rewards.totals: withdrawn of %s must be at least what arrived", t.Denom)
		}
		open[t.Denom] = t.Withdrawn.Sub(t.Arrived)
	}
	settle := func(denom string, amount math.Int) error {
		left, found := open[denom]
		if !found || left.LT(amount) {
			return errorsmod.Wrapf(ErrInvalidGenesis, "rewards.totals: more %s is pending and in flight than was withdrawn", denom)
		}
		open[denom] = left.Sub(amount)
		return nil
	}
	type piece struct{ denom, validator string }
	seen := make(map[piece]struct{}, len(c.PendingRewards))
	for i, p := range c.PendingRewards {
		key := piece{p.Denom, p.Validator}
		if _, twice := seen[key]; twice {
			return errorsmod.Wrapf(ErrInvalidGenesis, "pending_rewards[%d]: %s of %s is listed twice", i, p.Denom, p.Validator)
		}
		seen[key] = struct{}{}
		if err := control.ValidateName(p.Validator); err != nil {
			return errorsmod.Wrapf(ErrInvalidGenesis, "pending_rewards[%d]: %s", i, err)
		}
		if p.Amount.IsNil() || !p.Amount.IsPositive() {
			return errorsmod.Wrapf(ErrInvalidGenesis, "pending_rewards[%d].amount must be above 0", i)
		}
		if err := settle(p.Denom, p.Amount); err != nil {
			return err
		}
	}
	for _, t := range inFlight {
		if err := settle(t.Denom, t.Total()); err != nil {
			return err
		}
	}
	for _, t := range c.Rewards.Totals {
		if !open[t.Denom].IsZero() {
			return errorsmod.Wrapf(ErrInvalidGenesis, "rewards.totals: %s of the withdrawn %s is neither pending, in flight nor arrived", open[t.Denom], t.Denom)
		}
	}
	return nil
}

// sumStake adds up entries that name each validator once, in rising order, with stake above zero.
func sumStake(entries []control.StakeEntry) (math.Int, error) {
	total, last := math.ZeroInt(), ""
	for i, e := range entries {
		if err := control.ValidateName(e.Validator); err != nil {
			return math.Int{}, errorsmod.Wrapf(ErrInvalidGenesis, "entry %d: %s", i, err)
		}
		if e.Validator <= last {
			return math.Int{}, errorsmod.Wrapf(ErrInvalidGenesis, "entry %d: validator %s is out of order or listed twice", i, e.Validator)
		}
		last = e.Validator
		if e.Stake.IsNil() || !e.Stake.IsPositive() || e.Stake.BigInt().BitLen() > control.MaxAmountBits {
			return math.Int{}, errorsmod.Wrapf(ErrInvalidGenesis, "entry %d: stake must be above 0 and below 2^%d", i, control.MaxAmountBits)
		}
		total = total.Add(e.Stake)
	}
	return total, nil
}
