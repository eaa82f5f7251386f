package keeper_test

import (
	"context"
	"fmt"
	"math/big"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

func TestStakeAndUnstakeThroughTheWholeLife(t *testing.T) {
	l := newOpenLedger(t)
	require.NoError(t, l.stake(ann, "val1", 100))
	l.want(ann, "val1", 0, 100, 0, 100)
	p, _ := l.position(ann, "val1")
	require.Equal(t, types.PositionPending, p.Status)

	events := l.endBlock()
	l.hasTyped(events, &types.EventBatchSent{ConsumerID: 1, BatchID: 1, Sequence: 1, Entries: 1, Operations: 1})
	packet := l.packets(1)[0]
	require.Equal(t, []control.StakeEntry{{Validator: "val1", Stake: math.NewInt(100)}}, packet.sync.Entries)
	require.Equal(t, uint64(l.ctx.BlockTime().Add(28*24*time.Hour-5*time.Second).UnixNano()), packet.timeout)

	events = l.ack(l.accept())
	l.hasTyped(events, &types.EventStakeCommitted{User: ann.String(), ConsumerID: 1, Validator: "val1", Amount: "100"})
	l.hasTyped(events, &types.EventBatchResolved{ConsumerID: 1, BatchID: 1, Outcome: "accepted"})
	l.want(ann, "val1", 100, 0, 0, 100)

	require.NoError(t, l.unstake(ann, "val1", 30))
	l.want(ann, "val1", 100, 0, 30, 100)
	l.endBlock()
	require.Equal(t, "70", l.packets(1)[0].sync.Entries[0].Stake.String())
	release := l.ctx.BlockTime().Add(ledgerUnbonding)
	events = l.ack(l.accept())
	l.hasTyped(events, &types.EventUnstakeCommitted{User: ann.String(), ConsumerID: 1, Validator: "val1", Amount: "30", ReleaseTime: release})
	l.want(ann, "val1", 70, 0, 0, 100)

	l.pass(ledgerUnbonding - time.Second)
	l.endBlock()
	l.want(ann, "val1", 70, 0, 0, 100)
	events = l.endBlock()
	l.hasTyped(events, &types.EventUnbondingReleased{User: ann.String(), ConsumerID: 1, Validator: "val1", Amount: "30"})
	l.want(ann, "val1", 70, 0, 0, 70)
	require.Empty(t, l.packets(1), "nothing more to say")

	require.NoError(t, l.unstake(ann, "val1", 70))
	l.endBlock()
	l.ack(l.accept())
	p, _ = l.position(ann, "val1")
	require.Equal(t, types.PositionUnbonding, p.Status)
	require.Equal(t, ledgerUnbonding, p.Unbondings[0].Remaining)
	l.pass(ledgerUnbonding)
	l.endBlock()
	_, found := l.position(ann, "val1")
	require.False(t, found, "nothing is left of the position")
	require.Zero(t, l.lien(ann))
	require.Zero(t, l.pool("val1").Positions)
}

func TestDueEntriesAreReleasedWhenTheUserIsTouched(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 1_000_000)
	require.NoError(t, l.unstake(ann, "val1", 1_000_000))
	l.endBlock()
	l.ack(l.accept())
	l.pass(ledgerUnbonding)
	// Without the release there would be nothing free to lend.
	require.NoError(t, l.stake(ann, "val2", 1_000_000))
	l.holds()
	l.endBlock()
	l.want(ann, "val2", 0, 1_000_000, 0, 1_000_000)
}

