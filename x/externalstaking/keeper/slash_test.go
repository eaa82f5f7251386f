package keeper_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// newSlashLedger has consumers that slash half, with validators val1 and val2, positions of 1 and client heights up to 1000;
// their keys are known from height 5.
func newSlashLedger(t tester, consumers int) *ledger {
	l := newLedger(t)
	for id := uint64(1); id <= uint64(consumers); id++ {
		l.addConsumer(id)
		l.setConsumer(id, func(c *types.Consumer) {
			c.SlashFraction, c.MinStake = math.LegacyNewDecWithPrec(5, 1), math.OneInt()
		})
		l.report(id, control.StatusActive, "val1", "val2")
	}
	l.advance(1000)
	return l
}

func (l *ledger) setConsumer(id uint64, change func(*types.Consumer)) {
	l.t.Helper()
	consumer, err := l.k.GetConsumer(l.ctx, id)
	require.NoError(l.t, err)
	change(&consumer)
	require.NoError(l.t, l.k.Consumers.Set(l.ctx, id, consumer))
}

// newUser is somebody with collateral.
func (l *ledger) newUser(name string, collateral int64) sdk.AccAddress {
	l.t.Helper()
	user := sdk.AccAddress(fmt.Sprintf("%-20s", name))
	l.deposit(user, collateral)
	return user
}

func (l *ledger) slashes(consumer uint64) []types.SlashInfo {
	l.t.Helper()
	res, err := l.query.Slashes(l.ctx, &types.QuerySlashesRequest{ConsumerId: consumer})
	require.NoError(l.t, err)
	return res.Slashes
}

func TestSL01ADoubleVoteSlashesOnce(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 101)
	events := l.slash("val1", 100)
	l.hasTyped(events, &types.EventValidatorSlashed{
		ConsumerID: 1, Validator: "val1", Sequence: 1, Height: "1-100", Fraction: "0.500000000000000000", Bonded: "101",
	})
	l.hasTyped(events, &types.EventEvidenceAccepted{
		ConsumerID: 1, Submitter: eve.String(), Kind: "double voting", Height: "1-100", Sequence: 1,
	})
	l.hasTyped(events, &types.EventValidatorUpdated{ConsumerID: 1, Validator: "val1", Status: control.StatusTombstoned})
	require.Equal(t, []types.SlashInfo{{Validator: "val1", Slash: types.Slash{
		FromBatch: 1, Height: clienttypes.NewHeight(1, 100), Fraction: math.LegacyNewDecWithPrec(5, 1), Time: l.ctx.BlockTime(), Sequence: 1, Bonded: math.NewInt(101),
	}}}, l.slashes(1))

	swapped := doubleVote(t, keyOf("val1"), 90)
	swapped.VoteA, swapped.VoteB = swapped.VoteB, swapped.VoteA
	for name, tc := range map[string]struct {
		ev       *cmtproto.DuplicateVoteEvidence
		expected error
	}{
		"replay":                    {doubleVote(t, keyOf("val1"), 100), types.ErrAlreadySlashed},
		"swapped votes":             {swapped, evidence.ErrMalformed},
		"another round":             {doubleVote(t, keyOf("val1"), 100, func(a, b *cmtproto.Vote) { a.Round, b.Round = 1, 1 }), types.ErrAlreadySlashed},
		"a later offence":           {doubleVote(t, keyOf("val1"), 101), types.ErrAlreadySlashed},
		"an earlier one of no more": {doubleVote(t, keyOf("val1"), 99), types.ErrAlreadySlashed},
		"two rounds":                {doubleVote(t, keyOf("val2"), 100, func(a, _ *cmtproto.Vote) { a.Round = 1 }), evidence.ErrDifferentVotes},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.submit(1, tc.ev)
			require.ErrorIs(t, err, tc.expected)
			require.Len(t, l.slashes(1), 1)
		})
	}
	_, err := l.submit(2, doubleVote(t, keyOf("val1"), 90))
	require.ErrorIs(t, err, types.ErrUnknownConsumer)

	// The user is slashed once, whoever settles it how often.
	l.settle(ann)
	l.settle(ann)
	l.want(ann, "val1", 50, 0, 0, 50)
	require.Equal(t, int64(1_000_000-51), l.collateral(ann))
	l.hasTyped(l.endBlock(), &types.EventBatchSent{ConsumerID: 1, BatchID: 2, Sequence: 2, Entries: 1})
	require.True(t, l.packets(1)[0].sync.Entries[0].Stake.IsZero(), "counts for nothing any more")
	require.ErrorIs(t, l.stake(ben, "val1", 100), types.ErrValidatorEnded)
}

