package keeper_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

var refusal = control.ErrorAck(control.ErrInvalidPacket)

func TestPK05AcksNobodyUnderstands(t *testing.T) {
	huge := channeltypes.Acknowledgement{Response: &channeltypes.Acknowledgement_Error{Error: strings.Repeat("x", 64*1024)}}
	for name, ack := range map[string][]byte{
		"nothing":                nil,
		"not JSON":               []byte("\xff\x00"),
		"empty result":           []byte(`{"result":""}`),
		"unknown result":         channeltypes.NewResultAcknowledgement([]byte("later version")).Acknowledgement(),
		"64 KiB error":           huge.Acknowledgement(),
		"error":                  refusal.Acknowledgement(),
		"negative total":         channeltypes.NewResultAcknowledgement([]byte(`{"total":"-1"}`)).Acknowledgement(),
		"no total":               channeltypes.NewResultAcknowledgement([]byte(`{}`)).Acknowledgement(),
		"deep":                   []byte(strings.Repeat("[", 10_000)),
		"result and error":       []byte(`{"result":"AQ==","error":"no"}`),
		"non-canonical refusal ": []byte(" {\n\"error\" : \"no\" } "),
	} {
		t.Run(name, func(t *testing.T) {
			l := newOpenLedger(t)
			require.NoError(t, l.stake(ann, "val1", 100))
			l.endBlock()
			require.NotPanics(t, func() { l.ackBytes(ack) })
			l.want(ann, "val1", 0, 0, 0, 0)
		})
	}
	t.Run("non-canonical result", func(t *testing.T) {
		l := newOpenLedger(t)
		require.NoError(t, l.stake(ann, "val1", 100))
		l.endBlock()
		l.ackBytes(channeltypes.NewResultAcknowledgement([]byte("{ \"later\": [1], \"total\" : \"100\" }")).Acknowledgement())
		l.want(ann, "val1", 100, 0, 0, 100)
	})
}

// A refusal of 64 KiB for a packet with many operations would be many megabytes of events.
func TestPK05ALongRefusalIsNotCopiedIntoTheEventOfEveryOperation(t *testing.T) {
	for name, ack := range map[string][]byte{
		"refusal":            channeltypes.Acknowledgement{Response: &channeltypes.Acknowledgement_Error{Error: strings.Repeat("é", 16*1024)}}.Acknowledgement(),
		"no acknowledgement": []byte(strings.Repeat("é", 16*1024)),
	} {
		t.Run(name, func(t *testing.T) {
			l := newOpenLedger(t)
			l.bond(ann, "val1", 100)
			require.NoError(t, l.unstake(ann, "val1", 40))
			require.NoError(t, l.stake(ann, "val1", 25))
			l.endBlock()
			reasons := 0
			for _, e := range l.ackBytes(ack) {
				for _, a := range e.Attributes {
					require.LessOrEqual(t, len(a.Value), 140, e.Type)
					require.True(t, utf8.ValidString(a.Value))
					require.NotContains(t, a.Value, "\ufffd")
					if a.Key == "reason" {
						reasons++
					}
				}
			}
			require.Equal(t, 2, reasons)
		})
	}
}

func TestLongNamesAndReasonsOfSkippedEntriesAreShortened(t *testing.T) {
	l := newOpenLedger(t)
	sync := control.ValidatorSync{Height: clienttypes.NewHeight(1, 5), UnbondingPeriod: ledgerUnbonding}
	sync.Validators = []control.ValidatorUpdate{{Validator: strings.Repeat("é", 16*1024), ConsPubkey: make([]byte, 32), Status: control.StatusActive}}
	bz, err := control.EncodeValidatorSync(sync)
	require.NoError(t, err)
	ctx := l.ctx.WithEventManager(sdk.NewEventManager())
	require.NoError(t, l.k.ReceivePacket(ctx, types.Port(1), controlChannel, bz))
	require.Len(t, ctx.EventManager().Events(), 1)
	for _, a := range ctx.EventManager().Events()[0].Attributes {
		require.LessOrEqual(t, len(a.Value), 600, a.Key)
	}
}

