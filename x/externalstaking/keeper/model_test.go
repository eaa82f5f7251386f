package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

var (
	modelUsers      = []sdk.AccAddress{ann, ben, eve}
	modelValidators = []string{"val1", "val2", "val3"}
)

// model is the other end of the channel, and what must be true of the ledger whatever happens: it knows which entries
// were made when, and what the consumer counts.
type model struct {
	*ledger
	rt *rapid.T
	// counted is what the consumer counts; acks are its answers under way, in the order of the packets.
	counted map[string]math.Int
	acks    []modelAck
	// staged are the chunks of a snapshot short of the last one, chunk the number of the next.
	staged map[string]math.Int
	chunk  uint32
	// processed is the last batch that counts, channels the number of control channels there were.
	processed uint64
	channels  int
	status    map[string]control.ValidatorStatus
	// unreceived are packets of closed channels that may still time out.
	unreceived []sentPacket
	// ended validators count for nothing; tombstoned is for ever.
	ended, tombstoned map[string]bool
	everEnded         map[string]bool
	// forced is the stake that left a validator without the consumer's answer, which may still count it.
	forced map[string]math.Int
	// entries are the unbonding entries made, with the earliest time they may be released.
	entries []modelEntry
}

// modelAck is an answer under way; one that lies about the total has the provider send a snapshot.
type modelAck struct {
	bytes []byte
	lies  bool
}

type modelEntry struct {
	user, validator string
	amount          math.Int
	release         time.Time
}

func newModel(rt *rapid.T) *model {
	m := &model{
		ledger: newLedger(rt), rt: rt, counted: map[string]math.Int{}, channels: 1, status: map[string]control.ValidatorStatus{},
		forced: map[string]math.Int{}, ended: map[string]bool{}, tombstoned: map[string]bool{}, everEnded: map[string]bool{},
	}
	params := types.DefaultParams()
	params.MaxEntriesPerPacket, params.MaxOpsPerPacket, params.MaxPacketsPerBlock = 2, 3, 2
	params.MaxEntriesPerPosition, params.MaxReleasesPerBlock, params.MaxForcedPerBlock, params.ResyncInterval = 3, 2, 2, 3
	require.NoError(rt, m.k.Params.Set(m.ctx, params))
	m.addConsumer(1)
	m.report(1, control.StatusActive, modelValidators...)
	for _, v := range modelValidators {
		m.counted[v], m.forced[v], m.status[v] = math.ZeroInt(), math.ZeroInt(), control.StatusActive
	}
	return m
}

func (m *model) positionKey(user sdk.AccAddress, validator string) collections.Triple[sdk.AccAddress, uint64, string] {
	return collections.Join3(user, uint64(1), validator)
}

func (m *model) user() sdk.AccAddress { return rapid.SampledFrom(modelUsers).Draw(m.rt, "user") }
func (m *model) validator() string    { return rapid.SampledFrom(modelValidators).Draw(m.rt, "validator") }

// record runs fn and books the unbonding entries its events tell of.
func (m *model) record(fn func(ctx sdk.Context)) {
	ctx := m.ctx.WithEventManager(sdk.NewEventManager())
	now := ctx.BlockTime()
	fn(ctx)
	for _, abci := range ctx.EventManager().ABCIEvents() {
		event, err := sdk.ParseTypedEvent(abci)
		if err != nil {
			continue
		}
		made, ok := event.(*types.EventUnstakeCommitted)
		if !ok {
			continue
		}
		amount, _ := math.NewIntFromString(made.Amount)
		earliest := now.Add(ledgerUnbonding)
		if m.tombstoned[made.Validator] {
			v, err := m.k.GetValidator(m.ctx, 1, made.Validator)
			require.NoError(m.rt, err)
			earliest = v.EndedAt.Add(ledgerUnbonding)
		}
		require.False(m.rt, made.ReleaseTime.Before(earliest), "released before its time")
		m.entries = append(m.entries, modelEntry{made.User, made.Validator, amount, earliest})
	}
}

func (m *model) Stake(_ *rapid.T) {
	err := m.stake(m.user(), m.validator(), rapid.Int64Range(1, 400_000).Draw(m.rt, "amount"))
	if err != nil {
		m.rt.Log(err)
	}
}

func (m *model) Unstake(_ *rapid.T) {
	user, validator := m.user(), m.validator()
	p, found := m.position(user, validator)
	if !found || !p.Bonded.Sub(p.PendingUnstake).IsPositive() {
		return
	}
	possible := p.Bonded.Sub(p.PendingUnstake).Int64()
	amount := rapid.OneOf(rapid.Just(possible), rapid.Int64Range(1, possible)).Draw(m.rt, "amount")
	made := len(m.entries)
	defer m.leftAtOnce(made)
	m.record(func(ctx sdk.Context) {
		cached, write := ctx.CacheContext()
		if _, err := m.k.Unstake(cached, user, 1, validator, sdk.NewInt64Coin(stakeDenom, amount)); err == nil {
			write()
			return
		}
		// Leaving entirely is always possible; anything else may be refused for the minimum.
		require.False(m.rt, amount == possible, "exit refused")
	})
}

func (m *model) EndBlock(_ *rapid.T) {
	made := len(m.entries)
	m.record(func(ctx sdk.Context) { m.k.EndBlock(ctx) })
	m.leftAtOnce(made)
	m.pass(5 * time.Second)
}

// leftAtOnce notes entries that were made without an answer to a packet.
func (m *model) leftAtOnce(made int) {
	for _, e := range m.entries[made:] {
		m.forced[e.validator] = m.forced[e.validator].Add(e.amount)
	}
}

