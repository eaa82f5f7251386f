package keeper

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
)

// EndBlock releases what has matured, ends what has waited too long and what is left on retired consumers, books batches
// and outcomes that could not be booked before, ends what waits on ended validators, and sends. Each step stands for itself,
// and none of them can stop the chain: what fails is logged and tried again in the next block.
func (k *Keeper) EndBlock(ctx sdk.Context) {
	params, err := k.Params.Get(ctx)
	if err != nil {
		k.Logger(ctx).Error("end of block", "step", "params", "error", err)
		return
	}
	budget, forced := int(params.MaxReleasesPerBlock), int(params.MaxForcedPerBlock)
	for _, step := range []struct {
		name string
		run  func(sdk.Context) error
	}{
		{"release", func(ctx sdk.Context) (err error) {
			budget, err = k.releaseMatured(ctx, budget)
			return err
		}},
		{"force", func(ctx sdk.Context) (err error) {
			forced, err = k.forceDue(ctx, forced)
			return err
		}},
		{"retire", func(ctx sdk.Context) error { return k.retire(ctx, forced) }},
		{"batches", func(ctx sdk.Context) error { return k.resolveKept(ctx, int(params.MaxForcedPerBlock)) }},
		{"outcomes", func(ctx sdk.Context) error { return k.bookOutcomes(ctx, int(params.MaxReleasesPerBlock)) }},
		{"resolve", func(ctx sdk.Context) error { return k.resolveEnded(ctx, budget) }},
		{"send", func(ctx sdk.Context) error { return k.sendPackets(ctx, params) }},
	} {
		if err := isolate.Try(ctx, step.run); err != nil {
			k.Logger(ctx).Error("end of block", "step", step.name, "error", err)
		}
	}
}
