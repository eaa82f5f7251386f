package keeper

import (
	"errors"

	errorsmod "cosmossdk.io/errors"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// signatureGas is charged for each signature that evidence has verified, before it is: several times what x/auth charges
// for one, so that nobody gets a node's time for less by sending garbage.
const signatureGas = 5_000

const (
	kindDoubleVoting = "double voting"
	kindMisbehaviour = "misbehaviour"
)

// SubmitDoubleVoting slashes the consumer validator that signed two conflicting votes of a revision of the consumer's
// chain, 0 for its present one, and returns its name and the sequence of the slash. Anybody may submit it, whatever
// the state of channel and light client. Evidence that is refused writes nothing; see evidence.VerifyDoubleVoting for the
// reasons, and newSlash for ErrAlreadySlashed.
func (k *Keeper) SubmitDoubleVoting(
	ctx sdk.Context, submitter string, consumerID, revision uint64, ev *cmtproto.DuplicateVoteEvidence,
) (validator string, sequence uint64, err error) {
	consumer, client, err := k.accused(ctx, consumerID)
	if err != nil {
		return "", 0, err
	}
	if revision == 0 {
		revision = clienttypes.ParseChainID(client.ChainID)
	}
	ctx.GasMeter().ConsumeGas(evidence.DoubleVotingSignatures*signatureGas, "evidence signatures")
	verdict, err := evidence.VerifyDoubleVoting(client, revision, ev, keyHistory{k, ctx, consumerID})
	if err != nil {
		return "", 0, err
	}
	slashed, sequence, err := k.punish(ctx, consumer, submitter, kindDoubleVoting, verdict)
	if err != nil {
		return "", 0, err
	}
	return slashed[0], sequence, nil
}

// SubmitMisbehaviour slashes the consumer validators that signed both headers of a light-client attack, and freezes the
// consumer's client if nobody has yet. It returns their names and the sequence their slashes share. Anybody may submit
// it. What is refused writes nothing; see evidence.VerifyMisbehaviour for the reasons, ErrClientRefused if the light
// client does not take the headers for an attack, and newSlash for ErrAlreadySlashed.
func (k *Keeper) SubmitMisbehaviour(
	ctx sdk.Context, submitter string, consumerID uint64, misbehaviour *ibctm.Misbehaviour,
) (validators []string, sequence uint64, err error) {
	consumer, client, err := k.accused(ctx, consumerID)
	if err != nil {
		return nil, 0, err
	}
	signatures, err := evidence.MisbehaviourSignatures(misbehaviour)
	if err != nil {
		return nil, 0, err
	}
	ctx.GasMeter().ConsumeGas(signatures*signatureGas, "evidence signatures")
	verdict, err := evidence.VerifyMisbehaviour(client, misbehaviour, keyHistory{k, ctx, consumerID})
	if err != nil {
		return nil, 0, err
	}
	if err := k.freeze(ctx, consumer.ClientID, misbehaviour); err != nil {
		return nil, 0, err
	}
	return k.punish(ctx, consumer, submitter, kindMisbehaviour, verdict)
}

// accused returns a consumer and what its light client says, whatever the client's status.
func (k *Keeper) accused(ctx sdk.Context, consumerID uint64) (types.Consumer, evidence.Client, error) {
	consumer, err := k.GetConsumer(ctx, consumerID)
	if err != nil {
		return consumer, evidence.Client{}, err
	}
	client, err := k.tendermintClient(ctx, consumer.ClientID)
	if err != nil {
		return consumer, evidence.Client{}, err
	}
	return consumer, evidence.Client{ID: consumer.ClientID, ChainID: client.ChainId, Latest: client.LatestHeight}, nil
}

// freeze has the light client verify the misbehaviour, and freezes it unless somebody has before.
func (k *Keeper) freeze(ctx sdk.Context, clientID string, misbehaviour *ibctm.Misbehaviour) error {
	client, err := k.tendermintClient(ctx, clientID)
	if err != nil {
		return err
	}
	store := k.clientKeeper.ClientStore(ctx, clientID)
	if !client.CheckForMisbehaviour(ctx, k.cdc, store, misbehaviour) {
		return errorsmod.Wrapf(types.ErrClientRefused, "%s: the headers do not conflict", clientID)
	}
	if k.clientKeeper.GetClientStatus(ctx, client, clientID) == exported.Active {
		err = k.clientKeeper.UpdateClient(ctx, clientID, misbehaviour)
	} else {
		err = client.VerifyClientMessage(ctx, k.cdc, store, misbehaviour)
	}
	if err != nil {
		return errorsmod.Wrapf(types.ErrClientRefused, "%s: %s", clientID, err)
	}
	return nil
}

// punish slashes everybody a verdict finds guilty and who can still be slashed for it, all in one sequence. The error of
// the first who cannot if nobody can.
func (k *Keeper) punish(ctx sdk.Context, consumer types.Consumer, submitter, kind string, verdict evidence.Verdict) (validators []string, sequence uint64, err error) {
	var slashes []types.Slash
	var skipped []types.EventSuspectSkipped
	var refusal error
	for _, guilty := range verdict.Guilty {
		slash, err := k.newSlash(ctx, consumer, guilty.Validator, verdict.Height)
		switch {
		case err == nil:
			slashes, validators = append(slashes, slash), append(validators, guilty.Validator)
		case errors.Is(err, types.ErrAlreadySlashed):
			refusal = err
			skipped = append(skipped, types.EventSuspectSkipped{ConsumerID: consumer.ID, Validator: guilty.Validator, Reason: err.Error()})
		default:
			return nil, 0, err
		}
	}
	if len(slashes) == 0 {
		return nil, 0, refusal
	}
	for _, s := range verdict.Skipped {
		skipped = append(skipped, types.EventSuspectSkipped{ConsumerID: consumer.ID, Validator: s.Address.String(), Reason: s.Reason.Error()})
	}
	if sequence, err = k.vault.NextLossSequence(ctx); err != nil {
		return nil, 0, err
	}
	for i, slash := range slashes {
		slash.Sequence = sequence
		if err := k.recordSlash(ctx, consumer.ID, validators[i], slash); err != nil {
			return nil, 0, err
		}
	}
	for i := range skipped {
		if err := emit(ctx, &skipped[i]); err != nil {
			return nil, 0, err
		}
	}
	telemetry.IncrCounter(1, types.ModuleName, "evidence")
	return validators, sequence, emit(ctx, &types.EventEvidenceAccepted{
		ConsumerID: consumer.ID, Submitter: submitter, Kind: kind, Height: verdict.Height.String(), Sequence: sequence,
	})
}

// keyHistory is the key history of one consumer.
type keyHistory struct {
	k          *Keeper
	ctx        sdk.Context
	consumerID uint64
}

// KeyAt implements evidence.Keys. A key is a validator's until its next one begins.
func (h keyHistory) KeyAt(address cmttypes.Address, height clienttypes.Height) (evidence.Key, bool, error) {
	owner, from, err := h.k.lastOwner(h.ctx, h.consumerID, address, height)
	if err == nil && owner == "" {
		owner, from, err = h.k.firstOwner(h.ctx, h.consumerID, address)
	}
	if err != nil || owner == "" {
		return evidence.Key{}, false, err
	}
	v, err := h.k.GetValidator(h.ctx, h.consumerID, owner)
	if err != nil {
		return evidence.Key{}, false, err
	}
	key, found := v.KeyFrom(address, from, height)
	return evidence.Key{Validator: owner, PubKey: key, From: from}, found, nil
}
