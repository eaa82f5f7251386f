package keeper

import (
	"cmp"
	"context"
	"slices"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// scheduled returns all next epochs as (height, source), earliest first.
func (k *Keeper) scheduled(ctx context.Context) ([]collections.Pair[int64, uint64], error) {
	it, err := k.Epochs.Iterate(ctx, nil)
	if err != nil {
		return nil, err
	}
	return it.Keys()
}

// activeSources returns the sources with a cap or outstanding stake in rising order of their ids. Exactly these have an
// epoch, and governance bounds their number, while anyone can create sources. Without any it costs one read.
func (k *Keeper) activeSources(ctx context.Context) ([]types.Source, error) {
	scheduled, err := k.scheduled(ctx)
	if err != nil {
		return nil, err
	}
	sources := make([]types.Source, len(scheduled))
	for i, epoch := range scheduled {
		if sources[i], err = k.Sources.Get(ctx, epoch.K2()); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(sources, func(a, b types.Source) int { return cmp.Compare(a.ID, b.ID) })
	return sources, nil
}

// epochsPerBlock is how many of n sources must share a block: one, unless there are more sources than blocks in an epoch.
func epochsPerBlock(n int, length int64) int {
	return int((int64(n) + length - 1) / length)
}

// schedule moves the source's next epoch to the first block from height on that is not full. The caller stores the source.
func (k *Keeper) schedule(ctx context.Context, source *types.Source, height int64) error {
	if err := k.unschedule(ctx, source); err != nil {
		return err
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	others, err := k.scheduled(ctx)
	if err != nil {
		return err
	}
	taken := make(map[int64]int, len(others))
	for _, epoch := range others {
		taken[epoch.K1()]++
	}
	for full := epochsPerBlock(len(others)+1, params.EpochLength); taken[height] >= full; {
		height++
	}
	source.NextEpoch = height
	return k.Epochs.Set(ctx, collections.Join(height, source.ID))
}

// unschedule takes the source's next epoch away. The caller stores the source.
func (k *Keeper) unschedule(ctx context.Context, source *types.Source) error {
	if source.NextEpoch == 0 {
		return nil
	}
	if err := k.Epochs.Remove(ctx, collections.Join(source.NextEpoch, source.ID)); err != nil {
		return err
	}
	source.NextEpoch = 0
	return nil
}

// scheduleIfNeeded is schedule for a source with a cap or outstanding stake, and unschedule for one without both.
func (k *Keeper) scheduleIfNeeded(ctx context.Context, source *types.Source, height int64) error {
	needed, err := k.needsEpochs(ctx, *source)
	if err != nil {
		return err
	}
	if needed {
		return k.schedule(ctx, source, height)
	}
	return k.unschedule(ctx, source)
}

// needsEpochs reports whether the source has a cap or outstanding stake.
func (k *Keeper) needsEpochs(ctx context.Context, source types.Source) (bool, error) {
	if source.MaxCap.IsPositive() {
		return true, nil
	}
	return k.hasOutstanding(ctx, types.VirtualAccount(source.ID))
}

// bringForward schedules epochs again that are further away than one epoch length.
func (k *Keeper) bringForward(ctx context.Context, params types.Params) error {
	scheduled, err := k.scheduled(ctx)
	if err != nil {
		return err
	}
	height := sdk.UnwrapSDKContext(ctx).BlockHeight()
	for _, epoch := range scheduled {
		if epoch.K1() <= height+params.EpochLength {
			continue
		}
		source, err := k.Sources.Get(ctx, epoch.K2())
		if err != nil {
			return err
		}
		if err := k.schedule(ctx, &source, height+1); err != nil {
			return err
		}
		if err := k.Sources.Set(ctx, source.ID, source); err != nil {
			return err
		}
	}
	return nil
}
