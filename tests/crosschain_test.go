package tests

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/control"
	converterkeeper "github.com/mesh-security/mesh/x/converter/keeper"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingkeeper "github.com/mesh-security/mesh/x/externalstaking/keeper"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// providerView reads one consumer's state on the provider.
type providerView struct {
	ctx      context.Context
	keeper   *externalstakingkeeper.Keeper
	consumer uint64
}

// consumerView reads one converter's state on the consumer.
type consumerView struct {
	ctx       context.Context
	keeper    *converterkeeper.Keeper
	converter uint64
}

// backing is what the provider knows of the stake of one validator.
type backing struct {
	bonded math.Int
	// synced is the last total the consumer accepted.
	synced math.Int
	// sent is the total in the packet in flight, nil without one.
	sent *math.Int
	// sentStake is the stake of all positions that the packet in flight carries.
	sentStake math.Int
	// reducing is true while the total waits to be sent, or is in flight.
	reducing bool
	// ended is true if nothing counts for the validator any more, resync while all is told anew: until then the consumer may have
	// refused what it is believed to have accepted.
	ended, resync bool
}

// total is what the consumer should count once nothing is on its way: nothing for a validator that has ended.
func (b backing) total() math.Int {
	if b.ended {
		return math.ZeroInt()
	}
	return b.bonded
}

// limit is the most that may be counted at this instant: committed stake, stake in flight at its sent amount, and stake that
// left without a packet while the consumer has not been told.
func (b backing) limit() math.Int {
	limit := b.bonded.Add(b.sentStake)
	if b.sent != nil {
		limit = math.MaxInt(limit, *b.sent)
	}
	if b.reducing {
		limit = math.MaxInt(limit, b.synced)
	}
	return limit
}

func zeroBacking() backing {
	return backing{bonded: math.ZeroInt(), synced: math.ZeroInt(), sentStake: math.ZeroInt()}
}

// cleared is true once nothing is left of a retired consumer. Then nothing is known of it any more: what it may still count, its
// own chain takes away when the provider was silent for long enough.
func (v providerView) cleared() bool {
	consumer, err := v.keeper.Consumers.Get(v.ctx, v.consumer)
	if err != nil || !consumer.Retired {
		return false
	}
	leaving, err := v.keeper.Retirements.Has(v.ctx, v.consumer)
	return err == nil && !leaving
}

// takesStake tells whether the consumer can be told of new stake, as far as the provider's own records say so.
func (v providerView) takesStake(clientActive bool) bool {
	consumer, err := v.keeper.Consumers.Get(v.ctx, v.consumer)
	if err != nil || consumer.Status != externalstakingtypes.ConsumerOpen || !clientActive {
		return false
	}
	sync, err := v.keeper.Syncs.Get(v.ctx, v.consumer)
	if err != nil || !sync.Complete {
		return false
	}
	outbox, err := v.keeper.Outboxes.Get(v.ctx, v.consumer)
	return err == nil && outbox.Snapshot == nil
}

