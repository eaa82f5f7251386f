package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
)

// robin returns up to limit members of set, beginning after the one that was served last and wrapping around once, so
// that many members share a bounded number of places fairly.
func robin(ctx context.Context, set collections.KeySet[uint64], last collections.Item[uint64], limit int) ([]uint64, error) {
	served, err := last.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, err
	}
	var ids []uint64
	collect := func(id uint64) (bool, error) {
		if len(ids) == limit {
			return true, nil
		}
		ids = append(ids, id)
		return false, nil
	}
	if err := set.Walk(ctx, new(collections.Range[uint64]).StartExclusive(served), collect); err != nil {
		return nil, err
	}
	return ids, set.Walk(ctx, new(collections.Range[uint64]).EndInclusive(served), collect)
}

// serve remembers id as the one that was served last; it writes only if that changed.
func serve(ctx context.Context, last collections.Item[uint64], id uint64) error {
	if served, err := last.Get(ctx); err == nil && served == id {
		return nil
	}
	return last.Set(ctx, id)
}
