package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// loadPool returns the pool of a validator, a new one if it has none yet.
func (k *Keeper) loadPool(ctx context.Context, consumerID uint64, validator string) (types.Pool, error) {
	pool, err := k.Pools.Get(ctx, collections.Join(consumerID, validator))
	if errors.Is(err, collections.ErrNotFound) {
		return types.NewPool(), nil
	}
	return pool, err
}

// savePool writes a pool. One that has lost its last position while rewards are held over is looked at in EndBlock,
// which finds out whether anybody can still stake to it.
func (k *Keeper) savePool(ctx context.Context, consumerID uint64, validator string, pool types.Pool) error {
	key := collections.Join(consumerID, validator)
	if pool.Positions == 0 && !pool.HeldOver().IsZero() {
		if err := k.Resolving.Set(ctx, key); err != nil {
			return err
		}
	}
	return k.Pools.Set(ctx, key, pool)
}

// saveResolved writes a pool some of whose operations have ended, and has its total looked at. Whoever stakes first into an
// empty pool gets what was held over.
func (k *Keeper) saveResolved(ctx context.Context, consumerID uint64, validator string, pool types.Pool) error {
	pool.Distribute()
	if err := k.savePool(ctx, consumerID, validator, pool); err != nil {
		return err
	}
	return k.markDirty(ctx, consumerID, validator, pool)
}

// markDirty makes EndBlock look at the validator's total. While a batch carries the validator it waits: whatever ends
// the batch marks it again.
func (k *Keeper) markDirty(ctx context.Context, consumerID uint64, validator string, pool types.Pool) error {
	if pool.BatchID != 0 {
		return nil
	}
	if err := k.Dirty.Set(ctx, collections.Join(consumerID, validator)); err != nil {
		return err
	}
	return k.makeReady(ctx, consumerID)
}

// validatorEnded is called once a validator was learned to be tombstoned, removed or in conflict about its key. From
// now on it counts for nothing; its queued operations are resolved by EndBlock, so the cost does not depend on how many
// there are.
func (k *Keeper) validatorEnded(ctx context.Context, consumerID uint64, validator string) error {
	pool, err := k.loadPool(ctx, consumerID, validator)
	if err != nil {
		return err
	}
	if err := k.markDirty(ctx, consumerID, validator, pool); err != nil {
		return err
	}
	return k.Resolving.Set(ctx, collections.Join(consumerID, validator))
}

// validatorRevived is called once a removed validator exists again, or a key conflict has gone: stake that is still
// bonded counts again.
func (k *Keeper) validatorRevived(ctx context.Context, consumerID uint64, validator string) error {
	pool, err := k.loadPool(ctx, consumerID, validator)
	if err != nil {
		return err
	}
	if err := k.Resolving.Remove(ctx, collections.Join(consumerID, validator)); err != nil {
		return err
	}
	return k.markDirty(ctx, consumerID, validator, pool)
}

// loadValidator returns a validator; one that is not known any more counts as removed.
func (k *Keeper) loadValidator(ctx context.Context, consumerID uint64, validator string) (types.Validator, error) {
	v, err := k.Validators.Get(ctx, collections.Join(consumerID, validator))
	if errors.Is(err, collections.ErrNotFound) {
		return types.Validator{Address: validator, Status: control.StatusRemoved}, nil
	}
	return v, err
}