func TestRefusedRequestsChangeNothing(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(l *ledger)
		run     func(l *ledger) error
		err     error
		says    string
	}{
		{name: "stake nothing", run: func(l *ledger) error { return l.stake(ann, "val1", 0) }, err: types.ErrInvalidAmount, says: "at least 1"},
		{name: "unstake nothing", run: func(l *ledger) error { return l.unstake(ann, "val1", 0) }, err: types.ErrInvalidAmount, says: "at least 1"},
		{name: "stake below the minimum", run: func(l *ledger) error { return l.stake(ann, "val1", 9) }, err: types.ErrBelowMinimum, says: "at least 10"},
		{name: "stake more than the collateral", run: func(l *ledger) error { return l.stake(ann, "val1", 1_000_001) }, err: vaulttypes.ErrInsufficientCollateral, says: "deposit 1 more"},
		{name: "unstake without a position", run: func(l *ledger) error { return l.unstake(ann, "val1", 1) }, err: types.ErrUnknownPosition, says: "val1"},
		{
			name: "unstake what is not bonded yet", prepare: func(l *ledger) { require.NoError(l.t, l.stake(ann, "val1", 100)) },
			run: func(l *ledger) error { return l.unstake(ann, "val1", 1) }, err: types.ErrInsufficientStake, says: "at most 0 is possible",
		},
		{
			name: "unstake twice", prepare: func(l *ledger) { l.bond(ann, "val1", 100); require.NoError(l.t, l.unstake(ann, "val1", 60)) },
			run: func(l *ledger) error { return l.unstake(ann, "val1", 50) }, err: types.ErrInsufficientStake, says: "at most 40 is possible",
		},
		{
			name: "leave too little", prepare: func(l *ledger) { l.bond(ann, "val1", 100) },
			run: func(l *ledger) error { return l.unstake(ann, "val1", 91) }, err: types.ErrBelowMinimum, says: "leave at least 10, or nothing",
		},
		{name: "client expired", prepare: func(l *ledger) { l.ibc.status = exported.Expired }, run: func(l *ledger) error { return l.stake(ann, "val1", 100) }, err: types.ErrChannelNotUsable, says: "Expired"},
		{name: "channel closed", prepare: func(l *ledger) { l.ibc.channel = channeltypes.CLOSED }, run: func(l *ledger) error { return l.stake(ann, "val1", 100) }, err: types.ErrChannelNotUsable, says: "CLOSED"},
		{
			name: "validators not reported yet", prepare: func(l *ledger) { require.NoError(l.t, l.k.Syncs.Set(l.ctx, 1, types.SyncState{})) },
			run: func(l *ledger) error { return l.stake(ann, "val1", 100) }, err: types.ErrChannelNotUsable, says: "not reported its validators",
		},
		{
			name: "too many positions", prepare: func(l *ledger) {
				params := types.DefaultParams()
				params.MaxPositionsPerUserAndConsumer = 1
				require.NoError(l.t, l.k.Params.Set(l.ctx, params))
				require.NoError(l.t, l.stake(ann, "val1", 100))
			}, run: func(l *ledger) error { return l.stake(ann, "val2", 100) }, err: types.ErrTooManyPositions, says: "at most 1",
		},
		{name: "rewards of no position", run: func(l *ledger) error { _, err := l.withdrawRewards(ann, "val1"); return err }, err: types.ErrUnknownPosition, says: "val1"},
		{
			name: "wrong denom", run: func(l *ledger) error {
				_, err := l.msgs.Stake(l.ctx, &types.MsgStake{User: ann.String(), ConsumerID: 1, Validator: "val1", Amount: sdk.NewInt64Coin("photon", 100)})
				return err
			}, err: types.ErrInvalidAmount, says: "collateral is in stake",
		},
		{
			name: "no amount", run: func(l *ledger) error {
				_, err := l.msgs.Stake(l.ctx, &types.MsgStake{User: ann.String(), ConsumerID: 1, Validator: "val1", Amount: sdk.Coin{Denom: stakeDenom}})
				return err
			}, err: types.ErrInvalidAmount, says: "at least 1",
		},
		{
			name: "unknown consumer", run: func(l *ledger) error {
				_, err := l.msgs.Unstake(l.ctx, &types.MsgUnstake{User: ann.String(), ConsumerID: 7, Validator: "val1", Amount: sdk.NewInt64Coin(stakeDenom, 100)})
				return err
			}, err: types.ErrUnknownConsumer, says: "7",
		},
		{
			name: "malformed user", run: func(l *ledger) error {
				_, err := l.msgs.WithdrawRewards(l.ctx, &types.MsgWithdrawRewards{User: "nobody", ConsumerID: 1})
				return err
			}, err: sdkerrors.ErrInvalidAddress, says: "nobody",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newOpenLedger(t)
			if tc.prepare != nil {
				tc.prepare(l)
			}
			before := l.lien(ann)
			err := tc.run(l)
			require.ErrorIs(t, err, tc.err)
			require.ErrorContains(t, err, tc.says)
			require.Equal(t, before, l.lien(ann))
			l.holds()
		})
	}
}

func TestMinimumCountsWhatIsOnItsWay(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 100), "leaving entirely is always possible")
	require.ErrorIs(t, l.stake(ann, "val1", 9), types.ErrBelowMinimum, "nothing would be left but these")
	require.NoError(t, l.stake(ann, "val1", 10))
	l.endBlock()
	require.Equal(t, "10", l.packets(1)[0].sync.Entries[0].Stake.String())
	l.ack(l.accept())
	l.want(ann, "val1", 10, 0, 0, 110)
}

