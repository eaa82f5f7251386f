package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/tmhash"
	"github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	cdctypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	commitmenttypes "github.com/cosmos/ibc-go/v8/modules/core/23-commitment/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// attackHeight is the height of the two headers.
const attackHeight = 90

var attackers = []string{"val1", "val2", "val3", "val4"}

// fork is one of two conflicting headers.
type fork struct {
	height int64
	round  int32
	// state and data are what the header's hashes are made from.
	state, data string
	// ballots are what validators did other than vote for the block.
	ballots map[string]ballot
	// signers are the validators' keys, those of attackers unless set.
	signers []string
	client  string
}

type ballot int

const (
	forNil ballot = iota + 1
	// forged is a vote for the block that somebody else signed.
	forged
)

// attack is two headers of one height and round over one state, each after a change.
func attack(changes ...func(one, other *fork)) (one, other fork) {
	one = fork{height: attackHeight, state: "state", data: "one", signers: attackers, client: "07-tendermint-0"}
	other = one
	other.data = "other"
	for _, change := range changes {
		change(&one, &other)
	}
	return one, other
}

func validatorSet(signers []string) *cmttypes.ValidatorSet {
	vals := make([]*cmttypes.Validator, len(signers))
	for i, name := range signers {
		vals[i] = cmttypes.NewValidator(keyOf(name).PubKey(), 10)
	}
	return cmttypes.NewValidatorSet(vals)
}

// lastSigner is the validator whose signature comes last: the light client has seen enough before it.
func lastSigner() string {
	set := validatorSet(attackers)
	for _, name := range attackers {
		if i, _ := set.GetByAddress(keyOf(name).PubKey().Address()); int(i) == len(attackers)-1 {
			return name
		}
	}
	panic("nobody is last")
}

func (f *fixture) header(fork fork) *ibctm.Header {
	f.t.Helper()
	set := validatorSet(fork.signers)
	at := f.ctx.BlockTime().Add(-time.Minute)
	parts := cmttypes.PartSetHeader{Total: 1, Hash: tmhash.Sum([]byte("parts"))}
	header := cmttypes.Header{
		Version: version.Consensus{Block: 11}, ChainID: consumerChain, Height: fork.height, Time: at,
		LastBlockID:    cmttypes.BlockID{Hash: tmhash.Sum([]byte("last")), PartSetHeader: parts},
		LastCommitHash: tmhash.Sum([]byte("last commit")), DataHash: tmhash.Sum([]byte(fork.data)), ValidatorsHash: set.Hash(),
		NextValidatorsHash: set.Hash(), ConsensusHash: tmhash.Sum([]byte("consensus")), AppHash: tmhash.Sum([]byte(fork.state)),
		LastResultsHash: tmhash.Sum([]byte("results")), EvidenceHash: tmhash.Sum([]byte("evidence")), ProposerAddress: set.Proposer.Address,
	}
	commit := &cmttypes.Commit{Height: fork.height, Round: fork.round, BlockID: cmttypes.BlockID{Hash: header.Hash(), PartSetHeader: parts}}
	commit.Signatures = make([]cmttypes.CommitSig, set.Size())
	for _, name := range fork.signers {
		key, flag := keyOf(name), cmttypes.BlockIDFlagCommit
		i, _ := set.GetByAddress(key.PubKey().Address())
		switch fork.ballots[name] {
		case forNil:
			flag = cmttypes.BlockIDFlagNil
		case forged:
			key = ed25519.GenPrivKey()
		}
		commit.Signatures[i] = cmttypes.CommitSig{BlockIDFlag: flag, ValidatorAddress: keyOf(name).PubKey().Address(), Timestamp: at}
		signature, err := key.Sign(commit.VoteSignBytes(consumerChain, i))
		require.NoError(f.t, err)
		commit.Signatures[i].Signature = signature
	}
	vals, err := set.ToProto()
	require.NoError(f.t, err)
	trusted, err := validatorSet(attackers).ToProto()
	require.NoError(f.t, err)
	signed := cmttypes.SignedHeader{Header: &header, Commit: commit}
	return &ibctm.Header{
		SignedHeader: signed.ToProto(), ValidatorSet: vals, TrustedHeight: clienttypes.NewHeight(1, 50), TrustedValidators: trusted,
	}
}

func (f *fixture) misbehave(one, other fork) (types.MsgSubmitMisbehaviourResponse, sdk.Events, error) {
	f.t.Helper()
	packed, err := cdctypes.NewAnyWithValue(ibctm.NewMisbehaviour(one.client, f.header(one), f.header(other)))
	require.NoError(f.t, err)
	var res types.MsgSubmitMisbehaviourResponse
	events, err := f.send(&types.MsgSubmitMisbehaviour{Submitter: bob.String(), ConsumerID: 1, Misbehaviour: packed}, &res)
	return res, events, err
}

