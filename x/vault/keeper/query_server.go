package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/vault/types"
)

type queryServer struct {
	*types.UnimplementedQueryServer
	k *Keeper
}

// NewQueryServer returns the vault's query service.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{k: k} }

var errEmptyRequest = sdkerrors.ErrInvalidRequest.Wrap("the request is empty")

func (s queryServer) Params(ctx context.Context, req *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	params, err := s.k.Params.Get(ctx)
	if err != nil {
		return nil, err
	}
	denom, err := s.k.Denom.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: params, Denom: denom}, nil
}

func (s queryServer) Account(ctx context.Context, req *types.QueryAccountRequest) (*types.QueryAccountResponse, error) {
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
	account, err := s.k.Account(settled, user)
	if err != nil {
		return nil, err
	}
	return &types.QueryAccountResponse{Account: account}, nil
}

func (s queryServer) Accounts(ctx context.Context, req *types.QueryAccountsRequest) (*types.QueryAccountsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	accounts, page, err := query.CollectionPaginate(ctx, s.k.Collateral, paging.Clamp(req.Pagination),
		func(user sdk.AccAddress, _ math.Int) (types.Account, error) { return s.k.Account(ctx, user) })
	if err != nil {
		return nil, err
	}
	return &types.QueryAccountsResponse{Accounts: accounts, Pagination: page}, nil
}

func (s queryServer) Liens(ctx context.Context, req *types.QueryLiensRequest) (*types.QueryLiensResponse, error) {
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
	liens, page, err := query.CollectionPaginate(settled, s.k.Liens, paging.Clamp(req.Pagination),
		func(key collections.Pair[sdk.AccAddress, string], record types.LienRecord) (types.Lien, error) {
			return newLien(key.K2(), record), nil
		}, query.WithCollectionPaginationPairPrefix[sdk.AccAddress, string](user))
	if err != nil {
		return nil, err
	}
	return &types.QueryLiensResponse{Liens: liens, Pagination: page}, nil
}

// settled returns a branch of ctx in which the user is settled, so that the answer is what a withdrawal in this block
// would find. The branch is never written back.
func (s queryServer) settled(ctx context.Context, user sdk.AccAddress) (sdk.Context, error) {
	branch, _ := sdk.UnwrapSDKContext(ctx).CacheContext()
	return branch, s.k.settle(branch, user)
}