func TestSL04OnlyHeightsAtWhichTheKeyIsKnownCount(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	_, err := l.prove("val1", 4)
	require.ErrorIs(t, err, evidence.ErrKeyNotYetValid)
	_, err = l.prove("val1", 1001)
	require.ErrorIs(t, err, evidence.ErrAboveClient)
	_, err = l.prove("nobody", 100)
	require.ErrorIs(t, err, evidence.ErrUnknownKey)
	l.slash("val1", 5)
}

// A chain id of a revision before or after the present one is another chain id.
func TestSL04VotesAreOfTheStatedRevision(t *testing.T) {
	l := newSlashLedger(t, 1)
	ev := doubleVote(t, keyOf("val1"), 100)
	for revision, expected := range map[uint64]error{2: evidence.ErrAboveClient, 1: nil} {
		ctx, _ := l.ctx.CacheContext()
		_, err := l.msgs.SubmitDoubleVoting(ctx, &types.MsgSubmitDoubleVoting{Submitter: eve.String(), ConsumerID: 1, Evidence: ev, Revision: revision})
		require.ErrorIs(t, err, expected, "revision %d", revision)
	}
}

func TestEvidenceIsTakenWhateverTheStateOfTheClient(t *testing.T) {
	for _, status := range []exported.Status{exported.Frozen, exported.Expired} {
		l := newSlashLedger(t, 1)
		l.bond(ann, "val1", 100)
		l.ibc.status, l.ibc.channel = status, channeltypes.CLOSED
		l.slash("val1", 100)
		l.settle(ann)
		l.want(ann, "val1", 50, 0, 0, 50)
	}
}

// Moving on does not evade a slash, and is not hit twice.
func TestSL12HoppingToAnotherValidator(t *testing.T) {
	l := newSlashLedger(t, 1)
	user := l.newUser("hopper", 200)
	l.bond(user, "val1", 100)
	require.NoError(t, l.unstake(user, "val1", 100))
	l.endBlock()
	l.acceptAll(1)
	l.bond(user, "val2", 100)
	l.slash("val1", 100)
	l.settle(user)
	p, _ := l.position(user, "val1")
	require.Len(t, p.Unbondings, 1)
	require.Equal(t, "50", p.Unbondings[0].Amount.String())
	require.True(t, p.Unbondings[0].Slashed)
	l.want(user, "val2", 100, 0, 0, 150)
	require.Equal(t, int64(150), l.collateral(user))
	// The entry is released in its own time, at what is left of it.
	l.pass(ledgerUnbonding)
	l.endBlock()
	require.Equal(t, int64(100), l.lien(user))
}

func TestSL13StakeInFlightAtTheSlash(t *testing.T) {
	for _, tc := range []struct {
		name       string
		end        func(l *ledger)
		bonded     int64
		lien       int64
		collateral int64
	}{
		{"committed", func(l *ledger) { l.acceptAll(1) }, 101, 101, 1_000_000 - 102},
		{"rejected", func(l *ledger) { l.acceptAll(1, "val1") }, 51, 51, 1_000_000 - 51},
		{"refused", func(l *ledger) { l.ack(refusal) }, 51, 51, 1_000_000 - 51},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newSlashLedger(t, 1)
			l.bond(ann, "val1", 102)
			require.NoError(t, l.stake(ann, "val1", 101))
			l.endBlock()
			l.slash("val1", 100)
			l.settle(ann)
			l.want(ann, "val1", 51, 101, 0, 152)
			tc.end(l)
			l.want(ann, "val1", tc.bonded, 0, 0, tc.lien)
			require.Equal(t, tc.collateral, l.collateral(ann))
			l.settle(ann)
			require.Equal(t, tc.collateral, l.collateral(ann), "hit once")
		})
	}
}

// A position that had nothing bonded at the slash is hit by what arrives later, and can leave.
func TestSL13AllStakeInFlightAtTheSlash(t *testing.T) {
	l := newSlashLedger(t, 1)
	require.NoError(t, l.stake(ann, "val1", 101))
	l.endBlock()
	l.slash("val1", 100)
	events := l.acceptAll(1)
	l.hasTyped(events, &types.EventStakeCommitted{User: ann.String(), ConsumerID: 1, Validator: "val1", Amount: "101"})
	l.hasTyped(events, &types.EventStakeSlashed{User: ann.String(), ConsumerID: 1, Validator: "val1", Sequence: 1, Amount: "51"})
	l.want(ann, "val1", 50, 0, 0, 50)
	require.NoError(t, l.unstake(ann, "val1", 50))
	l.want(ann, "val1", 0, 0, 0, 50)
	l.pass(ledgerUnbonding)
	l.endBlock()
	require.Zero(t, l.lien(ann))
	require.Equal(t, int64(1_000_000-51), l.collateral(ann))
}

