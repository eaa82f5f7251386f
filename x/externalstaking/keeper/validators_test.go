package keeper_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestAFullReportFillsTheRegistry(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	f.open(1)
	var ack bool
	events := f.during(func() {
		ack = f.report(1, fullReport(active(valA, keyA), reported(valB, keyB, control.StatusJailed))).Success()
	})
	require.True(t, ack)
	f.hasEvent(events, &types.EventValidatorUpdated{ConsumerID: 1, Validator: valA, Status: control.StatusActive})
	require.Equal(t, types.Validator{
		Address: valA, Status: control.StatusActive, SeenRound: 1, ReportedAt: f.ctx.BlockHeight(),
		Keys: []types.ConsumerKey{{ConsPubkey: keyA, From: clienttypes.NewHeight(1, 100)}},
	}, f.validator(1, valA))
	require.Equal(t, control.StatusJailed, f.validator(1, valB).Status)
	require.Nil(t, f.validator(1, valB).EndedAt)

	// The same report again changes nothing but the round.
	events = f.during(func() { f.report(1, fullReport(active(valA, keyA), reported(valB, keyB, control.StatusJailed))) })
	require.Empty(t, events)
	require.Equal(t, uint64(2), f.validator(1, valA).SeenRound)
}

func TestSL07BadEntriesAreSkippedOneByOne(t *testing.T) {
	f, _ := newConnected(t)
	events := f.during(func() {
		require.True(t, f.report(1, plainReport(
			active("val31", keyC[:31]), active("val33", append(bytes.Clone(keyC), 1)), active("val0", nil),
			active("stolen", keyA), active("", keyC), active("with space", keyC), reported("unknown", keyC, 9),
			active(strings.Repeat("v", control.MaxNameBytes+1), keyC),
			active(valC, keyC), active("second", keyC), reported(valC, keyB, control.StatusTombstoned),
			reported(valB, keyB, control.StatusJailed),
		)).Success())
	})
	require.Equal(t, control.StatusActive, f.validator(1, valC).Status, "the first mention counts")
	require.Equal(t, keyC, f.validator(1, valC).PresentKey())
	require.Equal(t, control.StatusJailed, f.validator(1, valB).Status, "the rest applies")
	require.Equal(t, control.StatusActive, f.validator(1, valA).Status)
	skipped := f.skipped(events)
	for _, name := range []string{"val31", "val33", "val0", "stolen", "second", "", "with space", "unknown", valC} {
		require.Contains(t, skipped, name)
		if name != valC {
			_, err := f.k.GetValidator(f.ctx, 1, name)
			require.ErrorIs(t, err, types.ErrUnknownValidator)
		}
	}
	f.holds()
}

func TestPK02BadPacketsGetADeterministicErrorAndTheNextOneWorks(t *testing.T) {
	f, consumer := newConnected(t)
	encode := func(s control.ValidatorSync) []byte {
		bz, err := control.EncodeValidatorSync(s)
		require.NoError(t, err)
		return bz
	}
	good := encode(plainReport(active(valC, keyC)))
	above := plainReport(active(valC, keyC))
	above.Height = clienttypes.NewHeight(1, 101)
	revision := plainReport(active(valC, keyC))
	revision.Height = clienttypes.NewHeight(2, 1)
	stakeSync, err := control.EncodeStakeSync(control.StakeSync{BatchID: 1, Entries: []control.StakeEntry{{Validator: valA, Stake: math.OneInt()}}})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		data []byte
		want error
	}{
		"empty":                           {nil, control.ErrMalformed},
		"random":                          {[]byte{0xde, 0xad, 0xbe, 0xef}, control.ErrMalformed},
		"truncated":                       {good[:len(good)/2], control.ErrMalformed},
		"1 MB":                            {bytes.Repeat([]byte{'a'}, 1<<20), control.ErrTooLong},
		"deep JSON":                       {[]byte(strings.Repeat("[", 30_000)), control.ErrMalformed},
		"nothing in it":                   {[]byte("{}"), control.ErrInvalidPacket},
		"the provider's own":              {stakeSync, nil},
		"no height":                       {[]byte(`{"validator_sync":{"unbonding_period":"1814400s"}}`), control.ErrInvalidPacket},
		"negative unbonding period":       {bytes.Replace(good, []byte(`"1814400s"`), []byte(`"-5s"`), 1), control.ErrInvalidPacket},
		"height the client has not seen":  {encode(above), types.ErrFutureHeight},
		"height of the next revision":     {encode(revision), types.ErrFutureHeight},
		"chunk out of sequence":           {encode(chunk(1, false, active(valC, keyC))), types.ErrChunkOutOfSequence},
		"too many entries":                {tooMany(), control.ErrInvalidPacket},
		"applied without a batch":         {bytes.Replace(good, []byte(`"validators"`), []byte(`"applied":{"height":{"revision_number":"1","revision_height":"1"}},"validators"`), 1), control.ErrInvalidPacket},
		"number where a string should be": {[]byte(`{"validator_sync":{"height":7}}`), control.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			before := f.state()
			ack := f.receive(types.Port(1), consumer.ChannelID, tc.data)
			require.False(t, ack.Success())
			if tc.want != nil {
				require.Equal(t, control.ErrorAck(tc.want).Acknowledgement(), ack.Acknowledgement())
			}
			require.Equal(t, ack.Acknowledgement(), f.receive(types.Port(1), consumer.ChannelID, tc.data).Acknowledgement())
			require.Equal(t, before, f.state())
		})
	}
	ack := f.receive(types.Port(1), consumer.ChannelID, good)
	require.Equal(t, control.ValidatorSyncResult().Acknowledgement(), ack.Acknowledgement())
	require.Equal(t, control.StatusActive, f.validator(1, valC).Status)
}

