package keeper

import (
	"context"
	"time"

	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Stake leaves its provider without the consumer's answer once it has waited for long enough. A consumer that cannot hear
// of that must not rely on the stake for ever: a source whose provider was out of reach in all epochs of max_silence is
// unwound. Its targets are zero from then on, whatever counts, until a snapshot has told all stake anew.

// silenceGas bounds the question whether a provider is out of reach.
const silenceGas storetypes.Gas = 2_000_000

// listen notes in source whether its provider is out of reach, and unwinds it after too long. It is kept even if the epoch
// fails: a source whose epochs fail for ever is unwound by the first one that does not. The caller stores the source.
func (k *Keeper) listen(ctx sdk.Context, source *types.Source, params types.Params) error {
	if !k.silent(ctx, source.ID) {
		source.SilentSince = nil
		return nil
	}
	if source.SilentSince == nil {
		since := ctx.BlockTime()
		source.SilentSince = &since
		if err := ctx.EventManager().EmitTypedEvent(&types.EventProviderSilent{Source: source.ID}); err != nil {
			return err
		}
	}
	limit, err := k.maxSilence(ctx, params)
	if err != nil || source.Unwound || ctx.BlockTime().Before(source.SilentSince.Add(limit)) {
		return err
	}
	source.Unwound = true
	telemetry.IncrCounterWithLabels([]string{types.ModuleName, "unwound"}, 1, sourceLabel(source.ID))
	k.logger(ctx).Error("the provider was silent for too long, its virtual stake is taken away", "source", source.ID, "since", *source.SilentSince)
	return ctx.EventManager().EmitTypedEvent(&types.EventUnwound{Source: source.ID, SilentSince: *source.SilentSince})
}

// silent asks the owner of a source. One that cannot answer cannot vouch for the stake either.
func (k *Keeper) silent(ctx sdk.Context, id uint64) (silent bool) {
	if k.hooks == nil {
		return false
	}
	err := isolate.WithGas(ctx, silenceGas, func(ctx sdk.Context) (err error) {
		silent, err = k.hooks.ProviderSilent(ctx, id)
		return err
	})
	if err != nil {
		k.logger(ctx).Error("nobody knows whether the provider can be reached, it counts as silent", "source", id, "error", err)
		return true
	}
	return silent
}

// maxSilence is the param, or the unbonding period if that has become shorter: stake that left its provider without an
// answer is slashable there for at least that long.
func (k *Keeper) maxSilence(ctx context.Context, params types.Params) (time.Duration, error) {
	unbonding, err := k.staking.UnbondingTime(ctx)
	return min(params.MaxSilence, unbonding), err
}

// checkSilence checks a changed max_silence against the unbonding period. One that stays as it is must not be in the way
// of other params: the unbonding period may have been lowered meanwhile.
func (k *Keeper) checkSilence(ctx context.Context, params types.Params) error {
	present, err := k.Params.Get(ctx)
	if err != nil || params.MaxSilence == present.MaxSilence {
		return err
	}
	unbonding, err := k.staking.UnbondingTime(ctx)
	if err != nil {
		return err
	}
	if params.MaxSilence > unbonding {
		return types.ErrInvalidParams.Wrapf("max_silence is %s, must be at most the unbonding period %s: choose a shorter one", params.MaxSilence, unbonding)
	}
	return nil
}

// Heard ends the silence of source id because a snapshot of all its provider's stake has come: if it was unwound, its next
// epoch goes by targets again.
func (k *Keeper) Heard(ctx context.Context, id uint64) error {
	source, err := k.GetSource(ctx, id)
	if err != nil || !source.Unwound && source.SilentSince == nil {
		return err
	}
	restored := source.Unwound
	source.Unwound, source.SilentSince = false, nil
	if err := k.Sources.Set(ctx, id, source); err != nil || !restored {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventRestored{Source: id})
}

// ResetEpoch returns the block of the next epoch of source id if that needs a snapshot of the provider's stake to bond
// anything: the source is unwound and has a cap. Otherwise it returns 0.
func (k *Keeper) ResetEpoch(ctx context.Context, id uint64) (int64, error) {
	source, err := k.GetSource(ctx, id)
	if err != nil || !source.Unwound || !source.MaxCap.IsPositive() {
		return 0, err
	}
	return source.NextEpoch, nil
}
