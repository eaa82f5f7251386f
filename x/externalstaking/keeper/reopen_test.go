package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// reopen opens a new control channel with a consumer that has processed batches up to last.
func (f *fixture) reopen(id, last uint64) {
	f.t.Helper()
	channelID, _, err := f.try(id, func(h *handshake) { h.version = f.proposalAfter(last) })
	require.NoError(f.t, err)
	require.NoError(f.t, f.confirm(id, channelID))
	f.holds()
	require.True(f.t, f.report(id, fullReport(active(valA, keyA), active(valB, keyB))).Success())
}

func (f *fixture) proposalAfter(last uint64) string {
	f.t.Helper()
	version, err := control.NewProposal("uother", unbonding, last).Encode()
	require.NoError(f.t, err)
	return version
}

// settleDown has the consumer accept everything, for some blocks.
func (f *fixture) settleDown(id uint64) {
	f.t.Helper()
	for range 12 {
		f.accept(id)
	}
	require.Empty(f.t, f.ibc.inFlight(f.ctx))
	require.Nil(f.t, f.outbox(id).Snapshot)
}

func (f *fixture) outbox(id uint64) types.OutboxState {
	f.t.Helper()
	outbox, err := f.k.Outboxes.Get(f.ctx, id)
	require.NoError(f.t, err)
	return outbox
}

// positionOf is the key of a position on consumer 1.
func positionOf(user sdk.AccAddress, operator string) collections.Triple[sdk.AccAddress, uint64, string] {
	return collections.Join3(user, uint64(1), operator)
}

// hasEventOf asserts that an event of the type of want is among events.
func (f *fixture) hasEventOf(events sdk.Events, want proto.Message) {
	f.t.Helper()
	for _, e := range events {
		if e.Type == proto.MessageName(want) {
			return
		}
	}
	require.Fail(f.t, "no "+proto.MessageName(want))
}

func TestHS09FiftyUsersStakedWhenTheChannelClosesAndOpensAgain(t *testing.T) {
	f, _ := newConnected(t)
	const users = 50
	user := func(i int) sdk.AccAddress { return sdk.AccAddress(fmt.Sprintf("user%016d", i)) }
	for i := range users {
		f.fund(user(i), sdk.NewInt64Coin(denom, 1_000))
		f.deposit(user(i), 1_000)
		f.mustSend(&types.MsgStake{User: user(i).String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 100)}, nil)
	}
	f.accept(1)
	// In flight on A: half leave, half stake more. The consumer processes that, but its answer is lost. On B everybody
	// stakes, and that it never receives.
	for i := range users {
		if i%2 == 0 {
			f.unstake(user(i), 1, valA, 40)
		} else {
			f.mustSend(&types.MsgStake{User: user(i).String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 7)}, nil)
		}
	}
	f.nextBlock(time.Second)
	processed := f.outbox(1).LastBatchID
	for i := range users {
		f.mustSend(&types.MsgStake{User: user(i).String(), ConsumerID: 1, Validator: valB, Amount: sdk.NewInt64Coin(denom, 10)}, nil)
	}
	f.nextBlock(time.Second)
	inFlight := f.ibc.inFlight(f.ctx)
	require.Len(t, inFlight, 2)
	f.timeout(inFlight[1])
	require.Equal(t, types.ConsumerClosed, f.consumer(1).Status)
	require.Equal(t, "0", f.pool(1, valB).Bonded.String(), "proven unreceived: rolled back")
	require.Equal(t, int64(5_000), f.pool(1, valA).Bonded.Int64(), "nobody knows yet")
	f.refusedMsg(types.ErrChannelNotUsable, &types.MsgStake{User: user(0).String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 1)})

	f.reopen(1, processed)
	require.Equal(t, int64(5_000), f.pool(1, valA).Bonded.Int64(), "booked at the end of the block, not by the relayer")
	f.refusedMsg(types.ErrChannelNotUsable, &types.MsgStake{User: user(0).String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 1)})
	f.nextBlock(time.Second)
	require.Equal(t, int64(5_000-25*40+25*7), f.pool(1, valA).Bonded.Int64())
	packets := f.ibc.inFlight(f.ctx)[1:] // the first is of the old channel, and will never be answered
	require.Len(t, packets, 1)
	snapshot, err := control.DecodeStakeSync(packets[0].Data)
	require.NoError(t, err)
	require.Equal(t, &control.Reset{Last: true}, snapshot.Reset_)
	require.Equal(t, []control.StakeEntry{{Validator: valA, Stake: math.NewInt(4_175)}}, snapshot.Entries)
	f.acknowledge(packets[0], f.accepted(1, packets[0].Data))
	require.Nil(t, f.outbox(1).Snapshot)
	require.Equal(t, "4175", f.outbox(1).Synced.String())
	for i := range users {
		want := map[bool]int64{true: 60, false: 107}[i%2 == 0]
		require.Equal(t, want, f.position(user(i), 1, valA).Bonded.Int64())
	}
	// What left with the lost answer counts until the consumer confirms the snapshot, or a later batch.
	for _, p := range f.exported().Positions {
		for _, e := range p.Unbonding.Entries {
			require.Equal(t, snapshot.BatchID-1, e.BatchID)
		}
	}
	require.Len(t, f.position(user(0), 1, valA).Unbondings, 1)
	// The old packet's answer or timeout means nothing any more.
	before := f.state()
	f.k.AcknowledgePacket(f.ctx, inFlight[0].SourceChannel, inFlight[0].Sequence, f.accepted(1, inFlight[0].Data))
	require.NoError(t, f.module.OnTimeoutPacket(f.ctx, inFlight[0], carol))
	require.Equal(t, before, f.state())
	require.Equal(t, types.ConsumerOpen, f.consumer(1).Status)
	f.mustSend(&types.MsgStake{User: user(0).String(), ConsumerID: 1, Validator: valB, Amount: sdk.NewInt64Coin(denom, 1)}, nil)
}

