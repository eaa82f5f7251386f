package keeper_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking"
	"github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// busy is a provider with everything in its state: bonded, queued and sent operations, unbonding entries, rewards,
// ended validators, a key conflict, a half-finished full report, applied records and a second consumer.
func busy(t testing.TB) *fixture {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.stake(bob, 1, valA, 300)
	f.stake(bob, 1, valB, 70)
	f.accept(1)
	require.Empty(t, f.applied(1, 60))
	f.reward(1, 1_000, map[string]int64{valA: 900, "nobody": 100})
	f.unstake(alice, 1, valA, 30)
	f.accept(1)
	f.nextBlock(time.Hour)
	f.stake(alice, 1, valA, 5)
	f.unstake(bob, 1, valA, 50)
	f.nextBlock(time.Second) // in flight
	f.stake(alice, 1, valA, 9)
	f.unstake(bob, 1, valA, 11) // queued behind it
	f.ibc.advance(3)
	require.True(t, f.report(1, plainReport(active(valB, keyC))).Success())
	require.True(t, f.report(1, chunk(0, false, reported(valC, bytes.Repeat([]byte{7}, 32), control.StatusJailed))).Success())
	f.register(func(m *types.MsgRegisterConsumer) { m.CounterpartyPort = "converter.2" })
	f.holds()
	return f
}

// reward credits a reward transfer that arrives over the consumer's transfer channel.
func (f *fixture) reward(id uint64, amount int64, shares map[string]int64) {
	f.t.Helper()
	voucher := transfertypes.ParseDenomTrace(transfertypes.GetPrefixedDenom(transfertypes.PortID, "channel-0", "uother")).IBCDenom()
	f.fund(types.RewardReceiver(id), sdk.NewInt64Coin(voucher, amount))
	memo := control.RewardMemo{ConsumerID: id}
	for _, name := range []string{valA, valB, valC, "nobody"} {
		if share, ok := shares[name]; ok {
			memo.Entries = append(memo.Entries, control.RewardEntry{Validator: name, Amount: math.NewInt(share)})
		}
	}
	text, err := control.EncodeRewardMemo(memo)
	require.NoError(f.t, err)
	packet := channeltypes.Packet{SourcePort: transfertypes.PortID, SourceChannel: "channel-7", DestinationPort: transfertypes.PortID, DestinationChannel: "channel-0"}
	data := transfertypes.NewFungibleTokenPacketData("uother", math.NewInt(amount).String(), "other1sender", types.RewardReceiver(id).String(), text)
	require.NoError(f.t, f.k.ReceiveReward(f.ctx, id, packet, data))
}

// restart loads the state of f into a new chain, as an export and import does.
func restart(t testing.TB, f *fixture) *fixture {
	g := newFixture(t)
	g.ctx = g.ctx.WithBlockTime(f.ctx.BlockTime()).WithBlockHeight(f.ctx.BlockHeight())
	g.accounts.InitGenesis(g.ctx, *roundTrip(t, f, f.accounts.ExportGenesis(f.ctx), &authtypes.GenesisState{}))
	g.bank.InitGenesis(g.ctx, roundTrip(t, f, f.bank.ExportGenesis(f.ctx), &banktypes.GenesisState{}))
	collateral, err := f.vault.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, g.vault.InitGenesis(g.ctx, *roundTrip(t, f, collateral, &vaulttypes.GenesisState{})))
	g.ibc.adopt(g.ctx, f.ibc, f.ctx)
	// What x/capability's import does for the bound channel.
	path := host.ChannelCapabilityPath(types.Port(1), f.consumer(1).ChannelID)
	channelCap, err := g.ibc.scoped.NewCapability(g.ctx, path)
	require.NoError(t, err)
	require.NoError(t, g.scoped.ClaimCapability(g.ctx, channelCap, path))
	return g
}

// roundTrip returns what JSON leaves of a genesis state.
func roundTrip[S interface {
	Reset()
	String() string
	ProtoMessage()
}](t testing.TB, f *fixture, state, into S) S {
	require.NoError(t, f.cdc.UnmarshalJSON(f.cdc.MustMarshalJSON(state), into))
	return into
}

func (f *fixture) exported() *types.GenesisState {
	f.t.Helper()
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	return gs
}

