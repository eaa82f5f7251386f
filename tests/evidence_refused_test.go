package tests

import (
	"fmt"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// requireRefused demands a registered error and no trace in the state.
func (w *world) requireRefused(t *testing.T, submit func() error, want error) {
	t.Helper()
	before := meshState(t, w.Provider)
	require.ErrorIs(t, submit(), want)
	require.Equal(t, before, meshState(t, w.Provider))
}

func TestSL01ADoubleVoteCountsOnce(t *testing.T) {
	w := newWorld(t)
	user, v := w.Provider.Users[1], w.Consumer.Validators[0]
	w.staked(t, user, v.Address, 1_000)
	good := w.doubleVote(v)
	height := good.VoteA.Height
	changed := func(changes ...func(a, b *cmtproto.Vote)) *cmtproto.DuplicateVoteEvidence {
		return w.Consumer.DoubleVote(v, height, changes...)
	}
	swapped, unsigned := changed(), changed()
	swapped.VoteA, swapped.VoteB = swapped.VoteB, swapped.VoteA
	unsigned.VoteB.Signature = append([]byte{}, unsigned.VoteB.Signature...)
	unsigned.VoteB.Signature[5] ^= 1
	for name, bad := range map[string]struct {
		evidence *cmtproto.DuplicateVoteEvidence
		want     error
	}{
		"swapped":          {swapped, evidence.ErrMalformed},
		"bad signature":    {unsigned, evidence.ErrInvalidSignature},
		"different rounds": {changed(func(_, b *cmtproto.Vote) { b.Round = 1 }), evidence.ErrDifferentVotes},
		"same block":       {changed(func(a, b *cmtproto.Vote) { b.BlockID = a.BlockID }), evidence.ErrMalformed},
		"different types":  {changed(func(_, b *cmtproto.Vote) { b.Type = cmtproto.PrevoteType }), evidence.ErrDifferentVotes},
		"SL-03: a key the consumer never reported": {
			w.Consumer.DoubleVote(w.Provider.Validators[0], height), evidence.ErrUnknownKey,
		},
		"SL-04: above what the client has seen": {
			changed(func(a, b *cmtproto.Vote) { a.Height, b.Height = height+100, height+100 }), evidence.ErrAboveClient,
		},
		"SL-04: before the key was known": {
			changed(func(a, b *cmtproto.Vote) { a.Height, b.Height = 2, 2 }), evidence.ErrKeyNotYetValid,
		},
		"nothing": {nil, evidence.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			w.requireRefused(t, func() error { return w.submit(bad.evidence) }, bad.want)
		})
	}
	require.NoError(t, w.submit(good))
	require.Equal(t, "800", w.collateral(user).String())
	for name, again := range map[string]*cmtproto.DuplicateVoteEvidence{
		"replayed":             good,
		"other round":          changed(func(a, b *cmtproto.Vote) { a.Round, b.Round = 3, 3 }),
		"prevotes of the same": changed(func(a, b *cmtproto.Vote) { a.Type, b.Type = cmtproto.PrevoteType, cmtproto.PrevoteType }),
		"an earlier height":    changed(func(a, b *cmtproto.Vote) { a.Height, b.Height = height-1, height-1 }),
	} {
		t.Run(name, func(t *testing.T) {
			w.requireRefused(t, func() error { return w.submit(again) }, externalstakingtypes.ErrAlreadySlashed)
		})
	}
	require.Len(t, w.slashes(), 1)
	w.requireQuiet(t)
}

// RM-03: a consumer cannot slash an honest validator with a key of its own making.
func TestRM03ASwappedKeySlashesNobody(t *testing.T) {
	w := newWorld(t, noEpochs)
	user, v := w.Provider.Users[1], w.Consumer.Validators[0]
	w.staked(t, user, v.Address, 1_000)
	forger := w.Provider.Validators[0]
	key, err := codecJSON(forger.PrivKey().PubKey().Bytes())
	require.NoError(t, err)
	p, err := w.Inject(w.Control.EndpointB, []byte(fmt.Sprintf(
		`{"validator_sync":{"height":{"revision_number":"1","revision_height":"%d"},"unbonding_period":"60s","validators":[{"validator":%q,"cons_pubkey":%s,"status":"VALIDATOR_STATUS_ACTIVE"}]}}`,
		w.Consumer.App.LastBlockHeight(), v.Address, key)))
	require.NoError(t, err)
	require.NoError(t, w.Receive(w.Consumer, p))
	require.Empty(t, control.AckRefused(p.Ack))
	w.Consumer.Blocks(3)
	require.NoError(t, w.UpdateClient(w.Provider))
	height := w.Consumer.App.LastBlockHeight()
	// The forger signs as the consumer's validator would.
	forged := w.Consumer.DoubleVote(forger, height)
	w.requireRefused(t, func() error { return w.submit(forged) }, evidence.ErrUnknownKey)
	require.Equal(t, "1000", w.account(user).Collateral.String())
	require.ErrorIs(t, w.stake(user, v.Address, 1), externalstakingtypes.ErrValidatorEnded)
	require.NoError(t, w.unstake(user, v.Address, 1_000), "the way out is open")
	require.Len(t, w.unbondings(user), 1)
	// The true key still convicts.
	require.NoError(t, w.submit(w.Consumer.DoubleVote(v, height)))
	require.Equal(t, "800", w.collateral(user).String())
	require.NoError(t, w.Provider.App.ExternalStakingKeeper.InvariantE1(w.Provider.Ctx()))
}

// SL-21: garbage costs those who send it, and leaves nothing.
func TestSL21GarbageLeavesNothing(t *testing.T) {
	w := newWorld(t)
	v := w.Consumer.Validators[0]
	spoiled := w.doubleVote(v)
	before := meshState(t, w.Provider)
	for n := range 200 {
		spoiled.VoteA.Signature = bytesOf(byte(n), 64)
		w.Provider.Queue(w.messenger(), &externalstakingtypes.MsgSubmitDoubleVoting{
			Submitter: w.messenger().String(), ConsumerID: w.ConsumerID, Evidence: spoiled,
		})
	}
	w.Provider.NextBlock()
	for _, res := range w.Provider.Last.TxResults {
		require.NotZero(t, res.Code)
		require.Greater(t, res.GasUsed, int64(10_000))
	}
	require.Equal(t, before, meshState(t, w.Provider))
}
