package keeper_test

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/vault/types"
)

func TestQueryParamsAndAccount(t *testing.T) {
	f := newVault(t)
	params, err := f.query.Params(f.ctx, &types.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, &types.QueryParamsResponse{Params: types.DefaultParams(), Denom: denom}, params)

	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 60, "0.5"))
	require.NoError(t, f.other.add(f, alice, "2", 50, "0.9"))
	res, err := f.query.Account(f.ctx, &types.QueryAccountRequest{User: alice.String()})
	require.NoError(t, err)
	require.Equal(t, f.account(alice), res.Account)
	require.Equal(t, int64(75), res.Account.Slashable.Int64())
	require.Equal(t, int64(25), res.Account.Free.Int64())

	res, err = f.query.Account(f.ctx, &types.QueryAccountRequest{User: carol.String()})
	require.NoError(t, err)
	require.Equal(t, carol.String(), res.Account.User)
	require.True(t, res.Account.Collateral.IsZero(), "who never deposited has nothing")
}

func TestQueryAnswersWhatAWithdrawalWouldFind(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 60, "0.5"))
	f.holder.mature(f.ctx, alice, "1", 20)
	before := f.state()

	account, err := f.query.Account(f.ctx, &types.QueryAccountRequest{User: alice.String()})
	require.NoError(t, err)
	require.Equal(t, int64(60), account.Account.Free.Int64())
	liens, err := f.query.Liens(f.ctx, &types.QueryLiensRequest{User: alice.String()})
	require.NoError(t, err)
	require.Equal(t, int64(40), liens.Liens[0].Amount.Int64())

	require.Equal(t, before, f.state(), "a query writes nothing")
	require.NoError(t, f.withdraw(alice, 60))
}

func TestQueryListsArePaged(t *testing.T) {
	f := newVault(t)
	f.setParams("1", types.MaxLiensPerUser)
	const n = paging.MaxLimit + 20
	f.deposit(bob, 500)
	for i := range n {
		user := sdk.AccAddress(fmt.Sprintf("user%016d", i))
		f.fund(user, sdk.NewInt64Coin(denom, 1))
		f.deposit(user, 1)
		require.NoError(t, f.holder.add(f, bob, fmt.Sprint(i), 1, "1"))
	}
	for _, page := range []*query.PageRequest{nil, {Limit: 1_000_000, CountTotal: true}, {Limit: 7}, {Limit: 7, Reverse: true}, {Offset: 30}} {
		want := paging.MaxLimit
		if page != nil && page.Limit == 7 {
			want = 7
		}
		if page != nil && page.Offset == 30 {
			want = n - 30
		}
		accounts, err := f.query.Accounts(f.ctx, &types.QueryAccountsRequest{Pagination: page})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(accounts.Accounts), want)
		require.LessOrEqual(t, len(accounts.Accounts), paging.MaxLimit)
		require.Zero(t, accounts.Pagination.Total)
		liens, err := f.query.Liens(f.ctx, &types.QueryLiensRequest{User: bob.String(), Pagination: page})
		require.NoError(t, err)
		require.Len(t, liens.Liens, want)
	}

	seen, users := map[string]bool{}, &query.PageRequest{Limit: 50}
	for {
		res, err := f.query.Accounts(f.ctx, &types.QueryAccountsRequest{Pagination: users})
		require.NoError(t, err)
		for _, a := range res.Accounts {
			require.False(t, seen[a.User])
			seen[a.User] = true
		}
		if res.Pagination.NextKey == nil {
			break
		}
		users.Key = res.Pagination.NextKey
	}
	require.Len(t, seen, n+1)

	seen, holders := map[string]bool{}, &query.PageRequest{Limit: 50}
	for {
		res, err := f.query.Liens(f.ctx, &types.QueryLiensRequest{User: bob.String(), Pagination: holders})
		require.NoError(t, err)
		for _, l := range res.Liens {
			require.Equal(t, math.OneInt(), l.Amount)
			seen[l.Holder] = true
		}
		if res.Pagination.NextKey == nil {
			break
		}
		holders.Key = res.Pagination.NextKey
	}
	require.Len(t, seen, n)
}

func TestQueriesRefuseBadInput(t *testing.T) {
	f := newVault(t)
	_, err := f.query.Params(f.ctx, nil)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidRequest)
	_, err = f.query.Accounts(f.ctx, nil)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidRequest)
	_, err = f.query.Account(f.ctx, nil)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidRequest)
	_, err = f.query.Liens(f.ctx, nil)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidRequest)
	for _, user := range []string{"", "alice", "cosmos1", "osmo1qy352eufqy352eufqy352eufqy35qqqptw34ca"} {
		_, err = f.query.Account(f.ctx, &types.QueryAccountRequest{User: user})
		require.ErrorIs(t, err, sdkerrors.ErrInvalidAddress)
		_, err = f.query.Liens(f.ctx, &types.QueryLiensRequest{User: user})
		require.ErrorIs(t, err, sdkerrors.ErrInvalidAddress)
	}
	_, err = f.query.Accounts(f.ctx, &types.QueryAccountsRequest{Pagination: &query.PageRequest{Key: []byte("not a key"), Offset: 3}})
	require.Error(t, err)
}