// tooMany names more validators than a packet may.
func tooMany() []byte {
	entries := strings.Repeat(`{"validator":"v"},`, control.MaxEntries+1)
	return []byte(`{"validator_sync":{"height":{"revision_number":"1","revision_height":"1"},"unbonding_period":"1s","validators":[` +
		strings.TrimSuffix(entries, ",") + `]}}`)
}

func TestPacketsOfOtherChannelsAreRefused(t *testing.T) {
	f, consumer := newConnected(t)
	bz, err := control.EncodeValidatorSync(plainReport(active(valC, keyC)))
	require.NoError(t, err)
	for _, where := range [][2]string{{types.Port(1), "channel-77"}, {"externalstaking.9", consumer.ChannelID}, {"other", consumer.ChannelID}} {
		require.False(t, f.receive(where[0], where[1], bz).Success())
	}
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), consumer.ChannelID))
	require.Equal(t, control.ErrorAck(types.ErrForeignChannel).Acknowledgement(), f.receive(types.Port(1), consumer.ChannelID, bz).Acknowledgement())
}

func TestReceivingPassesOutOfGasOn(t *testing.T) {
	f, consumer := newConnected(t)
	bz, err := control.EncodeValidatorSync(plainReport(active(valC, keyC)))
	require.NoError(t, err)
	f.ctx = f.ctx.WithGasMeter(storetypes.NewGasMeter(8_000))
	require.Panics(t, func() { f.receive(types.Port(1), consumer.ChannelID, bz) })
}

func TestPK12StatusesDecideWhatAStakeMeets(t *testing.T) {
	for _, tc := range []struct {
		status control.ValidatorStatus
		want   error
		ended  bool
	}{
		{control.StatusActive, nil, false},
		{control.StatusInactive, nil, false},
		{control.StatusJailed, types.ErrValidatorEnded, false},
		{control.StatusTombstoned, types.ErrValidatorEnded, true},
		{control.StatusRemoved, types.ErrValidatorEnded, true},
	} {
		t.Run(tc.status.String(), func(t *testing.T) {
			f, _ := newConnected(t)
			require.True(t, f.report(1, plainReport(reported(valA, keyA, tc.status))).Success())
			v := f.validator(1, valA)
			require.Equal(t, tc.ended, v.Ended())
			require.Equal(t, tc.ended, v.EndedAt != nil)
			if tc.ended {
				require.Equal(t, f.ctx.BlockTime(), *v.EndedAt)
			}
			msg := &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 10)}
			f.deposit(alice, 10)
			if tc.want != nil {
				f.refusedMsg(tc.want, msg)
				return
			}
			f.mustSend(msg, nil)
		})
	}
	f, _ := newConnected(t)
	f.deposit(alice, 10)
	f.refusedMsg(types.ErrUnknownValidator, &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: "nobody", Amount: sdk.NewInt64Coin(denom, 10)})
}

