package keeper

import (
	"context"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// unusableWait is after how many blocks a consumer is looked at again whose channel or light client cannot be used.
const unusableWait = 10

// makeReady has EndBlock look at the consumer's outbox.
func (k *Keeper) makeReady(ctx context.Context, consumerID uint64) error {
	ready, err := k.Ready.Has(ctx, consumerID)
	if err != nil || ready {
		return err
	}
	return k.Ready.Set(ctx, consumerID)
}

// nextReady finds the ready consumer with the lowest id above cursor.
func (k *Keeper) nextReady(ctx context.Context, cursor uint64) (consumerID uint64, found bool, err error) {
	err = k.Ready.Walk(ctx, new(collections.Range[uint64]).StartExclusive(cursor), func(id uint64) (bool, error) {
		consumerID, found = id, true
		return true, nil
	})
	return consumerID, found, err
}

// wakeUp makes the consumers ready whose wait is over, as many as a block puts to rest at most.
func (k *Keeper) wakeUp(ctx sdk.Context) error {
	var due []collections.Pair[int64, uint64]
	err := k.WakeUps.Walk(ctx, nil, func(key collections.Pair[int64, uint64]) (bool, error) {
		if len(due) == maxConsumersPerBlock || key.K1() > ctx.BlockHeight() {
			return true, nil
		}
		due = append(due, key)
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, key := range due {
		if err := k.WakeUps.Remove(ctx, key); err != nil {
			return err
		}
		if err := k.makeReady(ctx, key.K2()); err != nil {
			return err
		}
	}
	return nil
}

// rest takes a consumer that was served off the ready ones unless it can be sent more at once, so that those who must
// wait do not take the turn of others. One with nothing to send is woken by whatever makes a validator dirty, one
// without an open channel by the next channel, and any other after its wait.
func (k *Keeper) rest(ctx sdk.Context, consumerID uint64) error {
	dirty, err := k.hasDirty(ctx, consumerID)
	if err != nil {
		return err
	}
	consumer, err := k.GetConsumer(ctx, consumerID)
	if err != nil {
		return err
	}
	outbox, err := k.loadOutbox(ctx, consumerID)
	if err != nil {
		return err
	}
	wake := int64(0)
	resyncing := outbox.Resyncing(ctx.BlockHeight())
	switch {
	case !dirty && outbox.Snapshot == nil || consumer.Status != types.ConsumerOpen:
	case outbox.RetryHeight > ctx.BlockHeight():
		wake = outbox.RetryHeight
	case k.channelUsable(ctx, consumer) != nil, resyncing && !outbox.Snapshot.Sendable():
		wake = ctx.BlockHeight() + unusableWait
	case !dirty && !resyncing:
		wake = outbox.ResyncHeight
	default:
		return nil
	}
	if wake > 0 {
		if err := k.WakeUps.Set(ctx, collections.Join(wake, consumerID)); err != nil {
			return err
		}
	}
	return k.Ready.Remove(ctx, consumerID)
}

func (k *Keeper) hasDirty(ctx context.Context, consumerID uint64) (bool, error) {
	found := false
	err := k.Dirty.Walk(ctx, collections.NewPrefixedPairRange[uint64, string](consumerID), func(validatorKey) (bool, error) {
		found = true
		return true, nil
	})
	return found, err
}