func TestPK08RefusedStakeAndUnstake(t *testing.T) {
	for _, end := range []struct {
		name string
		end  func(l *ledger) sdk.Events
	}{
		{"error acknowledgement", func(l *ledger) sdk.Events { return l.ack(refusal) }},
		{"timeout", func(l *ledger) sdk.Events {
			l.ibc.remove(l.ctx, 1, l.packets(1)[0].sequence)
			ctx := l.ctx.WithEventManager(sdk.NewEventManager())
			sequence := uint64(2)
			l.k.TimeoutBatch(ctx, controlChannel, sequence)
			return ctx.EventManager().Events()
		}},
	} {
		t.Run(end.name, func(t *testing.T) {
			l := newOpenLedger(t)
			l.bond(ann, "val1", 100)
			requested := l.ctx.BlockTime()
			require.NoError(t, l.unstake(ann, "val1", 40))
			require.NoError(t, l.stake(ann, "val1", 25))
			l.endBlock()
			l.want(ann, "val1", 100, 25, 40, 125)
			require.Equal(t, "85", l.packets(1)[0].sync.Entries[0].Stake.String())
			l.pass(time.Hour)
			end.end(l)
			l.holds()
			l.want(ann, "val1", 100, 0, 40, 100)
			p, err := l.k.Positions.Get(l.ctx, collections.Join3(ann, uint64(1), "val1"))
			require.NoError(t, err)
			require.Equal(t, requested, p.QueuedUnstake.RequestedAt)
			// The outbox backs off two blocks, then the unstake goes out again, without the stake.
			l.endBlock()
			require.Empty(t, l.packets(1))
			l.endBlock()
			l.endBlock()
			require.Equal(t, "60", l.packets(1)[0].sync.Entries[0].Stake.String())
			l.ack(l.accept())
			l.want(ann, "val1", 60, 0, 0, 100)
		})
	}
}

func TestPK10ManyOperationsOfOneUserOnOneValidator(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 1_000)
	// Unsent operations of one kind merge into one.
	for i := 0; i < 10; i++ {
		require.NoError(t, l.stake(ann, "val1", 10))
		require.NoError(t, l.unstake(ann, "val1", 20))
	}
	events := l.endBlock()
	l.hasTyped(events, &types.EventBatchSent{ConsumerID: 1, BatchID: 2, Sequence: 2, Entries: 1, Operations: 2})
	require.Equal(t, "900", l.packets(1)[0].sync.Entries[0].Stake.String())
	// What is requested meanwhile waits for the batch in flight.
	require.NoError(t, l.stake(ann, "val1", 5))
	require.NoError(t, l.unstake(ann, "val1", 300))
	l.endBlock()
	require.Len(t, l.packets(1), 1)
	l.want(ann, "val1", 1_000, 105, 500, 1_105)
	l.ack(l.accept("val1"))
	// The first stakes are gone, the first unstakes joined the second.
	l.want(ann, "val1", 1_000, 5, 500, 1_005)
	for range 3 {
		l.endBlock()
	}
	require.Equal(t, "505", l.packets(1)[0].sync.Entries[0].Stake.String())
	l.ack(l.accept())
	l.want(ann, "val1", 505, 0, 0, 1_005)
}

func TestPK11ThreeHundredOperationsInOneBlock(t *testing.T) {
	l := newOpenLedger(t)
	for i := range 300 {
		user := sdk.AccAddress(fmt.Sprintf("user%016d", i))
		l.deposit(user, 100)
		require.NoError(t, l.stake(user, fmt.Sprintf("val%d", i%2+1), 100))
	}
	events := l.endBlock()
	l.hasTyped(events, &types.EventBatchSent{ConsumerID: 1, BatchID: 1, Sequence: 1, Entries: 2, Operations: 300})
	require.Equal(t, []control.StakeEntry{{Validator: "val1", Stake: math.NewInt(15_000)}, {Validator: "val2", Stake: math.NewInt(15_000)}}, l.packets(1)[0].sync.Entries)
	l.ack(l.accept())
	require.Equal(t, int64(15_000), l.pool("val1").Bonded.Int64())
}

