package keeper_test

import (
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestSimulateSlashShowsWhatADoubleSignWouldCost(t *testing.T) {
	l := newSlashLedger(t, 2)
	user := l.newUser("curious", 100)
	l.bondOn(1, user, "val1", 100)
	l.bondOn(2, user, "val1", 80)
	res, err := l.query.SimulateSlash(l.ctx, &types.QuerySimulateSlashRequest{User: user.String(), ConsumerId: 1, Validator: "val1"})
	require.NoError(t, err)
	require.Equal(t, &types.QuerySimulateSlashResponse{
		CollateralBefore: math.NewInt(100), CollateralAfter: math.NewInt(50),
		Liens: []types.LienChange{
			{Holder: "external/1", Before: math.NewInt(100), After: math.NewInt(50)},
			{Holder: "external/2", Before: math.NewInt(80), After: math.NewInt(50)},
		},
	}, res)
	require.Empty(t, l.slashes(1), "nothing has happened")
	l.slashOn(1, "val1", 1000)
	l.settle(user)
	require.Equal(t, int64(50), l.collateral(user), "as it said")
	require.Equal(t, int64(50), l.lienOn(1, user))
	require.Equal(t, int64(50), l.lienOn(2, user))
	for want, req := range map[error]*types.QuerySimulateSlashRequest{
		types.ErrAlreadySlashed:   {User: user.String(), ConsumerId: 1, Validator: "val1"},
		types.ErrUnknownValidator: {User: user.String(), ConsumerId: 1, Validator: "nobody"},
		types.ErrUnknownConsumer:  {User: user.String(), ConsumerId: 3, Validator: "val1"},
	} {
		_, err := l.query.SimulateSlash(l.ctx, req)
		require.ErrorIs(t, err, want)
	}
}

// Lists show what is left before anybody has settled the user.
func TestQueriesSettleFirst(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 40))
	l.endBlock()
	l.acceptAll(1)
	l.slash("val1", 100)
	positions, err := l.query.Positions(l.ctx, &types.QueryPositionsRequest{User: ann.String()})
	require.NoError(t, err)
	require.Equal(t, "30", positions.Positions[0].Bonded.String())
	require.True(t, positions.Positions[0].Slashed)
	unbondings, err := l.query.Unbondings(l.ctx, &types.QueryUnbondingsRequest{User: ann.String()})
	require.NoError(t, err)
	require.Equal(t, "20", unbondings.Unbondings[0].Amount.String())
	require.True(t, unbondings.Unbondings[0].Slashed)
	require.Equal(t, int64(100), l.lien(ann), "not settled")
}
