package keeper

import (
	"context"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/vault/types"
)

func (s queryServer) Losses(ctx context.Context, req *types.QueryLossesRequest) (*types.QueryLossesResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	user, err := s.k.user(req.User)
	if err != nil {
		return nil, err
	}
	settled, err := s.settled(ctx, user)
	if err != nil {
		return nil, err
	}
	losses, page, err := query.CollectionPaginate(settled, s.k.Losses, paging.Clamp(req.Pagination),
		func(_ collections.Triple[sdk.AccAddress, uint64, string], loss types.Loss) (types.Loss, error) {
			return loss, nil
		},
		func(o *query.CollectionsPaginateOptions[collections.Triple[sdk.AccAddress, uint64, string]]) {
			prefix := collections.TriplePrefix[sdk.AccAddress, uint64, string](user)
			o.Prefix = &prefix
		})
	if err != nil {
		return nil, err
	}
	return &types.QueryLossesResponse{Losses: losses, Pagination: page}, nil
}

func (s queryServer) Sweeps(ctx context.Context, req *types.QuerySweepsRequest) (*types.QuerySweepsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	res := &types.QuerySweepsResponse{}
	err := s.k.Sweeps.Walk(ctx, nil, func(validator sdk.ValAddress, record types.SweepRecord) (bool, error) {
		sweep, err := s.k.sweep(validator, record)
		res.Sweeps = append(res.Sweeps, sweep)
		return len(res.Sweeps) >= paging.MaxLimit, err
	})
	if err != nil {
		return nil, err
	}
	res.Pending, res.Pagination, err = query.CollectionPaginate(ctx, s.k.Pending, paging.Clamp(req.Pagination),
		func(key collections.Pair[int64, sdk.AccAddress], _ collections.NoValue) (types.PendingSettle, error) {
			return s.k.pending(key)
		})
	if err != nil {
		return nil, err
	}
	return res, nil
}

func (s queryServer) Totals(ctx context.Context, req *types.QueryTotalsRequest) (*types.QueryTotalsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	totals, err := s.k.Totals.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryTotalsResponse{Totals: totals}, nil
}
