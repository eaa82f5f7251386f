package keeper

import (
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// InitGenesis loads the whole state, derives queues and indexes, and binds ports that are not bound yet. Besides what
// Validate finds, it refuses a state that breaks an invariant together with the vault, the bank and IBC, which must
// have been loaded before.
func (k *Keeper) InitGenesis(ctx sdk.Context, gs types.GenesisState) error {
	if err := gs.Validate(); err != nil {
		return err
	}
	if err := k.Params.Set(ctx, gs.Params); err != nil {
		return err
	}
	if err := k.NextConsumerID.Set(ctx, gs.NextConsumerID); err != nil {
		return err
	}
	if err := k.QueueSequence.Set(ctx, gs.NextQueueSequence); err != nil {
		return err
	}
	if err := k.SendCursor.Set(ctx, gs.SendCursor); err != nil {
		return err
	}
	if err := k.SweepConsumer.Set(ctx, gs.SweepConsumer); err != nil {
		return err
	}
	for i, c := range gs.Consumers {
		if err := k.initConsumer(ctx, c); err != nil {
			return errorsmod.Wrapf(err, "consumers[%d]", i)
		}
	}
	for i, p := range gs.Positions {
		if err := k.initPosition(ctx, p); err != nil {
			return errorsmod.Wrapf(err, "positions[%d]", i)
		}
	}
	// Not E6: it measures release times against the block's, and an exported state keeps the genesis time it began with.
	imported := []invariant.Named{
		{ID: "E1", Check: k.InvariantE1},
		{ID: "E2", Check: k.InvariantE2},
		{ID: "E3", Check: k.InvariantE3},
		{ID: "E4", Check: k.InvariantE4},
		{ID: "E5", Check: k.InvariantE5},
	}
	if err := invariant.CheckAll(ctx, imported); err != nil {
		return errorsmod.Wrap(types.ErrInvalidGenesis, err.Error())
	}
	return nil
}

func (k *Keeper) initConsumer(ctx sdk.Context, g types.GenesisConsumer) error {
	id := g.Consumer.ID
	if err := k.Consumers.Set(ctx, id, g.Consumer); err != nil {
		return err
	}
	if err := k.bindPort(ctx, id); err != nil {
		return err
	}
	if err := k.createRewardReceiver(ctx, id); err != nil {
		return err
	}
	g.Outbox.Adopt(ctx.BlockHeight())
	if err := k.Outboxes.Set(ctx, id, g.Outbox); err != nil {
		return err
	}
	if err := k.Syncs.Set(ctx, id, g.Sync); err != nil {
		return err
	}
	if g.Outbox.Snapshot != nil {
		if err := k.makeReady(ctx, id); err != nil {
			return err
		}
	}
	if g.Retirement != nil {
		if err := k.setRetirement(ctx, id, *g.Retirement); err != nil {
			return err
		}
	}
	for _, v := range g.Validators {
		if err := k.initValidator(ctx, id, v); err != nil {
			return err
		}
	}
	if len(g.Validators) > 0 {
		if err := k.ValidatorCounts.Set(ctx, id, uint64(len(g.Validators))); err != nil {
			return err
		}
	}
	for _, b := range g.Batches {
		key := collections.Join(id, b.ID)
		if b.Result != nil {
			if err := k.setResult(ctx, key, b, *b.Result, min(b.Result.RetryHeight, ctx.BlockHeight()+resultRetry)); err != nil {
				return err
			}
			continue
		}
		if err := k.Batches.Set(ctx, key, b); err != nil {
			return err
		}
		if err := k.BatchBySequence.Set(ctx, collections.Join(b.ChannelID, b.Sequence), key); err != nil {
			return err
		}
	}
	for _, r := range g.Applied {
		if err := k.AppliedRecords.Set(ctx, collections.Join(id, r.Applied.BatchID), r); err != nil {
			return err
		}
	}
	for _, r := range g.Rewards {
		if err := k.RewardTotals.Set(ctx, collections.Join(id, r.Denom), r); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) initValidator(ctx sdk.Context, consumerID uint64, g types.GenesisValidator) error {
	key := collections.Join(consumerID, g.Validator.Address)
	if err := k.Validators.Set(ctx, key, g.Validator); err != nil {
		return err
	}
	for _, owned := range g.Validator.Keys {
		if err := k.KeyOwners.Set(ctx, collections.Join(consumerID, ownerKey(keyAddress(owned.ConsPubkey), owned.From)), g.Validator.Address); err != nil {
			return err
		}
	}
	if g.Validator.Evictable() {
		if err := k.Evictable.Set(ctx, collections.Join3(consumerID, g.Validator.ReportedAt, g.Validator.Address)); err != nil {
			return err
		}
	}
	if !g.Pool.Empty() || len(g.Pool.Rewards) > 0 {
		if err := k.Pools.Set(ctx, key, g.Pool); err != nil {
			return err
		}
	}
	if g.Dirty {
		if err := k.Dirty.Set(ctx, key); err != nil {
			return err
		}
		if err := k.makeReady(ctx, consumerID); err != nil {
			return err
		}
	}
	if g.Resolving {
		if err := k.Resolving.Set(ctx, key); err != nil {
			return err
		}
	}
	return k.initSlashes(ctx, key, g)
}

// initPosition needs the pools: they say which batch carries the operations in flight.
func (k *Keeper) initPosition(ctx sdk.Context, g types.GenesisPosition) error {
	user, err := k.address("user", g.User)
	if err != nil {
		return err
	}
	key := collections.Join3(user, g.ConsumerID, g.Validator)
	if err := k.Positions.Set(ctx, key, g.Position); err != nil {
		return err
	}
	if err := k.Stakers.Set(ctx, collections.Join3(g.ConsumerID, g.Validator, user)); err != nil {
		return err
	}
	if at := g.Position.ForcedAt; at != nil {
		if err := k.ForcedQueue.Set(ctx, collections.Join(*at, key)); err != nil {
			return err
		}
	}
	if g.Position.Queued() {
		if err := k.Queue.Set(ctx, collections.Join3(g.ConsumerID, g.Validator, g.Position.QueueSequence), user); err != nil {
			return err
		}
	}
	switch {
	case g.Outcome != nil:
		if err := k.setOutcome(ctx, key, g.Outcome.Adopt(ctx.BlockHeight())); err != nil {
			return err
		}
	case g.Position.Sent():
		pool, err := k.loadPool(ctx, g.ConsumerID, g.Validator)
		if err != nil {
			return err
		}
		if err := k.SentOps.Set(ctx, collections.Join3(g.ConsumerID, pool.BatchID, collections.Join(g.Validator, user))); err != nil {
			return err
		}
	}
	for _, e := range g.Unbonding.Entries {
		if err := k.setUnbonding(ctx, key, e); err != nil {
			return err
		}
		if err := k.noteUnbonded(ctx, key, e); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis returns the whole state in the order of its keys.
func (k *Keeper) ExportGenesis(ctx sdk.Context) (*types.GenesisState, error) {
	gs, err := &types.GenesisState{}, error(nil)
	if gs.Params, err = k.Params.Get(ctx); err != nil {
		return nil, err
	}
	if gs.NextConsumerID, err = k.NextConsumerID.Peek(ctx); err != nil {
		return nil, err
	}
	if gs.NextQueueSequence, err = k.QueueSequence.Peek(ctx); err != nil {
		return nil, err
	}
	if gs.SendCursor, err = k.SendCursor.Get(ctx); err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, err
	}
	if gs.SweepConsumer, err = k.SweepConsumer.Get(ctx); err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, err
	}
	if err := k.Consumers.Walk(ctx, nil, func(_ uint64, c types.Consumer) (bool, error) {
		exported, err := k.exportConsumer(ctx, c)
		gs.Consumers = append(gs.Consumers, exported)
		return false, err
	}); err != nil {
		return nil, err
	}
	return gs, k.Positions.Walk(ctx, nil, func(key positionKey, p types.Position) (bool, error) {
		user, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
		if err != nil {
			return true, err
		}
		unbonding, err := k.loadUnbonding(ctx, key)
		if err != nil {
			return true, err
		}
		exported := types.GenesisPosition{User: user, ConsumerID: key.K2(), Validator: key.K3(), Position: p, Unbonding: unbonding}
		exported.Outcome, err = k.keptOutcome(ctx, key)
		gs.Positions = append(gs.Positions, exported)
		return err != nil, err
	})
}

func (k *Keeper) exportConsumer(ctx sdk.Context, c types.Consumer) (types.GenesisConsumer, error) {
	g, err := types.GenesisConsumer{Consumer: c}, error(nil)
	if g.Outbox, err = k.Outboxes.Get(ctx, c.ID); err != nil {
		return g, err
	}
	if g.Sync, err = k.Syncs.Get(ctx, c.ID); err != nil {
		return g, err
	}
	if retirement, err := k.Retirements.Get(ctx, c.ID); err == nil {
		g.Retirement = &retirement
	} else if !errors.Is(err, collections.ErrNotFound) {
		return g, err
	}
	byName, byNumber := collections.NewPrefixedPairRange[uint64, string](c.ID), collections.NewPrefixedPairRange[uint64, uint64](c.ID)
	if err := k.Validators.Walk(ctx, byName, func(key validatorKey, v types.Validator) (bool, error) {
		exported, err := k.exportValidator(ctx, key, v)
		g.Validators = append(g.Validators, exported)
		return false, err
	}); err != nil {
		return g, err
	}
	if err := k.Batches.Walk(ctx, byNumber, func(_ batchKey, b types.Batch) (bool, error) {
		g.Batches = append(g.Batches, b)
		return false, nil
	}); err != nil {
		return g, err
	}
	if err := k.AppliedRecords.Walk(ctx, byNumber, func(_ batchKey, r types.AppliedRecord) (bool, error) {
		g.Applied = append(g.Applied, r)
		return false, nil
	}); err != nil {
		return g, err
	}
	return g, k.RewardTotals.Walk(ctx, byName, func(_ validatorKey, r types.RewardTotals) (bool, error) {
		g.Rewards = append(g.Rewards, r)
		return false, nil
	})
}

func (k *Keeper) exportValidator(ctx sdk.Context, key validatorKey, v types.Validator) (types.GenesisValidator, error) {
	g, err := types.GenesisValidator{Validator: v}, error(nil)
	if g.Pool, err = k.loadPool(ctx, key.K1(), key.K2()); err != nil {
		return g, err
	}
	if g.Dirty, err = k.Dirty.Has(ctx, key); err != nil {
		return g, err
	}
	if g.Resolving, err = k.Resolving.Has(ctx, key); err != nil {
		return g, err
	}
	return g, k.exportSlashes(ctx, key, &g)
}
