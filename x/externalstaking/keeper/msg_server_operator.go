package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func (s msgServer) PauseConsumer(ctx context.Context, msg *types.MsgPauseConsumer) (*types.MsgPauseConsumerResponse, error) {
	sender, err := s.k.address("sender", msg.Sender)
	if err != nil {
		return nil, err
	}
	if err := s.k.PauseConsumer(sdk.UnwrapSDKContext(ctx), sender, msg.ConsumerID, msg.Paused); err != nil {
		return nil, err
	}
	return &types.MsgPauseConsumerResponse{}, nil
}

func (s msgServer) EndorseConsumer(ctx context.Context, msg *types.MsgEndorseConsumer) (*types.MsgEndorseConsumerResponse, error) {
	if err := s.k.onlyAuthority(msg.Authority, "endorse consumers"); err != nil {
		return nil, err
	}
	if err := s.k.EndorseConsumer(sdk.UnwrapSDKContext(ctx), msg.ConsumerID, msg.Endorsed); err != nil {
		return nil, err
	}
	return &types.MsgEndorseConsumerResponse{}, nil
}

func (s msgServer) RetireConsumer(ctx context.Context, msg *types.MsgRetireConsumer) (*types.MsgRetireConsumerResponse, error) {
	if err := s.k.onlyAuthority(msg.Authority, "retire consumers"); err != nil {
		return nil, err
	}
	if err := s.k.RetireConsumer(sdk.UnwrapSDKContext(ctx), msg.ConsumerID); err != nil {
		return nil, err
	}
	return &types.MsgRetireConsumerResponse{}, nil
}

func (s msgServer) CloseChannel(ctx context.Context, msg *types.MsgCloseChannel) (*types.MsgCloseChannelResponse, error) {
	if err := s.k.onlyAuthority(msg.Authority, "close control channels"); err != nil {
		return nil, err
	}
	channelID, err := s.k.CloseControlChannel(sdk.UnwrapSDKContext(ctx), msg.ConsumerID)
	if err != nil {
		return nil, err
	}
	return &types.MsgCloseChannelResponse{ChannelID: channelID}, nil
}
