package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// A slash can leave nothing of small stake that is in flight elsewhere, not even the position: the answer must not be kept for
// somebody who is not there.
func TestRM07TheAnswerForAPositionThatASlashElsewhereHasEndedIsNotKept(t *testing.T) {
	for name, accepted := range map[string]bool{"accepted": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			l := newSlashLedger(t, 2)
			l.setConsumer(1, func(c *types.Consumer) { c.SlashFraction, c.MinStake = math.LegacyNewDecWithPrec(5, 2), math.OneInt() })
			l.setConsumer(2, func(c *types.Consumer) { c.SlashFraction = math.LegacyOneDec() })
			user := l.newUser("thin", 100)
			l.bondOn(2, user, "val1", 95)
			require.NoError(t, l.stake(user, "val1", 1))
			require.NoError(t, l.stake(user, "val2", 99))
			require.NoError(t, l.stake(ann, "val1", 50))
			l.endBlock()
			l.slashOn(2, "val1", 100)
			if accepted {
				l.acceptAll(1)
			} else {
				l.ack(refusal)
			}
			has, err := l.k.Outcomes.Has(l.ctx, collections.Join3(user, uint64(1), "val1"))
			require.NoError(t, err)
			require.False(t, has)
			_, found := l.position(user, "val1")
			require.False(t, found)
		})
	}
}

// RM-09: whatever the consumer does with packets, everybody is out after the delay and the unbonding period.
func TestRM09EverybodyGetsOutWhateverTheConsumerDoes(t *testing.T) {
	for name, consumer := range map[string]func(l *ledger, block int){
		"never answers": func(*ledger, int) {},
		"refuses everything": func(l *ledger, _ int) {
			for len(l.packets(1)) > 0 {
				l.ack(refusal)
			}
		},
		"is dead": func(l *ledger, _ int) { l.ibc.status = exported.Expired },
		"closes the channel": func(l *ledger, _ int) {
			require.NoError(l.t, l.k.CloseChannel(l.ctx, types.Port(1), controlChannel))
		},
		"closes and opens in turn": func(l *ledger, block int) {
			l.setConsumer(1, func(c *types.Consumer) {
				c.Status = []types.ConsumerStatus{types.ConsumerOpen, types.ConsumerClosed}[block%2]
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newOpenLedger(t)
			l.bond(ann, "val1", 100)
			l.bond(ben, "val1", 200)
			requested := l.ctx.BlockTime()
			require.NoError(t, l.stake(eve, "val2", 50))
			require.NoError(t, l.unstake(ann, "val1", 100))
			for block := range 22 {
				l.endBlock()
				consumer(l, block)
				l.holds()
				l.pass(24 * time.Hour)
			}
			l.endBlock()
			p, found := l.position(ann, "val1")
			require.True(t, found)
			require.True(t, p.Bonded.IsZero())
			require.Len(t, p.Unbondings, 1)
			require.False(t, p.Unbondings[0].ReleaseTime.Before(requested.Add(2*ledgerUnbonding)), "a full period after the delay")
			// In flight it counts as accepted, in the queue it rolls back.
			if p, found := l.position(eve, "val2"); found {
				require.Equal(t, "50", p.Bonded.String())
				require.NoError(t, l.unstake(eve, "val2", 50))
			}
			l.pass(ledgerUnbonding)
			l.endBlock()
			l.want(ann, "val1", 0, 0, 0, 0)
			l.want(ben, "val1", 200, 0, 0, 200)
			l.pass(ledgerUnbonding)
			l.endBlock()
			l.pass(ledgerUnbonding)
			l.endBlock()
			require.Zero(t, l.lien(eve))
		})
	}
}

// What was ended by force is in a batch that ends later, in any way.
func TestForcedOperationsAndTheirAnswersAfterwards(t *testing.T) {
	for name, tc := range map[string]struct {
		end    func(l *ledger)
		synced int64
	}{
		"accepted": {func(l *ledger) { l.ack(l.accept()) }, 130},
		"rejected": {func(l *ledger) { l.ack(l.accept("val1")) }, 200},
		"refused":  {func(l *ledger) { l.ack(refusal) }, 200},
		"timed out": {func(l *ledger) {
			p := l.packets(1)[0]
			l.ibc.remove(l.ctx, 1, p.sequence)
			l.k.TimeoutPacket(l.ctx, types.Port(1), p.channel, p.sequence)
		}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			l := newOpenLedger(t)
			l.bond(ann, "val1", 200)
			require.NoError(t, l.unstake(ann, "val1", 100))
			require.NoError(t, l.stake(ann, "val1", 30))
			l.endBlock()
			require.Equal(t, "130", l.packets(1)[0].sync.Entries[0].Stake.String())
			l.pass(ledgerUnbonding)
			l.hasTyped(l.endBlock(), &types.EventOperationForced{User: ann.String(), ConsumerID: 1, Validator: "val1"})
			l.want(ann, "val1", 130, 0, 0, 230)
			tc.end(l)
			l.holds()
			l.want(ann, "val1", 130, 0, 0, 230)
			require.Equal(t, tc.synced, l.pool("val1").Synced.Int64())
			has, err := l.k.Dirty.Has(l.ctx, collections.Join(uint64(1), "val1"))
			require.NoError(t, err)
			require.True(t, has, "what counts is told again")
			p, _ := l.position(ann, "val1")
			require.Len(t, p.Unbondings, 1)
		})
	}
}

