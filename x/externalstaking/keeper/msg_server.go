package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

type msgServer struct{ k *Keeper }

// NewMsgServer returns the module's transaction service.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{k: k} }

func (s msgServer) RegisterConsumer(ctx context.Context, msg *types.MsgRegisterConsumer) (*types.MsgRegisterConsumerResponse, error) {
	sender, err := s.k.address("sender", msg.Sender)
	if err != nil {
		return nil, err
	}
	admin := sender
	if msg.Admin != "" {
		if admin, err = s.k.address("admin", msg.Admin); err != nil {
			return nil, err
		}
	}
	consumer, err := s.k.RegisterConsumer(sdk.UnwrapSDKContext(ctx), sender, Registration{
		Admin:            admin,
		Name:             msg.Name,
		ConnectionID:     msg.ConnectionID,
		CounterpartyPort: msg.CounterpartyPort,
		TransferChannel:  msg.TransferChannel,
		UnbondingPeriod:  msg.UnbondingPeriod,
		SlashFraction:    msg.SlashFraction,
		MinStake:         msg.MinStake,
	})
	if err != nil {
		return nil, err
	}
	return &types.MsgRegisterConsumerResponse{ConsumerID: consumer.ID, Port: types.Port(consumer.ID)}, nil
}

func (s msgServer) UpdateConsumer(ctx context.Context, msg *types.MsgUpdateConsumer) (*types.MsgUpdateConsumerResponse, error) {
	sender, err := s.k.address("sender", msg.Sender)
	if err != nil {
		return nil, err
	}
	update := ConsumerUpdate{MinStake: msg.MinStake, UnbondingPeriod: msg.UnbondingPeriod}
	if msg.Name != "" {
		update.Name = &msg.Name
	}
	if msg.TransferChannel != "" {
		update.TransferChannel = &msg.TransferChannel
	}
	if _, err := s.k.UpdateConsumer(sdk.UnwrapSDKContext(ctx), sender, msg.ConsumerID, update); err != nil {
		return nil, err
	}
	return &types.MsgUpdateConsumerResponse{}, nil
}

func (s msgServer) UpdateAdmin(ctx context.Context, msg *types.MsgUpdateAdmin) (*types.MsgUpdateAdminResponse, error) {
	sender, err := s.k.address("sender", msg.Sender)
	if err != nil {
		return nil, err
	}
	var next sdk.AccAddress
	if msg.NewAdmin != "" {
		if next, err = s.k.address("new admin", msg.NewAdmin); err != nil {
			return nil, err
		}
	}
	if err := s.k.UpdateAdmin(sdk.UnwrapSDKContext(ctx), sender, msg.ConsumerID, next); err != nil {
		return nil, err
	}
	return &types.MsgUpdateAdminResponse{}, nil
}

func (s msgServer) UpdateParams(ctx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	if err := s.k.onlyAuthority(msg.Authority, "change the params"); err != nil {
		return nil, err
	}
	if err := s.k.UpdateParams(sdk.UnwrapSDKContext(ctx), msg.Params); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

// address decodes an address of this chain; what names it in the SDK's ErrInvalidAddress.
func (k *Keeper) address(what, addr string) (sdk.AccAddress, error) {
	bz, err := k.accountKeeper.AddressCodec().StringToBytes(addr)
	if err != nil {
		return nil, errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "%s %q: %s", what, addr, err)
	}
	return bz, nil
}
