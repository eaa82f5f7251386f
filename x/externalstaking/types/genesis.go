package types

import (
	"bytes"
	"crypto/ed25519"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/control"
)

// DefaultGenesis returns the genesis of a new chain: no consumers.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams(), NextConsumerID: 1}
}

// Validate returns ErrInvalidGenesis naming the first bad field, also for sums over positions that do not agree with
// their pools. What other modules hold is checked when the state is loaded.
func (gs GenesisState) Validate() error {
	if err := gs.Params.Validate(); err != nil {
		return errorsmod.Wrapf(ErrInvalidGenesis, "params: %s", err)
	}
	if gs.NextConsumerID == 0 {
		return errorsmod.Wrap(ErrInvalidGenesis, "next_consumer_id: 0; ids count from 1")
	}
	sums, err := gs.validatePositions()
	if err != nil {
		return err
	}
	last, channels := uint64(0), make(map[string]bool)
	for i, c := range gs.Consumers {
		id := c.Consumer.ID
		if id <= last || id >= gs.NextConsumerID {
			return errorsmod.Wrapf(ErrInvalidGenesis, "consumers[%d].consumer.id: %d; ids rise and stay below next_consumer_id %d", i, id, gs.NextConsumerID)
		}
		last = id
		if channels[c.Consumer.ChannelID] && c.Consumer.ChannelID != "" {
			return errorsmod.Wrapf(ErrInvalidGenesis, "consumers[%d].consumer.channel_id: %s is bound twice", i, c.Consumer.ChannelID)
		}
		channels[c.Consumer.ChannelID] = true
		if err := c.validate(sums); err != nil {
			return errorsmod.Wrapf(ErrInvalidGenesis, "consumers[%d].%s", i, err)
		}
	}
	for i, p := range gs.Positions {
		sum := sums[poolID{p.ConsumerID, p.Validator}]
		if !sum.known {
			return errorsmod.Wrapf(ErrInvalidGenesis, "positions[%d].validator: %q of consumer %d is not among the validators", i, p.Validator, p.ConsumerID)
		}
		for j, e := range p.Unbonding.Entries {
			if earliest := e.Earliest(sum.validator); e.ReleaseTime.Before(earliest) {
				return errorsmod.Wrapf(ErrInvalidGenesis, "positions[%d].unbonding.entries[%d].release_time: %s is before %s", i, j, e.ReleaseTime, earliest)
			}
		}
	}
	return nil
}

// poolID names a pool while a genesis is checked.
type poolID struct {
	consumer  uint64
	validator string
}

// poolSum is what the positions of a pool add up to.
type poolSum struct {
	positions uint64
	// live counts those with anything but rewards.
	live uint64
	// sent is true if a position has an operation in flight whose outcome is open.
	sent bool
	// hit is true if a slash has reached any of them.
	hit bool
	// entitled holds the positions, to be compared with the pool and the consumer's totals.
	entitled []Position
	// lastBatch is the highest batch an unbonding entry names.
	lastBatch uint64
	// validator and known are set once the pool's validator was seen.
	validator Validator
	known     bool
}

