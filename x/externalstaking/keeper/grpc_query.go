package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Querier answers the module's queries.
type Querier struct{ *Keeper }

// NewQuerier returns the module's query service.
func NewQuerier(k *Keeper) types.QueryServer { return Querier{k} }

var errEmptyRequest = sdkerrors.ErrInvalidRequest.Wrap("the request is empty")

// Params returns the params.
func (q Querier) Params(ctx context.Context, req *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	params, err := q.Keeper.Params.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: params}, nil
}

// Consumers lists all consumers by id.
func (q Querier) Consumers(ctx context.Context, req *types.QueryConsumersRequest) (*types.QueryConsumersResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	consumers, page, err := query.CollectionPaginate(ctx, q.Keeper.Consumers, paging.Clamp(req.Pagination),
		func(_ uint64, c types.Consumer) (types.Consumer, error) { return c, nil })
	if err != nil {
		return nil, err
	}
	return &types.QueryConsumersResponse{Consumers: consumers, Pagination: page}, nil
}

// Consumer returns the whole picture of one consumer.
func (q Querier) Consumer(goCtx context.Context, req *types.QueryConsumerRequest) (*types.QueryConsumerResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	ctx := sdk.UnwrapSDKContext(goCtx)
	consumer, err := q.GetConsumer(ctx, req.ConsumerId)
	if err != nil {
		return nil, err
	}
	receiver, err := q.accountKeeper.AddressCodec().BytesToString(types.RewardReceiver(consumer.ID))
	if err != nil {
		return nil, err
	}
	res := &types.QueryConsumerResponse{
		Consumer:       consumer,
		Port:           types.Port(consumer.ID),
		RewardReceiver: receiver,
		ClientStatus:   q.clientStatus(ctx, consumer.ClientID).String(),
		ChannelState:   channeltypes.UNINITIALIZED.String(),
	}
	if client, err := q.tendermintClient(ctx, consumer.ClientID); err == nil {
		res.ClientChainID, res.ClientHeight = client.ChainId, client.LatestHeight
		res.ClientUnbondingPeriod, res.ClientTrustingPeriod = client.UnbondingPeriod, client.TrustingPeriod
	}
	if channel, found := q.channelKeeper.GetChannel(ctx, res.Port, consumer.ChannelID); found {
		res.ChannelState = channel.State.String()
	}
	if res.Outbox, err = q.Outboxes.Get(ctx, consumer.ID); err != nil {
		return nil, err
	}
	sync, err := q.Syncs.Get(ctx, consumer.ID)
	if err != nil {
		return nil, err
	}
	res.SyncComplete = sync.Complete
	if res.Validators, err = q.validatorCount(ctx, consumer.ID); err != nil {
		return nil, err
	}
	return res, q.addTotals(ctx, consumer.ID, res)
}

// addTotals fills in what has to be summed up, over at most max_validators_per_consumer pools.
func (q Querier) addTotals(ctx context.Context, consumerID uint64, res *types.QueryConsumerResponse) error {
	ofConsumer := collections.NewPrefixedPairRange[uint64, string](consumerID)
	res.TotalBonded, res.TotalSynced = math.ZeroInt(), res.Outbox.Synced
	if err := q.Pools.Walk(ctx, ofConsumer, func(_ validatorKey, pool types.Pool) (bool, error) {
		res.TotalBonded = res.TotalBonded.Add(pool.Bonded)
		return false, nil
	}); err != nil {
		return err
	}
	if err := q.Dirty.Walk(ctx, ofConsumer, func(validatorKey) (bool, error) {
		res.Dirty++
		return false, nil
	}); err != nil {
		return err
	}
	if err := q.Batches.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](consumerID), func(batchKey, types.Batch) (bool, error) {
		res.InFlight++
		return false, nil
	}); err != nil {
		return err
	}
	return q.RewardTotals.Walk(ctx, ofConsumer, func(_ validatorKey, totals types.RewardTotals) (bool, error) {
		res.Rewards = append(res.Rewards, totals)
		return false, nil
	})
}

// Validators lists a consumer's validators and pools by address.
func (q Querier) Validators(ctx context.Context, req *types.QueryValidatorsRequest) (*types.QueryValidatorsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	if _, err := q.GetConsumer(ctx, req.ConsumerId); err != nil {
		return nil, err
	}
	validators, page, err := query.CollectionPaginate(ctx, q.Keeper.Validators, paging.Clamp(req.Pagination),
		func(key validatorKey, v types.Validator) (types.ValidatorInfo, error) {
			return q.validatorInfo(ctx, key.K1(), v)
		},
		query.WithCollectionPaginationPairPrefix[uint64, string](req.ConsumerId))
	if err != nil {
		return nil, err
	}
	return &types.QueryValidatorsResponse{Validators: validators, Pagination: page}, nil
}

// Validator returns one validator and its pool.
func (q Querier) Validator(ctx context.Context, req *types.QueryValidatorRequest) (*types.QueryValidatorResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	if _, err := q.GetConsumer(ctx, req.ConsumerId); err != nil {
		return nil, err
	}
	validator, err := q.GetValidator(ctx, req.ConsumerId, req.Validator)
	if err != nil {
		return nil, err
	}
	info, err := q.validatorInfo(ctx, req.ConsumerId, validator)
	if err != nil {
		return nil, err
	}
	return &types.QueryValidatorResponse{Validator: info}, nil
}

func (q Querier) validatorInfo(ctx context.Context, consumerID uint64, v types.Validator) (types.ValidatorInfo, error) {
	pool, err := q.loadPool(ctx, consumerID, v.Address)
	if err != nil {
		return types.ValidatorInfo{}, err
	}
	slashes, err := q.slashesOf(ctx, collections.Join(consumerID, v.Address))
	return types.ValidatorInfo{Validator: v, Pool: pool, Slashes: slashes}, err
}

// InFlight lists the batches the consumer has not acknowledged, oldest first.
func (q Querier) InFlight(ctx context.Context, req *types.QueryInFlightRequest) (*types.QueryInFlightResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	if _, err := q.GetConsumer(ctx, req.ConsumerId); err != nil {
		return nil, err
	}
	batches, page, err := query.CollectionPaginate(ctx, q.Batches, paging.Clamp(req.Pagination),
		func(_ batchKey, b types.Batch) (types.Batch, error) { return b, nil },
		query.WithCollectionPaginationPairPrefix[uint64, uint64](req.ConsumerId))
	if err != nil {
		return nil, err
	}
	return &types.QueryInFlightResponse{Batches: batches, Pagination: page}, nil
}
