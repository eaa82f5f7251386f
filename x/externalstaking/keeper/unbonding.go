package keeper

import (
	"context"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// releaseRetry is how long a position waits whose release failed, so that it cannot hold up the others.
const releaseRetry = time.Hour

// loadUnbonding returns the entries of a position, in order of release.
func (k *Keeper) loadUnbonding(ctx context.Context, key positionKey) (types.Unbonding, error) {
	var unbonding types.Unbonding
	err := k.Unbondings.Walk(ctx, collections.NewPrefixedPairRange[positionKey, time.Time](key),
		func(_ entryKey, entry types.UnbondingEntry) (bool, error) {
			unbonding.Entries = append(unbonding.Entries, entry)
			return false, nil
		})
	return unbonding, err
}

// isUnbonding is true if the position has an entry.
func (k *Keeper) isUnbonding(ctx context.Context, key positionKey) (bool, error) {
	found := false
	err := k.Unbondings.Walk(ctx, collections.NewPrefixedPairRange[positionKey, time.Time](key),
		func(entryKey, types.UnbondingEntry) (bool, error) {
			found = true
			return true, nil
		})
	return found, err
}

// nextUnbonding finds the earliest entry of the user's next position on the consumer, after one or the first. It steps
// over the position's other entries, so that what is not due costs little.
func (k *Keeper) nextUnbonding(ctx context.Context, user sdk.AccAddress, consumerID uint64, after *positionKey) (first entryKey, found bool, err error) {
	all := collections.PairPrefix[positionKey, time.Time](collections.TripleSuperPrefix[sdk.AccAddress, uint64, string](user, consumerID))
	entries := entryRange{start: collections.RangeKeyExact(all), end: collections.RangeKeyPrefixEnd(all)}
	if after != nil {
		entries.start = collections.RangeKeyPrefixEnd(collections.PairPrefix[positionKey, time.Time](*after))
	}
	err = k.Unbondings.Walk(ctx, entries, func(key entryKey, _ types.UnbondingEntry) (bool, error) {
		first, found = key, true
		return true, nil
	})
	return first, found, err
}

// entryRange is a range with any bounds; the package's own begin only at a key.
type entryRange struct {
	start, end *collections.RangeKey[entryKey]
}

// RangeValues implements collections.Ranger.
func (r entryRange) RangeValues() (start, end *collections.RangeKey[entryKey], order collections.Order, err error) {
	return r.start, r.end, collections.OrderAscending, nil
}

// setUnbonding writes an entry and makes it wake its position up.
func (k *Keeper) setUnbonding(ctx context.Context, key positionKey, entry types.UnbondingEntry) error {
	if err := k.UnbondingQueue.Set(ctx, collections.Join(entry.ReleaseTime, key)); err != nil {
		return err
	}
	return k.Unbondings.Set(ctx, collections.Join(key, entry.ReleaseTime), entry)
}

// removeUnbonding removes the entry that is released at a time.
func (k *Keeper) removeUnbonding(ctx context.Context, key positionKey, release time.Time) error {
	if err := k.UnbondingQueue.Remove(ctx, collections.Join(release, key)); err != nil {
		return err
	}
	return k.Unbondings.Remove(ctx, collections.Join(key, release))
}

// addUnbonding adds an entry to a position and returns when it will be released.
func (k *Keeper) addUnbonding(ctx context.Context, key positionKey, entry types.UnbondingEntry) (time.Time, error) {
	unbonding, err := k.loadUnbonding(ctx, key)
	if err != nil {
		return time.Time{}, err
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if err := k.noteUnbonded(ctx, key, entry); err != nil {
		return time.Time{}, err
	}
	added, joined := unbonding.Add(entry, params.MaxEntriesPerPosition)
	if joined != nil && !joined.Equal(added.ReleaseTime) {
		if err := k.removeUnbonding(ctx, key, *joined); err != nil {
			return time.Time{}, err
		}
	}
	return added.ReleaseTime, k.setUnbonding(ctx, key, added)
}

// noteUnbonded notes until when an entry that left its validator with a batch can be hit by a slash.
func (k *Keeper) noteUnbonded(ctx context.Context, key positionKey, entry types.UnbondingEntry) error {
	if entry.BatchID == 0 || entry.Hit {
		return nil
	}
	noted := collections.Join3(key.K2(), key.K3(), entry.BatchID)
	// All of a batch are released at the same time.
	if has, err := k.UnbondedBatches.Has(ctx, noted); err != nil || has {
		return err
	}
	if err := k.forgetDueBatches(ctx, key.K2(), key.K3()); err != nil {
		return err
	}
	return k.UnbondedBatches.Set(ctx, noted, entry.ReleaseTime)
}

// releaseDue removes the entries of one position that are due at a time and returns their sum. The caller releases the
// lien.
func (k *Keeper) releaseDue(ctx context.Context, key positionKey, at time.Time) (math.Int, error) {
	released := math.ZeroInt()
	unbonding, err := k.loadUnbonding(ctx, key)
	if err != nil {
		return released, err
	}
	user, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
	if err != nil {
		return released, err
	}
	for _, entry := range unbonding.TakeDue(at) {
		if err := k.removeUnbonding(ctx, key, entry.ReleaseTime); err != nil {
			return released, err
		}
		if err := k.UnbondedBatches.Remove(ctx, collections.Join3(key.K2(), key.K3(), entry.BatchID)); err != nil {
			return released, err
		}
		released = released.Add(entry.Amount)
		if err := emit(ctx, &types.EventUnbondingReleased{
			User: user, ConsumerID: key.K2(), Validator: key.K3(), Amount: entry.Amount.String(),
		}); err != nil {
			return released, err
		}
	}
	if len(unbonding.Entries) > 0 {
		return released, nil
	}
	return released, k.lastEntryLeft(ctx, key)
}

// lastEntryLeft counts a position out, or deletes it, if its last entry was all but rewards that it held.
func (k *Keeper) lastEntryLeft(ctx context.Context, key positionKey) error {
	position, err := k.Positions.Get(ctx, key)
	if err != nil || position.Staked() {
		return err
	}
	pool, err := k.loadPool(ctx, key.K2(), key.K3())
	if err != nil {
		return err
	}
	if err := k.savePosition(ctx, key, position, &pool); err != nil {
		return err
	}
	return k.savePool(ctx, key.K2(), key.K3(), pool)
}

// releaseMatured works through the unbonding queue, at most budget positions, and returns what is left of the budget.
// An entry is released by settling its user, so that no slash from before its time is missed.
func (k *Keeper) releaseMatured(ctx sdk.Context, budget int) (int, error) {
	due, err := k.dueKeys(ctx, budget)
	if err != nil {
		return budget, err
	}
	for _, wake := range due {
		if budget <= 0 {
			break
		}
		pieces, err := k.release(ctx, wake)
		if err != nil {
			return budget, err
		}
		budget -= pieces
	}
	return budget, nil
}

// release settles the user of a due entry and returns how many pieces that went through, at least 1.
func (k *Keeper) release(ctx sdk.Context, wake collections.Pair[time.Time, positionKey]) (int, error) {
	waiting, err := k.UnbondingQueue.Has(ctx, wake)
	if err != nil || !waiting {
		// It was released together with another entry of its user.
		return 1, err
	}
	key := wake.K2()
	pieces, err := k.vault.TrySettle(ctx, key.K1())
	if err != nil {
		k.reportSkipped(ctx, key.K2(), key.K3(), "release: "+err.Error())
		return pieces, k.postponeRelease(ctx, wake)
	}
	// One that was postponed leaves its wake-up behind.
	return pieces, k.UnbondingQueue.Remove(ctx, wake)
}

// dueKeys collects up to limit positions that wait for their time at or before this block's.
func (k *Keeper) dueKeys(ctx sdk.Context, limit int) ([]collections.Pair[time.Time, positionKey], error) {
	var due []collections.Pair[time.Time, positionKey]
	now := ctx.BlockTime()
	err := k.UnbondingQueue.Walk(ctx, nil, func(wake collections.Pair[time.Time, positionKey]) (bool, error) {
		if len(due) >= limit || wake.K1().After(now) {
			return true, nil
		}
		due = append(due, wake)
		return false, nil
	})
	return due, err
}

// postponeRelease makes a position whose release failed try again later. The queue's time is only a wake-up: what is
// due is always read from the entries.
func (k *Keeper) postponeRelease(ctx sdk.Context, wake collections.Pair[time.Time, positionKey]) error {
	if err := k.UnbondingQueue.Remove(ctx, wake); err != nil {
		return err
	}
	return k.UnbondingQueue.Set(ctx, collections.Join(ctx.BlockTime().Add(releaseRetry), wake.K2()))
}