func TestForcedUnstakesAnswerForAnyOffence(t *testing.T) {
	for name, settled := range map[string]bool{"slash pending": false, "slash settled": true} {
		t.Run(name, func(t *testing.T) {
			l := newSlashLedger(t, 1)
			l.bond(ann, "val1", 100)
			require.NoError(t, l.unstake(ann, "val1", 60))
			require.NoError(t, l.stake(ann, "val1", 40))
			l.endBlock()
			l.slash("val1", 100)
			if settled {
				l.settle(ann)
			}
			l.pass(ledgerUnbonding)
			l.endBlock()
			l.want(ann, "val1", 40, 0, 0, 70)
			l.endBlock()
			// Half of each: 40 that stay and 60 that leave, and of 40 that arrived after the slash.
			l.want(ann, "val1", 40, 0, 0, 40)
			require.Equal(t, int64(1_000_000-70), l.collateral(ann), "the entry has answered and been released: it began at the tombstone")
			l.ack(refusal)
			l.want(ann, "val1", 40, 0, 0, 40)
		})
	}
	t.Run("offence long before", func(t *testing.T) {
		l := newSlashLedger(t, 1)
		l.bond(ann, "val1", 100)
		l.applied(1, 500)
		require.NoError(t, l.unstake(ann, "val1", 100))
		l.ibc.status = exported.Expired
		l.pass(ledgerUnbonding)
		l.endBlock()
		l.want(ann, "val1", 0, 0, 0, 100)
		l.slash("val1", 100)
		l.settle(ann)
		l.want(ann, "val1", 0, 0, 0, 50)
	})
}

// An answer that came, and could not be booked, is the one that counts.
func TestForcedAKeptAnswerCounts(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.stake(ann, "val1", 20))
	l.endBlock()
	key := collections.Join(ann, "external/1")
	record, err := l.vault.Liens.Get(l.ctx, key)
	require.NoError(t, err)
	broken := record
	broken.Amount = math.OneInt()
	require.NoError(t, l.vault.Liens.Set(l.ctx, key, broken))
	p := l.packets(1)[0]
	l.ibc.remove(l.ctx, 1, p.sequence)
	l.k.AcknowledgePacket(l.ctx, p.channel, p.sequence, refusal.Acknowledgement())
	kept, err := l.k.Outcomes.Has(l.ctx, collections.Join3(ann, uint64(1), "val1"))
	require.NoError(t, err)
	require.True(t, kept)
	require.NoError(t, l.vault.Liens.Set(l.ctx, key, record))
	l.holds()
	l.pass(ledgerUnbonding)
	l.endBlock()
	l.want(ann, "val1", 100, 0, 0, 100)
}

