package keeper_test

import (
	"fmt"
	"testing"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestTheSweepSettlesEverybodyInTurn(t *testing.T) {
	l := newSlashLedger(t, 2)
	var users []sdk.AccAddress
	for i := range 30 {
		users = append(users, l.newUser(fmt.Sprintf("swept %02d", i), 1_000))
	}
	for _, consumer := range []uint64{1, 2} {
		for i, user := range users {
			if consumer == 1 || i < 5 {
				require.NoError(t, l.stakeOn(consumer, user, "val1", 100))
			}
		}
		l.endBlock()
		l.acceptAll(consumer)
	}
	l.slashOn(1, "val1", 100)
	l.slashOn(2, "val1", 100)
	sweeps := func() []types.SweepInfo {
		res, err := l.query.Sweeps(l.ctx, &types.QuerySweepsRequest{})
		require.NoError(t, err)
		return res.Sweeps
	}
	require.Len(t, sweeps(), 2)
	settled, _ := l.sweep(10)
	require.GreaterOrEqual(t, settled, 10)
	require.NotEmpty(t, sweeps()[0].Cursor)
	// The other consumer does not wait until the first is done.
	_, events := l.sweep(10)
	l.hasTyped(events, &types.EventSweepFinished{ConsumerID: 2, Validator: "val1"})
	require.Len(t, sweeps(), 1)
	for range 5 {
		_, events = l.sweep(10)
		if len(sweeps()) == 0 {
			break
		}
	}
	l.hasTyped(events, &types.EventSweepFinished{ConsumerID: 1, Validator: "val1"})
	settled, _ = l.sweep(10)
	require.Zero(t, settled)
	for i, user := range users {
		want := int64(950)
		if i < 5 {
			want = 900
		}
		require.Equal(t, want, l.collateral(user))
	}
	require.True(t, l.pool("val1").Unsettled.IsZero())
	require.Equal(t, int64(1_500), l.pool("val1").Bonded.Int64())
}

// An offence at a lower height makes the sweep start again.
func TestTheSweepStartsAgainForALowerHeight(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 100))
	l.endBlock()
	l.acceptAll(1)
	l.applied(2, 26)
	l.slash("val1", 526)
	l.sweep(100)
	require.Equal(t, int64(100), l.lien(ann))
	l.slash("val1", 25)
	l.sweep(100)
	require.Equal(t, int64(50), l.lien(ann))
}

// One user's settle that fails is passed over, and nobody else's is affected; the acknowledgement takes its course, and what
// it says is booked once the user can be settled.
func TestOneUsersFailingSettleIsPassedOverAndItsOutcomeKept(t *testing.T) {
	for _, accepted := range []bool{true, false} {
		t.Run(fmt.Sprintf("accepted %t", accepted), func(t *testing.T) {
			l := newSlashLedger(t, 1)
			l.bond(ann, "val1", 100)
			l.bond(ben, "val1", 100)
			require.NoError(t, l.unstake(ann, "val1", 40))
			require.NoError(t, l.stake(ann, "val1", 20))
			require.NoError(t, l.unstake(ben, "val1", 40))
			l.endBlock()
			l.slash("val1", 100)
			// A broken record: the vault holds less for ann than a slash takes.
			require.NoError(t, l.liens.Release(l.ctx, ann, "1", math.NewInt(110)))
			ctx := l.ctx.WithEventManager(sdk.NewEventManager())
			require.NotZero(t, l.k.Sweep(ctx, 100))
			require.Contains(t, fmt.Sprint(ctx.EventManager().Events()), "EventSettleFailed")
			ack := l.accept()
			if !accepted {
				ack = refusal
			}
			l.ibc.remove(l.ctx, 1, l.packets(1)[0].sequence)
			l.k.AcknowledgePacket(ctx, channelOf(1), 3, ack.Acknowledgement())
			require.Contains(t, fmt.Sprint(ctx.EventManager().Events()), "EventOutcomeKept")
			l.want(ben, "val1", 30, 0, 0, 50)
			p, _ := l.position(ann, "val1")
			require.NotNil(t, p.Outcome)
			require.Equal(t, !accepted, p.Outcome.Refused != "")
			l.ctx = l.ctx.WithBlockHeight(l.ctx.BlockHeight() + 99)
			l.k.EndBlock(l.ctx)
			require.Equal(t, int64(10), l.lien(ann))

			l.restoreLien(ann, 120)
			l.ctx = l.ctx.WithBlockHeight(l.ctx.BlockHeight() + 100)
			l.endBlock()
			// 100 of which 40 leave: half of each. The 20 arrive, and lose half, or roll back.
			bonded, lost := int64(40), int64(60)
			if !accepted {
				bonded, lost = 30, 50
			}
			l.want(ann, "val1", bonded, 0, 0, bonded+20)
			require.Equal(t, 1_000_000-lost, l.collateral(ann))
			p, _ = l.position(ann, "val1")
			require.Nil(t, p.Outcome)
		})
	}
}

// restoreLien gives a lien a broken test has taken from back.
func (l *ledger) restoreLien(user sdk.AccAddress, amount int64) {
	l.t.Helper()
	key := collections.Join(user, "external/1")
	record, err := l.vault.Liens.Get(l.ctx, key)
	require.NoError(l.t, err)
	record.Amount = math.NewInt(amount)
	require.NoError(l.t, l.vault.Liens.Set(l.ctx, key, record))
	l.holds()
}