// validate checks one consumer against the sums over its positions. Its error starts with the field's name.
func (c GenesisConsumer) validate(sums map[poolID]*poolSum) error {
	if err := c.Consumer.Validate(); err != nil {
		return errorsmod.Wrap(err, "consumer")
	}
	if err := validateAmount(c.Outbox.Synced); err != nil {
		return errorsmod.Wrap(err, "outbox.synced")
	}
	if err := c.validateRetirement(); err != nil {
		return err
	}
	if c.Outbox.RetryHeight < 0 || c.Outbox.ResyncHeight < 0 {
		return errorsmod.Wrap(ErrInconsistent, "outbox: retry_height and resync_height must not be negative")
	}
	batchOf, err := c.validateBatches()
	if err != nil {
		return err
	}
	keys, synced, seen := newKeyLedger(), math.ZeroInt(), make(map[string]bool, len(c.Validators))
	for i, v := range c.Validators {
		address := v.Validator.Address
		if seen[address] {
			return errorsmod.Wrapf(ErrInvalidValidator, "validators[%d].validator.address: duplicate %s", i, address)
		}
		seen[address] = true
		id := poolID{c.Consumer.ID, address}
		if sums[id] == nil {
			sums[id] = &poolSum{}
		}
		sums[id].validator, sums[id].known = v.Validator, true
		if err := v.validateSlashes(c.Outbox.LastBatchID); err != nil {
			return errorsmod.Wrapf(err, "validators[%d]", i)
		}
		if err := v.validate(c.Sync.Round, batchOf[address], *sums[id]); err != nil {
			return errorsmod.Wrapf(err, "validators[%d]", i)
		}
		if sums[id].lastBatch > c.Outbox.LastBatchID {
			return errorsmod.Wrapf(ErrInvalidValidator, "validators[%d]: an unbonding entry names batch %d, the last one sent is %d", i, sums[id].lastBatch, c.Outbox.LastBatchID)
		}
		if err := keys.add(v.Validator); err != nil {
			return errorsmod.Wrapf(err, "validators[%d].validator.keys", i)
		}
		synced = synced.Add(v.Pool.Synced)
	}
	for i, b := range c.Batches {
		for _, e := range b.Entries {
			if !seen[e.Validator] {
				return errorsmod.Wrapf(ErrInvalidValidator, "batches[%d]: names the unknown validator %q", i, e.Validator)
			}
		}
	}
	if !synced.Equal(c.Outbox.Synced) {
		return errorsmod.Wrapf(ErrInconsistent, "outbox.synced: %s, the pools add up to %s", c.Outbox.Synced, synced)
	}
	if err := c.validateApplied(); err != nil {
		return err
	}
	return c.validateRewards(sums)
}

// validateBatches returns which batch in flight carries each validator.
func (c GenesisConsumer) validateBatches() (map[string]uint64, error) {
	batchOf, packets, last := make(map[string]uint64), make(map[string]map[uint64]bool), uint64(0)
	for i, b := range c.Batches {
		if b.ID <= last || b.ID > c.Outbox.LastBatchID {
			return nil, errorsmod.Wrapf(ErrInconsistent, "batches[%d].id: %d; ids rise up to outbox.last_batch_id %d", i, b.ID, c.Outbox.LastBatchID)
		}
		last = b.ID
		if b.ChannelID == "" || b.Sequence == 0 || packets[b.ChannelID][b.Sequence] {
			return nil, errorsmod.Wrapf(ErrInconsistent, "batches[%d].sequence: packet %d of channel %q is missing or named twice", i, b.Sequence, b.ChannelID)
		}
		if err := b.Result.validate(c.Outbox.LastBatchID); err != nil {
			return nil, errorsmod.Wrapf(err, "batches[%d].result", i)
		}
		if packets[b.ChannelID] == nil {
			packets[b.ChannelID] = make(map[uint64]bool)
		}
		packets[b.ChannelID][b.Sequence] = true
		for j, e := range b.Entries {
			if batchOf[e.Validator] != 0 {
				return nil, errorsmod.Wrapf(ErrInconsistent, "batches[%d].entries[%d].validator: %s is in two batches", i, j, e.Validator)
			}
			if err := validateAmount(e.Stake); err != nil {
				return nil, errorsmod.Wrapf(err, "batches[%d].entries[%d].stake", i, j)
			}
			batchOf[e.Validator] = b.ID
		}
	}
	return batchOf, nil
}

func (r *BatchResult) validate(lastBatchID uint64) error {
	switch {
	case r == nil:
		return nil
	case r.BatchID > lastBatchID:
		return errorsmod.Wrapf(ErrInconsistent, "batch_id: %d, the last one is %d", r.BatchID, lastBatchID)
	case r.RetryHeight < 0:
		return errorsmod.Wrapf(ErrInconsistent, "retry_height: %d, must not be negative", r.RetryHeight)
	case r.Ack != nil:
		return errorsmod.Wrap(validateAmount(r.Ack.Total), "ack.total")
	}
	return nil
}

func (c GenesisConsumer) validateRetirement() error {
	if c.Retirement == nil {
		return nil
	}
	if !c.Consumer.Retired {
		return errorsmod.Wrap(ErrInconsistent, "retirement: set although the consumer is not retired")
	}
	if user := c.Retirement.User; user != "" {
		if _, err := sdk.AccAddressFromBech32(user); err != nil {
			return errorsmod.Wrapf(ErrInconsistent, "retirement.user %q: %s", user, err)
		}
	}
	return nil
}

