package keeper_test

import (
	"bytes"
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestRM03AnotherKeyIsKeptPendingWhileThereIsStake(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	f.ibc.advance(10)
	events := f.during(func() { require.True(t, f.report(1, plainReport(active(valA, keyC))).Success()) })
	f.hasEvent(events, &types.EventValidatorUpdated{ConsumerID: 1, Validator: valA, Status: control.StatusActive, KeyConflict: true})
	v := f.validator(1, valA)
	require.Equal(t, keyA, v.PresentKey(), "the key the stake was given to")
	require.Equal(t, keyC, v.PendingKey)
	require.True(t, v.Ended())
	require.Equal(t, f.ctx.BlockTime(), *v.EndedAt)

	// No new stake; the total falls to zero; the exit is open and needs no packet.
	f.deposit(bob, 10)
	f.refusedMsg(types.ErrValidatorEnded, &types.MsgStake{User: bob.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 10)})
	f.nextBlock(time.Second)
	packets := f.ibc.inFlight(f.ctx)
	require.Len(t, packets, 1)
	sync, err := control.DecodeStakeSync(packets[0].Data)
	require.NoError(t, err)
	require.True(t, sync.Entries[0].Stake.IsZero())
	f.acknowledge(packets[0], f.accepted(1, packets[0].Data))
	f.unstake(alice, 1, valA, 100)
	require.True(t, f.pool(1, valA).Bonded.IsZero())
	require.Equal(t, keyA, f.validator(1, valA).PresentKey(), "an unbonding entry is a piece, too")

	// The last piece leaves: the pending key becomes the key, from what the light client has seen by then.
	f.ibc.advance(5)
	f.nextBlock(unbonding)
	f.nextBlock(time.Second)
	v = f.validator(1, valA)
	require.False(t, v.Ended())
	require.Nil(t, v.EndedAt)
	require.Equal(t, []types.ConsumerKey{
		{ConsPubkey: keyA, From: clienttypes.NewHeight(1, 100)},
		{ConsPubkey: keyC, From: clienttypes.NewHeight(1, 115)},
	}, v.Keys)
	f.deposit(bob, 10)
	f.mustSend(&types.MsgStake{User: bob.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 10)}, nil)
}

func TestAConflictEndsWhenOnlyRewardsAreLeft(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	f.reward(1, 1_000, map[string]int64{valA: 1_000})
	f.ibc.advance(1)
	require.True(t, f.report(1, plainReport(active(valA, keyC))).Success())
	require.True(t, f.validator(1, valA).Ended())
	f.accept(1)
	f.unstake(alice, 1, valA, 100)
	require.True(t, f.validator(1, valA).Ended(), "an unbonding entry can be slashed")
	f.nextBlock(unbonding)
	f.nextBlock(time.Second)
	require.False(t, f.validator(1, valA).Ended())
	require.Equal(t, keyC, f.validator(1, valA).PresentKey())
	require.Equal(t, uint64(1), f.pool(1, valA).Positions)
	require.Zero(t, f.pool(1, valA).LivePositions)

	// Another key is taken at once; stake on the old position makes it live again.
	f.ibc.advance(1)
	require.True(t, f.report(1, plainReport(active(valA, bytes.Repeat([]byte{9}, 32)))).Success())
	require.False(t, f.validator(1, valA).Ended())
	f.stake(alice, 1, valA, 10)
	require.Equal(t, uint64(1), f.pool(1, valA).LivePositions)
	f.mustSend(&types.MsgWithdrawRewards{User: alice.String(), ConsumerID: 1}, nil)
	f.accept(1)
	require.Equal(t, uint64(1), f.pool(1, valA).LivePositions)
	require.True(t, f.report(1, plainReport(active(valA, keyC))).Success())
	require.True(t, f.validator(1, valA).KeyConflict())
}