func TestGenesisRoundTripIsByteEqualAndGoesOn(t *testing.T) {
	f := busy(t)
	gs := f.exported()
	require.NotEmpty(t, gs.Consumers[0].Batches)
	require.NotEmpty(t, gs.Consumers[0].Applied)
	require.NotEmpty(t, gs.Consumers[0].Rewards)
	require.Equal(t, uint32(1), gs.Consumers[0].Sync.NextChunk)
	first := f.cdc.MustMarshalJSON(gs)

	g := restart(t, f)
	module := externalstaking.NewAppModule(g.cdc, g.k)
	require.NoError(t, module.ValidateGenesis(g.cdc, nil, first))
	module.InitGenesis(g.ctx, g.cdc, first)
	require.Equal(t, string(first), string(module.ExportGenesis(g.ctx, g.cdc)))
	require.True(t, g.ibc.ports.IsBound(g.ctx, types.Port(1)), "ports are bound again")
	require.True(t, g.ibc.ports.IsBound(g.ctx, types.Port(2)))

	// Both go on alike: the batch in flight, what is queued, what unbonds.
	for _, x := range []*fixture{f, g} {
		packets := x.ibc.inFlight(x.ctx)
		require.Len(t, packets, 1)
		x.acknowledge(packets[0], x.accepted(1, packets[0].Data))
		x.holds()
		require.True(t, x.report(1, chunk(1, true, active(valA, keyA))).Success())
		require.Equal(t, control.StatusRemoved, x.validator(1, valB).Status)
		x.accept(1)
		x.nextBlock(unbonding + time.Hour)
		x.nextBlock(time.Second)
	}
	require.Equal(t, f.state(), g.state())
	free := func(user sdk.AccAddress) int64 {
		account, err := g.vault.Account(g.ctx, user)
		require.NoError(t, err)
		return account.Free.Int64()
	}
	require.Equal(t, int64(30), free(alice))
	require.Equal(t, int64(50+11), free(bob))
}

// An exported state keeps the genesis time its chain began with, long before its unbonding entries were made.
func TestGenesisWithUnbondingEntriesIsImportedAtTheOldGenesisTime(t *testing.T) {
	f := busy(t)
	gs := f.exported()
	g := restart(t, f)
	g.ctx = g.ctx.WithBlockTime(f.ctx.BlockTime().Add(-5 * unbonding))
	require.NoError(t, g.k.InitGenesis(g.ctx, *gs))
}

// A back-off ends at a height of the chain it was exported from; one that starts over must not wait for that.
func TestGenesisOfALowerChainDoesNotWaitForTheOldHeight(t *testing.T) {
	f := busy(t)
	gs := f.exported()
	gs.Consumers[0].Outbox.Failures, gs.Consumers[0].Outbox.RetryHeight = 3, 5_000_000
	g := restart(t, f)
	require.NoError(t, g.k.InitGenesis(g.ctx, *gs))
	outbox, err := g.k.Outboxes.Get(g.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, g.ctx.BlockHeight(), outbox.RetryHeight)
}

func TestDefaultGenesisIsValid(t *testing.T) {
	require.NoError(t, types.DefaultGenesis().Validate())
}

