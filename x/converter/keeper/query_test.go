package keeper_test

import (
	"testing"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/converter/types"
)

func TestQueries(t *testing.T) {
	f := busy(t)
	params, err := f.queries.Params(f.ctx, &types.QueryParamsRequest{})
	require.NoError(t, err)
	want := types.DefaultParams()
	require.Equal(t, want.String(), params.Params.String())

	one, err := f.queries.Converter(f.ctx, &types.QueryConverterRequest{ConverterId: 1})
	require.NoError(t, err)
	require.Equal(t, f.converter(1), one.Converter)
	require.Equal(t, []string{"converter.1", types.ConverterAddress(1).String(), "provider-1", "Active", "STATE_OPEN"},
		[]string{one.Port, one.Account, one.ChainID, one.ClientStatus, one.ChannelState})
	require.Equal(t, uint64(1), one.TransfersInFlight)
	require.True(t, one.Sync.FullDone)
	require.Equal(t, uint32(1), one.Rewards.InFlight)
	never, err := f.queries.Converter(f.ctx, &types.QueryConverterRequest{ConverterId: 3})
	require.NoError(t, err)
	require.Equal(t, "STATE_UNINITIALIZED_UNSPECIFIED", never.ChannelState)

	stake, err := f.queries.RemoteStake(f.ctx, &types.QueryRemoteStakeRequest{ConverterId: 1, Pagination: &query.PageRequest{Limit: 1}})
	require.NoError(t, err)
	require.Equal(t, []types.RemoteStake{{Validator: val1, Stake: math.NewInt(100), Target: math.NewInt(45)}}, stake.Stake)
	require.Equal(t, "150", stake.Total.String())
	stake, err = f.queries.RemoteStake(f.ctx, &types.QueryRemoteStakeRequest{ConverterId: 1, Pagination: &query.PageRequest{Key: stake.Pagination.NextKey}})
	require.NoError(t, err)
	require.Equal(t, []types.RemoteStake{{Validator: val2, Stake: math.NewInt(50), Target: math.NewInt(22)}}, stake.Stake)

	price, err := f.queries.Price(f.ctx, &types.QueryPriceRequest{ConverterId: 1})
	require.NoError(t, err)
	require.Equal(t, []string{"gov", "0.500000000000000000", "0.450000000000000000"}, []string{price.Feed, price.Price.String(), price.EffectivePrice.String()})
	require.False(t, price.Stale)
	require.NotNil(t, price.UpdatedAt)
	price, err = f.queries.Price(f.ctx, &types.QueryPriceRequest{ConverterId: 3})
	require.NoError(t, err)
	require.True(t, price.Price.IsZero())
	require.Nil(t, price.UpdatedAt)

	require.Equal(t, []string{val2 + " 4ucons"}, f.pending(1))
	require.Empty(t, f.pending(2))
}

func TestEP08PagesAreCapped(t *testing.T) {
	f := newFixture(t)
	for range paging.MaxLimit + 1 {
		_, err := f.msgs.CreateConverter(f.ctx, newMsg())
		require.NoError(t, err)
	}
	for _, page := range []*query.PageRequest{nil, {}, {Limit: 1 << 62}} {
		res, err := f.queries.Converters(f.ctx, &types.QueryConvertersRequest{Pagination: page})
		require.NoError(t, err)
		require.Len(t, res.Converters, paging.MaxLimit)
		res, err = f.queries.Converters(f.ctx, &types.QueryConvertersRequest{Pagination: &query.PageRequest{Key: res.Pagination.NextKey}})
		require.NoError(t, err)
		require.Len(t, res.Converters, 1)
	}
}

func TestQueriesRefuseBadInput(t *testing.T) {
	f := busy(t)
	ctx := f.ctx
	bad := &query.PageRequest{Key: []byte{1}, Offset: 1}
	calls := map[string]struct {
		call func() error
		code codes.Code
	}{
		"converters nil":    {func() error { _, err := f.queries.Converters(ctx, nil); return err }, codes.InvalidArgument},
		"converter nil":     {func() error { _, err := f.queries.Converter(ctx, nil); return err }, codes.InvalidArgument},
		"remote stake nil":  {func() error { _, err := f.queries.RemoteStake(ctx, nil); return err }, codes.InvalidArgument},
		"price nil":         {func() error { _, err := f.queries.Price(ctx, nil); return err }, codes.InvalidArgument},
		"pending nil":       {func() error { _, err := f.queries.PendingRewards(ctx, nil); return err }, codes.InvalidArgument},
		"converter unknown": {func() error { _, err := f.queries.Converter(ctx, &types.QueryConverterRequest{}); return err }, codes.NotFound},
		"remote stake unknown": {func() error {
			_, err := f.queries.RemoteStake(ctx, &types.QueryRemoteStakeRequest{ConverterId: 9})
			return err
		}, codes.NotFound},
		"price unknown": {func() error { _, err := f.queries.Price(ctx, &types.QueryPriceRequest{ConverterId: 9}); return err }, codes.NotFound},
		"pending unknown": {func() error {
			_, err := f.queries.PendingRewards(ctx, &types.QueryPendingRewardsRequest{ConverterId: 9})
			return err
		}, codes.NotFound},
		"converters page": {func() error {
			_, err := f.queries.Converters(ctx, &types.QueryConvertersRequest{Pagination: bad})
			return err
		}, codes.InvalidArgument},
		"remote stake page": {func() error {
			_, err := f.queries.RemoteStake(ctx, &types.QueryRemoteStakeRequest{ConverterId: 1, Pagination: bad})
			return err
		}, codes.InvalidArgument},
		"pending page": {func() error {
			_, err := f.queries.PendingRewards(ctx, &types.QueryPendingRewardsRequest{ConverterId: 1, Pagination: bad})
			return err
		}, codes.InvalidArgument},
	}
	for name, c := range calls {
		require.Equal(t, c.code, status.Code(c.call()), name)
	}
}