func TestTheFormerKeyEndsAConflict(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	require.True(t, f.report(1, plainReport(active(valA, keyC))).Success())
	require.True(t, f.validator(1, valA).Ended())
	require.True(t, f.report(1, plainReport(active(valA, keyA))).Success())
	v := f.validator(1, valA)
	require.False(t, v.Ended())
	require.Empty(t, v.PendingKey)
	require.Len(t, v.Keys, 1)
	f.accept(1)
	require.Equal(t, int64(100), f.pool(1, valA).Synced.Int64(), "counted again")
}

func TestANewKeyIsTakenAtOnceWithoutPieces(t *testing.T) {
	f, _ := newConnected(t)
	f.ibc.advance(1)
	require.True(t, f.report(1, plainReport(active(valA, keyC))).Success())
	v := f.validator(1, valA)
	require.False(t, v.Ended())
	require.Equal(t, keyC, v.PresentKey())
	require.Len(t, v.Keys, 2, "history is append-only")
	// The first key is free now.
	f.ibc.advance(1)
	require.True(t, f.report(1, plainReport(active(valC, keyA))).Success())
	require.Equal(t, keyA, f.validator(1, valC).PresentKey())
}

func TestSL06AKeyPassesOnOnlyAfterItsOwnerWasRemoved(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	takeover := func() map[string]string {
		return f.skipped(f.during(func() { require.True(t, f.report(1, plainReport(active(valC, keyA))).Success()) }))
	}
	for _, status := range []control.ValidatorStatus{control.StatusActive, control.StatusInactive, control.StatusJailed} {
		require.True(t, f.report(1, plainReport(reported(valA, keyA, status))).Success())
		require.Contains(t, takeover(), valC, status)
	}
	require.True(t, f.report(1, plainReport(reported(valA, nil, control.StatusRemoved))).Success())
	require.Contains(t, takeover(), valC, "at one height a key has one owner")
	f.ibc.advance(20)
	require.Empty(t, takeover())
	require.Equal(t, []types.ConsumerKey{{ConsPubkey: keyA, From: clienttypes.NewHeight(1, 120)}}, f.validator(1, valC).Keys)
	require.Equal(t, []types.ConsumerKey{{ConsPubkey: keyA, From: clienttypes.NewHeight(1, 100)}}, f.validator(1, valA).Keys, "answers for its own range")

	// The former owner comes back with the key that is somebody else's now.
	skipped := f.skipped(f.during(func() { require.True(t, f.report(1, plainReport(active(valA, keyA))).Success()) }))
	require.Contains(t, skipped, valA)
	require.Equal(t, control.StatusRemoved, f.validator(1, valA).Status)

	// And gets it back once that one is removed, from then on.
	require.True(t, f.report(1, plainReport(reported(valC, nil, control.StatusRemoved))).Success())
	f.ibc.advance(1)
	require.True(t, f.report(1, plainReport(active(valA, keyA))).Success())
	require.Equal(t, []types.ConsumerKey{
		{ConsPubkey: keyA, From: clienttypes.NewHeight(1, 100)}, {ConsPubkey: keyA, From: clienttypes.NewHeight(1, 121)},
	}, f.validator(1, valA).Keys)
}

func TestATombstonedKeyNeverPassesOn(t *testing.T) {
	f, _ := newConnected(t)
	require.True(t, f.report(1, plainReport(reported(valA, keyA, control.StatusTombstoned))).Success())
	f.ibc.advance(1)
	skipped := f.skipped(f.during(func() { require.True(t, f.report(1, plainReport(active(valC, keyA))).Success()) }))
	require.Contains(t, skipped, valC)
}

func TestAPendingKeyThatWasTakenMeanwhileStaysPending(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	f.ibc.advance(1)
	require.True(t, f.report(1, plainReport(active(valA, keyC))).Success())
	require.True(t, f.report(1, plainReport(active(valC, keyC))).Success())
	require.Equal(t, keyC, f.validator(1, valC).PresentKey())
	f.accept(1)
	f.unstake(alice, 1, valA, 100)
	f.nextBlock(unbonding)
	f.nextBlock(time.Second)
	require.Zero(t, f.pool(1, valA).Positions)
	require.True(t, f.validator(1, valA).Ended())
	require.Equal(t, keyA, f.validator(1, valA).PresentKey())
}
