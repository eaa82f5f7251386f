package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Slashes lists the proven offences of a consumer's validators, by validator.
func (q Querier) Slashes(ctx context.Context, req *types.QuerySlashesRequest) (*types.QuerySlashesResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	if _, err := q.GetConsumer(ctx, req.ConsumerId); err != nil {
		return nil, err
	}
	prefix := collections.TriplePrefix[uint64, string, uint64](req.ConsumerId)
	slashes, page, err := query.CollectionPaginate(ctx, q.Keeper.Slashes, paging.Clamp(req.Pagination),
		func(key slashKey, s types.Slash) (types.SlashInfo, error) {
			return types.SlashInfo{Validator: key.K2(), Slash: s}, nil
		},
		func(o *query.CollectionsPaginateOptions[slashKey]) { o.Prefix = &prefix })
	if err != nil {
		return nil, err
	}
	return &types.QuerySlashesResponse{Slashes: slashes, Pagination: page}, nil
}

// Sweeps lists the slashed validators whose users are being settled.
func (q Querier) Sweeps(ctx context.Context, req *types.QuerySweepsRequest) (*types.QuerySweepsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	sweeps, page, err := query.CollectionPaginate(ctx, q.Keeper.Sweeps, paging.Clamp(req.Pagination),
		func(key validatorKey, user []byte) (types.SweepInfo, error) {
			cursor, err := q.accountKeeper.AddressCodec().BytesToString(user)
			return types.SweepInfo{ConsumerID: key.K1(), Validator: key.K2(), Cursor: cursor}, err
		})
	if err != nil {
		return nil, err
	}
	return &types.QuerySweepsResponse{Sweeps: sweeps, Pagination: page}, nil
}

// SimulateSlash shows what a double sign of a validator, proven now, would cost a user: it lets one happen on a copy of the
// state and settles the user. ErrAlreadySlashed if it can cost nothing more.
func (q Querier) SimulateSlash(goCtx context.Context, req *types.QuerySimulateSlashRequest) (*types.QuerySimulateSlashResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	user, err := q.address("user", req.User)
	if err != nil {
		return nil, err
	}
	consumer, err := q.GetConsumer(goCtx, req.ConsumerId)
	if err != nil {
		return nil, err
	}
	if _, err := q.GetValidator(goCtx, req.ConsumerId, req.Validator); err != nil {
		return nil, err
	}
	ctx, _ := sdk.UnwrapSDKContext(goCtx).CacheContext()
	before, err := q.vault.Account(ctx, user)
	if err != nil {
		return nil, err
	}
	if err := q.slashNow(ctx, consumer, req.Validator); err != nil {
		return nil, err
	}
	after, err := q.vault.Account(ctx, user)
	if err != nil {
		return nil, err
	}
	left := make(map[string]math.Int, len(after.Liens))
	for _, lien := range after.Liens {
		left[lien.Holder] = lien.Amount
	}
	res := &types.QuerySimulateSlashResponse{CollateralBefore: before.Collateral, CollateralAfter: after.Collateral}
	for _, lien := range before.Liens {
		change := types.LienChange{Holder: lien.Holder, Before: lien.Amount, After: math.ZeroInt()}
		if amount, found := left[lien.Holder]; found {
			change.After = amount
		}
		if !change.After.Equal(change.Before) {
			res.Liens = append(res.Liens, change)
		}
	}
	return res, nil
}

// slashNow slashes a validator for an offence at the last height that the consumer's light client has seen.
func (k *Keeper) slashNow(ctx sdk.Context, consumer types.Consumer, validator string) error {
	client, err := k.tendermintClient(ctx, consumer.ClientID)
	if err != nil {
		return err
	}
	slash, err := k.newSlash(ctx, consumer, validator, client.LatestHeight)
	if err != nil {
		return err
	}
	if slash.Sequence, err = k.vault.NextLossSequence(ctx); err != nil {
		return err
	}
	return k.recordSlash(ctx, consumer.ID, validator, slash)
}