func TestATombstoneIsFinal(t *testing.T) {
	f, _ := newConnected(t)
	require.True(t, f.report(1, plainReport(reported(valA, keyA, control.StatusTombstoned))).Success())
	at := f.ctx.BlockTime()
	f.nextBlock(time.Hour)
	for _, status := range []control.ValidatorStatus{control.StatusActive, control.StatusRemoved, control.StatusJailed} {
		events := f.during(func() { require.True(t, f.report(1, plainReport(reported(valA, keyB, status))).Success()) })
		require.Contains(t, f.skipped(events), valA)
		require.Equal(t, control.StatusTombstoned, f.validator(1, valA).Status)
		require.Equal(t, at, *f.validator(1, valA).EndedAt)
		require.Equal(t, keyA, f.validator(1, valA).PresentKey())
	}
	// A full report without it does not remove it either.
	require.True(t, f.report(1, fullReport(active(valB, keyB))).Success())
	require.Equal(t, control.StatusTombstoned, f.validator(1, valA).Status)
}

func TestATombstoneAfterARemovalRestartsTheClock(t *testing.T) {
	f, _ := newConnected(t)
	require.True(t, f.report(1, plainReport(reported(valA, nil, control.StatusRemoved))).Success())
	f.nextBlock(time.Hour)
	require.True(t, f.report(1, plainReport(reported(valA, keyA, control.StatusTombstoned))).Success())
	require.Equal(t, f.ctx.BlockTime(), *f.validator(1, valA).EndedAt)
}

func TestARemovedValidatorMayComeBack(t *testing.T) {
	f, _ := newConnected(t)
	require.True(t, f.report(1, plainReport(reported(valA, nil, control.StatusRemoved))).Success())
	require.True(t, f.validator(1, valA).Ended())
	require.True(t, f.report(1, plainReport(active(valA, keyA))).Success())
	require.False(t, f.validator(1, valA).Ended())
	require.Nil(t, f.validator(1, valA).EndedAt)
	require.Len(t, f.validator(1, valA).Keys, 1)
	// Nobody has to remember a removed validator that was never known.
	require.True(t, f.report(1, plainReport(reported("gone", nil, control.StatusRemoved))).Success())
	_, err := f.k.GetValidator(f.ctx, 1, "gone")
	require.ErrorIs(t, err, types.ErrUnknownValidator)
}

func TestAFullReportInChunksRemovesWhatItDoesNotName(t *testing.T) {
	f, _ := newConnected(t)
	require.True(t, f.report(1, chunk(0, false, active(valC, keyC))).Success())
	require.False(t, f.validator(1, valA).Ended(), "not before the last chunk")
	// A change between two chunks counts as seen.
	require.True(t, f.report(1, plainReport(reported(valB, keyB, control.StatusInactive))).Success())
	f.nextBlock(time.Second)
	events := f.during(func() { require.True(t, f.report(1, chunk(1, true)).Success()) })
	f.hasEvent(events, &types.EventValidatorUpdated{ConsumerID: 1, Validator: valA, Status: control.StatusRemoved})
	require.Equal(t, control.StatusRemoved, f.validator(1, valA).Status)
	require.Equal(t, f.ctx.BlockTime(), *f.validator(1, valA).EndedAt)
	require.Equal(t, control.StatusInactive, f.validator(1, valB).Status)
	require.Equal(t, control.StatusActive, f.validator(1, valC).Status)
}

func TestAFullReportDoesNotRemoveAValidatorWhoseEntryWasSkipped(t *testing.T) {
	for name, entry := range map[string]control.ValidatorUpdate{
		"bad key":   active(valB, keyB[:31]),
		"key taken": active(valB, keyA),
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newConnected(t)
			f.stake(alice, 1, valB, 100)
			f.accept(1)
			events := f.during(func() { require.True(t, f.report(1, fullReport(entry, active(valA, keyA))).Success()) })
			require.Contains(t, f.skipped(events), valB)
			v := f.validator(1, valB)
			require.Equal(t, control.StatusActive, v.Status)
			require.Equal(t, keyB, v.PresentKey())
			require.Equal(t, uint64(2), v.SeenRound)
		})
	}
}

func TestAKeyThatPassesOnWithinOneReportIsLearnedInAnyOrder(t *testing.T) {
	heir := active("a"+valC, keyA) // before A in any order of names
	for name, updates := range map[string][]control.ValidatorUpdate{
		"owner created again, after": {heir, active(valA, keyC), active(valB, keyB)},
		"owner created again, first": {active(valA, keyC), heir, active(valB, keyB)},
		"owner gone":                 {heir, active(valB, keyB)},
		"owner removed, after":       {heir, reported(valA, nil, control.StatusRemoved), active(valB, keyB)},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newConnected(t)
			f.ibc.advance(1)
			events := f.during(func() { require.True(t, f.report(1, fullReport(updates...)).Success()) })
			require.Empty(t, f.skipped(events))
			require.Equal(t, keyA, f.validator(1, heir.Validator).PresentKey())
			require.Equal(t, uint64(2), f.validator(1, heir.Validator).SeenRound)
			f.holds()
		})
	}
}