// newAttacked has a consumer whose four validators are known from height 60 on, alice's stake on each, and a light client that
// trusts them at height 50.
func newAttacked(t testing.TB) *fixture {
	f := newProvider(t)
	client := *f.ibc.client()
	client.LatestHeight, client.TrustLevel = clienttypes.NewHeight(1, 60), ibctm.DefaultTrustLevel
	f.ibc.clients["07-tendermint-0"] = &client
	f.register(func(m *types.MsgRegisterConsumer) { m.SlashFraction = math.LegacyNewDecWithPrec(5, 1) })
	f.open(1)
	sync := fullReport()
	sync.Height = client.LatestHeight
	for _, name := range attackers {
		sync.Validators = append(sync.Validators, active(name, keyOf(name).PubKey().Bytes()))
	}
	require.True(t, f.report(1, sync).Success())
	for _, name := range attackers {
		f.stake(alice, 1, name, 100)
	}
	f.acceptAll()
	f.ibc.advance(40)
	state := ibctm.NewConsensusState(f.ctx.BlockTime().Add(-time.Hour), commitmenttypes.NewMerkleRoot(tmhash.Sum([]byte("root"))), validatorSet(attackers).Hash())
	bz, err := f.cdc.MarshalInterface(state)
	require.NoError(t, err)
	f.ibc.ClientStore(f.ctx, "07-tendermint-0").Set(host.ConsensusStateKey(clienttypes.NewHeight(1, 50)), bz)
	return f
}

func TestSL09WhoIsPunishedForALightClientAttack(t *testing.T) {
	last := lastSigner()
	others := make([]string, 0, 3)
	for _, name := range attackers {
		if name != last {
			others = append(others, name)
		}
	}
	for _, tc := range []struct {
		name    string
		change  func(one, other *fork)
		guilty  []string
		skipped bool
		err     error
	}{
		{name: "two blocks in one round", change: func(_, _ *fork) {}, guilty: attackers},
		{name: "a false state in another round", change: func(_, other *fork) { other.round, other.state = 1, "false" }, guilty: attackers},
		{name: "another round over the same state", change: func(_, other *fork) { other.round = 1 }, err: evidence.ErrNobodyGuilty},
		{name: "one voted nil", change: func(_, other *fork) { other.ballots = map[string]ballot{last: forNil} }, guilty: others},
		{name: "one was forged", change: func(_, other *fork) { other.ballots = map[string]ballot{last: forged} }, guilty: others, skipped: true},
	} {
		for _, status := range []exported.Status{exported.Active, exported.Frozen} {
			t.Run(tc.name+" "+status.String(), func(t *testing.T) {
				f := newAttacked(t)
				f.ibc.status["07-tendermint-0"] = status
				one, other := attack(tc.change)
				if tc.err != nil {
					f.refused(tc.err, func() error { _, _, err := f.misbehave(one, other); return err })
					require.Equal(t, status, f.ibc.status["07-tendermint-0"])
					return
				}
				res, events, err := f.misbehave(one, other)
				require.NoError(t, err)
				f.holds()
				require.ElementsMatch(t, tc.guilty, res.Validators)
				require.Equal(t, exported.Frozen, f.ibc.status["07-tendermint-0"])
				f.hasEvent(events, &types.EventEvidenceAccepted{ConsumerID: 1, Submitter: bob.String(), Kind: "misbehaviour", Height: "1-90", Sequence: 1})
				suspects := 0
				for _, e := range events {
					if e.Type == "mesh.externalstaking.v1.EventSuspectSkipped" {
						suspects++
					}
				}
				require.Equal(t, tc.skipped, suspects == 1)
				// All in one sequence, so one settle takes it all.
				require.NoError(t, f.liens.Settle(f.ctx, alice))
				f.holds()
				for _, name := range attackers {
					want := "100"
					for _, guilty := range tc.guilty {
						if guilty == name {
							want = "50"
							require.Equal(t, control.StatusTombstoned, f.validator(1, name).Status)
						}
					}
					require.Equal(t, want, f.position(alice, 1, name).Bonded.String(), name)
				}
				// Nobody can be slashed for it again, and nobody stakes on.
				f.refused(types.ErrAlreadySlashed, func() error { _, _, err := f.misbehave(one, other); return err })
				f.deposit(alice, 100)
				f.refusedMsg(types.ErrChannelNotUsable, &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: last, Amount: sdk.NewInt64Coin(denom, 100)})
			})
		}
	}
}

// Whoever was slashed before is left out, the others are not.
func TestSL09SomeWereSlashedBefore(t *testing.T) {
	f := newAttacked(t)
	f.mustSend(&types.MsgSubmitDoubleVoting{Submitter: bob.String(), ConsumerID: 1, Evidence: doubleVote(t, keyOf("val2"), 80)}, nil)
	res, events, err := f.misbehave(attack())
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"val1", "val3", "val4"}, res.Validators)
	require.Equal(t, uint64(2), res.Sequence)
	found := false
	for _, e := range events {
		found = found || e.Type == "mesh.externalstaking.v1.EventSuspectSkipped"
	}
	require.True(t, found)
	require.NoError(t, f.liens.Settle(f.ctx, alice))
	f.holds()
	require.Equal(t, "50", f.position(alice, 1, "val2").Bonded.String(), "once")
}