func TestLeavingEntirelyIsPossibleWhileStakeIsOnItsWayBelowARaisedMinimum(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 15)
	require.NoError(t, l.stake(ann, "val1", 15))
	l.endBlock()
	consumer, err := l.k.GetConsumer(l.ctx, 1)
	require.NoError(t, err)
	consumer.MinStake = math.NewInt(100)
	require.NoError(t, l.k.Consumers.Set(l.ctx, 1, consumer))
	require.ErrorIs(t, l.unstake(ann, "val1", 14), types.ErrBelowMinimum)
	require.ErrorIs(t, l.unstake(ann, "val1", 16), types.ErrInsufficientStake)
	require.NoError(t, l.unstake(ann, "val1", 15))
	l.want(ann, "val1", 15, 15, 15, 30)
}

// Two amounts that are possible each make a total that no packet can carry; the validator could never be sent again.
func TestTotalsThatNoPacketCanCarryAreRefused(t *testing.T) {
	l := newOpenLedger(t)
	most := math.NewIntFromBigInt(new(big.Int).Lsh(big.NewInt(1), control.MaxAmountBits)).SubRaw(1)
	supply := l.bank.GetSupply(l.ctx, stakeDenom).Amount
	amount := most.Sub(supply)
	lend := func(user sdk.AccAddress, amount math.Int) error {
		_, err := l.tx(func(ctx context.Context) error {
			coin := sdk.NewCoin(stakeDenom, amount)
			if _, err := l.vault.Deposit(ctx, user, coin); err != nil {
				return err
			}
			_, err := l.msgs.Stake(ctx, &types.MsgStake{User: user.String(), ConsumerID: 1, Validator: "val1", Amount: coin})
			return err
		})
		return err
	}
	l.fund(ann, sdk.NewCoin(stakeDenom, amount))
	require.NoError(t, lend(ann, amount))
	l.fund(ben, sdk.NewCoin(stakeDenom, amount))
	err := lend(ben, amount)
	require.ErrorIs(t, err, types.ErrInvalidAmount)
	require.ErrorContains(t, err, "below 2^128")
	l.endBlock()
	l.ack(l.accept())
	require.Equal(t, amount, l.pool("val1").Bonded)
	_, err = l.tx(func(ctx context.Context) error {
		_, err := l.msgs.Unstake(ctx, &types.MsgUnstake{User: ann.String(), ConsumerID: 1, Validator: "val1", Amount: sdk.NewCoin(stakeDenom, amount)})
		return err
	})
	require.NoError(t, err, "leaving is always possible")
}

func TestPK12StakeOnValidatorsThatTakeNone(t *testing.T) {
	for _, tc := range []struct {
		status control.ValidatorStatus
		err    error
	}{
		{control.StatusActive, nil},
		{control.StatusInactive, nil},
		{control.StatusJailed, types.ErrValidatorEnded},
		{control.StatusTombstoned, types.ErrValidatorEnded},
		{control.StatusRemoved, types.ErrValidatorEnded},
	} {
		t.Run(tc.status.String(), func(t *testing.T) {
			l := newOpenLedger(t)
			l.report(1, tc.status, "val1")
			require.ErrorIs(t, l.stake(ann, "val1", 100), tc.err)
			require.ErrorIs(t, l.stake(ann, "nobody", 100), types.ErrUnknownValidator)
			l.holds()
		})
	}
}

func TestPK12JailedOrTombstonedWhileInFlight(t *testing.T) {
	l := newOpenLedger(t)
	require.NoError(t, l.stake(ann, "val1", 100))
	require.NoError(t, l.stake(ann, "val2", 200))
	l.endBlock()
	l.report(1, control.StatusJailed, "val1")
	l.report(1, control.StatusTombstoned, "val2")
	events := l.ack(l.accept("val2"))
	l.hasTyped(events, &types.EventStakeRolledBack{User: ann.String(), ConsumerID: 1, Validator: "val2", Amount: "200", Reason: "rejected: REJECT_REASON_TOMBSTONED"})
	l.want(ann, "val1", 100, 0, 0, 100)
	l.want(ann, "val2", 0, 0, 0, 100)
	l.pass(10 * time.Second)
	l.endBlock()
	require.Empty(t, l.packets(1))
}

