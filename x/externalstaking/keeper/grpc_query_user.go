package keeper

import (
	"context"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Positions lists a user's positions with everything pending and unbonding on them.
func (q Querier) Positions(ctx context.Context, req *types.QueryPositionsRequest) (*types.QueryPositionsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	positions, page, err := paginatePositions(ctx, q.Keeper, req.User, req.Pagination, q.positionInfo)
	if err != nil {
		return nil, err
	}
	return &types.QueryPositionsResponse{Positions: positions, Pagination: page}, nil
}

// Position returns one position.
func (q Querier) Position(ctx context.Context, req *types.QueryPositionRequest) (*types.QueryPositionResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	user, err := q.address("user", req.User)
	if err != nil {
		return nil, err
	}
	ctx = q.settled(ctx, user)
	key := collections.Join3(user, req.ConsumerId, req.Validator)
	position, isNew, err := q.loadPosition(ctx, key)
	if err != nil {
		return nil, err
	}
	if isNew {
		return nil, types.ErrUnknownPosition.Wrapf("%s has nothing on validator %q of consumer %d; the query positions lists what there is", req.User, req.Validator, req.ConsumerId)
	}
	info, err := q.positionInfo(ctx, key, position)
	if err != nil {
		return nil, err
	}
	return &types.QueryPositionResponse{Position: info}, nil
}

// Unbondings lists a user's unbonding entries, a page of positions at a time.
func (q Querier) Unbondings(ctx context.Context, req *types.QueryUnbondingsRequest) (*types.QueryUnbondingsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	perPosition, page, err := paginatePositions(ctx, q.Keeper, req.User, req.Pagination,
		func(ctx context.Context, key positionKey, _ types.Position) ([]types.UnbondingInfo, error) {
			return q.unbondingInfos(ctx, key)
		})
	if err != nil {
		return nil, err
	}
	res := &types.QueryUnbondingsResponse{Pagination: page}
	for _, unbondings := range perPosition {
		res.Unbondings = append(res.Unbondings, unbondings...)
	}
	return res, nil
}

// Rewards lists what a user can withdraw now, a page of positions at a time.
func (q Querier) Rewards(ctx context.Context, req *types.QueryRewardsRequest) (*types.QueryRewardsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	perPosition, page, err := paginatePositions(ctx, q.Keeper, req.User, req.Pagination,
		func(ctx context.Context, key positionKey, position types.Position) (types.RewardInfo, error) {
			pool, err := q.loadPool(ctx, key.K2(), key.K3())
			return types.RewardInfo{ConsumerID: key.K2(), Validator: key.K3(), Amount: position.Owed(pool)}, err
		})
	if err != nil {
		return nil, err
	}
	res := &types.QueryRewardsResponse{Pagination: page}
	for _, info := range perPosition {
		if !info.Amount.IsZero() {
			res.Rewards = append(res.Rewards, info)
		}
	}
	return res, nil
}

// paginatePositions maps one page of a user's positions.
func paginatePositions[T any](
	ctx context.Context, k *Keeper, user string, page *query.PageRequest, transform func(context.Context, positionKey, types.Position) (T, error),
) ([]T, *query.PageResponse, error) {
	addr, err := k.address("user", user)
	if err != nil {
		return nil, nil, err
	}
	ctx = k.settled(ctx, addr)
	prefix := collections.TriplePrefix[sdk.AccAddress, uint64, string](addr)
	return query.CollectionPaginate(ctx, k.Positions, paging.Clamp(page),
		func(key positionKey, position types.Position) (T, error) { return transform(ctx, key, position) },
		func(o *query.CollectionsPaginateOptions[positionKey]) { o.Prefix = &prefix })
}

// settled is the state with the user settled, or as it is if that fails.
func (k *Keeper) settled(ctx context.Context, user sdk.AccAddress) context.Context {
	cached, _ := sdk.UnwrapSDKContext(ctx).CacheContext()
	if err := k.vault.Settle(cached, user); err != nil {
		k.Logger(ctx).Error("query: user could not be settled", "user", user.String(), "error", err)
		return ctx
	}
	return cached
}

func (q Querier) positionInfo(ctx context.Context, key positionKey, position types.Position) (types.PositionInfo, error) {
	consumer, err := q.GetConsumer(ctx, key.K2())
	if err != nil {
		return types.PositionInfo{}, err
	}
	v, err := q.loadValidator(ctx, key.K2(), key.K3())
	if err != nil {
		return types.PositionInfo{}, err
	}
	pool, err := q.loadPool(ctx, key.K2(), key.K3())
	if err != nil {
		return types.PositionInfo{}, err
	}
	unbondings, err := q.unbondingInfos(ctx, key)
	if err != nil {
		return types.PositionInfo{}, err
	}
	outcome, err := q.keptOutcome(ctx, key)
	if err != nil {
		return types.PositionInfo{}, err
	}
	return types.PositionInfo{
		ConsumerID:      key.K2(),
		ConsumerName:    consumer.Name,
		Validator:       key.K3(),
		ValidatorStatus: v.Status,
		Status:          positionStatus(position, v, len(unbondings)),
		Bonded:          position.Bonded,
		PendingStake:    position.PendingStake(),
		PendingUnstake:  position.PendingUnstake(),
		Unbondings:      unbondings,
		Rewards:         position.Owed(pool),
		Slashed:         position.Hit,
		Outcome:         outcome,
	}, nil
}

func (q Querier) unbondingInfos(ctx context.Context, key positionKey) ([]types.UnbondingInfo, error) {
	unbonding, err := q.loadUnbonding(ctx, key)
	if err != nil {
		return nil, err
	}
	now := sdk.UnwrapSDKContext(ctx).BlockTime()
	infos := make([]types.UnbondingInfo, 0, len(unbonding.Entries))
	for _, e := range unbonding.Entries {
		infos = append(infos, types.UnbondingInfo{
			ConsumerID: key.K2(), Validator: key.K3(), Amount: e.Amount, ReleaseTime: e.ReleaseTime,
			Remaining: max(0, e.ReleaseTime.Sub(now)), Slashed: e.Hit,
		})
	}
	return infos, nil
}

// positionStatus is the one word for a position: what is bonded comes first, then what is on its way in, then out.
func positionStatus(position types.Position, v types.Validator, unbondings int) types.PositionStatus {
	switch {
	case position.Bonded.IsPositive() && v.Ended():
		return types.PositionEnded
	case position.Bonded.IsPositive():
		return types.PositionBonded
	case position.Queued() || position.Sent():
		return types.PositionPending
	case unbondings > 0:
		return types.PositionUnbonding
	}
	return types.PositionRewards
}
