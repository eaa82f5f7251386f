package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// outcomeGas bounds the work to book one outcome.
const outcomeGas = 5_000_000

// keepOutcome keeps how a position's operations in flight have ended, because they cannot be booked now. They stay where
// they are, so the lien stays, and nothing else of the position is sent.
func (k *Keeper) keepOutcome(ctx sdk.Context, r resolution, key positionKey, cause error) error {
	if err := k.SentOps.Remove(ctx, collections.Join3(key.K2(), r.batchID, collections.Join(key.K3(), key.K1()))); err != nil {
		return err
	}
	if err := k.postponeOutcome(ctx, key, types.Outcome{Refused: r.refused}); err != nil {
		return err
	}
	user, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
	if err != nil {
		return err
	}
	return emit(ctx, &types.EventOutcomeKept{
		User: user, ConsumerID: key.K2(), Validator: key.K3(), Reason: shorten(cause.Error(), maxReasonBytes),
	})
}

// postponeOutcome has EndBlock try to book an outcome later.
func (k *Keeper) postponeOutcome(ctx sdk.Context, key positionKey, outcome types.Outcome) error {
	outcome.RetryHeight = ctx.BlockHeight() + types.OutcomeRetry
	return k.setOutcome(ctx, key, outcome)
}

func (k *Keeper) setOutcome(ctx context.Context, key positionKey, outcome types.Outcome) error {
	if err := k.OutcomeQueue.Set(ctx, collections.Join(outcome.RetryHeight, key)); err != nil {
		return err
	}
	return k.Outcomes.Set(ctx, key, outcome)
}

// keptOutcome returns the outcome of a position's operations in flight, nil if none is kept.
func (k *Keeper) keptOutcome(ctx context.Context, key positionKey) (*types.Outcome, error) {
	outcome, err := k.Outcomes.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &outcome, err
}

// forgetSent is called when nothing in flight is left of a position: neither the batch nor a kept outcome names it.
func (k *Keeper) forgetSent(ctx context.Context, key positionKey, pool types.Pool) error {
	if err := k.SentOps.Remove(ctx, collections.Join3(key.K2(), pool.BatchID, collections.Join(key.K3(), key.K1()))); err != nil {
		return err
	}
	outcome, err := k.keptOutcome(ctx, key)
	if err != nil || outcome == nil {
		return err
	}
	return k.forgetOutcome(ctx, key, *outcome)
}

func (k *Keeper) forgetOutcome(ctx context.Context, key positionKey, outcome types.Outcome) error {
	if err := k.OutcomeQueue.Remove(ctx, collections.Join(outcome.RetryHeight, key)); err != nil {
		return err
	}
	return k.Outcomes.Remove(ctx, key)
}

// bookOutcomes tries to book the kept outcomes that are due, at most budget of them.
func (k *Keeper) bookOutcomes(ctx sdk.Context, budget int) error {
	var due []positionKey
	err := k.OutcomeQueue.Walk(ctx, nil, func(next outcomeKey) (bool, error) {
		if len(due) >= budget || next.K1() > ctx.BlockHeight() {
			return true, nil
		}
		due = append(due, next.K2())
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, key := range due {
		_, err := k.vault.TrySettle(ctx, key.K1())
		if err == nil {
			err = isolate.WithGas(ctx, outcomeGas, func(ctx sdk.Context) error { return k.bookOutcome(ctx, key) })
		}
		if err == nil {
			continue
		}
		k.reportSkipped(ctx, key.K2(), key.K3(), "outcome: "+err.Error())
		if err := k.retryOutcome(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) retryOutcome(ctx sdk.Context, key positionKey) error {
	outcome, err := k.Outcomes.Get(ctx, key)
	if err != nil {
		return err
	}
	if err := k.forgetOutcome(ctx, key, outcome); err != nil {
		return err
	}
	return k.postponeOutcome(ctx, key, outcome)
}

// bookOutcome ends the operations of a kept outcome. What is unstaked becomes an entry without a batch: since the consumer
// answered, later totals have counted it again.
func (k *Keeper) bookOutcome(ctx sdk.Context, key positionKey) error {
	outcome, err := k.keptOutcome(ctx, key)
	if err != nil || outcome == nil {
		// The settle has left nothing of the operations.
		return err
	}
	if err := k.forgetOutcome(ctx, key, *outcome); err != nil {
		return err
	}
	consumer, err := k.GetConsumer(ctx, key.K2())
	if err != nil {
		return err
	}
	r, err := k.newResolution(ctx, consumer, key.K3())
	if err != nil {
		return err
	}
	r.refused = outcome.Refused
	pool, err := k.loadPool(ctx, key.K2(), key.K3())
	if err != nil {
		return err
	}
	if err := k.resolveSent(ctx, r, key, &pool); err != nil {
		return err
	}
	return k.saveResolved(ctx, key.K2(), key.K3(), pool)
}
