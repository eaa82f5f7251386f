package keeper

import (
	"bytes"
	"context"
	"slices"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
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
	holdings, next := page(holdings, req.GetPagination(), func(h holding) []byte { return h.address })
	resp := &types.QueryDelegationsResponse{Pagination: next}
	for _, h := range holdings {
		resp.Delegations = append(resp.Delegations, types.VirtualDelegation{Validator: h.validator.GetOperator(), Amount: h.tokens()})
	}
	return resp, nil
}

func (s queryServer) Supply(ctx context.Context, _ *types.QuerySupplyRequest) (*types.QuerySupplyResponse, error) {
	denom, err := s.k.staking.BondDenom(ctx)
	if err != nil {
		return nil, err
	}
	virtual, err := s.k.VirtualOutstanding(ctx)
	if err != nil {
		return nil, err
	}
	total := s.k.bank.GetSupply(ctx, denom).Amount
	return &types.QuerySupplyResponse{Denom: denom, Total: total, Virtual: virtual, Native: types.Native(total, virtual)}, nil
}

// Exposure pages in rising order of the sources' ids; the key of a page is its first id.
func (s queryServer) Exposure(ctx context.Context, req *types.QueryExposureRequest) (*types.QueryExposureResponse, error) {
	params, err := s.k.Params.Get(ctx)
	if err != nil {
		return nil, err
	}
	bonded, err := s.k.staking.TotalBondedTokens(ctx)
	if err != nil {
		return nil, err
	}
	duration, err := s.k.epochDuration(ctx, params.EpochLength)
	if err != nil {
		return nil, err
	}
	sources, err := s.k.activeSources(ctx)
	if err != nil {
		return nil, err
	}
	sources, next := page(sources, req.GetPagination(), func(source types.Source) []byte { return sdk.Uint64ToBigEndian(source.ID) })
	resp := &types.QueryExposureResponse{
		Bonded: bonded, EpochDuration: duration, Warning: epochWarning(params.EpochLength, duration), Pagination: next,
	}
	for _, source := range sources {
		exposure, err := s.k.exposure(ctx, source, bonded)
		if err != nil {
			return nil, err
		}
		resp.Sources = append(resp.Sources, exposure)
	}
	return resp, nil
}

// page returns one page of a bounded list. The key of a page is that of its first item; one that is gone ends the list.
func page[T any](items []T, req *query.PageRequest, key func(T) []byte) ([]T, *query.PageResponse) {
	clamped := paging.Clamp(req)
	if clamped.Reverse {
		slices.Reverse(items)
	}
	start := int(min(clamped.Offset, uint64(len(items))))
	if len(clamped.Key) > 0 {
		start = slices.IndexFunc(items, func(item T) bool { return bytes.Equal(key(item), clamped.Key) })
		if start < 0 {
			start = len(items)
		}
	}
	end := min(start+int(clamped.Limit), len(items))
	resp := &query.PageResponse{}
	if end < len(items) {
		resp.NextKey = key(items[end])
	}
	return items[start:end], resp
}