func (c GenesisConsumer) validateApplied() error {
	for i, r := range c.Applied {
		if r.Applied.BatchID == 0 || r.Applied.BatchID > c.Outbox.LastBatchID {
			return errorsmod.Wrapf(ErrInconsistent, "applied[%d].applied.batch_id: %d, batches 1 to %d were sent", i, r.Applied.BatchID, c.Outbox.LastBatchID)
		}
		if i > 0 && (r.Applied.BatchID <= c.Applied[i-1].Applied.BatchID || r.Applied.Height.LT(c.Applied[i-1].Applied.Height)) {
			return errorsmod.Wrapf(ErrInconsistent, "applied[%d].applied: batches and heights must rise", i)
		}
	}
	return nil
}

// validateRewards checks for every denom that what was received covers what was paid, is owed, held over and unassigned.
func (c GenesisConsumer) validateRewards(sums map[poolID]*poolSum) error {
	for i, r := range c.Rewards {
		if i > 0 && r.Denom <= c.Rewards[i-1].Denom {
			return errorsmod.Wrapf(ErrInconsistent, "rewards[%d].denom: %q is a duplicate or out of order", i, r.Denom)
		}
		if r.TransferChannel == "" {
			return errorsmod.Wrapf(ErrInvalidTransferChannel, "rewards[%d].transfer_channel: empty", i)
		}
		for _, f := range []struct {
			name   string
			amount math.Int
		}{{"received", r.Received}, {"paid", r.Paid}, {"unassigned", r.Unassigned}} {
			if err := validateAmount(f.amount); err != nil {
				return errorsmod.Wrapf(err, "rewards[%d].%s", i, f.name)
			}
		}
		spoken := r.Paid.Add(r.Unassigned)
		for _, v := range c.Validators {
			spoken = spoken.Add(v.Pool.HeldOver().AmountOf(r.Denom))
			for _, p := range sums[poolID{c.Consumer.ID, v.Validator.Address}].entitled {
				spoken = spoken.Add(p.Owed(v.Pool).AmountOf(r.Denom))
			}
		}
		if spoken.GT(r.Received) {
			return errorsmod.Wrapf(ErrInconsistent, "rewards[%d].received: %s%s is less than the %s paid, owed, held over and unassigned", i, r.Received, r.Denom, spoken)
		}
	}
	return nil
}

// validate checks a validator and its pool against the sum over its positions.
func (g GenesisValidator) validate(round, batch uint64, sum poolSum) error {
	if err := g.Validator.validate(round); err != nil {
		return errorsmod.Wrap(err, "validator")
	}
	p := g.Pool
	for _, f := range []struct {
		name   string
		amount math.Int
	}{{"bonded", p.Bonded}, {"synced", p.Synced}, {"unsettled", p.Unsettled}} {
		if err := validateAmount(f.amount); err != nil {
			return errorsmod.Wrapf(err, "pool.%s", f.name)
		}
	}
	if err := g.validateBonded(sum); err != nil {
		return err
	}
	switch {
	case p.Positions != sum.positions:
		return errorsmod.Wrapf(ErrInconsistent, "pool.positions: %d, there are %d", p.Positions, sum.positions)
	case p.LivePositions != sum.live:
		return errorsmod.Wrapf(ErrInconsistent, "pool.live_positions: %d, there are %d", p.LivePositions, sum.live)
	case p.BatchID != batch:
		return errorsmod.Wrapf(ErrInconsistent, "pool.batch_id: %d, it is carried by batch %d", p.BatchID, batch)
	case sum.sent && batch == 0:
		return errorsmod.Wrap(ErrInconsistent, "pool.batch_id: 0 although an operation is in flight")
	case g.Dirty && batch != 0:
		return errorsmod.Wrap(ErrInconsistent, "dirty: true although a batch is in flight")
	}
	for i, r := range p.Rewards {
		if i > 0 && r.Denom <= p.Rewards[i-1].Denom {
			return errorsmod.Wrapf(ErrInconsistent, "pool.rewards[%d].denom: %q is a duplicate or out of order", i, r.Denom)
		}
		for _, f := range []struct {
			name  string
			value math.Int
		}{{"index", r.Index}, {"remainder", r.Remainder}, {"held_over", r.HeldOver}} {
			if f.value.IsNil() || f.value.IsNegative() {
				return errorsmod.Wrapf(ErrInvalidAmount, "pool.rewards[%d].%s: %s", i, f.name, f.value)
			}
		}
	}
	for _, position := range sum.entitled {
		for _, r := range position.Rewards {
			index, found := p.index(r.Denom)
			if !found || r.Start.GT(index) {
				return errorsmod.Wrapf(ErrInconsistent, "pool.rewards: a position's rewards in %s start at %s, beyond the pool's index", r.Denom, r.Start)
			}
		}
	}
	return nil
}