func TestPK11FiveHundredValidatorsComeInChunks(t *testing.T) {
	l := newLedger(t)
	l.addConsumer(1)
	params := types.DefaultParams()
	params.MaxPositionsPerUserAndConsumer = 500
	params.MaxEntriesPerPacket = types.MaxEntriesPerPacket
	params.MaxPacketsPerBlock = 2
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	// The worst names there are: JSON spells each < in six bytes.
	name := func(i int) string { return strings.Repeat("<", 100) + fmt.Sprintf("%028d", i) }
	for i := range 300 {
		l.report(1, control.StatusActive, name(i))
		require.NoError(t, l.stake(ann, name(i), 10))
	}
	l.endBlock()
	sent, entries := l.packets(1), 0
	require.Len(t, sent, 2)
	for _, p := range sent {
		require.LessOrEqual(t, len(p.data), control.MaxPacketBytes)
		entries += len(p.sync.Entries)
	}
	require.Greater(t, entries, 150)
	for len(l.packets(1)) > 0 {
		l.ack(l.accept())
		l.endBlock()
	}
	outbox, err := l.k.Outboxes.Get(l.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, "3000", outbox.Synced.String())
}

func TestOperationsOfOneValidatorSpillIntoTheNextBatch(t *testing.T) {
	l := newOpenLedger(t)
	params := types.DefaultParams()
	params.MaxOpsPerPacket = 3
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	users := make([]sdk.AccAddress, 7)
	for i := range users {
		// The order of request, not of addresses, counts.
		users[i] = sdk.AccAddress(fmt.Sprintf("user%016d", len(users)-i))
		l.deposit(users[i], 100)
		require.NoError(t, l.stake(users[i], "val1", 100))
	}
	var bonded []int64
	for range 3 {
		l.endBlock()
		require.Len(t, l.packets(1), 1)
		l.ack(l.accept())
		bonded = append(bonded, l.pool("val1").Bonded.Int64())
		l.want(users[0], "val1", 100, 0, 0, 100)
	}
	require.Equal(t, []int64{300, 600, 700}, bonded)
}

func TestPK13AckOfABatchNobodyKnows(t *testing.T) {
	l := newOpenLedger(t)
	require.NotPanics(t, func() {
		l.k.AckBatch(l.ctx, controlChannel, 77, control.StakeSyncAck{Total: math.ZeroInt()})
		l.k.RefuseBatch(l.ctx, "channel-99", 1, "no")
		l.k.TimeoutBatch(l.ctx, "", 0)
	})
	l.holds()
}

func TestRM04AValidatorInFlightIsNotSentAgain(t *testing.T) {
	l := newOpenLedger(t)
	require.NoError(t, l.stake(ann, "val1", 100))
	l.endBlock()
	require.NoError(t, l.stake(ben, "val1", 50))
	require.NoError(t, l.stake(ben, "val2", 70))
	l.endBlock()
	require.Len(t, l.packets(1), 2)
	require.Equal(t, []control.StakeEntry{{Validator: "val2", Stake: math.NewInt(70)}}, l.packets(1)[1].sync.Entries)
	l.ack(refusal)
	l.want(ann, "val1", 0, 0, 0, 0)
	l.ack(l.accept())
	l.pass(time.Minute)
	l.endBlock()
	l.endBlock()
	require.Equal(t, []control.StakeEntry{{Validator: "val1", Stake: math.NewInt(50)}}, l.packets(1)[0].sync.Entries)
	l.ack(l.accept())
	l.want(ben, "val1", 50, 0, 0, 120)
}

