package keeper_test

import (
	"context"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const consumerChain = "consumer-1"

// keyOf is the consensus key of a validator.
func keyOf(validator string) ed25519.PrivKey { return ed25519.GenPrivKeyFromSecret([]byte(validator)) }

// blockOf is the id of a made-up block.
func blockOf(block string) cmtproto.BlockID {
	return cmtproto.BlockID{
		Hash: tmhash.Sum([]byte(block)), PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: tmhash.Sum([]byte("parts"))},
	}
}

// doubleVote is two precommits for different blocks of one height, signed with a key after changes to both.
func doubleVote(t require.TestingT, key ed25519.PrivKey, height int64, changes ...func(a, b *cmtproto.Vote)) *cmtproto.DuplicateVoteEvidence {
	vote := func(block string) *cmtproto.Vote {
		return &cmtproto.Vote{
			Type: cmtproto.PrecommitType, Height: height, BlockID: blockOf(block), Timestamp: time.Unix(1_700_000_000, 0).UTC(),
			ValidatorAddress: key.PubKey().Address(),
		}
	}
	a, b := vote("one"), vote("other")
	for _, change := range changes {
		change(a, b)
	}
	for _, v := range []*cmtproto.Vote{a, b} {
		signature, err := key.Sign(cmttypes.VoteSignBytes(consumerChain, v))
		require.NoError(t, err)
		v.Signature = signature
	}
	if idOf(a) > idOf(b) {
		a, b = b, a
	}
	return &cmtproto.DuplicateVoteEvidence{VoteA: a, VoteB: b}
}

func idOf(vote *cmtproto.Vote) string {
	return cmttypes.BlockID{Hash: vote.BlockID.Hash, PartSetHeader: cmttypes.PartSetHeader{
		Total: vote.BlockID.PartSetHeader.Total, Hash: vote.BlockID.PartSetHeader.Hash,
	}}.Key()
}

// prove brings evidence that a validator of consumer 1 signed two blocks of a height.
func (l *ledger) prove(validator string, height int64) (sdk.Events, error) {
	return l.proveOn(1, validator, height)
}

func (l *ledger) proveOn(consumer uint64, validator string, height int64) (sdk.Events, error) {
	return l.submit(consumer, doubleVote(l.t, keyOf(validator), height))
}

func (l *ledger) submit(consumer uint64, ev *cmtproto.DuplicateVoteEvidence) (sdk.Events, error) {
	return l.tx(func(ctx context.Context) error {
		_, err := l.msgs.SubmitDoubleVoting(ctx, &types.MsgSubmitDoubleVoting{Submitter: eve.String(), ConsumerID: consumer, Evidence: ev})
		return err
	})
}

// slash proves an offence of a validator of consumer 1 and asserts the invariants.
func (l *ledger) slash(validator string, height int64) sdk.Events {
	l.t.Helper()
	return l.slashOn(1, validator, height)
}

func (l *ledger) slashOn(consumer uint64, validator string, height int64) sdk.Events {
	l.t.Helper()
	events, err := l.proveOn(consumer, validator, height)
	require.NoError(l.t, err)
	l.holds()
	return events
}

// settle settles users and asserts the invariants.
func (l *ledger) settle(users ...sdk.AccAddress) {
	l.t.Helper()
	for _, user := range users {
		require.NoError(l.t, l.liens.Settle(l.ctx, user))
	}
	l.holds()
}

// sweep does what the vault does at the end of a block.
func (l *ledger) sweep(budget int) (settled int, events sdk.Events) {
	l.t.Helper()
	ctx := l.ctx.WithEventManager(sdk.NewEventManager())
	settled = l.k.Sweep(ctx, budget)
	l.holds()
	return settled, ctx.EventManager().Events()
}

// advance moves the light client up to a height.
func (l *ledger) advance(height uint64) { l.ibc.latest = height }

// applied has the consumer confirm that a batch and all before it stopped to count after a height.
func (l *ledger) applied(batch, height uint64) {
	l.t.Helper()
	l.appliedOn(1, batch, height)
}

func (l *ledger) appliedOn(consumer, batch, height uint64) {
	l.t.Helper()
	bz, err := control.EncodeValidatorSync(control.ValidatorSync{
		Height: clienttypes.NewHeight(1, height), UnbondingPeriod: ledgerUnbonding,
		Applied: &control.Applied{BatchID: batch, Height: clienttypes.NewHeight(1, height)},
	})
	require.NoError(l.t, err)
	require.NoError(l.t, l.k.ReceivePacket(l.ctx, types.Port(consumer), channelOf(consumer), bz))
}
