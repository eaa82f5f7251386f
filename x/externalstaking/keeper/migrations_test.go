package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/externalstaking/keeper"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// firstVersion makes the state what version 1 of the module would have left: without the params of exits that need no
// answer, and without a time for any operation.
func (f *fixture) firstVersion() {
	f.t.Helper()
	params, err := f.k.Params.Get(f.ctx)
	require.NoError(f.t, err)
	params.ForcedUnstakeDelay, params.MaxForcedPerBlock, params.ResyncInterval = 0, 0, 0
	require.NoError(f.t, f.k.Params.Set(f.ctx, params))
	iterator, err := f.k.Positions.Iterate(f.ctx, nil)
	require.NoError(f.t, err)
	positions, err := iterator.KeyValues()
	require.NoError(f.t, err)
	for _, p := range positions {
		p.Value.ForcedAt = nil
		require.NoError(f.t, f.k.Positions.Set(f.ctx, p.Key, p.Value))
	}
	require.NoError(f.t, f.k.ForcedQueue.Clear(f.ctx, nil))
}

// Operations that already waited when the chain learned to end them without an answer end too, each when it is due.
func TestGN03OperationsFromBeforeTheUpgradeEnd(t *testing.T) {
	f, consumer := newConnected(t)
	f.stake(alice, consumer.ID, valA, 100)
	f.accept(consumer.ID)
	f.unstake(alice, consumer.ID, valA, 40)
	f.nextBlock(24 * time.Hour)
	f.stake(bob, consumer.ID, valB, 70)
	f.firstVersion()
	require.ErrorContains(t, invariant.CheckAll(f.ctx, f.k.Invariants()), "may wait for ever")

	require.NoError(t, keeper.NewMigrator(f.k).Migrate1to2(f.ctx))
	params, err := f.k.Params.Get(f.ctx)
	require.NoError(t, err)
	defaults := types.DefaultParams()
	defaults.RegistrationFee = params.RegistrationFee
	require.Equal(t, defaults, params)
	f.holds()

	f.nextBlock(unbonding - 24*time.Hour)
	f.nextBlock(time.Second)
	position := func(user sdk.AccAddress, validator string) types.Position {
		p, err := f.k.Positions.Get(f.ctx, collections.Join3(user, consumer.ID, validator))
		require.NoError(t, err)
		return p
	}
	require.Equal(t, "60", position(alice, valA).Bonded.String())
	require.Nil(t, position(alice, valA).SentUnstake, "its unstake has waited for an unbonding period")
	require.NotNil(t, position(bob, valB).SentStake, "a day younger")
	f.nextBlock(24 * time.Hour)
	f.nextBlock(time.Second)
	require.Equal(t, "70", position(bob, valB).Bonded.String())
}