func TestGN02GenesisNamesTheBadField(t *testing.T) {
	f := busy(t)
	position := func(gs *types.GenesisState, user sdk.AccAddress, validator string) *types.GenesisPosition {
		for i := range gs.Positions {
			if gs.Positions[i].User == user.String() && gs.Positions[i].Validator == validator {
				return &gs.Positions[i]
			}
		}
		t.Fatal("no such position")
		return nil
	}
	const a, b, c = 0, 1, 2 // the validators in order
	for _, tc := range []struct {
		name   string
		change func(*types.GenesisState)
		field  string
	}{
		{"params", func(gs *types.GenesisState) { gs.Params.MaxOpsPerPacket = 0 }, "params: max_ops_per_packet"},
		{"ids from 1", func(gs *types.GenesisState) { gs.NextConsumerID = 0 }, "next_consumer_id"},
		{"id not given out", func(gs *types.GenesisState) { gs.NextConsumerID = 2 }, "consumers[1].consumer.id"},
		{"duplicate id", func(gs *types.GenesisState) { gs.Consumers[1].Consumer.ID = 1 }, "consumers[1].consumer.id"},
		{"one channel twice", func(gs *types.GenesisState) {
			gs.Consumers[1].Consumer.Status, gs.Consumers[1].Consumer.ChannelID = types.ConsumerOpen, gs.Consumers[0].Consumer.ChannelID
		}, "consumers[1].consumer.channel_id"},
		{"consumer", func(gs *types.GenesisState) { gs.Consumers[0].Consumer.CounterpartyPort = "x" }, "consumers[0].consumer: counterparty_port"},
		{"open without a channel", func(gs *types.GenesisState) { gs.Consumers[0].Consumer.ChannelID = "" }, "consumers[0].consumer: channel_id"},
		{"status", func(gs *types.GenesisState) { gs.Consumers[0].Consumer.Status = 0 }, "consumers[0].consumer: status"},
		{"sum of synced", func(gs *types.GenesisState) { gs.Consumers[0].Outbox.Synced = math.NewInt(1) }, "consumers[0].outbox.synced"},
		{"sum of bonded", func(gs *types.GenesisState) {
			gs.Consumers[0].Validators[a].Pool.Bonded = gs.Consumers[0].Validators[a].Pool.Bonded.AddRaw(1)
		}, "consumers[0].validators[0]: pool.bonded"},
		{"number of positions", func(gs *types.GenesisState) { gs.Consumers[0].Validators[a].Pool.Positions++ }, "validators[0]: pool.positions"},
		{"number of live positions", func(gs *types.GenesisState) { gs.Consumers[0].Validators[a].Pool.LivePositions-- }, "validators[0]: pool.live_positions"},
		{"batch of a pool", func(gs *types.GenesisState) { gs.Consumers[0].Validators[a].Pool.BatchID = 0 }, "validators[0]: pool.batch_id"},
		{"lost batch", func(gs *types.GenesisState) { gs.Consumers[0].Batches = nil }, "pool.batch_id"},
		{"batch of the future", func(gs *types.GenesisState) { gs.Consumers[0].Batches[0].ID = 99 }, "batches[0].id"},
		{"dirty in flight", func(gs *types.GenesisState) { gs.Consumers[0].Validators[a].Dirty = true }, "validators[0]: dirty"},
		{"duplicate validator", func(gs *types.GenesisState) {
			gs.Consumers[0].Validators[c].Validator.Address = valB
		}, "validators[2].validator.address: duplicate"},
		{"duplicate key", func(gs *types.GenesisState) {
			gs.Consumers[0].Validators[c].Validator.Keys[0].ConsPubkey = keyA
		}, "validators[2].validator.keys"},
		{"key length", func(gs *types.GenesisState) { gs.Consumers[0].Validators[c].Validator.Keys[0].ConsPubkey = keyA[:31] }, "keys[0].cons_pubkey"},
		{"no key", func(gs *types.GenesisState) { gs.Consumers[0].Validators[c].Validator.Keys = nil }, "validators[2]: validator: keys"},
		{"ended without a time", func(gs *types.GenesisState) { gs.Consumers[0].Validators[b].Validator.EndedAt = nil }, "validators[1]: validator: ended_at"},
		{"round of the future", func(gs *types.GenesisState) { gs.Consumers[0].Sync.Round = 0 }, "seen_round"},
		{"validator status", func(gs *types.GenesisState) { gs.Consumers[0].Validators[c].Validator.Status = 0 }, "validators[2]: validator: status"},
		{"applied batch never sent", func(gs *types.GenesisState) { gs.Consumers[0].Applied[0].Applied.BatchID = 99 }, "applied[0].applied.batch_id"},
		{"rewards received", func(gs *types.GenesisState) { gs.Consumers[0].Rewards[0].Received = math.NewInt(1) }, "rewards[0].received"},
		{"rewards over no channel", func(gs *types.GenesisState) { gs.Consumers[0].Rewards[0].TransferChannel = "" }, "rewards[0].transfer_channel"},
		{"rewards paid", func(gs *types.GenesisState) { gs.Consumers[0].Rewards[0].Paid = math.NewInt(-1) }, "rewards[0].paid"},
		{"user", func(gs *types.GenesisState) { gs.Positions[0].User = "alice" }, "positions[0].user"},
		{"duplicate position", func(gs *types.GenesisState) { gs.Positions = append(gs.Positions, gs.Positions[0]) }, "duplicate of"},
		{"unknown validator", func(gs *types.GenesisState) {
			p := *position(gs, bob, valB)
			p.Validator = "nobody"
			gs.Positions = append(gs.Positions, p)
		}, `validator: "nobody"`},
		{"nothing in a position", func(gs *types.GenesisState) {
			p := types.GenesisPosition{User: carol.String(), ConsumerID: 1, Validator: valA, Position: types.NewPosition()}
			gs.Positions = append(gs.Positions, p)
		}, "position: nothing is in it"},
		{"more leaves than is bonded", func(gs *types.GenesisState) { position(gs, bob, valA).Position.SentUnstake.Amount = math.NewInt(9999) }, "position.bonded"},
		{"zero operation", func(gs *types.GenesisState) { position(gs, bob, valA).Position.SentUnstake.Amount = math.ZeroInt() }, "position.sent_unstake.amount"},
		{"no place in the queue", func(gs *types.GenesisState) { position(gs, bob, valA).Position.QueueSequence = 0 }, "position.queue_sequence"},
		{"place taken", func(gs *types.GenesisState) {
			position(gs, bob, valA).Position.QueueSequence = position(gs, alice, valA).Position.QueueSequence
		}, "position.queue_sequence"},
		{"place of the future", func(gs *types.GenesisState) { gs.NextQueueSequence = 0 }, "position.queue_sequence"},
		{"unbonding entry of zero", func(gs *types.GenesisState) { position(gs, alice, valA).Unbonding.Entries[0].Amount = math.ZeroInt() }, "unbonding.entries[0].amount"},
		{"unbonding entry without a period", func(gs *types.GenesisState) { position(gs, alice, valA).Unbonding.Entries[0].UnbondingPeriod = 0 }, "unbonding.entries[0].unbonding_period"},
		{"unbonding entry that is released early", func(gs *types.GenesisState) {
			e := &position(gs, alice, valA).Unbonding.Entries[0]
			e.ReleaseTime = e.ReleaseTime.Add(-time.Second)
		}, "unbonding.entries[0].release_time"},
		{"unbonding entry of a batch never sent", func(gs *types.GenesisState) { position(gs, alice, valA).Unbonding.Entries[0].BatchID = 99 }, "an unbonding entry names batch 99"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gs := f.exported()
			tc.change(gs)
			err := gs.Validate()
			require.ErrorIs(t, err, types.ErrInvalidGenesis)
			require.ErrorContains(t, err, tc.field)
			g := restart(t, f)
			require.ErrorIs(t, g.k.InitGenesis(g.ctx, *gs), types.ErrInvalidGenesis)
		})
	}
}

