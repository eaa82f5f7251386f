package keeper

import (
	"context"

	"cosmossdk.io/math"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

type msgServer struct{ k *Keeper }

// NewMsgServer returns the module's transaction service.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{k: k} }

func (s msgServer) SetMaxCap(ctx context.Context, msg *types.MsgSetMaxCap) (*types.MsgSetMaxCapResponse, error) {
	if err := s.checkAuthority(msg.Authority); err != nil {
		return nil, err
	}
	var weight math.LegacyDec // nil if the message has none
	if msg.GovernanceWeight != nil {
		weight = *msg.GovernanceWeight
	}
	next, err := s.k.SetMaxCap(ctx, msg.ConverterID, msg.MaxCap, weight)
	if err != nil {
		return nil, err
	}
	return &types.MsgSetMaxCapResponse{NextEpoch: next}, nil
}

func (s msgServer) UpdateParams(ctx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	if err := s.checkAuthority(msg.Authority); err != nil {
		return nil, err
	}
	if err := s.k.UpdateParams(ctx, msg.Params); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

func (s msgServer) checkAuthority(sender string) error {
	if sender != s.k.authority {
		return govtypes.ErrInvalidSigner.Wrapf("%q cannot authorise virtual stake, only %s can: make a governance proposal", sender, s.k.authority)
	}
	return nil
}
