package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

// InitGenesis loads a valid state into an empty store. The accounts and capabilities it needs are made if missing, and
// the converters' accounts must hold their backlog already.
func (k *Keeper) InitGenesis(ctx sdk.Context, gs types.GenesisState) error {
	if err := gs.Validate(); err != nil {
		return err
	}
	if err := k.Params.Set(ctx, gs.Params); err != nil {
		return err
	}
	if err := k.NextConverterID.Set(ctx, gs.NextConverterID); err != nil {
		return err
	}
	if err := k.LastReported.Set(ctx, gs.SyncCursor); err != nil {
		return err
	}
	if err := k.LastRewarded.Set(ctx, gs.RewardCursor); err != nil {
		return err
	}
	for i, c := range gs.Converters {
		if err := k.initConverter(ctx, c); err != nil {
			return errorsmod.Wrapf(err, "converters[%d]", i)
		}
	}
	for _, t := range gs.Transfers {
		if err := k.RewardTransfers.Set(ctx, collections.Join(t.ChannelID, t.Sequence), t); err != nil {
			return err
		}
	}
	if err := k.InvariantK4(ctx); err != nil {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "pending_rewards: %s", err)
	}
	return nil
}

func (k *Keeper) initConverter(ctx sdk.Context, g types.GenesisConverter) error {
	c := g.Converter
	if c.Admin != "" {
		if _, err := k.address("admin", c.Admin); err != nil {
			return err
		}
	}
	if _, err := k.feed(c.PriceFeed); err != nil {
		return err
	}
	if err := k.bindPort(ctx, c.Port()); err != nil {
		return err
	}
	k.ensureAccount(ctx, c.Account())
	if err := k.Converters.Set(ctx, c.ID, c); err != nil {
		return err
	}
	if c.Status == types.ConverterOpen {
		if err := k.OpenConverters.Set(ctx, c.ID); err != nil {
			return err
		}
	}
	g.Sync.RetryHeight = types.RetryAt(g.Sync.RetryHeight, ctx.BlockHeight())
	g.Rewards.RetryHeight = types.RetryAt(g.Rewards.RetryHeight, ctx.BlockHeight())
	if g.Sync != (types.SyncCursor{}) {
		if err := k.SyncCursors.Set(ctx, c.ID, g.Sync); err != nil {
			return err
		}
	}
	if g.Snapshot != nil {
		if err := k.Snapshots.Set(ctx, c.ID, *g.Snapshot); err != nil {
			return err
		}
	}
	if g.Price != nil {
		if err := k.Prices.Set(ctx, c.ID, *g.Price); err != nil {
			return err
		}
	}
	for _, e := range g.Stake {
		if err := k.setStake(ctx, c.ID, e); err != nil {
			return err
		}
	}
	for _, e := range g.Staged {
		if err := k.Staged.Set(ctx, collections.Join(c.ID, e.Validator), e.Stake); err != nil {
			return err
		}
	}
	for _, p := range g.PendingRewards {
		if err := k.addBacklog(ctx, c.ID, p.Denom, p.Validator, p.Amount); err != nil {
			return err
		}
	}
	if g.Rewards.Failures == 0 && g.Rewards.RetryHeight == 0 && g.Rewards.InFlight == 0 && len(g.Rewards.Totals) == 0 {
		return nil
	}
	return k.RewardStates.Set(ctx, c.ID, g.Rewards)
}

// ExportGenesis returns the whole state.
func (k *Keeper) ExportGenesis(ctx sdk.Context) (*types.GenesisState, error) {
	gs := &types.GenesisState{}
	var err error
	if gs.Params, err = k.Params.Get(ctx); err != nil {
		return nil, err
	}
	if gs.NextConverterID, err = k.NextConverterID.Peek(ctx); err != nil {
		return nil, err
	}
	if gs.SyncCursor, err = optional(k.LastReported.Get(ctx)); err != nil {
		return nil, err
	}
	if gs.RewardCursor, err = optional(k.LastRewarded.Get(ctx)); err != nil {
		return nil, err
	}
	err = k.Converters.Walk(ctx, nil, func(_ uint64, c types.Converter) (bool, error) {
		g, err := k.exportConverter(ctx, c)
		gs.Converters = append(gs.Converters, g)
		return false, err
	})
	if err != nil {
		return nil, err
	}
	return gs, k.RewardTransfers.Walk(ctx, nil, func(_ collections.Pair[string, uint64], t types.RewardTransfer) (bool, error) {
		gs.Transfers = append(gs.Transfers, t)
		return false, nil
	})
}

func (k *Keeper) exportConverter(ctx context.Context, c types.Converter) (types.GenesisConverter, error) {
	g := types.GenesisConverter{Converter: c}
	var err error
	if g.Sync, err = optional(k.SyncCursors.Get(ctx, c.ID)); err != nil {
		return g, err
	}
	if g.Rewards, err = optional(k.RewardStates.Get(ctx, c.ID)); err != nil {
		return g, err
	}
	if s, err := k.Snapshots.Get(ctx, c.ID); err == nil {
		g.Snapshot = &s
	} else if !errors.Is(err, collections.ErrNotFound) {
		return g, err
	}
	if p, err := k.Prices.Get(ctx, c.ID); err == nil {
		g.Price = &p
	} else if !errors.Is(err, collections.ErrNotFound) {
		return g, err
	}
	for _, list := range []struct {
		to   *[]control.StakeEntry
		from collections.Map[collections.Pair[uint64, string], math.Int]
	}{{&g.Stake, k.Stake}, {&g.Staged, k.Staged}} {
		if *list.to, err = k.entries(ctx, list.from, c.ID); err != nil {
			return g, err
		}
	}
	return g, k.Backlog.Walk(ctx, collections.NewPrefixedTripleRange[uint64, string, string](c.ID),
		func(key collections.Triple[uint64, string, string], amount math.Int) (bool, error) {
			g.PendingRewards = append(g.PendingRewards, types.PendingReward{Validator: key.K3(), Denom: key.K2(), Amount: amount})
			return false, nil
		})
}

// optional turns a missing value into its zero value.
func optional[T any](value T, err error) (T, error) {
	if errors.Is(err, collections.ErrNotFound) {
		var zero T
		return zero, nil
	}
	return value, err
}
