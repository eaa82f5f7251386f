package keeper_test

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
	vaultkeeper "github.com/mesh-security/mesh/x/vault/keeper"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
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

// A page never holds more than the bound, whatever is asked for, and the pages together hold everything once.
func TestSlashesAndSweepsArePaged(t *testing.T) {
	l := newSlashLedger(t, 1)
	const n = paging.MaxLimit + 5
	for i := range n {
		name := fmt.Sprintf("bad%03d", i)
		l.report(1, control.StatusActive, name)
		_, err := l.prove(name, 1_000)
		require.NoError(t, err)
	}
	l.holds()
	for limit, want := range map[uint64]int{0: paging.MaxLimit, 1 << 32: paging.MaxLimit, 7: 7} {
		page := &query.PageRequest{Limit: limit}
		slashes, err := l.query.Slashes(l.ctx, &types.QuerySlashesRequest{ConsumerId: 1, Pagination: page})
		require.NoError(t, err)
		require.Len(t, slashes.Slashes, want)
		sweeps, err := l.query.Sweeps(l.ctx, &types.QuerySweepsRequest{Pagination: page})
		require.NoError(t, err)
		require.Len(t, sweeps.Sweeps, want)
	}
	seen := map[string]bool{}
	for page := (&query.PageRequest{Limit: 10}); ; {
		res, err := l.query.Slashes(l.ctx, &types.QuerySlashesRequest{ConsumerId: 1, Pagination: page})
		require.NoError(t, err)
		for _, s := range res.Slashes {
			require.False(t, seen[s.Validator], "twice")
			seen[s.Validator] = true
		}
		if len(res.Pagination.NextKey) == 0 {
			break
		}
		page = &query.PageRequest{Limit: 10, Key: res.Pagination.NextKey}
	}
	require.Len(t, seen, n)

	_, err := l.query.Slashes(l.ctx, &types.QuerySlashesRequest{ConsumerId: 9})
	require.ErrorIs(t, err, types.ErrUnknownConsumer)
	for _, call := range []func() error{
		func() error { _, err := l.query.Slashes(l.ctx, nil); return err },
		func() error { _, err := l.query.Sweeps(l.ctx, nil); return err },
		func() error { _, err := l.query.SimulateSlash(l.ctx, nil); return err },
		func() error {
			_, err := l.query.SimulateSlash(l.ctx, &types.QuerySimulateSlashRequest{User: "me", ConsumerId: 1, Validator: "val1"})
			return err
		},
	} {
		require.Error(t, call())
	}
}

// The record of a loss leads to the offence behind it: both name the same sequence.
func TestALossLeadsToItsOffence(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	l.bond(ann, "val2", 60)
	l.slash("val2", 101)
	l.slash("val1", 102)
	l.settle(ann)
	res, err := vaultkeeper.NewQueryServer(l.vault).Losses(l.ctx, &vaulttypes.QueryLossesRequest{User: ann.String()})
	require.NoError(t, err)
	require.Len(t, res.Losses, 2)
	offences := map[uint64]types.SlashInfo{}
	for _, s := range l.slashes(1) {
		offences[s.Slash.Sequence] = s
	}
	for _, loss := range res.Losses {
		require.Equal(t, "external/1", loss.Holder)
		offence := offences[loss.Sequence]
		want := map[string]string{"val1": "50 1-102", "val2": "30 1-101"}[offence.Validator]
		require.Equal(t, want, fmt.Sprintf("%s %s", loss.Amount, offence.Slash.Height))
	}
}
