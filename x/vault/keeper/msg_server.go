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

func (s msgServer) DepositDelegation(ctx context.Context, msg *types.MsgDepositDelegation) (*types.MsgDepositDelegationResponse, error) {
	user, validator, err := s.k.userAndValidator(msg.User, msg.Validator)
	if err != nil {
		return nil, err
	}
	moved, account, err := s.k.DepositDelegation(ctx, user, validator, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgDepositDelegationResponse{Amount: moved, Collateral: account.Collateral, Free: account.Free}, nil
}

func (s msgServer) WithdrawDelegation(ctx context.Context, msg *types.MsgWithdrawDelegation) (*types.MsgWithdrawDelegationResponse, error) {
	user, validator, err := s.k.userAndValidator(msg.User, msg.Validator)
	if err != nil {
		return nil, err
	}
	moved, account, err := s.k.WithdrawDelegation(ctx, user, validator, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgWithdrawDelegationResponse{Amount: moved, Collateral: account.Collateral, Free: account.Free}, nil
}

func (s msgServer) StakeLocal(ctx context.Context, msg *types.MsgStakeLocal) (*types.MsgStakeLocalResponse, error) {
	user, validator, err := s.k.userAndValidator(msg.User, msg.Validator)
	if err != nil {
		return nil, err
	}
	account, err := s.k.StakeLocal(ctx, user, validator, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgStakeLocalResponse{Local: types.Local(account.Liens), Free: account.Free}, nil
}

func (s msgServer) UnstakeLocal(ctx context.Context, msg *types.MsgUnstakeLocal) (*types.MsgUnstakeLocalResponse, error) {
	user, validator, err := s.k.userAndValidator(msg.User, msg.Validator)
	if err != nil {
		return nil, err
	}
	completion, unbonding, err := s.k.UnstakeLocal(ctx, user, validator, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgUnstakeLocalResponse{CompletionTime: completion, Amount: unbonding}, nil
}

func (s msgServer) RestakeLocal(ctx context.Context, msg *types.MsgRestakeLocal) (*types.MsgRestakeLocalResponse, error) {
	user, source, err := s.k.userAndValidator(msg.User, msg.ValidatorSrc)
	if err != nil {
		return nil, err
	}
	destination, err := s.k.validator(msg.ValidatorDst)
	if err != nil {
		return nil, err
	}
	completion, err := s.k.RestakeLocal(ctx, user, source, destination, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgRestakeLocalResponse{CompletionTime: completion}, nil
}

func (s msgServer) WithdrawLocalRewards(ctx context.Context, msg *types.MsgWithdrawLocalRewards) (*types.MsgWithdrawLocalRewardsResponse, error) {
	user, err := s.k.user(msg.User)
	if err != nil {
		return nil, err
	}
	var validator sdk.ValAddress
	if msg.Validator != "" {
		if validator, err = s.k.validator(msg.Validator); err != nil {
			return nil, err
		}
	}
	rewards, err := s.k.WithdrawLocalRewards(ctx, user, validator)
	if err != nil {
		return nil, err
	}
	return &types.MsgWithdrawLocalRewardsResponse{Rewards: rewards}, nil
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

// validator decodes a validator's operator address, or returns the SDK's ErrInvalidAddress.
func (k *Keeper) validator(name string) (sdk.ValAddress, error) {
	validator, err := k.staking.ValidatorAddressCodec().StringToBytes(name)
	if err != nil {
		return nil, sdkerrors.ErrInvalidAddress.Wrapf("validator %q: %s", name, err)
	}
	return validator, nil
}

func (k *Keeper) userAndValidator(userName, validatorName string) (sdk.AccAddress, sdk.ValAddress, error) {
	user, err := k.user(userName)
	if err != nil {
		return nil, nil, err
	}
	validator, err := k.validator(validatorName)
	return user, validator, err
}