// index returns the pool's reward index of a denom.
func (p Pool) index(denom string) (math.Int, bool) {
	for _, r := range p.Rewards {
		if r.Denom == denom {
			return r.Index, true
		}
	}
	return math.Int{}, false
}

func (v Validator) validate(round uint64) error {
	if err := control.ValidateName(v.Address); err != nil {
		return errorsmod.Wrap(err, "address")
	}
	if v.Status < control.StatusActive || v.Status > control.StatusRemoved {
		return errorsmod.Wrapf(ErrInvalidValidator, "status: %d is unknown", v.Status)
	}
	if v.Ended() != (v.EndedAt != nil) {
		return errorsmod.Wrapf(ErrInvalidValidator, "ended_at: must be set if and only if the validator has ended (%s, key conflict %t)", v.Status, v.KeyConflict())
	}
	if v.SeenRound > round {
		return errorsmod.Wrapf(ErrInvalidValidator, "seen_round: %d is above the sync's %d", v.SeenRound, round)
	}
	if len(v.Keys) == 0 || len(v.Keys) > MaxKeysPerValidator {
		return errorsmod.Wrapf(ErrInvalidValidator, "keys: %d, 1 to %d are possible", len(v.Keys), MaxKeysPerValidator)
	}
	for i, k := range v.Keys {
		if len(k.ConsPubkey) != ed25519.PublicKeySize {
			return errorsmod.Wrapf(ErrInvalidValidator, "keys[%d].cons_pubkey: %d bytes, an ed25519 key has %d", i, len(k.ConsPubkey), ed25519.PublicKeySize)
		}
		if i > 0 && k.From.LT(v.Keys[i-1].From) {
			return errorsmod.Wrapf(ErrInvalidValidator, "keys[%d].from: %s is below the one before", i, k.From)
		}
	}
	if v.KeyConflict() && (len(v.PendingKey) != ed25519.PublicKeySize || bytes.Equal(v.PendingKey, v.PresentKey())) {
		return errorsmod.Wrap(ErrInvalidValidator, "pending_key: must be another ed25519 key than the present one")
	}
	return nil
}

// keyLedger finds consensus keys that two validators have at once.
type keyLedger struct {
	from map[string]string
	held map[string]string
}

func newKeyLedger() keyLedger {
	return keyLedger{from: make(map[string]string), held: make(map[string]string)}
}

func (l keyLedger) add(v Validator) error {
	for _, k := range v.Keys {
		window := string(k.ConsPubkey) + k.From.String()
		if other, taken := l.from[window]; taken && other != v.Address {
			return errorsmod.Wrapf(ErrKeyTaken, "%X from %s is also %s's", k.ConsPubkey, k.From, other)
		}
		l.from[window] = v.Address
	}
	key := v.PresentKey()
	if !v.HoldsKey(key) {
		return nil
	}
	if other, taken := l.held[string(key)]; taken {
		return errorsmod.Wrapf(ErrKeyTaken, "%X is also %s's", key, other)
	}
	l.held[string(key)] = v.Address
	return nil
}

// validateAmount accepts amounts of the control channel: 0 <= amount < 2^128.
func validateAmount(amount math.Int) error {
	if amount.IsNil() || amount.IsNegative() || amount.BigInt().BitLen() > control.MaxAmountBits {
		return errorsmod.Wrapf(ErrInvalidAmount, "%s, 0 to 2^%d - 1 are possible", amount, control.MaxAmountBits)
	}
	return nil
}
