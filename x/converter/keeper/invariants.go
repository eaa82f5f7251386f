package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/converter/types"
)

// Invariants are the design's checks over this module's state.
func (k *Keeper) Invariants() []invariant.Named {
	return []invariant.Named{
		{ID: "K4", Check: k.InvariantK4},
		{ID: "X3-consumer", Check: k.InvariantX3},
	}
}

// InvariantK4 checks that a converter's account holds at least its backlog, per denom. What is in flight has
// left the account, and what came back is in the backlog.
func (k *Keeper) InvariantK4(ctx context.Context) error {
	return k.Converters.Walk(ctx, nil, func(id uint64, c types.Converter) (bool, error) {
		backlog, err := k.backlog(ctx, id)
		if err != nil {
			return false, err
		}
		for _, b := range backlog {
			if held := k.bankKeeper.GetBalance(ctx, c.Account(), b.denom); held.Amount.LT(b.amount) {
				return true, fmt.Errorf("converter %d holds %s, its backlog is %s%s", id, held, b.amount, b.denom)
			}
		}
		return false, nil
	})
}

// InvariantX3 is the consumer's half: per converter and denom, rewards withdrawn = backlog + in flight + arrived, and
// the queue and the count of transfers agree with both.
func (k *Keeper) InvariantX3(ctx context.Context) error {
	return k.Converters.Walk(ctx, nil, func(id uint64, _ types.Converter) (bool, error) {
		state, err := k.rewardState(ctx, id)
		if err != nil {
			return false, err
		}
		backlog, err := k.backlog(ctx, id)
		if err != nil {
			return false, err
		}
		inFlight, transfers, err := k.inFlight(ctx, id)
		if err != nil {
			return false, err
		}
		if transfers != state.InFlight {
			return true, fmt.Errorf("converter %d counts %d transfers in flight, %d are stored", id, state.InFlight, transfers)
		}
		queued, err := k.RewardQueue.Has(ctx, id)
		if err != nil {
			return false, err
		}
		if len(backlog) > 0 && !queued {
			return true, fmt.Errorf("converter %d has a backlog and is not in the queue", id)
		}
		left := map[string]math.Int{}
		for _, t := range state.Totals {
			left[t.Denom] = t.Withdrawn.Sub(t.Arrived)
		}
		for _, part := range append(backlog, inFlight...) {
			if _, known := left[part.denom]; !known {
				return true, fmt.Errorf("converter %d has %s%s pending or in flight, none was withdrawn", id, part.amount, part.denom)
			}
			left[part.denom] = left[part.denom].Sub(part.amount)
		}
		for _, t := range state.Totals {
			if !left[t.Denom].IsZero() {
				return true, fmt.Errorf("converter %d: withdrawn %s%s differs from backlog + in flight + arrived by %s", id, t.Withdrawn, t.Denom, left[t.Denom])
			}
		}
		return false, nil
	})
}

// part is an amount of one denom.
type part struct {
	denom  string
	amount math.Int
}

// backlog is the sum per denom of a converter's unsent rewards.
func (k *Keeper) backlog(ctx context.Context, id uint64) ([]part, error) {
	var parts []part
	err := k.Backlog.Walk(ctx, collections.NewPrefixedTripleRange[uint64, string, string](id),
		func(key collections.Triple[uint64, string, string], amount math.Int) (bool, error) {
			// Entries of one denom follow each other.
			if n := len(parts); n > 0 && parts[n-1].denom == key.K2() {
				parts[n-1].amount = parts[n-1].amount.Add(amount)
			} else {
				parts = append(parts, part{key.K2(), amount})
			}
			return false, nil
		})
	return parts, err
}

// inFlight are a converter's transfers, and their number.
func (k *Keeper) inFlight(ctx context.Context, id uint64) (parts []part, transfers uint32, err error) {
	err = k.RewardTransfers.Walk(ctx, nil, func(_ collections.Pair[string, uint64], t types.RewardTransfer) (bool, error) {
		if t.ConverterID == id {
			parts = append(parts, part{t.Denom, t.Total()})
			transfers++
		}
		return false, nil
	})
	return parts, transfers, err
}