func TestHS09WhatTheConsumerHasNotProcessedRollsBackAndIsAskedAgain(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	processed, requested := f.outbox(1).LastBatchID, f.ctx.BlockTime()
	f.unstake(alice, 1, valA, 30)
	f.stake(bob, 1, valA, 50)
	f.nextBlock(time.Hour)
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), f.consumer(1).ChannelID))
	f.reopen(1, processed)
	f.nextBlock(time.Second)
	p, err := f.k.Positions.Get(f.ctx, positionOf(alice, valA))
	require.NoError(t, err)
	require.Equal(t, requested, p.QueuedUnstake.RequestedAt)
	require.Equal(t, int64(100), f.pool(1, valA).Bonded.Int64())
	f.settleDown(1)
	require.Equal(t, int64(70), f.pool(1, valA).Bonded.Int64())
	require.Equal(t, "70", f.outbox(1).Synced.String())
}

// Batches that were lost with the old channel are refused in a way, but by nobody on the new one.
func TestHS09ANewChannelDoesNotWaitForFailuresOfTheOldOne(t *testing.T) {
	f, _ := newConnected(t)
	for _, v := range []string{valA, valB} {
		f.stake(alice, 1, v, 100)
		f.nextBlock(time.Second)
	}
	require.Len(t, f.ibc.inFlight(f.ctx), 2)
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), f.consumer(1).ChannelID))
	f.reopen(1, 0)
	f.nextBlock(time.Second)
	require.Zero(t, f.outbox(1).RetryHeight)
	require.True(t, f.outbox(1).Snapshot.Sent)
}

func TestHS09ClosedAgainWhileOpeningAndDuringTheSnapshot(t *testing.T) {
	f, _ := newConnected(t)
	f.setParams(func(p *types.Params) { p.MaxEntriesPerPacket = 1 })
	f.stake(alice, 1, valA, 100)
	f.stake(bob, 1, valB, 200)
	f.accept(1)
	f.accept(1)
	processed := f.outbox(1).LastBatchID
	f.unstake(alice, 1, valA, 40)
	f.nextBlock(time.Second)
	closeIt := func() {
		require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), f.consumer(1).ChannelID))
		f.holds()
	}
	closeIt()
	f.reopen(1, processed)
	closeIt() // before anything was booked
	f.nextBlock(time.Second)
	f.reopen(1, processed)
	f.nextBlock(time.Second)
	chunks := f.ibc.inFlight(f.ctx)
	require.Len(t, chunks, 3, "one of the first channel, two chunks")
	f.acknowledge(chunks[1], f.accepted(1, chunks[1].Data))
	f.timeout(chunks[2])
	require.Equal(t, types.ConsumerClosed, f.consumer(1).Status)
	f.nextBlock(time.Second)
	f.reopen(1, processed)
	f.settleDownOf(1, 1)
	require.Equal(t, "260", f.outbox(1).Synced.String())
	require.Equal(t, int64(60), f.position(alice, 1, valA).Bonded.Int64())
	require.Len(t, f.position(alice, 1, valA).Unbondings, 1)
}

// settleDownOf is settleDown with packets of closed channels that will never be answered.
func (f *fixture) settleDownOf(id uint64, lost int) {
	f.t.Helper()
	for range 12 {
		f.nextBlock(time.Second)
		for _, packet := range f.ibc.inFlight(f.ctx) {
			if packet.SourceChannel == f.consumer(id).ChannelID {
				f.acknowledge(packet, f.accepted(id, packet.Data))
			}
		}
	}
	require.Len(f.t, f.ibc.inFlight(f.ctx), lost)
	require.Nil(f.t, f.outbox(id).Snapshot)
}

