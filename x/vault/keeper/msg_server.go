package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

type msgServer struct{ k *Keeper }

// NewMsgServer returns the vault's transaction service.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{k: k} }

func (s msgServer) Deposit(ctx context.Context, msg *types.MsgDeposit) (*types.MsgDepositResponse, error) {
	user, err := s.k.user(msg.User)
	if err != nil {
		return nil, err
	}
	account, err := s.k.Deposit(ctx, user, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgDepositResponse{Collateral: account.Collateral, Free: account.Free}, nil
}

func (s msgServer) Withdraw(ctx context.Context, msg *types.MsgWithdraw) (*types.MsgWithdrawResponse, error) {
	user, err := s.k.user(msg.User)
	if err != nil {
		return nil, err
	}
	account, err := s.k.Withdraw(ctx, user, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgWithdrawResponse{Collateral: account.Collateral, Free: account.Free}, nil
}

func (s msgServer) UpdateParams(ctx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	if msg.Authority != s.k.authority {
		return nil, govtypes.ErrInvalidSigner.Wrapf("%s cannot change the vault's params, only %s can: make a governance proposal", msg.Authority, s.k.authority)
	}
	if err := s.k.UpdateParams(ctx, msg.Params); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

// user decodes a user's address, or returns the SDK's ErrInvalidAddress.
func (k *Keeper) user(name string) (sdk.AccAddress, error) {
	user, err := k.addresses.StringToBytes(name)
	if err != nil {
		return nil, sdkerrors.ErrInvalidAddress.Wrapf("user %q: %s", name, err)
	}
	return user, nil
}