func TestSL17EverythingIsSlashed(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.setConsumer(1, func(c *types.Consumer) { c.SlashFraction = math.LegacyOneDec() })
	l.bond(ann, "val1", 100)
	l.bond(ben, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 40))
	l.endBlock()
	l.acceptAll(1)
	require.NoError(t, l.unstake(ben, "val1", 30))
	require.NoError(t, l.stake(ben, "val1", 70))
	l.reward(share("val1", 60))
	l.endBlock()
	l.slash("val1", 100)
	// Nothing is bonded, so this waits; there is nobody to wait for, either.
	l.reward(share("val1", 1_000))
	l.settle(ann, ben)
	l.want(ann, "val1", 0, 0, 0, 0)
	l.want(ben, "val1", 0, 70, 0, 70)
	require.ErrorIs(t, l.stake(ann, "val1", 10), types.ErrValidatorEnded)
	require.ErrorIs(t, l.unstake(ben, "val1", 1), types.ErrInsufficientStake)
	l.acceptAll(1)
	l.want(ben, "val1", 0, 0, 0, 0)
	require.Equal(t, int64(1_000_000-100), l.collateral(ann))
	require.Equal(t, int64(1_000_000-170), l.collateral(ben))
	paid, err := l.withdrawRewards(ann, "")
	require.NoError(t, err)
	require.Equal(t, "22", paid.AmountOf(l.voucher()).String(), "earned before")
	_, err = l.withdrawRewards(ben, "")
	require.NoError(t, err)
	l.endBlock()
	require.Equal(t, "1000", l.totals().Unassigned.String())
	require.Equal(t, uint64(0), l.pool("val1").Positions)
}

func TestSL18SeveralConsumersAndTwiceOnOne(t *testing.T) {
	l := newSlashLedger(t, 2)
	user := l.newUser("spread", 100)
	l.bondOn(1, user, "val1", 50)
	l.bondOn(1, user, "val2", 50)
	l.bondOn(2, user, "val1", 100)
	l.slashOn(1, "val1", 100)
	l.slashOn(2, "val1", 100)
	_, err := l.prove("val1", 200)
	require.ErrorIs(t, err, types.ErrAlreadySlashed)
	l.settle(user)
	// The first takes 25. Both liens fall to 74, so that 75 cover them, and the second takes half of one.
	require.Equal(t, int64(100-25-37), l.collateral(user))
	require.Equal(t, int64(38), l.lienOn(1, user))
	require.Equal(t, int64(37), l.lienOn(2, user))
}

func TestSL20AReportedSlashWithoutEvidenceCostsNothing(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	l.report(1, control.StatusTombstoned, "val1")
	l.endBlock()
	l.settle(ann)
	l.want(ann, "val1", 100, 0, 0, 100)
	require.Equal(t, int64(1_000_000), l.collateral(ann))
	require.Empty(t, l.slashes(1))
}