// backings reads every validator's backing and whether anything is queued or in flight for the consumer.
func (v providerView) backings() (map[string]backing, bool, error) {
	all := map[string]backing{}
	get := func(validator string) backing {
		if b, ok := all[validator]; ok {
			return b
		}
		return zeroBacking()
	}
	consumer, err := v.keeper.Consumers.Get(v.ctx, v.consumer)
	if err != nil {
		return nil, false, err
	}
	outbox, err := v.keeper.Outboxes.Get(v.ctx, v.consumer)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, false, err
	}
	resync := outbox.Snapshot != nil
	quiet := !resync
	err = errors.Join(
		v.keeper.Pools.Walk(v.ctx, collections.NewPrefixedPairRange[uint64, string](v.consumer),
			func(key collections.Pair[uint64, string], pool externalstakingtypes.Pool) (bool, error) {
				b := get(key.K2())
				b.bonded, b.synced = pool.Bonded, pool.Synced
				all[key.K2()] = b
				return false, nil
			}),
		v.keeper.Validators.Walk(v.ctx, collections.NewPrefixedPairRange[uint64, string](v.consumer),
			func(key collections.Pair[uint64, string], validator externalstakingtypes.Validator) (bool, error) {
				b := get(key.K2())
				b.ended = validator.Ended()
				all[key.K2()] = b
				return false, nil
			}),
		v.keeper.Dirty.Walk(v.ctx, collections.NewPrefixedPairRange[uint64, string](v.consumer),
			func(key collections.Pair[uint64, string]) (bool, error) {
				b := get(key.K2())
				b.reducing, quiet = true, false
				all[key.K2()] = b
				return false, nil
			}),
		v.keeper.Batches.Walk(v.ctx, collections.NewPrefixedPairRange[uint64, uint64](v.consumer),
			func(_ collections.Pair[uint64, uint64], batch externalstakingtypes.Batch) (bool, error) {
				quiet = false
				for _, entry := range batch.Entries {
					b := get(entry.Validator)
					if b.sent != nil {
						return true, fmt.Errorf("validator %s is in two batches in flight", entry.Validator)
					}
					b.sent, b.reducing = &entry.Stake, true
					all[entry.Validator] = b
				}
				return false, nil
			}),
		v.keeper.Positions.Walk(v.ctx, nil,
			func(key collections.Triple[sdk.AccAddress, uint64, string], position externalstakingtypes.Position) (bool, error) {
				if key.K2() != v.consumer {
					return false, nil
				}
				b := get(key.K3())
				b.sentStake = b.sentStake.Add(position.SentStake.Value())
				all[key.K3()] = b
				return false, nil
			}),
	)
	for validator, b := range all {
		b.ended, b.resync = b.ended || consumer.Retired, resync
		all[validator] = b
	}
	return all, quiet, err
}

// counted is the stake the consumer counts, by validator.
func (v consumerView) counted() (map[string]math.Int, error) {
	counted := map[string]math.Int{}
	err := v.keeper.Stake.Walk(v.ctx, collections.NewPrefixedPairRange[uint64, string](v.converter),
		func(key collections.Pair[uint64, string], stake math.Int) (bool, error) {
			counted[key.K2()] = stake
			return false, nil
		})
	return counted, err
}

// checkX1: at every instant what is counted on the consumer is backed on the provider. More precisely it is either what
// the consumer last confirmed or what the packet in flight says, never anything else.
func checkX1(p providerView, c consumerView) error {
	if p.cleared() {
		return nil
	}
	backings, _, err := p.backings()
	if err != nil {
		return err
	}
	counted, err := c.counted()
	if err != nil {
		return err
	}
	for _, validator := range names(backings, counted) {
		stake, ok := counted[validator]
		if !ok {
			stake = math.ZeroInt()
		}
		b, ok := backings[validator]
		if !ok {
			b = zeroBacking()
		}
		if stake.GT(b.limit()) {
			return fmt.Errorf("X1: %s counts %s on the consumer, but only %s stands behind it", validator, stake, b.limit())
		}
		less := stake.LT(b.synced) && (b.ended || b.resync)
		if !stake.Equal(b.synced) && (b.sent == nil || !stake.Equal(*b.sent)) && !less {
			return fmt.Errorf("X1: %s counts %s on the consumer, which is neither confirmed (%s) nor in flight (%v)", validator, stake, b.synced, b.sent)
		}
	}
	return nil
}

// checkX2: when nothing is queued or in flight both chains agree on every validator. It returns whether that was so.
func checkX2(p providerView, c consumerView) (quiet bool, err error) {
	if p.cleared() {
		return true, nil
	}
	backings, quiet, err := p.backings()
	if err != nil || !quiet {
		return false, err
	}
	counted, err := c.counted()
	if err != nil {
		return true, err
	}
	for _, validator := range names(backings, counted) {
		stake, ok := counted[validator]
		if !ok {
			stake = math.ZeroInt()
		}
		b, ok := backings[validator]
		if !ok {
			b = zeroBacking()
		}
		if !stake.Equal(b.total()) {
			return true, fmt.Errorf("X2: %s counts %s on the consumer and %s on the provider", validator, stake, b.total())
		}
	}
	return true, nil
}

