package keeper_test

import (
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestGV03APausedConsumerTakesNoStakeAndLetsEverybodyOut(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(bob, 1, valA, 100)
	f.accept(1)
	f.deposit(bob, 50)
	stake := &types.MsgStake{User: bob.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 50)}
	f.refusedMsg(types.ErrUnauthorized, &types.MsgPauseConsumer{Sender: bob.String(), ConsumerID: 1, Paused: true})
	f.refusedMsg(types.ErrUnknownConsumer, &types.MsgPauseConsumer{Sender: f.authority, ConsumerID: 7, Paused: true})
	for _, operator := range []string{f.consumer(1).Admin, f.authority} {
		f.mustSend(&types.MsgPauseConsumer{Sender: operator, ConsumerID: 1, Paused: true}, nil)
		require.True(t, f.consumer(1).Paused)
		f.refusedMsg(types.ErrPaused, stake)
		f.unstake(bob, 1, valA, 10)
		f.accept(1)
		f.mustSend(&types.MsgPauseConsumer{Sender: operator, ConsumerID: 1, Paused: false}, nil)
	}
	require.Len(t, f.position(bob, 1, valA).Unbondings, 2)
	f.mustSend(stake, nil)
}

func TestEndorsementIsTheAuthoritys(t *testing.T) {
	f, _ := newConnected(t)
	f.refusedMsg(types.ErrUnauthorized, &types.MsgEndorseConsumer{Authority: f.consumer(1).Admin, ConsumerID: 1, Endorsed: true})
	f.refusedMsg(types.ErrUnknownConsumer, &types.MsgEndorseConsumer{Authority: f.authority, ConsumerID: 7, Endorsed: true})
	for _, endorsed := range []bool{true, false} {
		f.mustSend(&types.MsgEndorseConsumer{Authority: f.authority, ConsumerID: 1, Endorsed: endorsed}, nil)
		res, err := f.query.Consumer(f.ctx, &types.QueryConsumerRequest{ConsumerId: 1})
		require.NoError(t, err)
		require.Equal(t, endorsed, res.Consumer.Endorsed)
	}
}

func TestRetireAndCloseAreTheAuthoritys(t *testing.T) {
	f, consumer := newConnected(t)
	f.refusedMsg(types.ErrUnauthorized, &types.MsgRetireConsumer{Authority: consumer.Admin, ConsumerID: 1})
	f.refusedMsg(types.ErrUnauthorized, &types.MsgCloseChannel{Authority: consumer.Admin, ConsumerID: 1})
	f.refusedMsg(types.ErrUnknownConsumer, &types.MsgRetireConsumer{Authority: f.authority, ConsumerID: 7})
	f.refusedMsg(types.ErrUnknownConsumer, &types.MsgCloseChannel{Authority: f.authority, ConsumerID: 7})
}

func TestCloseChannelMakesRoomForANewOne(t *testing.T) {
	f, consumer := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.nextBlock(time.Second)
	var res types.MsgCloseChannelResponse
	f.mustSend(&types.MsgCloseChannel{Authority: f.authority, ConsumerID: 1}, &res)
	require.Equal(t, consumer.ChannelID, res.ChannelID)
	require.Equal(t, types.ConsumerClosed, f.consumer(1).Status)
	f.refusedMsg(types.ErrChannelNotUsable, &types.MsgCloseChannel{Authority: f.authority, ConsumerID: 1})
	f.reopen(1, f.outbox(1).LastBatchID)
	f.settleDownOf(1, 1)
	require.Equal(t, int64(100), f.pool(1, valA).Bonded.Int64())
}

// The consumer of a client that expired was given up, and learns of that once the client is recovered.
func TestCloseChannelOfAConsumerThatWasLeftUnreached(t *testing.T) {
	f, consumer := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	f.ibc.status["07-tendermint-0"] = exported.Expired
	f.mustSend(&types.MsgRetireConsumer{Authority: f.authority, ConsumerID: 1}, nil)
	f.nextBlock(unbonding)
	for range 4 {
		f.nextBlock(time.Second)
	}
	has, err := f.k.Retirements.Has(f.ctx, 1)
	require.NoError(t, err)
	require.False(t, has)
	require.Equal(t, types.ConsumerClosed, f.consumer(1).Status)
	require.Equal(t, channeltypes.OPEN, f.ibc.channels[channelKey(types.Port(1), consumer.ChannelID)].State)
	f.ibc.status["07-tendermint-0"] = exported.Active
	f.mustSend(&types.MsgCloseChannel{Authority: f.authority, ConsumerID: 1}, nil)
	require.Equal(t, channeltypes.CLOSED, f.ibc.channels[channelKey(types.Port(1), consumer.ChannelID)].State)
}

func TestCancelStakeWorksInEveryState(t *testing.T) {
	for name, prepare := range map[string]func(f *fixture){
		"open": func(*fixture) {},
		"closed": func(f *fixture) {
			require.NoError(f.t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), f.consumer(1).ChannelID))
		},
		"expired": func(f *fixture) { f.ibc.status["07-tendermint-0"] = exported.Expired },
		"paused": func(f *fixture) {
			f.mustSend(&types.MsgPauseConsumer{Sender: f.authority, ConsumerID: 1, Paused: true}, nil)
		},
		"retired":         func(f *fixture) { f.mustSend(&types.MsgRetireConsumer{Authority: f.authority, ConsumerID: 1}, nil) },
		"validator ended": func(f *fixture) { require.True(f.t, f.report(1, plainReport(reported(valA, keyA, 4))).Success()) },
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newConnected(t)
			f.stake(alice, 1, valA, 100)
			f.accept(1)
			cancel := &types.MsgCancelStake{User: alice.String(), ConsumerID: 1, Validator: valA}
			f.refusedMsg(types.ErrNothingToCancel, cancel)
			f.stake(alice, 1, valA, 30)
			f.nextBlock(time.Second)
			f.refusedMsg(types.ErrNothingToCancel, cancel) // it is in flight
			f.stake(alice, 1, valA, 7)
			f.unstake(alice, 1, valA, 5)
			prepare(f)
			var res types.MsgCancelStakeResponse
			f.hasEvent(f.mustSend(cancel, &res), &types.EventStakeRolledBack{
				User: alice.String(), ConsumerID: 1, Validator: valA, Amount: "7", Reason: "cancelled",
			})
			require.Equal(t, int64(7), res.Amount.Int64())
			f.holds()
			p := f.position(alice, 1, valA)
			require.Equal(t, []int64{100, 30, 5}, []int64{p.Bonded.Int64(), p.PendingStake.Int64(), p.PendingUnstake.Int64()})
			f.refusedMsg(types.ErrNothingToCancel, cancel)
			f.nextBlock(time.Second)
		})
	}
	f, _ := newConnected(t)
	f.refusedMsg(types.ErrUnknownConsumer, &types.MsgCancelStake{User: alice.String(), ConsumerID: 7, Validator: valA})
	// A first stake leaves nothing behind.
	f.stake(alice, 1, valA, 100)
	f.mustSend(&types.MsgCancelStake{User: alice.String(), ConsumerID: 1, Validator: valA}, nil)
	require.Empty(t, f.exported().Positions)
	f.accept(1)
}
