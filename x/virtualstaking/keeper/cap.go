package keeper

import (
	"context"
	"strconv"

	"cosmossdk.io/math"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/hashicorp/go-metrics"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// SetMaxCap authorises source id to have virtual stake up to maxCap, in bond denom base units, and returns the block of
// the epoch that applies it: the next one that is free. Zero takes all virtual stake away. The governance weight, 0 to 1,
// counts from the next tally on: votes are weighed when voting ends.
func (k *Keeper) SetMaxCap(ctx context.Context, id uint64, maxCap sdk.Coin, weight math.LegacyDec) (int64, error) {
	source, err := k.GetSource(ctx, id)
	if err != nil {
		return 0, err
	}
	if err := maxCap.Validate(); err != nil {
		return 0, types.ErrInvalidCap.Wrapf("max cap of converter %d: %s", id, err)
	}
	denom, err := k.staking.BondDenom(ctx)
	if err != nil {
		return 0, err
	}
	if maxCap.Denom != denom {
		return 0, types.ErrInvalidCap.Wrapf("max cap of converter %d is in %s, must be in the bond denom %s", id, maxCap.Denom, denom)
	}
	if err := types.ValidateWeight(weight); err != nil {
		return 0, err
	}
	// Lowering is always possible, so that it cannot be blocked by bounds that were lowered meanwhile.
	if maxCap.Amount.GT(source.MaxCap) {
		if err := k.checkRaise(ctx, id, maxCap.Amount); err != nil {
			return 0, err
		}
	}

	source.MaxCap, source.GovernanceWeight = maxCap.Amount, weight
	if err := k.scheduleIfNeeded(ctx, &source, sdk.UnwrapSDKContext(ctx).BlockHeight()+1); err != nil {
		return 0, err
	}
	if err := k.Sources.Set(ctx, id, source); err != nil {
		return 0, err
	}
	telemetry.IncrCounterWithLabels([]string{types.ModuleName, "caps_set"}, 1, sourceLabel(id))
	return source.NextEpoch, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventMaxCapSet{
		Source: id, MaxCap: source.MaxCap.String(), GovernanceWeight: weight.String(),
	})
}

// checkRaise checks a raised cap of source id against everything else that is authorised.
func (k *Keeper) checkRaise(ctx context.Context, id uint64, maxCap math.Int) error {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	others, withCap, err := k.sumOfCaps(ctx, id)
	if err != nil {
		return err
	}
	if withCap >= params.MaxSources {
		return types.ErrTooManySources.Wrapf("%d converters have a cap already, max_sources is %d: lower another cap to 0 or raise max_sources", withCap, params.MaxSources)
	}
	if room := params.TotalMaxCap.Sub(others); maxCap.GT(room) {
		return types.ErrTotalCap.Wrapf("max cap %s for converter %d, but only %s of total_max_cap %s are left: lower another cap or raise total_max_cap", maxCap, id, room, params.TotalMaxCap)
	}
	bonded, err := k.staking.TotalBondedTokens(ctx)
	if err != nil {
		return err
	}
	return k.checkPower(ctx, bonded.Add(others).Add(maxCap))
}

// sumOfCaps adds up all caps except that of source id, and counts them.
func (k *Keeper) sumOfCaps(ctx context.Context, except uint64) (sum math.Int, n uint32, err error) {
	sources, err := k.activeSources(ctx)
	if err != nil {
		return math.Int{}, 0, err
	}
	sum = math.ZeroInt()
	for _, source := range sources {
		if source.ID != except && source.MaxCap.IsPositive() {
			sum, n = sum.Add(source.MaxCap), n+1
		}
	}
	return sum, n, nil
}

// CappedSources returns the ids of all sources with a cap, in rising order: at most max_sources.
func (k *Keeper) CappedSources(ctx context.Context) ([]uint64, error) {
	sources, err := k.activeSources(ctx)
	if err != nil {
		return nil, err
	}
	var ids []uint64
	for _, source := range sources {
		if source.MaxCap.IsPositive() {
			ids = append(ids, source.ID)
		}
	}
	return ids, nil
}

// checkPower checks that tokens, were they all bonded, stay within CometBFT's bound: beyond it, it panics.
func (k *Keeper) checkPower(ctx context.Context, tokens math.Int) error {
	power := tokens.Quo(k.staking.PowerReduction(ctx))
	if limit := math.NewInt(cmttypes.MaxTotalVotingPower); power.GT(limit) {
		return types.ErrTotalPower.Wrapf("total voting power could become %s, CometBFT allows at most %s: choose a lower cap", power, limit)
	}
	return nil
}

// UpdateParams replaces the params. A shorter epoch length brings epochs forward that would be further away than that.
func (k *Keeper) UpdateParams(ctx context.Context, params types.Params) error {
	if err := params.Validate(); err != nil {
		return err
	}
	caps, withCap, err := k.sumOfCaps(ctx, 0)
	if err != nil {
		return err
	}
	if err := k.checkSilence(ctx, params); err != nil {
		return err
	}
	if params.TotalMaxCap.LT(caps) {
		return types.ErrInvalidParams.Wrapf("total_max_cap is %s, but caps of %s are set: lower these first", params.TotalMaxCap, caps)
	}
	if params.MaxSources < withCap {
		return types.ErrInvalidParams.Wrapf("max_sources is %d, but %d converters have a cap: lower some to 0 first", params.MaxSources, withCap)
	}
	if err := k.Params.Set(ctx, params); err != nil {
		return err
	}
	if err := k.bringForward(ctx, params); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventParamsUpdated{Params: params})
}

// sourceLabel names a source in metrics.
func sourceLabel(id uint64) []metrics.Label {
	return []metrics.Label{telemetry.NewLabel("source", strconv.FormatUint(id, 10))}
}