func TestAChunkOutOfSequenceIsRefusedAndARestartForgetsTheRound(t *testing.T) {
	f, _ := newConnected(t)
	refused := control.ErrorAck(types.ErrChunkOutOfSequence).Acknowledgement()
	require.True(t, f.report(1, chunk(0, false, active(valA, keyA))).Success())
	require.Equal(t, refused, f.report(1, chunk(2, true)).Acknowledgement())
	// What the broken round named does not count for the next one.
	require.True(t, f.report(1, chunk(0, false, active(valB, keyB))).Success())
	require.True(t, f.report(1, chunk(1, true)).Success())
	require.Equal(t, control.StatusRemoved, f.validator(1, valA).Status)
	require.Equal(t, control.StatusActive, f.validator(1, valB).Status)
	require.Equal(t, refused, f.report(1, chunk(2, true)).Acknowledgement(), "the round is over")
}

func TestNoStakeBeforeTheFirstFullReportIsComplete(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	f.open(1)
	f.deposit(alice, 10)
	stake := &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 10)}
	require.True(t, f.report(1, chunk(0, false, active(valA, keyA))).Success())
	f.refusedMsg(types.ErrChannelNotUsable, stake)
	require.True(t, f.report(1, chunk(1, true)).Success())
	f.mustSend(stake, nil)
}

func TestTheConsumersUnbondingPeriodIsFollowedUpwards(t *testing.T) {
	f, _ := newConnected(t)
	sync := plainReport()
	sync.UnbondingPeriod = unbonding - time.Hour
	require.True(t, f.report(1, sync).Success())
	require.Equal(t, unbonding, f.consumer(1).UnbondingPeriod, "it never falls")
	sync.UnbondingPeriod = unbonding + time.Hour
	events := f.during(func() { require.True(t, f.report(1, sync).Success()) })
	require.Equal(t, unbonding+time.Hour, f.consumer(1).UnbondingPeriod)
	f.hasEvent(events, &types.EventConsumerUpdated{ConsumerID: 1, Consumer: f.consumer(1)})
	// A byzantine consumer cannot lock stake up for ever.
	sync.UnbondingPeriod = types.MaxUnbondingPeriod + time.Hour
	sync.Validators = []control.ValidatorUpdate{active(valC, keyC)}
	events = f.during(func() { require.True(t, f.report(1, sync).Success()) })
	require.Contains(t, f.skipped(events), "")
	require.Equal(t, unbonding+time.Hour, f.consumer(1).UnbondingPeriod)
	require.Equal(t, control.StatusActive, f.validator(1, valC).Status, "the rest applies")
}

func TestAtTheBoundTheOldestInactiveValidatorWithoutPiecesMakesRoom(t *testing.T) {
	f, _ := newConnected(t)
	f.setParams(func(p *types.Params) { p.MaxValidatorsPerConsumer = 4 })
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	key := func(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }
	step := func(updates ...control.ValidatorUpdate) map[string]string {
		t.Helper()
		events := f.during(func() { require.True(t, f.report(1, plainReport(updates...)).Success()) })
		f.nextBlock(time.Second)
		return f.skipped(events)
	}
	require.Empty(t, step(reported(valA, keyA, control.StatusInactive))) // oldest, but has stake
	require.Empty(t, step(reported("old", key(1), control.StatusInactive)))
	require.Empty(t, step(reported("young", key(2), control.StatusJailed)))

	require.Empty(t, step(active("new", key(3))))
	_, err := f.k.GetValidator(f.ctx, 1, "old")
	require.ErrorIs(t, err, types.ErrUnknownValidator)
	require.Equal(t, control.StatusJailed, f.validator(1, "young").Status)
	require.Equal(t, int64(100), f.pool(1, valA).Bonded.Int64())

	// A key of a forgotten validator is free.
	require.Empty(t, step(active("heir", key(1))))
	_, err = f.k.GetValidator(f.ctx, 1, "young")
	require.ErrorIs(t, err, types.ErrUnknownValidator)

	// Nobody is left to make room: valA has stake, the others are active.
	require.Contains(t, step(active("late", key(4))), "late")
	// Tombstoned ones are never forgotten.
	require.Empty(t, step(reported("heir", key(1), control.StatusTombstoned)))
	require.Contains(t, step(active("late", key(4))), "late")

	// Once nothing is left on valA it can make room.
	f.unstake(alice, 1, valA, 100)
	f.accept(1)
	f.nextBlock(unbonding)
	f.nextBlock(time.Second)
	require.Zero(t, f.pool(1, valA).Positions)
	require.Empty(t, step(active("late", key(4))))
	_, err = f.k.GetValidator(f.ctx, 1, valA)
	require.ErrorIs(t, err, types.ErrUnknownValidator)
}