func TestRM05OneEntryWithBothKindsIsRejected(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 50)
	require.NoError(t, l.stake(ann, "val1", 80))
	require.NoError(t, l.unstake(ann, "val1", 30))
	l.endBlock()
	require.Equal(t, "100", l.packets(1)[0].sync.Entries[0].Stake.String())
	l.ack(l.accept("val1"))
	l.want(ann, "val1", 50, 0, 30, 50)
	require.Equal(t, "50", l.pool("val1").Synced.String())
	for range 3 {
		l.endBlock()
	}
	require.Equal(t, "20", l.packets(1)[0].sync.Entries[0].Stake.String())
	l.ack(l.accept())
	l.want(ann, "val1", 20, 0, 0, 50)
}

func TestRM06TombstonedIsReportedZeroOnce(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.report(1, control.StatusTombstoned, "val1")
	l.endBlock()
	require.Equal(t, []control.StakeEntry{{Validator: "val1", Stake: math.ZeroInt()}}, l.packets(1)[0].sync.Entries)
	l.ack(l.accept())
	for range 5 {
		l.report(1, control.StatusTombstoned, "val1")
		l.endBlock()
		require.Empty(t, l.packets(1))
	}
	l.want(ann, "val1", 100, 0, 0, 100)
}

func TestUnknownRejectedNamesAreReported(t *testing.T) {
	l := newOpenLedger(t)
	require.NoError(t, l.stake(ann, "val1", 100))
	l.endBlock()
	ack, err := control.StakeSyncResult(control.StakeSyncAck{
		Rejected: []control.Rejection{{Validator: "nobody", Reason: control.RejectUnknownValidator}}, Total: math.NewInt(100), Height: clienttypes.NewHeight(1, 5),
	})
	require.NoError(t, err)
	events := l.ack(ack)
	l.hasTyped(events, &types.EventEntrySkipped{ConsumerID: 1, Validator: "nobody", Reason: "rejected but not in the batch"})
	l.want(ann, "val1", 100, 0, 0, 100)
}

func TestDriftIsReportedOnlyWhenNothingElseIsInFlight(t *testing.T) {
	l := newOpenLedger(t)
	lie, err := control.StakeSyncResult(control.StakeSyncAck{Total: math.NewInt(7), Height: clienttypes.NewHeight(1, 5)})
	require.NoError(t, err)
	require.NoError(t, l.stake(ann, "val1", 100))
	l.endBlock()
	require.NoError(t, l.stake(ann, "val2", 50))
	l.endBlock()
	drift := &types.EventDriftDetected{ConsumerID: 1, Expected: "150", Reported: "7"}
	event, err := sdk.TypedEventToEvent(drift)
	require.NoError(t, err)
	for _, e := range l.ack(lie) {
		require.NotEqual(t, event.Type, e.Type)
	}
	l.hasTyped(l.ack(lie), drift)
}

func TestEverythingWaitsWhileTheChannelCannotBeUsed(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.ibc.channel = channeltypes.CLOSED
	require.NoError(t, l.unstake(ann, "val1", 60), "an unstake is always accepted")
	for range 10 {
		l.endBlock()
	}
	require.Empty(t, l.packets(1))
	l.want(ann, "val1", 100, 0, 60, 100)
	l.ibc.channel = channeltypes.OPEN
	for range 10 {
		l.endBlock()
	}
	require.Equal(t, "40", l.packets(1)[0].sync.Entries[0].Stake.String())
}

func TestConsumersAreServedInTurn(t *testing.T) {
	l := newLedger(t)
	params := types.DefaultParams()
	params.MaxPacketsPerBlock = 2
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	for id := uint64(1); id <= 5; id++ {
		l.addConsumer(id)
		l.report(id, control.StatusActive, "val1")
		_, err := l.k.Stake(l.ctx, ann, id, "val1", sdk.NewInt64Coin(stakeDenom, 100))
		require.NoError(t, err)
	}
	served := func() (ids []uint64) {
		for id := uint64(1); id <= 5; id++ {
			if len(l.packets(id)) > 0 {
				ids = append(ids, id)
			}
		}
		return ids
	}
	l.endBlock()
	require.Equal(t, []uint64{1, 2}, served())
	l.endBlock()
	require.Equal(t, []uint64{1, 2, 3, 4}, served())
	l.endBlock()
	require.Equal(t, []uint64{1, 2, 3, 4, 5}, served())
}

