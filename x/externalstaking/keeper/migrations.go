package keeper

import (
	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Migrator brings the state of earlier versions of the module to the present one, one version at a time.
type Migrator struct{ keeper *Keeper }

// NewMigrator returns the migrator of the keeper's state.
func NewMigrator(k *Keeper) Migrator { return Migrator{keeper: k} }

// Migrate1to2 makes room for exits that need no answer and for snapshots: their params get the defaults, and every
// operation that waits for its consumer a time at which it ends without an answer. Those that are too old already end in
// the next blocks, as many in each as max_forced_per_block allows.
func (m Migrator) Migrate1to2(ctx sdk.Context) error {
	k := m.keeper
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	defaults := types.DefaultParams()
	params.ForcedUnstakeDelay = defaults.ForcedUnstakeDelay
	params.MaxForcedPerBlock = defaults.MaxForcedPerBlock
	params.ResyncInterval = defaults.ResyncInterval
	if err := params.Validate(); err != nil {
		return err
	}
	if err := k.Params.Set(ctx, params); err != nil {
		return err
	}

	var waiting []collections.KeyValue[positionKey, types.Position]
	err = k.Positions.Walk(ctx, nil, func(key positionKey, position types.Position) (bool, error) {
		if position.EarliestRequest() != nil {
			waiting = append(waiting, collections.KeyValue[positionKey, types.Position]{Key: key, Value: position})
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, w := range waiting {
		consumer, err := k.GetConsumer(ctx, w.Key.K2())
		if err != nil {
			return err
		}
		position := w.Value
		if err := k.forceAt(ctx, w.Key, &position, position.EarliestRequest().Add(params.ForceDelay(consumer))); err != nil {
			return err
		}
		if err := k.Positions.Set(ctx, w.Key, position); err != nil {
			return err
		}
	}
	return nil
}
