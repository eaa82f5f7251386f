package keeper

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
)

// EndBlock releases what has matured, books kept outcomes, ends what waits on ended validators, and sends. Each step stands for itself, and
// none of them can stop the chain: what fails is logged and tried again in the next block.
func (k *Keeper) EndBlock(ctx sdk.Context) {
	params, err := k.Params.Get(ctx)
	if err != nil {
		k.Logger(ctx).Error("end of block", "step", "params", "error", err)
		return
	}
	budget := int(params.MaxReleasesPerBlock)
	for _, step := range []struct {
		name string
		run  func(sdk.Context) error
	}{
		{"release", func(ctx sdk.Context) (err error) {
			budget, err = k.releaseMatured(ctx, budget)
			return err
		}},
		{"outcomes", func(ctx sdk.Context) error { return k.bookOutcomes(ctx, int(params.MaxReleasesPerBlock)) }},
		{"resolve", func(ctx sdk.Context) error { return k.resolveEnded(ctx, budget) }},
		{"send", func(ctx sdk.Context) error { return k.sendPackets(ctx, params) }},
	} {
		if err := isolate.Try(ctx, step.run); err != nil {
			k.Logger(ctx).Error("end of block", "step", step.name, "error", err)
		}
	}
}
