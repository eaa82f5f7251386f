package keeper_test

import (
	"context"
	"fmt"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/keeper"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// live are the packets in flight on the open channel.
func (m *model) live() []sentPacket {
	var live []sentPacket
	if consumer := m.bound(1); consumer.Status == types.ConsumerOpen {
		for _, p := range m.packets(1) {
			if p.channel == consumer.ChannelID {
				live = append(live, p)
			}
		}
	}
	return live
}

// Receive has the consumer process the next packet: it may reject increases, refuse all of it, or lie about its total.
func (m *model) Receive(_ *rapid.T) {
	packets := m.live()
	if len(packets) == len(m.acks) {
		return
	}
	refuse := rapid.IntRange(0, 5).Draw(m.rt, "refuse") == 0
	reject := func(control.StakeEntry) bool { return rapid.IntRange(0, 3).Draw(m.rt, "reject") == 0 }
	m.receive(packets[len(m.acks)].sync, refuse, rapid.IntRange(0, 9).Draw(m.rt, "lie") == 0, reject)
}

// receive processes a packet. reject is asked for each increase.
func (m *model) receive(sync control.StakeSync, refuse, lie bool, reject func(control.StakeEntry) bool) {
	reset := sync.Reset_
	if refuse || (reset != nil && reset.Chunk != 0 && reset.Chunk != m.chunk) {
		m.chunk = 0
		m.acks = append(m.acks, modelAck{bytes: refusal.Acknowledgement()})
		return
	}
	into := m.counted
	if reset != nil {
		if reset.Chunk == 0 {
			m.staged = make(map[string]math.Int)
		}
		into, m.chunk = m.staged, reset.Chunk+1
	} else {
		m.chunk = 0
	}
	res := control.StakeSyncAck{Height: clienttypes.NewHeight(1, 5), Total: math.ZeroInt()}
	for _, e := range sync.Entries {
		if e.Stake.GT(m.counted[e.Validator]) && reject(e) {
			res.Rejected = append(res.Rejected, control.Rejection{Validator: e.Validator, Reason: control.RejectUnknownValidator})
			if reset != nil {
				into[e.Validator] = m.counted[e.Validator]
				m.setStatus(e.Validator, control.StatusRemoved)
			}
			continue
		}
		into[e.Validator] = e.Stake
	}
	if reset != nil && reset.Last {
		for _, v := range modelValidators {
			m.counted[v] = math.ZeroInt()
			if stake, listed := m.staged[v]; listed {
				m.counted[v] = stake
			}
		}
		m.chunk = 0
	}
	if reset == nil || reset.Last {
		m.processed = sync.BatchID
	}
	for _, v := range modelValidators {
		res.Total = res.Total.Add(m.counted[v])
	}
	if lie {
		res.Total = res.Total.AddRaw(7)
	}
	ack, err := control.StakeSyncResult(res)
	require.NoError(m.rt, err)
	m.acks = append(m.acks, modelAck{ack.Acknowledgement(), lie})
}

func (m *model) Ack(_ *rapid.T) {
	if len(m.acks) == 0 {
		return
	}
	ack, p := m.acks[0], m.live()[0]
	m.acks = m.acks[1:]
	m.ibc.remove(m.ctx, 1, p.sequence)
	m.record(func(ctx sdk.Context) {
		m.k.AcknowledgePacket(ctx, p.channel, p.sequence, ack.bytes)
		for _, e := range ctx.EventManager().Events() {
			if !ack.lies {
				require.NotContains(m.rt, e.Type, "EventDriftDetected")
			}
			require.NotContains(m.rt, e.Type, "EventEntrySkipped")
		}
	})
}

// Close closes both ends, because a packet times out or without that; answers under way are lost, and other packets can
// time out later.
func (m *model) Close(_ *rapid.T) {
	if m.bound(1).Status != types.ConsumerOpen {
		return
	}
	channel, unreceived := m.bound(1).ChannelID, m.live()[len(m.acks):]
	if len(unreceived) > 0 && rapid.Bool().Draw(m.rt, "time out") {
		m.timeOut(unreceived[0])
		unreceived = unreceived[1:]
	} else {
		require.NoError(m.rt, m.k.CloseChannel(m.ctx, types.Port(1), channel))
	}
	m.unreceived, m.acks, m.chunk = append(m.unreceived, unreceived...), nil, 0
	require.Equal(m.rt, types.ConsumerClosed, m.bound(1).Status)
	require.ErrorIs(m.rt, checkedStake(m), errNoStake(m))
}

// checkedStake asks for stake that must be refused.
func checkedStake(m *model) error { return m.stake(ann, "val1", 10) }

func errNoStake(m *model) error {
	switch consumer := m.bound(1); {
	case consumer.Retired:
		return types.ErrRetired
	case consumer.Paused:
		return types.ErrPaused
	}
	return types.ErrChannelNotUsable
}

func (m *model) timeOut(p sentPacket) {
	m.ibc.remove(m.ctx, 1, p.sequence)
	m.record(func(ctx sdk.Context) { m.k.TimeoutPacket(ctx, types.Port(1), p.channel, p.sequence) })
}

// LateTimeout is the timeout of a packet of a channel that has closed; another may be open by now.
func (m *model) LateTimeout(_ *rapid.T) {
	if len(m.unreceived) == 0 {
		return
	}
	p, status := m.unreceived[0], m.bound(1).Status
	m.unreceived = m.unreceived[1:]
	m.timeOut(p)
	require.Equal(m.rt, status, m.bound(1).Status)
}

// Open opens the next channel and reports all validators.
func (m *model) Open(_ *rapid.T) {
	consumer := m.bound(1)
	if consumer.Status == types.ConsumerOpen {
		return
	}
	m.channels++
	channel := fmt.Sprintf("channel-%d", m.channels)
	version, err := control.NewProposal("ucon", ledgerUnbonding, m.processed).Encode()
	require.NoError(m.rt, err)
	answer, err := m.k.TryChannel(m.ctx, keeper.Handshake{
		Order: channeltypes.ORDERED, ConnectionHops: []string{consumer.ConnectionID}, Port: types.Port(1), ChannelID: channel,
		CounterpartyPort: consumer.CounterpartyPort, Version: version,
	})
	if consumer.Retired {
		require.ErrorIs(m.rt, err, types.ErrRetired)
		return
	}
	require.NoError(m.rt, err)
	m.ibc.version = answer
	m.record(func(ctx sdk.Context) { require.NoError(m.rt, m.k.ConfirmChannel(ctx, types.Port(1), channel)) })
	require.ErrorIs(m.rt, checkedStake(m), errNoStake(m))
	sync := control.ValidatorSync{Height: clienttypes.NewHeight(1, 5), UnbondingPeriod: ledgerUnbonding, Reset_: &control.Reset{Last: true}}
	for _, v := range modelValidators {
		if m.status[v] != control.StatusRemoved {
			sync.Validators = append(sync.Validators, control.ValidatorUpdate{Validator: v, ConsPubkey: keyOf(v).PubKey().Bytes(), Status: m.status[v]})
		}
	}
	m.deliverSync(sync)
}

func (m *model) deliverSync(sync control.ValidatorSync) {
	bz, err := control.EncodeValidatorSync(sync)
	require.NoError(m.rt, err)
	require.NoError(m.rt, m.k.ReceivePacket(m.ctx, types.Port(1), m.bound(1).ChannelID, bz))
}

func (m *model) AskForReset(_ *rapid.T) {
	if m.bound(1).Status == types.ConsumerOpen {
		m.deliverSync(control.ValidatorSync{Height: clienttypes.NewHeight(1, 5), UnbondingPeriod: ledgerUnbonding, NeedReset: true})
	}
}

func (m *model) Cancel(_ *rapid.T) {
	user, validator := m.user(), m.validator()
	p, err := m.k.Positions.Get(m.ctx, m.positionKey(user, validator))
	queued := err == nil && p.QueuedStake != nil
	lien := m.lien(user)
	_, err = m.tx(func(ctx context.Context) error {
		res, err := m.msgs.CancelStake(ctx, &types.MsgCancelStake{User: user.String(), ConsumerID: 1, Validator: validator})
		if err == nil {
			require.Equal(m.rt, p.QueuedStake.Amount, res.Amount)
		}
		return err
	})
	if !queued {
		require.ErrorIs(m.rt, err, types.ErrNothingToCancel)
		return
	}
	require.NoError(m.rt, err)
	// What was due before is released with it.
	require.LessOrEqual(m.rt, m.lien(user), lien-p.QueuedStake.Amount.Int64())
}

func (m *model) Pause(_ *rapid.T) {
	consumer := m.bound(1)
	consumer.Paused = !consumer.Paused
	require.NoError(m.rt, m.k.Consumers.Set(m.ctx, 1, consumer))
}

// Retire is for good: keep most runs alive.
func (m *model) Retire(_ *rapid.T) {
	if !m.bound(1).Retired && rapid.IntRange(0, 3).Draw(m.rt, "retire") == 0 {
		require.NoError(m.rt, m.k.RetireConsumer(m.ctx, 1))
	}
}

// Restart exports and imports the module's state.
func (m *model) Restart(_ *rapid.T) {
	gs, err := m.k.ExportGenesis(m.ctx)
	require.NoError(m.rt, err)
	var keys [][]byte
	it := m.ctx.KVStore(m.store).Iterator(nil, nil)
	for ; it.Valid(); it.Next() {
		keys = append(keys, it.Key())
	}
	require.NoError(m.rt, it.Close())
	for _, key := range keys {
		m.ctx.KVStore(m.store).Delete(key)
	}
	require.NoError(m.rt, m.k.InitGenesis(m.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()), *gs))
	again, err := m.k.ExportGenesis(m.ctx)
	require.NoError(m.rt, err)
	require.Equal(m.rt, gs.String(), again.String())
}

// settleDown opens the channel if it can, and lets everything in flight arrive, with nothing refused, until nothing is left
// to say.
func (m *model) settleDown() {
	never := func(control.StakeEntry) bool { return false }
	for range 400 {
		m.Open(m.rt)
		m.EndBlock(m.rt)
		for len(m.live()) > 0 {
			if len(m.acks) == 0 {
				m.receive(m.live()[0].sync, false, false, never)
			}
			m.Ack(m.rt)
		}
		outbox, err := m.k.Outboxes.Get(m.ctx, 1)
		require.NoError(m.rt, err)
		if outbox.Snapshot != nil && outbox.ResyncHeight > m.ctx.BlockHeight() {
			m.ctx = m.ctx.WithBlockHeight(outbox.ResyncHeight)
		}
		it, err := m.k.Dirty.Iterate(m.ctx, nil)
		require.NoError(m.rt, err)
		idle := !it.Valid() && outbox.Snapshot == nil
		require.NoError(m.rt, it.Close())
		if retiring, err := m.k.Retiring.Has(m.ctx, 1); err != nil || retiring {
			idle = false
		}
		if idle || m.bound(1).Status == types.ConsumerClosed {
			return
		}
	}
	m.rt.Fatalf("the outbox never empties")
}
