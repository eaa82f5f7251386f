package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func (s msgServer) SubmitDoubleVoting(ctx context.Context, msg *types.MsgSubmitDoubleVoting) (*types.MsgSubmitDoubleVotingResponse, error) {
	if _, err := s.k.address("submitter", msg.Submitter); err != nil {
		return nil, err
	}
	validator, sequence, err := s.k.SubmitDoubleVoting(sdk.UnwrapSDKContext(ctx), msg.Submitter, msg.ConsumerID, msg.Revision, msg.Evidence)
	if err != nil {
		return nil, err
	}
	return &types.MsgSubmitDoubleVotingResponse{Validator: validator, Sequence: sequence}, nil
}

func (s msgServer) SubmitMisbehaviour(ctx context.Context, msg *types.MsgSubmitMisbehaviour) (*types.MsgSubmitMisbehaviourResponse, error) {
	if _, err := s.k.address("submitter", msg.Submitter); err != nil {
		return nil, err
	}
	if msg.Misbehaviour == nil {
		return nil, types.ErrInvalidRequest.Wrap("misbehaviour is missing")
	}
	misbehaviour, ok := msg.Misbehaviour.GetCachedValue().(*ibctm.Misbehaviour)
	if !ok {
		return nil, types.ErrInvalidRequest.Wrapf("misbehaviour is %q, it must be the %q of a tendermint light client", msg.Misbehaviour.GetTypeUrl(), sdk.MsgTypeURL(&ibctm.Misbehaviour{}))
	}
	validators, sequence, err := s.k.SubmitMisbehaviour(sdk.UnwrapSDKContext(ctx), msg.Submitter, msg.ConsumerID, misbehaviour)
	if err != nil {
		return nil, err
	}
	return &types.MsgSubmitMisbehaviourResponse{Validators: validators, Sequence: sequence}, nil
}