// Garbage costs whoever sends it more than it costs a node, and leaves nothing behind.
func TestSL21GarbageEvidence(t *testing.T) {
	l := newSlashLedger(t, 1)
	before, err := l.k.ExportGenesis(l.ctx)
	require.NoError(t, err)
	forged := doubleVote(t, keyOf("val1"), 100)
	forged.VoteB.Signature = forged.VoteA.Signature
	ctx := l.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()).WithEventManager(sdk.NewEventManager())
	_, err = l.msgs.SubmitDoubleVoting(ctx, &types.MsgSubmitDoubleVoting{Submitter: eve.String(), ConsumerID: 1, Evidence: forged})
	require.ErrorIs(t, err, evidence.ErrInvalidSignature)
	require.GreaterOrEqual(t, ctx.GasMeter().GasConsumed(), storetypes.Gas(2*5_000))
	require.Empty(t, ctx.EventManager().Events())
	for n := range 10_000 {
		binary.BigEndian.PutUint64(forged.VoteB.Signature, uint64(n))
		gas := ctx.GasMeter().GasConsumed()
		_, err := l.msgs.SubmitDoubleVoting(ctx, &types.MsgSubmitDoubleVoting{Submitter: eve.String(), ConsumerID: 1, Evidence: forged})
		require.ErrorIs(t, err, evidence.ErrInvalidSignature)
		require.GreaterOrEqual(t, ctx.GasMeter().GasConsumed()-gas, storetypes.Gas(2*5_000))
	}
	for _, msg := range []sdk.Msg{
		&types.MsgSubmitDoubleVoting{Submitter: eve.String(), ConsumerID: 1},
		&types.MsgSubmitDoubleVoting{Submitter: eve.String(), ConsumerID: 1, Evidence: &cmtproto.DuplicateVoteEvidence{}},
		&types.MsgSubmitMisbehaviour{Submitter: eve.String(), ConsumerID: 1},
		&types.MsgSubmitDoubleVoting{Submitter: "eve", ConsumerID: 1, Evidence: forged},
		&types.MsgSubmitMisbehaviour{Submitter: "eve", ConsumerID: 1},
	} {
		var err error
		switch m := msg.(type) {
		case *types.MsgSubmitDoubleVoting:
			_, err = l.msgs.SubmitDoubleVoting(l.ctx, m)
		case *types.MsgSubmitMisbehaviour:
			_, err = l.msgs.SubmitMisbehaviour(l.ctx, m)
		}
		require.Error(t, err)
	}
	after, err := l.k.ExportGenesis(l.ctx)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// The transaction that slashes does not look at a single staker.
func TestSL19TheSlashCostsTheSameForOneAndForAThousand(t *testing.T) {
	gas := func(stakers int) storetypes.Gas {
		l := newSlashLedger(t, 1)
		for i := range stakers {
			user := l.newUser(fmt.Sprintf("staker %d", i), 100)
			require.NoError(t, l.stake(user, "val1", 100))
		}
		for l.endBlock(); len(l.packets(1)) > 0; l.endBlock() {
			l.acceptAll(1)
		}
		require.Equal(t, int64(100*stakers), l.pool("val1").Bonded.Int64())
		ctx := l.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()).WithKVGasConfig(storetypes.KVGasConfig())
		_, err := l.msgs.SubmitDoubleVoting(ctx, &types.MsgSubmitDoubleVoting{
			Submitter: eve.String(), ConsumerID: 1, Evidence: doubleVote(t, keyOf("val1"), 100),
		})
		require.NoError(t, err)
		return ctx.GasMeter().GasConsumed()
	}
	one, thousand := gas(1), gas(1_000)
	t.Logf("gas of a slash: %d for 1 staker, %d for 1,000", one, thousand)
	require.InEpsilon(t, one, thousand, 0.05)
	require.Less(t, thousand, storetypes.Gas(500_000))
}

func TestPK07AnUnstakeInFlightWhenItsValidatorIsSlashed(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(l *ledger) sdk.Events
	}{
		{"accepted", func(l *ledger) sdk.Events { return l.acceptAll(1) }},
		{"refused", func(l *ledger) sdk.Events { return l.ack(refusal) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newSlashLedger(t, 1)
			l.bond(ann, "val1", 100)
			require.NoError(t, l.unstake(ann, "val1", 40))
			l.endBlock()
			l.report(1, control.StatusTombstoned, "val1")
			l.slash("val1", 100)
			l.hasTyped(tc.end(l), &types.EventUnstakeCommitted{
				User: ann.String(), ConsumerID: 1, Validator: "val1", Amount: "20", ReleaseTime: l.ctx.BlockTime().Add(ledgerUnbonding),
			})
			l.want(ann, "val1", 30, 0, 0, 50)
			for range 5 {
				l.endBlock()
				l.acceptAll(1)
			}
			require.True(t, l.pool("val1").Synced.IsZero(), "both ends agree")
			require.Equal(t, int64(1_000_000-50), l.collateral(ann))
		})
	}
}

func TestPK13AnAckForABatchThatIsNotThere(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 40))
	l.endBlock()
	l.slash("val1", 100)
	before, err := l.k.ExportGenesis(l.ctx)
	require.NoError(t, err)
	ack := l.accept().Acknowledgement()
	ctx := l.ctx.WithEventManager(sdk.NewEventManager())
	l.k.AcknowledgePacket(ctx, channelOf(1), 99, ack)
	l.k.AcknowledgePacket(ctx, "channel-99", 2, ack)
	require.Empty(t, ctx.EventManager().Events())
	after, err := l.k.ExportGenesis(l.ctx)
	require.NoError(t, err)
	require.Equal(t, before, after)
}