func TestConsumersThatMustWaitTakeNobodysTurn(t *testing.T) {
	l := newLedger(t)
	const closed, backingOff = 120, 60
	for id := uint64(1); id <= closed+backingOff+1; id++ {
		l.addConsumer(id)
		l.report(id, control.StatusActive, "val1")
		user := sdk.AccAddress(fmt.Sprintf("user%016d", id))
		l.deposit(user, 100)
		_, err := l.k.Stake(l.ctx, user, id, "val1", sdk.NewInt64Coin(stakeDenom, 100))
		require.NoError(t, err)
		consumer, err := l.k.GetConsumer(l.ctx, id)
		require.NoError(t, err)
		switch {
		case id <= closed:
			consumer.Status = types.ConsumerClosed
			require.NoError(t, l.k.Consumers.Set(l.ctx, id, consumer))
		case id <= closed+backingOff:
			require.NoError(t, l.k.Outboxes.Set(l.ctx, id, types.OutboxState{Failures: 7, RetryHeight: l.ctx.BlockHeight() + 40, Synced: math.ZeroInt()}))
		}
	}
	last := uint64(closed + backingOff + 1)
	// Once everybody was looked at, only who can be sent to is left.
	for range 4 {
		l.endBlock()
	}
	require.Len(t, l.packets(last), 1)
	ready, err := l.k.Ready.Iterate(l.ctx, nil)
	require.NoError(t, err)
	keys, err := ready.Keys()
	require.NoError(t, err)
	require.Empty(t, keys)
	_, err = l.k.Stake(l.ctx, ben, last, "val1", sdk.NewInt64Coin(stakeDenom, 100))
	require.NoError(t, err)
	l.ibc.remove(l.ctx, last, 1)
	l.k.RefuseBatch(l.ctx, channelOf(last), 1, "no")
	require.Empty(t, l.packets(last-1))
	// After its wait the others' turn comes.
	for range 50 {
		l.endBlock()
	}
	require.Len(t, l.packets(last-1), 1)
	require.Len(t, l.packets(last), 1)
	require.Empty(t, l.packets(closed))
}

func TestOneConsumersFailureIsItsOwn(t *testing.T) {
	l := newOpenLedger(t)
	l.addConsumer(2)
	l.report(2, control.StatusActive, "val1")
	require.NoError(t, l.stake(ann, "val1", 100))
	_, err := l.k.Stake(l.ctx, ann, 2, "val1", sdk.NewInt64Coin(stakeDenom, 100))
	require.NoError(t, err)
	// A broken record: the queue of consumer 1 names a user without a position.
	require.NoError(t, l.k.Queue.Set(l.ctx, collections.Join3(uint64(1), "val1", uint64(0)), eve))
	ctx := l.ctx.WithEventManager(sdk.NewEventManager())
	l.k.EndBlock(ctx)
	require.Empty(t, l.packets(1))
	require.Len(t, l.packets(2), 1)
	outbox, err := l.k.Outboxes.Get(l.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, uint32(1), outbox.Failures)
	require.Contains(t, fmt.Sprint(ctx.EventManager().Events()), "EventOutboxFailed")
}

