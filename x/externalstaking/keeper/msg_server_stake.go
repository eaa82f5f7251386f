package keeper

import (
	"context"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func (s msgServer) Stake(ctx context.Context, msg *types.MsgStake) (*types.MsgStakeResponse, error) {
	user, err := s.k.address("user", msg.User)
	if err != nil {
		return nil, err
	}
	free, err := s.k.Stake(ctx, user, msg.ConsumerID, msg.Validator, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgStakeResponse{Free: free}, nil
}

func (s msgServer) Unstake(ctx context.Context, msg *types.MsgUnstake) (*types.MsgUnstakeResponse, error) {
	user, err := s.k.address("user", msg.User)
	if err != nil {
		return nil, err
	}
	period, err := s.k.Unstake(ctx, user, msg.ConsumerID, msg.Validator, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgUnstakeResponse{UnbondingPeriod: period}, nil
}

func (s msgServer) CancelStake(ctx context.Context, msg *types.MsgCancelStake) (*types.MsgCancelStakeResponse, error) {
	user, err := s.k.address("user", msg.User)
	if err != nil {
		return nil, err
	}
	amount, err := s.k.CancelStake(ctx, user, msg.ConsumerID, msg.Validator)
	if err != nil {
		return nil, err
	}
	return &types.MsgCancelStakeResponse{Amount: amount}, nil
}

func (s msgServer) WithdrawRewards(ctx context.Context, msg *types.MsgWithdrawRewards) (*types.MsgWithdrawRewardsResponse, error) {
	user, err := s.k.address("user", msg.User)
	if err != nil {
		return nil, err
	}
	paid, err := s.k.WithdrawRewards(ctx, user, msg.ConsumerID, msg.Validator)
	if err != nil {
		return nil, err
	}
	return &types.MsgWithdrawRewardsResponse{Amount: paid}, nil
}
