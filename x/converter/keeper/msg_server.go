package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/converter/types"
)

type msgServer struct{ k *Keeper }

// NewMsgServer returns the module's transaction service.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{k} }

// CreateConverter implements types.MsgServer.
func (s msgServer) CreateConverter(ctx context.Context, msg *types.MsgCreateConverter) (*types.MsgCreateConverterResponse, error) {
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
	c, err := s.k.CreateConverter(sdk.UnwrapSDKContext(ctx), sender, NewConverter{
		Admin: admin, ConnectionID: msg.ConnectionID, ProviderDenom: msg.ProviderDenom,
		Discount: msg.Discount, PriceFeed: msg.PriceFeed, TransferChannel: msg.TransferChannel,
	})
	if err != nil {
		return nil, err
	}
	return &types.MsgCreateConverterResponse{ConverterID: c.ID, Port: c.Port()}, nil
}

// UpdateConverter implements types.MsgServer.
func (s msgServer) UpdateConverter(ctx context.Context, msg *types.MsgUpdateConverter) (*types.MsgUpdateConverterResponse, error) {
	sender, err := s.k.address("sender", msg.Sender)
	if err != nil {
		return nil, err
	}
	return &types.MsgUpdateConverterResponse{}, s.k.UpdateConverter(sdk.UnwrapSDKContext(ctx), sender, msg.ConverterID, Update{
		CounterpartyPort: msg.CounterpartyPort, Discount: msg.Discount,
		PriceFeed: msg.PriceFeed, TransferChannel: msg.TransferChannel,
	})
}

// UpdateAdmin implements types.MsgServer.
func (s msgServer) UpdateAdmin(ctx context.Context, msg *types.MsgUpdateAdmin) (*types.MsgUpdateAdminResponse, error) {
	sender, err := s.k.address("sender", msg.Sender)
	if err != nil {
		return nil, err
	}
	var newAdmin sdk.AccAddress
	if msg.NewAdmin != "" {
		if newAdmin, err = s.k.address("new_admin", msg.NewAdmin); err != nil {
			return nil, err
		}
	}
	return &types.MsgUpdateAdminResponse{}, s.k.UpdateAdmin(sdk.UnwrapSDKContext(ctx), sender, msg.ConverterID, newAdmin)
}

// SetPrice implements types.MsgServer.
func (s msgServer) SetPrice(ctx context.Context, msg *types.MsgSetPrice) (*types.MsgSetPriceResponse, error) {
	sender, err := s.k.address("sender", msg.Sender)
	if err != nil {
		return nil, err
	}
	return &types.MsgSetPriceResponse{}, s.k.SetPrice(sdk.UnwrapSDKContext(ctx), sender, msg.ConverterID, msg.Price)
}

// CloseChannel implements types.MsgServer.
func (s msgServer) CloseChannel(ctx context.Context, msg *types.MsgCloseChannel) (*types.MsgCloseChannelResponse, error) {
	if msg.Authority != s.k.authority {
		return nil, errorsmod.Wrapf(types.ErrUnauthorized, "%q may not close control channels; only the authority %s may", msg.Authority, s.k.authority)
	}
	channelID, err := s.k.CloseControlChannel(sdk.UnwrapSDKContext(ctx), msg.ConverterID)
	if err != nil {
		return nil, err
	}
	return &types.MsgCloseChannelResponse{ChannelID: channelID}, nil
}

// UpdateParams implements types.MsgServer.
func (s msgServer) UpdateParams(ctx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	if msg.Authority != s.k.authority {
		return nil, errorsmod.Wrapf(types.ErrUnauthorized, "%q may not change the params; only the authority %s may", msg.Authority, s.k.authority)
	}
	if err := msg.Params.Validate(); err != nil {
		return nil, err
	}
	if err := s.k.Params.Set(ctx, msg.Params); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, emit(ctx, &types.EventParamsUpdated{Params: msg.Params})
}

func (k *Keeper) address(field, bech32 string) (sdk.AccAddress, error) {
	addr, err := k.addresses.StringToBytes(bech32)
	if err != nil {
		return nil, errorsmod.Wrapf(types.ErrInvalidAddress, "%s %q: %s", field, bech32, err)
	}
	return addr, nil
}