func TestOneUsersFailureIsItsOwn(t *testing.T) {
	l := newOpenLedger(t)
	require.NoError(t, l.stake(ann, "val1", 100))
	require.NoError(t, l.stake(ben, "val1", 100))
	l.endBlock()
	// A broken record: the vault holds less for ann than she has staked.
	require.NoError(t, l.liens.Release(l.ctx, ann, "1", math.NewInt(60)))
	sequence := l.packets(1)[0].sequence
	l.ibc.remove(l.ctx, 1, sequence)
	ctx := l.ctx.WithEventManager(sdk.NewEventManager())
	l.k.RefuseBatch(ctx, controlChannel, sequence, "no")
	require.Equal(t, int64(40), l.lien(ann))
	require.Zero(t, l.lien(ben))
	require.Contains(t, fmt.Sprint(ctx.EventManager().Events()), "EventOutcomeKept")
	// It is tried again in vain, and booked once the vault is right again.
	l.ctx = l.ctx.WithBlockHeight(l.ctx.BlockHeight() + 100)
	l.k.EndBlock(l.ctx)
	require.Equal(t, int64(40), l.lien(ann))
	require.NoError(t, l.liens.Add(l.ctx, ann, "1", math.NewInt(60), math.LegacyNewDecWithPrec(2, 1)))
	l.endBlock()
	l.want(ann, "val1", 0, 100, 0, 100)
	l.ctx = l.ctx.WithBlockHeight(l.ctx.BlockHeight() + 100)
	l.endBlock()
	l.want(ann, "val1", 0, 0, 0, 0)
}

func TestEP05ManyEntriesMatureInOneBlock(t *testing.T) {
	l := newOpenLedger(t)
	params := types.DefaultParams()
	params.MaxReleasesPerBlock = 100
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	users := make([]sdk.AccAddress, 350)
	for i := range users {
		users[i] = sdk.AccAddress(fmt.Sprintf("user%016d", i))
		l.deposit(users[i], 100)
		require.NoError(t, l.stake(users[i], "val1", 100))
	}
	l.endBlock()
	l.ack(l.accept())
	for _, user := range users {
		require.NoError(t, l.unstake(user, "val1", 100))
	}
	l.endBlock()
	l.ack(l.accept())
	l.pass(ledgerUnbonding)
	left := func() (n uint64) { return l.pool("val1").Positions }
	var counts []uint64
	for range 4 {
		l.endBlock()
		counts = append(counts, left())
	}
	require.Equal(t, []uint64{250, 150, 50, 0}, counts)
	require.Zero(t, l.lien(users[349]))
}

func TestRM14ManySmallUnstakesOfOneUserStayBounded(t *testing.T) {
	l := newOpenLedger(t)
	params := types.DefaultParams()
	params.MaxEntriesPerPosition = 4
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	l.bond(ann, "val1", 1_000)
	for range 20 {
		require.NoError(t, l.unstake(ann, "val1", 1))
		l.endBlock()
		l.ack(l.accept())
	}
	p, _ := l.position(ann, "val1")
	require.Len(t, p.Unbondings, 4)
	require.Equal(t, "17", p.Unbondings[3].Amount.String())
	l.pass(ledgerUnbonding)
	l.endBlock()
	l.want(ann, "val1", 980, 0, 0, 980)
}

func TestGasOfStake(t *testing.T) {
	l := newOpenLedger(t)
	gas := func(fn func(ctx context.Context) error) storetypes.Gas {
		ctx := l.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()).WithKVGasConfig(storetypes.KVGasConfig())
		require.NoError(t, fn(ctx))
		return ctx.GasMeter().GasConsumed()
	}
	stake := func(user sdk.AccAddress) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := l.msgs.Stake(ctx, &types.MsgStake{User: user.String(), ConsumerID: 1, Validator: "val1", Amount: sdk.NewInt64Coin(stakeDenom, 100)})
			return err
		}
	}
	first, again := gas(stake(ann)), gas(stake(ann))
	// x/staking's MsgDelegate costs well above this with its hooks; the benchmark compares them in one run.
	require.Less(t, first, storetypes.Gas(100_000))
	require.Less(t, again, first)
	t.Logf("first stake %d gas, more on the same position %d", first, again)
}