func (m *model) Pass(_ *rapid.T) {
	m.pass(time.Duration(rapid.IntRange(1, 12).Draw(m.rt, "days")) * 24 * time.Hour)
}

func (m *model) Report(_ *rapid.T) {
	v := m.validator()
	status := rapid.SampledFrom([]control.ValidatorStatus{
		control.StatusActive, control.StatusActive, control.StatusActive, control.StatusInactive, control.StatusJailed, control.StatusRemoved, control.StatusTombstoned,
	}).Draw(m.rt, "status")
	// Tombstones are final: keep most runs alive.
	if status == control.StatusTombstoned && rapid.IntRange(0, 3).Draw(m.rt, "tombstone") != 0 {
		return
	}
	if m.bound(1).Status != types.ConsumerOpen {
		return
	}
	m.report(1, status, v)
	m.setStatus(v, status)
}

// setStatus notes what the provider was told of a validator; of a tombstoned one nothing else counts.
func (m *model) setStatus(v string, status control.ValidatorStatus) {
	if m.tombstoned[v] {
		return
	}
	m.status[v] = status
	m.tombstoned[v] = m.tombstoned[v] || status == control.StatusTombstoned
	m.ended[v] = m.tombstoned[v] || status == control.StatusRemoved
	m.everEnded[v] = m.everEnded[v] || m.ended[v]
}

func (m *model) Reward(_ *rapid.T) {
	m.reward(share(m.validator(), rapid.Int64Range(1, 1_000_000_000).Draw(m.rt, "amount")), share("nobody", 1))
}

func (m *model) WithdrawRewards(_ *rapid.T) {
	user := m.user()
	before := m.balance(user, m.voucher())
	paid, err := m.withdrawRewards(user, "")
	require.NoError(m.rt, err)
	require.Equal(m.rt, paid.AmountOf(m.voucher()).Int64(), m.balance(user, m.voucher())-before)
}

// Check runs after every step.
func (m *model) Check(_ *rapid.T) {
	m.holds()
	now := m.ctx.BlockTime()
	for _, user := range modelUsers {
		backed := math.ZeroInt()
		for _, v := range modelValidators {
			if p, found := m.position(user, v); found {
				backed = backed.Add(p.Bonded).Add(p.PendingStake)
			}
		}
		for _, e := range m.entries {
			if e.user == user.String() && e.release.After(now) {
				backed = backed.Add(e.amount)
			}
		}
		require.GreaterOrEqual(m.rt, m.lien(user), backed.Int64(), "released before its time")
	}
	for _, v := range modelValidators {
		if m.everEnded[v] {
			continue
		}
		backed := m.pool(v).Bonded.Add(m.forced[v])
		for _, user := range modelUsers {
			p, err := m.k.Positions.Get(m.ctx, m.positionKey(user, v))
			if err == nil {
				backed = backed.Add(p.SentStake.Value())
			}
		}
		// What left by an accepted unstake was counted out before its ack came back.
		require.True(m.rt, m.counted[v].LTE(backed), "validator %s counts %s, backed are %s", v, m.counted[v], backed)
	}
}

// leave has everybody take everything back.
func (m *model) leave() {
	for _, user := range modelUsers {
		for _, v := range modelValidators {
			if p, found := m.position(user, v); found && p.Bonded.IsPositive() {
				require.NoError(m.rt, m.unstake(user, v, p.Bonded.Int64()))
			}
		}
	}
	m.settleDown()
	m.pass(ledgerUnbonding)
	for range 60 {
		m.EndBlock(m.rt)
	}
	m.settleDown()
	for _, user := range modelUsers {
		_, err := m.withdrawRewards(user, "")
		require.NoError(m.rt, err)
		require.Zero(m.rt, m.lien(user), fmt.Sprintf("lien of %s", user))
	}
	it, err := m.k.Positions.Iterate(m.ctx, nil)
	require.NoError(m.rt, err)
	require.False(m.rt, it.Valid(), "a position is left")
	require.NoError(m.rt, it.Close())
	if !m.bound(1).Retired {
		return
	}
	for range 10 {
		m.EndBlock(m.rt)
	}
	require.True(m.rt, m.cleared(1))
	require.Zero(m.rt, m.balance(types.RewardReceiver(1), m.voucher()))
}

func TestLedgerAgainstTheModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"": m.Check, "stake": m.Stake, "stake more": m.Stake, "unstake": m.Unstake, "end block": m.EndBlock, "end another block": m.EndBlock,
			"pass": m.Pass, "receive": m.Receive, "receive more": m.Receive, "ack": m.Ack, "ack more": m.Ack,
			"report": m.Report, "reward": m.Reward, "withdraw rewards": m.WithdrawRewards, "cancel": m.Cancel, "pause": m.Pause,
			"close": m.Close, "open": m.Open, "late timeout": m.LateTimeout, "ask for a reset": m.AskForReset, "retire": m.Retire, "restart": m.Restart,
		})
		m.settleDown()
		for _, v := range modelValidators {
			want := m.pool(v).Bonded
			if m.bound(1).Status == types.ConsumerClosed {
				continue // it is retired
			}
			if m.ended[v] || m.bound(1).Retired {
				want = math.ZeroInt()
			}
			require.Equal(rt, want.String(), m.counted[v].String(), "both ends agree when nothing is in flight")
		}
		m.Check(rt)
		m.leave()
		m.holds()
	})
}
