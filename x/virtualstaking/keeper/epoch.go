package keeper

import (
	"context"

	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// BeginBlock runs the epochs that are due. It runs after x/distribution's, x/slashing's, x/evidence's and x/staking's, so
// that rewards and slashes of this block are in. It never fails: what goes wrong stays with its source.
func (k *Keeper) BeginBlock(ctx context.Context) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	params, err := k.Params.Get(ctx)
	if err != nil {
		k.logger(ctx).Error("epochs are skipped, the params cannot be read", "error", err)
		return nil
	}
	scheduled, err := k.scheduled(ctx)
	if err != nil {
		k.logger(ctx).Error("epochs are skipped, the queue cannot be read", "error", err)
		return nil
	}
	// An epoch missed for whatever reason is run once, however long ago it was due.
	full := epochsPerBlock(len(scheduled), params.EpochLength)
	for i, epoch := range scheduled {
		if epoch.K1() > sdkCtx.BlockHeight() {
			break
		}
		run := k.runEpoch
		if i >= full {
			run = k.postponeEpoch
		}
		if err := isolate.Try(sdkCtx, func(ctx sdk.Context) error { return run(ctx, epoch.K2(), params) }); err != nil {
			k.logger(ctx).Error("epoch could not be scheduled again", "source", epoch.K2(), "error", err)
		}
	}
	return nil
}

// postponeEpoch moves an epoch to the next block that has room.
func (k *Keeper) postponeEpoch(ctx sdk.Context, id uint64, _ types.Params) error {
	source, err := k.Sources.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := k.schedule(ctx, &source, ctx.BlockHeight()+1); err != nil {
		return err
	}
	return k.Sources.Set(ctx, id, source)
}

// runEpoch schedules the next epoch of source id and runs this one under its own gas. One that fails leaves nothing but
// the reason.
func (k *Keeper) runEpoch(ctx sdk.Context, id uint64, params types.Params) error {
	source, err := k.Sources.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := k.schedule(ctx, &source, ctx.BlockHeight()+params.EpochLength); err != nil {
		return err
	}
	if err := k.listen(ctx, &source, params); err != nil {
		return err
	}
	if err := k.Sources.Set(ctx, id, source); err != nil {
		return err
	}

	var (
		meter   storetypes.GasMeter
		inTurns storetypes.Gas
	)
	failure := isolate.WithGas(ctx, params.EpochGas, func(ctx sdk.Context) (err error) {
		meter = ctx.GasMeter()
		inTurns, err = k.epoch(ctx, source, params)
		return err
	})
	// Begin- and EndBlock have no limit of their own; this only shows what an epoch costs.
	gas := meter.GasConsumedToLimit() + inTurns
	ctx.GasMeter().ConsumeGas(gas, "epoch")
	telemetry.SetGaugeWithLabels([]string{types.ModuleName, "epoch_gas"}, float32(gas), sourceLabel(id))
	if failure == nil {
		telemetry.IncrCounterWithLabels([]string{types.ModuleName, "epochs"}, 1, sourceLabel(id))
		return nil
	}
	telemetry.IncrCounterWithLabels([]string{types.ModuleName, "epoch_failures"}, 1, sourceLabel(id))
	k.logger(ctx).Error("epoch failed, it is tried again", "source", id, "next_epoch", source.NextEpoch, "error", failure)
	source.LastFailure = types.Reason(failure)
	if err := k.Sources.Set(ctx, id, source); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventEpochFailed{Source: id, Reason: failure.Error()})
}

// epoch brings the source's virtual stake to its targets: rewards first, so that no change of a delegation pays them out
// unattributed, then the delegations. It returns the gas of the lines with turns of their own, which is not the epoch's.
func (k *Keeper) epoch(ctx sdk.Context, source types.Source, params types.Params) (storetypes.Gas, error) {
	if k.hooks == nil {
		return 0, types.ErrNoHooks.Wrap("the app must call SetHooks")
	}
	run, err := k.newRebalance(ctx, source, params)
	if err != nil {
		return 0, err
	}
	if err := run.withdrawRewards(ctx); err != nil {
		return 0, err
	}
	lastBatch, err := run.setTargets(ctx)
	if err != nil {
		return 0, err
	}
	if err := run.unbond(ctx); err != nil {
		return 0, err
	}
	if err := run.bond(ctx); err != nil {
		return 0, err
	}

	if err := run.checkBooks(ctx); err != nil {
		return 0, err
	}
	run.countWaiting()
	source = run.source
	source.Retries = run.queue()
	source.LastEpoch, source.EffectiveCap = ctx.BlockHeight(), source.MaxCap
	source.LastFailure = run.firstFailure
	if run.failed == 0 {
		applyBatch(ctx, &source, lastBatch)
	}
	needed, err := k.needsEpochs(ctx, source)
	if err != nil {
		return 0, err
	}
	if !needed {
		if err := k.unschedule(ctx, &source); err != nil {
			return 0, err
		}
	}
	if err := k.Sources.Set(ctx, source.ID, source); err != nil {
		return 0, err
	}
	delegated, err := k.delegated(ctx, run.account)
	if err != nil {
		return 0, err
	}
	return run.spentInTurns, ctx.EventManager().EmitTypedEvent(&types.EventEpoch{
		Source: source.ID, Bonded: run.bonded.String(), Unbonded: run.unbonded.String(), Delegated: delegated.String(), Failed: run.failed,
	})
}
