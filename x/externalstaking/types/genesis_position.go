package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// validatePositions checks every position for itself and returns what they add up to per pool.
func (gs GenesisState) validatePositions() (map[poolID]*poolSum, error) {
	sums := make(map[poolID]*poolSum)
	type owner struct {
		user string
		poolID
	}
	owners, places := make(map[owner]bool), make(map[uint64]bool)
	for i, p := range gs.Positions {
		user, err := sdk.AccAddressFromBech32(p.User)
		if err != nil {
			return nil, errorsmod.Wrapf(ErrInvalidGenesis, "positions[%d].user %q: %s", i, p.User, err)
		}
		id := poolID{p.ConsumerID, p.Validator}
		o := owner{string(user), id}
		if owners[o] {
			return nil, errorsmod.Wrapf(ErrInvalidGenesis, "positions[%d]: duplicate of %s on validator %s of consumer %d", i, p.User, p.Validator, p.ConsumerID)
		}
		owners[o] = true
		if err := p.validate(); err != nil {
			return nil, errorsmod.Wrapf(ErrInvalidGenesis, "positions[%d].%s", i, err)
		}
		if place := p.Position.QueueSequence; place != 0 {
			if place > gs.NextQueueSequence || places[place] {
				return nil, errorsmod.Wrapf(ErrInvalidGenesis, "positions[%d].position.queue_sequence: %d is taken, or above next_queue_sequence %d", i, place, gs.NextQueueSequence)
			}
			places[place] = true
		}
		if sums[id] == nil {
			sums[id] = &poolSum{}
		}
		sums[id].add(p)
	}
	return sums, nil
}

func (s *poolSum) add(p GenesisPosition) {
	s.positions++
	if p.Position.Staked() || len(p.Unbonding.Entries) > 0 {
		s.live++
	}
	s.sent = s.sent || (p.Position.Sent() && p.Outcome == nil)
	s.entitled = append(s.entitled, p.Position)
	s.hit = s.hit || p.Position.Hit
	for _, e := range p.Unbonding.Entries {
		s.lastBatch = max(s.lastBatch, e.BatchID)
		s.hit = s.hit || e.Hit
	}
}

// validate checks everything but the user. Its error starts with the field's name.
func (g GenesisPosition) validate() error {
	p := g.Position
	if err := validateAmount(p.Bonded); err != nil {
		return errorsmod.Wrap(err, "position.bonded")
	}
	for _, op := range []struct {
		name string
		op   *Operation
	}{{"queued_stake", p.QueuedStake}, {"queued_unstake", p.QueuedUnstake}, {"sent_stake", p.SentStake}, {"sent_unstake", p.SentUnstake}} {
		if op.op == nil {
			continue
		}
		if err := validatePositive(op.op.Amount); err != nil {
			return errorsmod.Wrapf(err, "position.%s.amount", op.name)
		}
	}
	if p.PendingUnstake().GT(p.Bonded) {
		return errorsmod.Wrapf(ErrInconsistent, "position.bonded: %s, but %s of it is leaving", p.Bonded, p.PendingUnstake())
	}
	if p.Queued() != (p.QueueSequence != 0) {
		return errorsmod.Wrap(ErrInconsistent, "position.queue_sequence: must be set if and only if an operation is queued")
	}
	if (p.Queued() || p.Sent()) && p.ForcedAt == nil {
		return errorsmod.Wrap(ErrInconsistent, "position.forced_at: missing although an operation waits for the consumer")
	}
	if g.Outcome != nil && !p.Sent() {
		return errorsmod.Wrap(ErrInconsistent, "outcome: set although no operation is in flight")
	}
	if p.Empty() && len(g.Unbonding.Entries) == 0 {
		return errorsmod.Wrap(ErrInconsistent, "position: nothing is in it")
	}
	for i, r := range p.Rewards {
		if i > 0 && r.Denom <= p.Rewards[i-1].Denom {
			return errorsmod.Wrapf(ErrInconsistent, "position.rewards[%d].denom: %q is a duplicate or out of order", i, r.Denom)
		}
		if r.Start.IsNil() || r.Start.IsNegative() || r.Accrued.IsNil() || r.Accrued.IsNegative() {
			return errorsmod.Wrapf(ErrInvalidAmount, "position.rewards[%d]: start %s, accrued %s", i, r.Start, r.Accrued)
		}
	}
	for i, e := range g.Unbonding.Entries {
		if err := validatePositive(e.Amount); err != nil {
			return errorsmod.Wrapf(err, "unbonding.entries[%d].amount", i)
		}
		if err := ValidateUnbondingPeriod(e.UnbondingPeriod); err != nil {
			return errorsmod.Wrapf(err, "unbonding.entries[%d].unbonding_period", i)
		}
		if i > 0 && !e.ReleaseTime.After(g.Unbonding.Entries[i-1].ReleaseTime) {
			return errorsmod.Wrapf(ErrInconsistent, "unbonding.entries[%d].release_time: must be after the one before", i)
		}
	}
	return nil
}

func validatePositive(amount math.Int) error {
	if err := validateAmount(amount); err != nil {
		return err
	}
	if amount.IsZero() {
		return errorsmod.Wrap(ErrInvalidAmount, "0, at least 1 is possible")
	}
	return nil
}
