package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/converter/types"
)

type queryServer struct{ k *Keeper }

// NewQueryServer returns the module's query service.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{k} }

var errEmptyRequest = status.Error(codes.InvalidArgument, "empty request")

// Params implements types.QueryServer.
func (s queryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	params, err := s.k.Params.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: params}, nil
}

// Converters implements types.QueryServer.
func (s queryServer) Converters(ctx context.Context, req *types.QueryConvertersRequest) (*types.QueryConvertersResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	converters, page, err := query.CollectionPaginate(ctx, s.k.Converters, paging.Clamp(req.Pagination),
		func(_ uint64, c types.Converter) (types.Converter, error) { return c, nil })
	if err != nil {
		return nil, badPage(err)
	}
	return &types.QueryConvertersResponse{Converters: converters, Pagination: page}, nil
}

// Converter implements types.QueryServer.
func (s queryServer) Converter(ctx context.Context, req *types.QueryConverterRequest) (*types.QueryConverterResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	c, err := s.k.GetConverter(ctx, req.ConverterId)
	if err != nil {
		return nil, notFound(err)
	}
	account, err := s.k.addresses.BytesToString(c.Account())
	if err != nil {
		return nil, err
	}
	cursor, err := s.k.SyncCursors.Get(ctx, c.ID)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, err
	}
	rewards, err := s.k.rewardState(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	res := &types.QueryConverterResponse{
		Converter: c, Port: c.Port(), Account: account, ClientStatus: exported.Unknown.String(),
		ChannelState: channeltypes.UNINITIALIZED.String(),
		Sync:         cursor, Rewards: rewards, TransfersInFlight: uint64(rewards.InFlight),
	}
	if connection, found := s.k.connectionKeeper.GetConnection(sdkCtx, c.ConnectionID); found {
		res.ClientStatus = s.k.clientStatus(sdkCtx, connection.ClientId).String()
		if state, found := s.k.clientKeeper.GetClientState(sdkCtx, connection.ClientId); found {
			if tm, ok := state.(*ibctm.ClientState); ok {
				res.ChainID = tm.ChainId
			}
		}
	}
	if channel, found := s.k.channelKeeper.GetChannel(sdkCtx, c.Port(), c.ChannelID); found {
		res.ChannelState = channel.State.String()
	}
	return res, nil
}

// RemoteStake implements types.QueryServer.
func (s queryServer) RemoteStake(ctx context.Context, req *types.QueryRemoteStakeRequest) (*types.QueryRemoteStakeResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	c, err := s.k.GetConverter(ctx, req.ConverterId)
	if err != nil {
		return nil, notFound(err)
	}
	quote, err := s.k.Price(ctx, c)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	stake, page, err := query.CollectionPaginate(ctx, s.k.Stake, paging.Clamp(req.Pagination),
		func(key collections.Pair[uint64, string], stake math.Int) (types.RemoteStake, error) {
			return types.RemoteStake{Validator: key.K2(), Stake: stake, Target: types.Target(stake, quote.Price, c.Discount)}, nil
		}, query.WithCollectionPaginationPairPrefix[uint64, string](c.ID))
	if err != nil {
		return nil, badPage(err)
	}
	return &types.QueryRemoteStakeResponse{Stake: stake, Total: c.TotalStake, Pagination: page}, nil
}

// Price implements types.QueryServer.
func (s queryServer) Price(ctx context.Context, req *types.QueryPriceRequest) (*types.QueryPriceResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	c, err := s.k.GetConverter(ctx, req.ConverterId)
	if err != nil {
		return nil, notFound(err)
	}
	quote, err := s.k.Price(ctx, c)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	res := &types.QueryPriceResponse{
		Feed: c.PriceFeed, Price: quote.Price, Stale: quote.Stale, EffectivePrice: types.EffectivePrice(quote.Price, c.Discount),
	}
	if quote.Price.IsPositive() {
		res.UpdatedAt = &quote.UpdatedAt
	}
	return res, nil
}

// PendingRewards implements types.QueryServer.
func (s queryServer) PendingRewards(ctx context.Context, req *types.QueryPendingRewardsRequest) (*types.QueryPendingRewardsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	if _, err := s.k.GetConverter(ctx, req.ConverterId); err != nil {
		return nil, notFound(err)
	}
	prefix := collections.TriplePrefix[uint64, string, string](req.ConverterId)
	rewards, page, err := query.CollectionPaginate(ctx, s.k.Backlog, paging.Clamp(req.Pagination),
		func(key collections.Triple[uint64, string, string], amount math.Int) (types.PendingReward, error) {
			return types.PendingReward{Validator: key.K3(), Denom: key.K2(), Amount: amount}, nil
		}, func(o *query.CollectionsPaginateOptions[collections.Triple[uint64, string, string]]) {
			o.Prefix = &prefix
		})
	if err != nil {
		return nil, badPage(err)
	}
	return &types.QueryPendingRewardsResponse{Rewards: rewards, Pagination: page}, nil
}

// notFound keeps the registered error's text and gives clients the code they expect.
func notFound(err error) error {
	if errors.Is(err, types.ErrConverterNotFound) {
		return status.Error(codes.NotFound, err.Error())
	}
	return err
}

func badPage(err error) error { return status.Error(codes.InvalidArgument, err.Error()) }
