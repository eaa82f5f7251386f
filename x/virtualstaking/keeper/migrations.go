package keeper

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Migrator brings the state of earlier versions of the module to the present one, one version at a time.
type Migrator struct{ keeper *Keeper }

// NewMigrator returns the migrator of the keeper's state.
func NewMigrator(k *Keeper) Migrator { return Migrator{keeper: k} }

// Migrate1to2 gives max_silence its default: from now on a provider that is out of reach for so long loses its virtual
// stake until it is back.
func (m Migrator) Migrate1to2(ctx sdk.Context) error {
	params, err := m.keeper.Params.Get(ctx)
	if err != nil {
		return err
	}
	params.MaxSilence = types.DefaultParams().MaxSilence
	if err := params.Validate(); err != nil {
		return err
	}
	return m.keeper.Params.Set(ctx, params)
}