func TestGN02GenesisAgreesWithTheOtherModules(t *testing.T) {
	f := busy(t)
	for _, tc := range []struct {
		name      string
		change    func(*fixture)
		invariant string
	}{
		{"missing lien", func(g *fixture) {
			collateral, err := g.vault.ExportGenesis(g.ctx)
			require.NoError(t, err)
			collateral.Accounts[0].Liens = nil
			store := *collateral
			require.NoError(t, g.vault.Liens.Clear(g.ctx, nil))
			require.NoError(t, g.vault.InitGenesis(g.ctx, store))
		}, "E1"},
		{"packet commitment lost", func(g *fixture) { g.ibc.forget(g.ctx, g.ibc.inFlight(g.ctx)[0]) }, "E3"},
		{"rewards account short", func(g *fixture) {
			held := g.bank.GetAllBalances(g.ctx, types.RewardReceiver(1))
			require.NoError(t, g.bank.SendCoins(g.ctx, types.RewardReceiver(1), carol, held))
		}, "E4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := restart(t, f)
			tc.change(g)
			err := g.k.InitGenesis(g.ctx, *f.exported())
			require.ErrorIs(t, err, types.ErrInvalidGenesis)
			require.ErrorContains(t, err, tc.invariant)
		})
	}
}

func TestGenesisRefusesWhatIsNoJSON(t *testing.T) {
	f := newFixture(t)
	require.Error(t, externalstaking.AppModuleBasic{}.ValidateGenesis(f.cdc, nil, json.RawMessage(`{"params":7}`)))
}