func TestSL10MisbehaviourThatProvesNothing(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(one, other *fork)
		before func(f *fixture)
		err    error
	}{
		{"another client", func(one, other *fork) { one.client, other.client = "07-tendermint-1", "07-tendermint-1" }, nil, evidence.ErrWrongClient},
		{"unequal heights", func(one, _ *fork) { one.height++ }, nil, evidence.ErrNoConflict},
		{"one header twice", func(one, other *fork) { *other = *one }, nil, evidence.ErrNoConflict},
		{"validators that nobody trusts", func(one, other *fork) {
			one.signers = []string{"x1", "x2"}
			other.signers = one.signers
		}, nil, evidence.ErrNobodyGuilty},
		{"too few trusted validators", func(one, other *fork) {
			one.signers = []string{"val1", "x1", "x2"}
			other.signers = one.signers
		}, nil, types.ErrClientRefused},
		{"expired trust", func(_, _ *fork) {}, func(f *fixture) { f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().Add(unbonding)) }, types.ErrClientRefused},
		{"unknown trusted height", func(_, _ *fork) {}, func(f *fixture) {
			f.ibc.ClientStore(f.ctx, "07-tendermint-0").Delete(host.ConsensusStateKey(clienttypes.NewHeight(1, 50)))
		}, types.ErrClientRefused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newAttacked(t)
			if tc.before != nil {
				tc.before(f)
			}
			one, other := attack(tc.change)
			f.refused(tc.err, func() error { _, _, err := f.misbehave(one, other); return err })
			require.Equal(t, exported.Active, f.ibc.status["07-tendermint-0"])
		})
	}
	t.Run("another message", func(t *testing.T) {
		f := newAttacked(t)
		packed, err := cdctypes.NewAnyWithValue(f.header(fork{height: 90, state: "s", data: "d", signers: attackers}))
		require.NoError(t, err)
		f.refusedMsg(types.ErrInvalidRequest, &types.MsgSubmitMisbehaviour{Submitter: bob.String(), ConsumerID: 1, Misbehaviour: packed})
	})
}

// A byzantine consumer cannot slash an honest validator with a key that it reports for it.
func TestRM03AKeyThatIsSwappedInSlashesNobody(t *testing.T) {
	f := newAttacked(t)
	stranger := keyOf("stranger")
	require.True(t, f.report(1, plainReport(active("val1", stranger.PubKey().Bytes()))).Success())
	require.True(t, f.validator(1, "val1").KeyConflict())
	for _, height := range []int64{61, 100} {
		f.refusedMsg(evidence.ErrUnknownKey, &types.MsgSubmitDoubleVoting{Submitter: bob.String(), ConsumerID: 1, Evidence: doubleVote(t, stranger, height)})
	}
	require.True(t, f.validator(1, "val1").Ended(), "as if it was removed")
	require.Equal(t, "100", f.position(alice, 1, "val1").Bonded.String())
	f.refusedMsg(types.ErrValidatorEnded, &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: "val1", Amount: sdk.NewInt64Coin(denom, 1)})
	// Its own key still counts.
	f.mustSend(&types.MsgSubmitDoubleVoting{Submitter: bob.String(), ConsumerID: 1, Evidence: doubleVote(t, keyOf("val1"), 100)}, nil)
	require.Equal(t, control.StatusTombstoned, f.validator(1, "val1").Status)
	f.holds()
}

// A key answers for whoever had it at the height, also after it has passed on.
func TestSL06AKeyThatPassedOnSlashesWhoHadIt(t *testing.T) {
	for _, tc := range []struct {
		height int64
		guilty string
	}{{60, "val1"}, {109, "val1"}, {110, "heir"}, {120, "heir"}} {
		f := newAttacked(t)
		require.True(t, f.report(1, plainReport(reported("val1", nil, control.StatusRemoved))).Success())
		f.ibc.advance(10)
		require.True(t, f.report(1, plainReport(active("heir", keyOf("val1").PubKey().Bytes()))).Success())
		f.ibc.advance(10)
		var res types.MsgSubmitDoubleVotingResponse
		f.mustSend(&types.MsgSubmitDoubleVoting{Submitter: bob.String(), ConsumerID: 1, Evidence: doubleVote(t, keyOf("val1"), tc.height)}, &res)
		require.Equal(t, tc.guilty, res.Validator, "height %d", tc.height)
		f.holds()
	}
}

// A key is a validator's until its next one begins.
func TestSL03AKeyThatWasReplacedSlashesNobodyFromThenOn(t *testing.T) {
	f := newAttacked(t)
	f.unstake(alice, 1, "val1", 100)
	f.acceptAll()
	f.nextBlock(unbonding)
	f.nextBlock(time.Second)
	require.True(t, f.report(1, plainReport(active("val1", keyOf("new").PubKey().Bytes()))).Success())
	f.ibc.advance(10)
	f.refusedMsg(evidence.ErrUnknownKey, &types.MsgSubmitDoubleVoting{Submitter: bob.String(), ConsumerID: 1, Evidence: doubleVote(t, keyOf("val1"), 100)})
	f.mustSend(&types.MsgSubmitDoubleVoting{Submitter: bob.String(), ConsumerID: 1, Evidence: doubleVote(t, keyOf("val1"), 99)}, nil)
}
