package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func (l *ledger) retire(id uint64) {
	l.t.Helper()
	require.NoError(l.t, l.k.RetireConsumer(l.ctx, id))
	l.holds()
}

// cleared tells whether nothing is left of a retired consumer but its registration.
func (l *ledger) cleared(id uint64) bool {
	l.t.Helper()
	has, err := l.k.Retirements.Has(l.ctx, id)
	require.NoError(l.t, err)
	require.True(l.t, l.bound(id).Retired)
	return !has
}

func TestTO09ARetiredConsumerIsToldThatWhoLeftByHandCountsNoMore(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.endBlock()
	l.retire(1)
	// Before EndBlock gets there.
	require.NoError(t, l.unstake(ann, "val1", 100))
	l.want(ann, "val1", 0, 0, 0, 100)
	l.endBlock()
	l.endBlock()
	require.Len(t, l.packets(1), 1)
	require.True(t, l.packets(1)[0].sync.Entries[0].Stake.IsZero())
	l.acceptAll(1)
	l.pass(ledgerUnbonding)
	l.endBlock()
	l.endBlock()
	l.endBlock()
	require.True(t, l.cleared(1))
	require.ErrorIs(t, l.stake(ann, "val1", 100), types.ErrRetired)
}

// everything is a consumer with bonded stake, stake and unstakes in flight and in the queue, entries and rewards.
func everything(t *testing.T) *ledger {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.bond(ben, "val2", 200)
	l.reward(share("val1", 1_000), share("nobody", 1))
	require.NoError(t, l.unstake(ben, "val2", 30))
	l.endBlock()
	l.acceptAll(1)
	require.NoError(t, l.stake(eve, "val1", 50))
	require.NoError(t, l.unstake(ann, "val1", 10))
	l.endBlock()
	require.NoError(t, l.stake(eve, "val1", 60))
	require.NoError(t, l.unstake(ann, "val1", 20))
	require.NoError(t, l.stake(ben, "val2", 70))
	return l
}

// out has everybody's liens run out, and rewards withdrawn.
func (l *ledger) out() {
	l.t.Helper()
	for range 3 {
		l.endBlock()
	}
	l.pass(ledgerUnbonding)
	for range 3 {
		l.endBlock()
	}
	for _, user := range []sdk.AccAddress{ann, ben, eve} {
		require.Zero(l.t, l.lien(user), user.String())
	}
	paid, err := l.withdrawRewards(ann, "")
	require.NoError(l.t, err)
	require.Equal(l.t, int64(1_000), paid.AmountOf(l.voucher()).Int64())
	for range 5 {
		l.endBlock()
	}
}

func TestTO09RetiredInEveryState(t *testing.T) {
	for name, prepare := range map[string]func(l *ledger){
		"open": func(*ledger) {},
		"closed": func(l *ledger) {
			require.NoError(l.t, l.k.CloseChannel(l.ctx, types.Port(1), controlChannel))
		},
		"client expired": func(l *ledger) { l.ibc.status = exported.Expired },
		"client frozen":  func(l *ledger) { l.ibc.status = exported.Frozen },
		"snapshot wanted": func(l *ledger) {
			l.deliver1(control.ValidatorSync{NeedReset: true})
		},
		"snapshot under way": func(l *ledger) {
			l.deliver1(control.ValidatorSync{NeedReset: true})
			l.acceptAll(1)
			l.endBlock()
			require.NotNil(l.t, l.packets(1)[0].sync.Reset_)
		},
		"validator tombstoned": func(l *ledger) { l.report(1, control.StatusTombstoned, "val1") },
		"mid-sweep":            func(l *ledger) { l.slash("val2", 5) },
		"batch kept": func(l *ledger) {
			require.NoError(l.t, l.k.CloseChannel(l.ctx, types.Port(1), controlChannel))
			version, err := control.NewProposal("ucon", ledgerUnbonding, 1).Encode()
			require.NoError(l.t, err)
			l.ibc.version = version
			require.NoError(l.t, l.k.ConfirmChannel(l.ctx, types.Port(1), "channel-7"))
		},
		"paused": func(l *ledger) { l.setConsumer(1, func(c *types.Consumer) { c.Paused = true }) },
	} {
		for speed, answers := range map[string]bool{"answering": true, "silent": false} {
			t.Run(name+", "+speed, func(t *testing.T) {
				l := everything(t)
				prepare(l)
				l.retire(1)
				require.ErrorIs(t, l.stake(ann, "val1", 10), types.ErrRetired)
				if answers {
					for range 12 {
						l.endBlock()
						l.acceptLive()
					}
				}
				l.out()
				if answers {
					for range 12 {
						l.endBlock()
						l.acceptLive()
					}
				} else {
					// The relayer is gone for good: at last nothing can be sent.
					l.ibc.status = exported.Expired
					for range 3 {
						l.endBlock()
					}
				}
				require.True(t, l.cleared(1))
				gs, err := l.k.ExportGenesis(l.ctx)
				require.NoError(t, err)
				require.NoError(t, gs.Validate())
				require.Empty(t, gs.Positions)
				g := gs.Consumers[0]
				require.Empty(t, g.Validators)
				require.Empty(t, g.Batches)
				require.Empty(t, g.Applied)
				require.Empty(t, g.Rewards)
				require.True(t, g.Outbox.Synced.IsZero())
				require.Zero(t, l.balance(types.RewardReceiver(1), l.voucher()))
				require.Equal(t, int64(1), l.balance(communityPool, l.voucher()))
				// Nothing that still comes is minded.
				for _, p := range l.packets(1) {
					l.ibc.remove(l.ctx, 1, p.sequence)
					l.k.AcknowledgePacket(l.ctx, p.channel, p.sequence, refusal.Acknowledgement())
					l.k.TimeoutPacket(l.ctx, types.Port(1), p.channel, p.sequence)
				}
				l.reward(share("val1", 5))
				require.Equal(t, int64(6), l.balance(communityPool, l.voucher()))
				l.endBlock()
				if l.bound(1).Status == types.ConsumerOpen {
					l.report(1, control.StatusActive, "val1")
				}
				l.holds()
			})
		}
	}
}