// While the channel was closed one validator was tombstoned and another removed.
func TestHS09ValidatorsThatEndedMeanwhile(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.stake(bob, 1, valB, 200)
	f.accept(1)
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), f.consumer(1).ChannelID))
	channelID, _, err := f.try(1, func(h *handshake) { h.version = f.proposalAfter(f.outbox(1).LastBatchID) })
	require.NoError(t, err)
	require.NoError(t, f.confirm(1, channelID))
	// The snapshot is on its way when the reports arrive.
	f.nextBlock(time.Second)
	require.Len(t, f.ibc.inFlight(f.ctx), 1)
	require.True(t, f.report(1, fullReport(reported(valA, keyA, control.StatusTombstoned))).Success())
	f.settleDown(1)
	require.Equal(t, "0", f.outbox(1).Synced.String())
	f.unstake(alice, 1, valA, 100)
	f.unstake(bob, 1, valB, 200)
	f.nextBlock(unbonding)
	f.nextBlock(time.Second)
	for _, user := range []sdk.AccAddress{alice, bob} {
		lien, err := f.liens.Lien(f.ctx, user, types.LienID(1))
		require.NoError(t, err)
		require.True(t, lien.IsZero())
	}
}

func TestSnapshotRejectionsEndValidators(t *testing.T) {
	for reason, status := range map[control.RejectReason]control.ValidatorStatus{
		control.RejectUnknownValidator: control.StatusRemoved, control.RejectTombstoned: control.StatusTombstoned,
	} {
		t.Run(reason.String(), func(t *testing.T) {
			f, _ := newConnected(t)
			f.stake(alice, 1, valA, 100)
			f.stake(bob, 1, valB, 200)
			f.accept(1)
			require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), f.consumer(1).ChannelID))
			f.reopen(1, f.outbox(1).LastBatchID)
			f.nextBlock(time.Second)
			ack, err := control.StakeSyncResult(control.StakeSyncAck{
				Rejected: []control.Rejection{{Validator: valA, Reason: reason}, {Validator: "nobody", Reason: reason}}, Total: math.NewInt(200),
			})
			require.NoError(t, err)
			f.acknowledge(f.ibc.inFlight(f.ctx)[0], ack.Acknowledgement())
			f.holds()
			require.Equal(t, status, f.validator(1, valA).Status)
			require.Equal(t, control.StatusActive, f.validator(1, valB).Status)
			require.Nil(t, f.outbox(1).Snapshot)
			f.settleDown(1)
			require.Equal(t, "200", f.outbox(1).Synced.String())
			f.unstake(alice, 1, valA, 100)
			require.Len(t, f.position(alice, 1, valA).Unbondings, 1, "without a packet")
		})
	}
}

func TestRM10AHandshakeThatStartedBeforeNewerBatches(t *testing.T) {
	f, _ := newConnected(t)
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), f.consumer(1).ChannelID))
	stale, _, err := f.try(1, func(h *handshake) { h.version = f.proposalAfter(0) })
	require.NoError(t, err)
	f.reopen(1, 0)
	f.settleDown(1)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	// Not while another channel is open. Once that has closed it is the consumer that refuses at Ack.
	before := f.state()
	require.ErrorIs(t, f.confirm(1, stale), types.ErrChannelBound)
	require.Equal(t, before, f.state())
	// A consumer that has processed more than it was ever sent is another one.
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), f.consumer(1).ChannelID))
	_, _, err = f.try(1, func(h *handshake) { h.version = f.proposalAfter(f.outbox(1).LastBatchID + 1) })
	require.ErrorIs(t, err, types.ErrInvalidHandshake)
	require.Equal(t, int64(100), f.pool(1, valA).Bonded.Int64())
}

func TestTO02FirstPacketTimesOutAndTheOthersOnTheClosedChannel(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(bob, 1, valA, 300)
	f.accept(1)
	f.stake(alice, 1, valB, 50)
	f.nextBlock(time.Second)
	f.unstake(bob, 1, valA, 100)
	f.nextBlock(time.Second)
	packets := f.ibc.inFlight(f.ctx)
	require.Len(t, packets, 2)
	f.timeout(packets[0])
	require.Equal(t, types.ConsumerClosed, f.consumer(1).Status)
	f.holds()
	f.timeout(packets[1])
	f.holds()
	inFlight, err := f.query.InFlight(f.ctx, &types.QueryInFlightRequest{ConsumerId: 1})
	require.NoError(t, err)
	require.Empty(t, inFlight.Batches)
	p := f.position(bob, 1, valA)
	require.Equal(t, []int64{300, 100}, []int64{p.Bonded.Int64(), p.PendingUnstake.Int64()})
	lien, err := f.liens.Lien(f.ctx, alice, types.LienID(1))
	require.NoError(t, err)
	require.True(t, lien.IsZero())
}

