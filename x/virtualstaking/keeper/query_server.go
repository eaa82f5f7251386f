package keeper

import (
	"bytes"
	"context"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

type queryServer struct{ k *Keeper }

// NewQueryServer returns the module's query service.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{k: k} }

func (s queryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	params, err := s.k.Params.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: params}, nil
}

func (s queryServer) Sources(ctx context.Context, req *types.QuerySourcesRequest) (*types.QuerySourcesResponse, error) {
	infos, page, err := query.CollectionPaginate(ctx, s.k.Sources, paging.Clamp(req.GetPagination()),
		func(_ uint64, source types.Source) (types.SourceInfo, error) { return s.info(ctx, source) })
	if err != nil {
		return nil, err
	}
	return &types.QuerySourcesResponse{Sources: infos, Pagination: page}, nil
}

func (s queryServer) Source(ctx context.Context, req *types.QuerySourceRequest) (*types.QuerySourceResponse, error) {
	source, err := s.k.GetSource(ctx, req.GetConverterId())
	if err != nil {
		return nil, err
	}
	info, err := s.info(ctx, source)
	if err != nil {
		return nil, err
	}
	return &types.QuerySourceResponse{Source: info}, nil
}

// info adds what the source has now. Most sources were never authorised, and have nothing to look for.
func (s queryServer) info(ctx context.Context, source types.Source) (types.SourceInfo, error) {
	info := types.SourceInfo{Source: source, Delegated: math.ZeroInt(), Unbonding: math.ZeroInt()}
	if source.Minted.IsZero() {
		return info, nil
	}
	var err error
	if info.Delegated, err = s.k.delegated(ctx, types.VirtualAccount(source.ID)); err != nil {
		return info, err
	}
	info.Unbonding, err = s.k.unbonding(ctx, types.VirtualAccount(source.ID))
	return info, err
}

// Delegations pages in the order of x/staking's store; the key of a page is the address of its first validator.
func (s queryServer) Delegations(ctx context.Context, req *types.QueryDelegationsRequest) (*types.QueryDelegationsResponse, error) {
	if _, err := s.k.GetSource(ctx, req.GetConverterId()); err != nil {
		return nil, err
	}
	holdings, err := s.k.holdings(ctx, types.VirtualAccount(req.GetConverterId()))
	if err != nil {
		return nil, err
	}
	page := paging.Clamp(req.GetPagination())
	if page.Reverse {
		for i, j := 0, len(holdings)-1; i < j; i, j = i+1, j-1 {
			holdings[i], holdings[j] = holdings[j], holdings[i]
		}
	}
	start := min(page.Offset, uint64(len(holdings)))
	if len(page.Key) > 0 {
		for start = 0; start < uint64(len(holdings)) && !bytes.Equal(holdings[start].address, page.Key); start++ {
		}
	}
	end := min(start+page.Limit, uint64(len(holdings)))
	resp := &types.QueryDelegationsResponse{Pagination: &query.PageResponse{}}
	for _, h := range holdings[start:end] {
		resp.Delegations = append(resp.Delegations, types.VirtualDelegation{Validator: h.validator.GetOperator(), Amount: h.tokens()})
	}
	if end < uint64(len(holdings)) {
		resp.Pagination.NextKey = holdings[end].address
	}
	return resp, nil
}
