package observer

import (
	"context"
	"fmt"

	cmttypes "github.com/cometbft/cometbft/types"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// messages submit the evidence from a block of the consumer.
func (o *Observer) messages(ctx context.Context, found finding) ([]sdk.Msg, error) {
	client, err := o.provider.client(ctx)
	if err != nil {
		return nil, fmt.Errorf("light client of the consumer: %w", err)
	}
	switch ev := found.evidence.(type) {
	case *cmttypes.DuplicateVoteEvidence:
		return o.doubleVoting(ctx, client, ev, found.height)
	case *cmttypes.LightClientAttackEvidence:
		return o.misbehaviour(ctx, client, ev)
	}
	return nil, fmt.Errorf("%w: %T", errUnknownEvidence, found.evidence)
}

// doubleVoting submits duplicate votes found in the block of a height. If the light client has not seen their height, that
// block's header is brought first.
func (o *Observer) doubleVoting(ctx context.Context, client evidence.Client, ev *cmttypes.DuplicateVoteEvidence, found int64) ([]sdk.Msg, error) {
	var msgs []sdk.Msg
	if o.consumer.height(ev.Height()).GT(client.Latest) {
		block, err := o.consumer.blocks.LightBlock(ctx, found)
		if err != nil {
			return nil, fmt.Errorf("header %d: %w", found, err)
		}
		header, err := o.consumer.header(ctx, block, client.Latest)
		if err != nil {
			return nil, err
		}
		update, err := clienttypes.NewMsgUpdateClient(client.ID, header, o.provider.sender())
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, update)
	}
	return append(msgs, &externaltypes.MsgSubmitDoubleVoting{
		Submitter: o.provider.sender(), ConsumerID: o.provider.consumerID, Evidence: ev.ToProto(),
		Revision: clienttypes.ParseChainID(o.consumer.ChainID),
	}), nil
}

// misbehaviour submits a light-client attack: the header of the attack beside the chain's own header of that height, both
// to be verified from the last height the light client knows before the attack.
func (o *Observer) misbehaviour(ctx context.Context, client evidence.Client, ev *cmttypes.LightClientAttackEvidence) ([]sdk.Msg, error) {
	attack := ev.ConflictingBlock
	trusted, err := o.provider.trustedHeight(ctx, client.ID, o.consumer.height(min(ev.CommonHeight, attack.Height-1)))
	if err != nil {
		return nil, err
	}
	own, err := o.consumer.blocks.LightBlock(ctx, attack.Height)
	if err != nil {
		return nil, fmt.Errorf("the chain's own header %d: %w", attack.Height, err)
	}
	forged, err := o.consumer.header(ctx, attack, trusted)
	if err != nil {
		return nil, err
	}
	honest, err := o.consumer.header(ctx, own, trusted)
	if err != nil {
		return nil, err
	}
	misbehaviour, err := codectypes.NewAnyWithValue(ibctm.NewMisbehaviour(client.ID, forged, honest))
	if err != nil {
		return nil, err
	}
	return []sdk.Msg{&externaltypes.MsgSubmitMisbehaviour{
		Submitter: o.provider.sender(), ConsumerID: o.provider.consumerID, Misbehaviour: misbehaviour,
	}}, nil
}