// checkX3: every reward the consumer withdrew is in its backlog, in flight, or arrived; the provider credited what
// arrived, at most what left.
func checkX3(p providerView, c consumerView, voucherOf func(denom string) string) error {
	withdrawn, arrived := map[string]math.Int{}, map[string]math.Int{}
	state, err := c.keeper.RewardStates.Get(c.ctx, c.converter)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	for _, t := range state.Totals {
		withdrawn[t.Denom], arrived[t.Denom] = t.Withdrawn, t.Arrived
	}
	backlog, inFlight := map[string]math.Int{}, map[string]math.Int{}
	add := func(to map[string]math.Int, denom string, amount math.Int) {
		if sum, ok := to[denom]; ok {
			amount = amount.Add(sum)
		}
		to[denom] = amount
	}
	err = errors.Join(
		c.keeper.Backlog.Walk(c.ctx, nil, func(key collections.Triple[uint64, string, string], amount math.Int) (bool, error) {
			if key.K1() == c.converter {
				add(backlog, key.K2(), amount)
			}
			return false, nil
		}),
		c.keeper.RewardTransfers.Walk(c.ctx, nil, func(_ collections.Pair[string, uint64], t convertertypes.RewardTransfer) (bool, error) {
			if t.ConverterID == c.converter {
				add(inFlight, t.Denom, t.Total())
			}
			return false, nil
		}),
	)
	if err != nil {
		return err
	}
	for _, denom := range names(withdrawn, backlog, inFlight) {
		sum := zeroIfNil(backlog[denom]).Add(zeroIfNil(inFlight[denom])).Add(zeroIfNil(arrived[denom]))
		if !sum.Equal(zeroIfNil(withdrawn[denom])) {
			return fmt.Errorf("X3: %s%s withdrawn, but backlog %s + in flight %s + arrived %s", zeroIfNil(withdrawn[denom]), denom,
				zeroIfNil(backlog[denom]), zeroIfNil(inFlight[denom]), zeroIfNil(arrived[denom]))
		}
		if p.cleared() {
			continue
		}
		received := math.ZeroInt()
		totals, err := p.keeper.RewardTotals.Get(p.ctx, collections.Join(p.consumer, voucherOf(denom)))
		switch {
		case err == nil:
			received = totals.Received
		case !errors.Is(err, collections.ErrNotFound):
			return err
		}
		if received.LT(zeroIfNil(arrived[denom])) || received.GT(zeroIfNil(arrived[denom]).Add(zeroIfNil(inFlight[denom]))) {
			return fmt.Errorf("X3: provider received %s%s, the consumer knows of %s arrived and %s in flight", received, denom,
				zeroIfNil(arrived[denom]), zeroIfNil(inFlight[denom]))
		}
	}
	return nil
}

// statusOf is the provider's idea of a consumer validator.
func (v providerView) statusOf(validator string) control.ValidatorStatus {
	got, err := v.keeper.Validators.Get(v.ctx, collections.Join(v.consumer, validator))
	if err != nil {
		return control.StatusUnspecified
	}
	return got.Status
}

func zeroIfNil(amount math.Int) math.Int {
	if amount.IsNil() {
		return math.ZeroInt()
	}
	return amount
}

// names are the keys of all maps, sorted.
func names(all ...any) []string {
	set := map[string]struct{}{}
	for _, m := range all {
		switch m := m.(type) {
		case map[string]math.Int:
			for name := range m {
				set[name] = struct{}{}
			}
		case map[string]backing:
			for name := range m {
				set[name] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}