func TestPK01TheSameTimeoutTwice(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.nextBlock(time.Second)
	packet := f.ibc.inFlight(f.ctx)[0]
	f.timeout(packet)
	before := f.state()
	require.NoError(t, f.module.OnTimeoutPacket(f.ctx, packet, carol))
	require.NoError(t, f.module.OnAcknowledgementPacket(f.ctx, packet, control.ValidatorSyncResult().Acknowledgement(), carol))
	require.Equal(t, before, f.state())
	f.holds()
}

func TestTO04WhileTheClientIsExpiredEverythingWaitsInOrder(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.stake(bob, 1, valB, 100)
	f.accept(1)
	f.ibc.status["07-tendermint-0"] = exported.Expired
	f.refusedMsg(types.ErrChannelNotUsable, &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 1)})
	f.unstake(alice, 1, valA, 10)
	f.unstake(bob, 1, valB, 20)
	for range 25 {
		f.unstake(alice, 1, valA, 1)
		f.nextBlock(time.Minute)
	}
	require.Empty(t, f.ibc.inFlight(f.ctx))
	f.ibc.status["07-tendermint-0"] = exported.Active
	for range 11 {
		f.nextBlock(time.Second)
	}
	packets := f.ibc.inFlight(f.ctx)
	require.Len(t, packets, 1)
	sync, err := control.DecodeStakeSync(packets[0].Data)
	require.NoError(t, err)
	require.Equal(t, []control.StakeEntry{{Validator: valA, Stake: math.NewInt(65)}, {Validator: valB, Stake: math.NewInt(80)}}, sync.Entries)
}

func TestTO05AFrozenClientTakesNoStakeAndLetsEverybodyOut(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.stake(bob, 1, valA, 100)
	f.accept(1)
	f.unstake(alice, 1, valA, 60)
	f.accept(1)
	f.ibc.status["07-tendermint-0"] = exported.Frozen
	f.refusedMsg(types.ErrChannelNotUsable, &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 1)})
	f.unstake(alice, 1, valA, 40)
	f.nextBlock(unbonding)
	f.nextBlock(time.Second)
	// What was unbonding has matured, what could not be sent is on its way by itself.
	require.Equal(t, int64(0), f.position(alice, 1, valA).Bonded.Int64())
	require.Len(t, f.position(alice, 1, valA).Unbondings, 1)
	f.nextBlock(unbonding)
	f.nextBlock(time.Second)
	lien, err := f.liens.Lien(f.ctx, alice, types.LienID(1))
	require.NoError(t, err)
	require.True(t, lien.IsZero())
}

func TestTO06AConsumerThatHaltsForAWeek(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.nextBlock(7 * 24 * time.Hour)
	packet := f.ibc.inFlight(f.ctx)[0]
	require.Greater(t, packet.TimeoutTimestamp, uint64(f.ctx.BlockTime().UnixNano()))
	require.GreaterOrEqual(t, packet.TimeoutTimestamp, uint64(start.Add(28*24*time.Hour).UnixNano()))
	f.acknowledge(packet, f.accepted(1, packet.Data))
	require.Equal(t, int64(100), f.pool(1, valA).Bonded.Int64())
}

// Core IBC has closed the channel, and the module's next packets meet that in the same block.
func TestTO07ChannelClosesWhilePacketsAreSent(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	f.unstake(alice, 1, valA, 40)
	f.ibc.sendError = channeltypes.ErrInvalidChannelState
	f.hasEventOf(f.during(func() { f.k.EndBlock(f.ctx) }), &types.EventOutboxFailed{})
	f.nextBlock(time.Second)
	require.Empty(t, f.ibc.inFlight(f.ctx))
	require.Equal(t, int64(40), f.position(alice, 1, valA).PendingUnstake.Int64())
	f.ibc.sendError = nil
	f.ibc.setChannelState(types.Port(1), f.consumer(1).ChannelID, channeltypes.CLOSED)
	f.nextBlock(time.Second)
	require.Empty(t, f.ibc.inFlight(f.ctx))
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), f.consumer(1).ChannelID))
	f.reopen(1, f.outbox(1).LastBatchID)
	f.settleDown(1)
	require.Equal(t, "60", f.outbox(1).Synced.String())
}