func TestARewardForAValidatorWithoutStakeDoesNotKeepItsPlace(t *testing.T) {
	f, _ := newConnected(t)
	f.setParams(func(p *types.Params) { p.MaxValidatorsPerConsumer = 2 })
	require.True(t, f.report(1, plainReport(reported(valA, keyA, control.StatusInactive))).Success())
	f.reward(1, 1, map[string]int64{valA: 1})
	f.nextBlock(time.Second)
	require.Equal(t, "1", f.pool(1, valA).HeldOver()[0].Amount.String())
	events := f.during(func() { require.True(t, f.report(1, plainReport(active(valC, keyC))).Success()) })
	require.Empty(t, f.skipped(events))
	require.Equal(t, control.StatusActive, f.validator(1, valC).Status)
	_, err := f.k.GetValidator(f.ctx, 1, valA)
	require.ErrorIs(t, err, types.ErrUnknownValidator)
	f.holds()
	require.Equal(t, "1", f.exported().Consumers[0].Rewards[0].Unassigned.String())
}

func TestManyCandidatesWithStakeDoNotHideTheOneWithout(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	f.open(1)
	f.setParams(func(p *types.Params) { p.MaxPositionsPerUserAndConsumer = 100 })
	const staked = 45
	var updates []control.ValidatorUpdate
	for i := range staked {
		updates = append(updates, reported(fmt.Sprintf("val%02d", i), bytes.Repeat([]byte{byte(i + 1)}, 32), control.StatusInactive))
	}
	require.True(t, f.report(1, fullReport(updates...)).Success())
	for i := range staked {
		f.stake(alice, 1, fmt.Sprintf("val%02d", i), 1)
	}
	f.nextBlock(time.Second)
	require.True(t, f.report(1, plainReport(reported("empty", bytes.Repeat([]byte{200}, 32), control.StatusInactive))).Success())
	f.setParams(func(p *types.Params) { p.MaxValidatorsPerConsumer = staked + 1 })

	// Each attempt looks at a bounded number of candidates, and what it learned stays.
	attempts := 0
	for ; attempts < 5; attempts++ {
		events := f.during(func() {
			require.True(t, f.report(1, plainReport(active("new", bytes.Repeat([]byte{201}, 32)))).Success())
		})
		if len(f.skipped(events)) == 0 {
			break
		}
	}
	require.Equal(t, 2, attempts)
	require.Equal(t, control.StatusActive, f.validator(1, "new").Status)
	_, err := f.k.GetValidator(f.ctx, 1, "empty")
	require.ErrorIs(t, err, types.ErrUnknownValidator)
}

func TestPK01ADuplicateReportChangesNothing(t *testing.T) {
	f, _ := newConnected(t)
	sync := plainReport(reported(valA, keyA, control.StatusJailed), active(valC, keyC))
	require.True(t, f.report(1, sync).Success())
	before := f.state()
	require.True(t, f.report(1, sync).Success())
	require.Equal(t, before, f.state())
}

func TestOnlyOpenChannelsWithActiveClientsTakeStake(t *testing.T) {
	for name, breakIt := range map[string]func(*fixture){
		"client expired": func(f *fixture) { f.ibc.status["07-tendermint-0"] = "Expired" },
		"client frozen":  func(f *fixture) { f.ibc.status["07-tendermint-0"] = "Frozen" },
		"client gone":    func(f *fixture) { delete(f.ibc.clients, "07-tendermint-0") },
		"channel closed": func(f *fixture) {
			f.ibc.setChannelState(types.Port(1), f.consumer(1).ChannelID, channeltypes.CLOSED)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newConnected(t)
			f.deposit(alice, 10)
			breakIt(f)
			f.refusedMsg(types.ErrChannelNotUsable, &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 10)})
		})
	}
	t.Run("HS-07 no channel yet", func(t *testing.T) {
		f := newProvider(t)
		f.register(nil)
		channelID, _, err := f.try(1, nil)
		require.NoError(t, err)
		f.deposit(alice, 10)
		stake := &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 10)}
		f.refusedMsg(types.ErrChannelNotUsable, stake)
		require.NoError(t, f.confirm(1, channelID))
		require.True(t, f.report(1, fullReport(active(valA, keyA))).Success())
		f.mustSend(stake, nil)
	})
}
