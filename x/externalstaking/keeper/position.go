package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// loadPosition returns a position, a new one if the user has none there.
func (k *Keeper) loadPosition(ctx context.Context, key positionKey) (position types.Position, isNew bool, err error) {
	position, err = k.Positions.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return types.NewPosition(), true, nil
	}
	return position, false, err
}

// savePosition writes a position that was live until now. Once nothing but rewards is left of it, it is counted out of
// the live ones of its pool, and without rewards it is deleted. The caller saves the pool.
func (k *Keeper) savePosition(ctx context.Context, key positionKey, position types.Position, pool *types.Pool) error {
	if position.ForcedAt != nil && !position.Queued() && !position.Sent() {
		// On a retired consumer stake itself may be on the queue.
		retired, err := k.Retirements.Has(ctx, key.K2())
		if err != nil {
			return err
		}
		if !retired || position.Bonded.IsZero() {
			if err := k.unforce(ctx, key, &position); err != nil {
				return err
			}
		}
	}
	live, err := k.isLive(ctx, key, position)
	if err != nil {
		return err
	}
	if live {
		return k.Positions.Set(ctx, key, position)
	}
	pool.LivePositions--
	if pool.LivePositions == 0 {
		if err := k.poolEmptied(ctx, key.K2(), key.K3()); err != nil {
			return err
		}
	}
	if !position.Empty() {
		return k.Positions.Set(ctx, key, position)
	}
	return k.deletePosition(ctx, key, pool)
}

// saveRewards writes a position whose rewards were taken, or deletes it if they were all that was left of it. The caller
// saves the pool if its positions have changed.
func (k *Keeper) saveRewards(ctx context.Context, key positionKey, position types.Position, pool *types.Pool) error {
	live, err := k.isLive(ctx, key, position)
	if err != nil {
		return err
	}
	if live || !position.Empty() {
		return k.Positions.Set(ctx, key, position)
	}
	return k.deletePosition(ctx, key, pool)
}

// isLive is true if anything but rewards is left of the position: stake, an operation or an unbonding entry.
func (k *Keeper) isLive(ctx context.Context, key positionKey, position types.Position) (bool, error) {
	if position.Staked() {
		return true, nil
	}
	return k.isUnbonding(ctx, key)
}

func (k *Keeper) deletePosition(ctx context.Context, key positionKey, pool *types.Pool) error {
	if err := k.Positions.Remove(ctx, key); err != nil {
		return err
	}
	if err := k.Stakers.Remove(ctx, collections.Join3(key.K2(), key.K3(), key.K1())); err != nil {
		return err
	}
	pool.Positions--
	if pool.Positions > 0 {
		return nil
	}
	if err := k.lookAtRetirement(ctx, key.K2()); err != nil {
		return err
	}
	return k.poolEmptied(ctx, key.K2(), key.K3())
}

// enqueue gives the position's queued operations a place in the outbox unless they have one.
func (k *Keeper) enqueue(ctx context.Context, key positionKey, position *types.Position) error {
	if position.QueueSequence != 0 {
		return nil
	}
	last, err := k.QueueSequence.Next(ctx)
	if err != nil {
		return err
	}
	// 0 stands for no place.
	position.QueueSequence = last + 1
	return k.Queue.Set(ctx, collections.Join3(key.K2(), key.K3(), position.QueueSequence), key.K1())
}

// dequeue gives the place in the outbox back.
func (k *Keeper) dequeue(ctx context.Context, key positionKey, position *types.Position) error {
	place := collections.Join3(key.K2(), key.K3(), position.QueueSequence)
	position.QueueSequence = 0
	return k.Queue.Remove(ctx, place)
}

// hasRoomForPosition is true if the user has fewer than limit positions on the consumer.
func (k *Keeper) hasRoomForPosition(ctx context.Context, user sdk.AccAddress, consumerID uint64, limit uint32) (bool, error) {
	n := uint32(0)
	err := k.Positions.Walk(ctx, collections.NewSuperPrefixedTripleRange[sdk.AccAddress, uint64, string](user, consumerID),
		func(positionKey, types.Position) (bool, error) {
			n++
			return n >= limit, nil
		})
	return n < limit, err
}