// One user who cannot be settled, or whose operations cannot be ended, holds up nobody.
func TestForcedOneBadPositionHoldsUpNobody(t *testing.T) {
	l := newOpenLedger(t)
	l.ibc.status = exported.Active
	for _, user := range []sdk.AccAddress{ann, ben} {
		l.bond(user, "val1", 100)
	}
	params := types.DefaultParams()
	params.MaxForcedPerBlock = 1
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	require.NoError(t, l.stake(ann, "val1", 20))
	require.NoError(t, l.unstake(ben, "val1", 50))
	l.ibc.status = exported.Expired
	key := collections.Join(ann, "external/1")
	record, err := l.vault.Liens.Get(l.ctx, key)
	require.NoError(t, err)
	broken := record
	broken.Amount = math.OneInt()
	require.NoError(t, l.vault.Liens.Set(l.ctx, key, broken))
	l.pass(ledgerUnbonding)
	for range 2 {
		l.k.EndBlock(l.ctx)
		l.pass(time.Second)
	}
	p, _ := l.position(ben, "val1")
	require.Len(t, p.Unbondings, 1)
	require.NoError(t, l.vault.Liens.Set(l.ctx, key, record))
	l.holds()
	l.want(ann, "val1", 100, 20, 0, 120)
	l.pass(time.Hour)
	l.endBlock()
	l.want(ann, "val1", 100, 0, 0, 100)
}

// Ten thousand operations become due at once: bounded work in each block, and all end.
func TestRM14AJumpInTimeMakesManyOperationsDue(t *testing.T) {
	l := newOpenLedger(t)
	const users, perBlock = 1_000, 90
	params := types.DefaultParams()
	params.MaxForcedPerBlock, params.MaxOpsPerPacket = perBlock, 2_000
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	for i := range users {
		require.NoError(t, l.stake(l.newUser(fmt.Sprint("user", i), 100), "val1", 100))
	}
	l.endBlock()
	l.pass(400 * 24 * time.Hour)
	blocks := 0
	for ; ; blocks++ {
		ctx := l.ctx.WithEventManager(sdk.NewEventManager())
		l.k.EndBlock(ctx)
		forced := 0
		for _, e := range ctx.EventManager().Events() {
			if e.Type == proto.MessageName(&types.EventOperationForced{}) {
				forced++
			}
		}
		require.LessOrEqual(t, forced, perBlock)
		l.pass(time.Second)
		if forced == 0 {
			break
		}
	}
	require.Equal(t, (users+perBlock-1)/perBlock, blocks)
	l.holds()
	require.Equal(t, int64(users*100), l.pool("val1").Bonded.Int64())
}

// The delay is what the params say when the operation is looked at.
func TestForcedDelayRaisedMeanwhile(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.ibc.status = exported.Expired
	require.NoError(t, l.unstake(ann, "val1", 60))
	params := types.DefaultParams()
	params.ForcedUnstakeDelay = 30 * 24 * time.Hour
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	l.pass(ledgerUnbonding)
	l.endBlock()
	l.want(ann, "val1", 100, 0, 60, 100)
	l.pass(9 * 24 * time.Hour)
	l.endBlock()
	l.want(ann, "val1", 40, 0, 0, 100)
}

// Packets were larger when it was sent; booking it must not depend on what is possible now.
func TestKeptBatchIsBookedAfterTheParamsWereLowered(t *testing.T) {
	l := newOpenLedger(t)
	const users = 400
	for i := range users {
		require.NoError(t, l.stake(l.newUser(fmt.Sprint("user", i), 100), "val1", 100))
	}
	l.endBlock()
	params := types.DefaultParams()
	params.MaxOpsPerPacket, params.MaxEntriesPerPacket = 1, 1
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	require.NoError(t, l.k.CloseChannel(l.ctx, types.Port(1), controlChannel))
	version, err := control.NewProposal("ucon", ledgerUnbonding, 1).Encode()
	require.NoError(t, err)
	l.ibc.version = version
	require.NoError(t, l.k.ConfirmChannel(l.ctx, types.Port(1), "channel-7"))
	l.endBlock()
	require.Equal(t, int64(users*100), l.pool("val1").Bonded.Int64())
}