func TestVA02WithdrawWhileTheStakeIsInFlight(t *testing.T) {
	l := newOpenLedger(t)
	require.NoError(t, l.stake(ann, "val1", 999_999))
	withdraw := func(amount int64) error {
		_, err := l.tx(func(ctx context.Context) error {
			_, err := l.vault.Withdraw(ctx, ann, sdk.NewInt64Coin(stakeDenom, amount))
			return err
		})
		return err
	}
	require.Error(t, withdraw(2))
	l.endBlock()
	require.Error(t, withdraw(2))
	l.ack(l.accept())
	require.Error(t, withdraw(2))
	require.NoError(t, withdraw(1))
	l.holds()
}

func TestEP04TinyStakesAreRefusedAndMerge(t *testing.T) {
	l := newOpenLedger(t)
	require.ErrorIs(t, l.stake(ann, "val1", 1), types.ErrBelowMinimum)
	require.NoError(t, l.stake(ann, "val1", 10))
	for i := 0; i < 500; i++ {
		require.NoError(t, l.stake(ann, "val1", 1))
	}
	l.endBlock()
	batch, err := l.query.InFlight(l.ctx, &types.QueryInFlightRequest{ConsumerId: 1})
	require.NoError(t, err)
	require.Len(t, batch.Batches, 1)
	events := l.ack(l.accept())
	l.hasTyped(events, &types.EventStakeCommitted{User: ann.String(), ConsumerID: 1, Validator: "val1", Amount: "510"})
}

func TestUnstakeFromAnEndedValidatorNeedsNoPacket(t *testing.T) {
	for _, tc := range []struct {
		status control.ValidatorStatus
		// release is when an unstake an hour after the end is released, from the end.
		release time.Duration
	}{
		{control.StatusTombstoned, ledgerUnbonding},
		{control.StatusRemoved, ledgerUnbonding + time.Hour},
	} {
		t.Run(tc.status.String(), func(t *testing.T) {
			l := newOpenLedger(t)
			l.bond(ann, "val1", 100)
			l.report(1, tc.status, "val1")
			ended := l.ctx.BlockTime()
			l.pass(time.Hour)
			require.NoError(t, l.unstake(ann, "val1", 100))
			l.holds()
			p, _ := l.position(ann, "val1")
			require.True(t, p.Bonded.IsZero())
			require.Len(t, p.Unbondings, 1)
			require.Equal(t, ended.Add(tc.release), p.Unbondings[0].ReleaseTime)
			l.endBlock()
			require.Equal(t, "0", l.packets(1)[0].sync.Entries[0].Stake.String())
			l.ack(l.accept())
			l.endBlock()
			require.Empty(t, l.packets(1))
		})
	}
}

func TestQueuedOperationsOfAnEndedValidatorAreResolved(t *testing.T) {
	l := newOpenLedger(t)
	for i := 0; i < 30; i++ {
		user := sdk.AccAddress(fmt.Sprintf("user%016d", i))
		l.deposit(user, 1_000)
		require.NoError(t, l.stake(user, "val1", 100))
	}
	l.endBlock()
	l.ack(l.accept())
	for i := 0; i < 30; i++ {
		user := sdk.AccAddress(fmt.Sprintf("user%016d", i))
		require.NoError(t, l.stake(user, "val1", 50))
		require.NoError(t, l.unstake(user, "val1", 40))
	}
	params := types.DefaultParams()
	params.MaxReleasesPerBlock = 20
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	l.report(1, control.StatusTombstoned, "val1")
	l.endBlock()
	l.want(sdk.AccAddress(fmt.Sprintf("user%016d", 0)), "val1", 60, 0, 0, 100)
	l.want(sdk.AccAddress(fmt.Sprintf("user%016d", 29)), "val1", 100, 50, 40, 150)
	require.Equal(t, "0", l.packets(1)[0].sync.Entries[0].Stake.String(), "an ended validator counts for nothing at once")
	l.endBlock()
	l.want(sdk.AccAddress(fmt.Sprintf("user%016d", 29)), "val1", 60, 0, 0, 100)
	l.endBlock()
	resolving, err := l.k.Resolving.Iterate(l.ctx, nil)
	require.NoError(t, err)
	keys, err := resolving.Keys()
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestARemovedValidatorThatComesBackCountsAgain(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.report(1, control.StatusRemoved, "val1")
	l.endBlock()
	require.Equal(t, "0", l.packets(1)[0].sync.Entries[0].Stake.String())
	l.ack(l.accept())
	l.report(1, control.StatusActive, "val1")
	l.endBlock()
	require.Equal(t, "100", l.packets(1)[0].sync.Entries[0].Stake.String())
	l.ack(l.accept())
	l.want(ann, "val1", 100, 0, 0, 100)
}