// deliver1 delivers a report on consumer 1's channel.
func (l *ledger) deliver1(sync control.ValidatorSync) {
	l.t.Helper()
	sync.Height, sync.UnbondingPeriod = clienttypes.NewHeight(1, 5), max(sync.UnbondingPeriod, ledgerUnbonding)
	bz, err := control.EncodeValidatorSync(sync)
	require.NoError(l.t, err)
	require.NoError(l.t, l.k.ReceivePacket(l.ctx, types.Port(1), l.bound(1).ChannelID, bz))
}

// acceptLive lets consumer 1 accept what is in flight on its open channel, if it can be reached.
func (l *ledger) acceptLive() {
	l.t.Helper()
	for _, p := range l.packets(1) {
		if consumer := l.bound(1); consumer.Status == types.ConsumerOpen && consumer.ChannelID == p.channel && l.ibc.status == exported.Active {
			ack := l.acceptOn(1, p)
			l.ibc.remove(l.ctx, 1, p.sequence)
			l.k.AcknowledgePacket(l.ctx, p.channel, p.sequence, ack.Acknowledgement())
		}
	}
	l.holds()
}

func TestGV04ARetiredByzantineConsumerStaysSlashableAndHasNoSayInThePeriod(t *testing.T) {
	l := newSlashLedger(t, 2)
	l.bond(ann, "val1", 100)
	l.bondOn(2, ann, "val1", 300)
	l.retire(1)
	l.deliver1(control.ValidatorSync{UnbondingPeriod: 300 * 24 * time.Hour})
	require.Equal(t, ledgerUnbonding, l.bound(1).UnbondingPeriod)
	l.endBlock()
	l.want(ann, "val1", 0, 0, 0, 100)
	require.Equal(t, int64(300), l.lienOn(2, ann), "another consumer's stake is not touched")
	l.pass(ledgerUnbonding - time.Hour)
	l.slash("val1", 100)
	l.settle(ann)
	l.want(ann, "val1", 0, 0, 0, 50)
	l.pass(time.Hour)
	l.endBlock()
	l.want(ann, "val1", 0, 0, 0, 0)
	require.ErrorIs(t, l.k.RetireConsumer(l.ctx, 1), types.ErrRetired)
}

// A consumer with more records than a block may delete is deleted in several, and every invariant holds between them.
func TestTO09AManyTimesSlashedConsumerIsClearedInSeveralBlocks(t *testing.T) {
	l := newSlashLedger(t, 1)
	for _, v := range []string{"val1", "val2"} {
		l.bond(ann, v, 100)
		require.NoError(t, l.unstake(ann, v, 10))
		l.endBlock()
		l.acceptAll(1)
	}
	l.slash("val1", 100)
	l.slash("val2", 100)
	l.retire(1)
	l.endBlock()
	l.acceptAll(1)
	l.pass(ledgerUnbonding)
	params := types.DefaultParams()
	params.MaxForcedPerBlock = 1
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	blocks := 0
	for ; !l.cleared(1); blocks++ {
		require.Less(t, blocks, 30)
		l.endBlock()
		l.acceptLive()
	}
	require.Greater(t, blocks, 2)
}

// While a user cannot be settled that user's stake stays; once that is mended it leaves like all other.
func TestTO09AUserWhoCouldNotBeSettledLeavesLater(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	l.bond(ben, "val1", 100)
	l.bond(eve, "val2", 100)
	l.slash("val2", 100)
	key := collections.Join(eve, "external/1")
	record, err := l.vault.Liens.Get(l.ctx, key)
	require.NoError(t, err)
	broken := record
	broken.Amount = math.OneInt()
	require.NoError(t, l.vault.Liens.Set(l.ctx, key, broken))
	require.NoError(t, l.k.RetireConsumer(l.ctx, 1))
	for range 3 {
		l.k.EndBlock(l.ctx)
		l.pass(time.Second)
	}
	for _, user := range []sdk.AccAddress{ann, ben} {
		p, _ := l.position(user, "val1")
		require.Len(t, p.Unbondings, 1)
	}
	require.NoError(t, l.vault.Liens.Set(l.ctx, key, record))
	l.holds()
	// The settle saves the position, which must not take it off the queue.
	l.settle(eve)
	l.pass(time.Hour)
	l.endBlock()
	p, _ := l.position(eve, "val2")
	require.Len(t, p.Unbondings, 1)
	require.True(t, p.Bonded.IsZero())
}
