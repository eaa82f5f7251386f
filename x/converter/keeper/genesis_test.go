package keeper_test

import (
	"encoding/json"
	"testing"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

// busy has something of everything: an open converter with a snapshot under way, a price, backlog and a transfer in
// flight, one that was closed, and one that never had a channel.
func busy(t *testing.T) *fixture {
	f := newFixture(t)
	id, channelID := f.open()
	f.virtual.change(val1, control.StatusActive)
	f.virtual.change(val2, control.StatusActive)
	_, refused := f.sync(id, channelID, syncOf(3, stake(val1, 100, val2, 50)))
	require.Empty(t, refused)
	_, refused = f.sync(id, channelID, resetOf(4, 0, false, stake(val2, 60)))
	require.Empty(t, refused)
	_, err := f.msgs.SetPrice(f.ctx, &types.MsgSetPrice{Sender: alice.String(), ConverterID: id, Price: math.LegacyMustNewDecFromStr("0.5")})
	require.NoError(t, err)
	f.pay(id, val1, coin(30))
	f.beginBlock()
	f.pay(id, val2, coin(4))
	f.virtual.reset[id] = 700
	f.endBlock()
	closed, channelID := f.open()
	f.timeOut(closed, channelID)
	f.create()
	return f
}

func TestGenesisRoundTrip(t *testing.T) {
	f := busy(t)
	exported := f.app.ExportGenesis(f.ctx, f.cdc)
	require.NoError(t, f.app.ValidateGenesis(f.cdc, nil, exported))
	require.EqualValues(t, 700, mustExport(f).Converters[0].Sync.ResetEpoch)

	g := newFixture(t)
	g.ctx = g.ctx.WithBlockHeight(0)
	g.fund(types.ConverterAddress(1), coin(4))
	g.app.InitGenesis(g.ctx, g.cdc, exported)
	require.Equal(t, string(exported), string(g.app.ExportGenesis(g.ctx, g.cdc)))
	for id := uint64(1); id <= 3; id++ {
		_, owned := g.scoped.GetCapability(g.ctx, host.PortPath(types.PortID(id)))
		require.True(t, owned)
		require.NotNil(t, g.accounts.GetAccount(g.ctx, types.ConverterAddress(id)))
	}
}

// A chain that starts again at height zero does not wait for heights of the old one.
func TestGN05_OldRetryHeightsSilencedANewChain(t *testing.T) {
	f := busy(t)
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)
	gs.Converters[0].Rewards.RetryHeight, gs.Converters[0].Sync.RetryHeight = 5_000_000, 5_000_000
	gs.Converters[1].Sync.RetryHeight = 10_000

	g := newFixture(t)
	g.ctx = g.ctx.WithBlockHeight(1)
	g.fund(types.ConverterAddress(1), coin(4))
	require.NoError(t, g.k.InitGenesis(g.ctx, *gs))
	again, err := g.k.ExportGenesis(g.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, again.Converters[0].Rewards.RetryHeight)
	require.EqualValues(t, 1, again.Converters[0].Sync.RetryHeight)
	require.EqualValues(t, 10_000, again.Converters[1].Sync.RetryHeight, "a possible one stays")
}

func TestGN03PortsThatAreBoundStayBound(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	before, owned := f.scoped.GetCapability(f.ctx, host.PortPath(types.PortID(id)))
	require.True(t, owned)
	require.NoError(t, f.k.InitGenesis(f.ctx, mustExport(f)))
	after, owned := f.scoped.GetCapability(f.ctx, host.PortPath(types.PortID(id)))
	require.True(t, owned)
	require.Same(t, before, after)
}

func mustExport(f *fixture) types.GenesisState {
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	return *gs
}

func TestGN02BadGenesisNamesTheField(t *testing.T) {
	base := mustExport(busy(t))
	bz, err := json.Marshal(base)
	require.NoError(t, err)
	for _, tc := range []struct {
		field  string
		change func(*types.GenesisState)
	}{
		{"params", func(g *types.GenesisState) { g.Params.MaxPacketsPerBlock = 0 }},
		{"next_converter_id", func(g *types.GenesisState) { g.NextConverterID = 0 }},
		{"next_converter_id", func(g *types.GenesisState) { g.NextConverterID = 3 }},
		{"converters[1].converter.id", func(g *types.GenesisState) { g.Converters[1].Converter.ID = 1 }},
		{"converter.total_stake", func(g *types.GenesisState) { g.Converters[0].Converter.TotalStake = math.NewInt(151) }},
		{"connection_id", func(g *types.GenesisState) { g.Converters[0].Converter.ConnectionID = "" }},
		{"provider_denom", func(g *types.GenesisState) { g.Converters[0].Converter.ProviderDenom = "!" }},
		{"discount", func(g *types.GenesisState) { g.Converters[0].Converter.Discount = math.LegacyOneDec() }},
		{"price_feed", func(g *types.GenesisState) { g.Converters[0].Converter.PriceFeed = "" }},
		{"counterparty_port", func(g *types.GenesisState) { g.Converters[0].Converter.CounterpartyPort = "" }},
		{"counterparty_port", func(g *types.GenesisState) { g.Converters[0].Converter.CounterpartyPort = "transfer" }},
		{"consumer_id", func(g *types.GenesisState) { g.Converters[0].Converter.ConsumerID = 8 }},
		{"reward_receiver", func(g *types.GenesisState) { g.Converters[0].Converter.RewardReceiver = "" }},
		{"status", func(g *types.GenesisState) { g.Converters[0].Converter.Status = 9 }},
		{"status is created", func(g *types.GenesisState) { g.Converters[2].Converter.LastBatchID = 1 }},
		{"stake", func(g *types.GenesisState) { g.Converters[0].Stake[0].Stake = math.ZeroInt() }},
		{"stake", func(g *types.GenesisState) { g.Converters[0].Stake[1].Validator = g.Converters[0].Stake[0].Validator }},
		{"staged", func(g *types.GenesisState) { g.Converters[0].Staged[0].Validator = "" }},
		{"staged", func(g *types.GenesisState) { g.Converters[0].Snapshot = nil }},
		{"snapshot", func(g *types.GenesisState) { g.Converters[0].Snapshot.NextChunk = 0 }},
		{"sync.unbonding_period", func(g *types.GenesisState) { g.Converters[0].Sync.UnbondingPeriod = -1 }},
		{"price", func(g *types.GenesisState) { g.Converters[0].Price.Price = math.LegacyZeroDec() }},
		{"last_low", func(g *types.GenesisState) { g.Converters[0].Price.LastLow = math.LegacyZeroDec() }},
		{"high", func(g *types.GenesisState) { g.Converters[0].Price.High = g.Converters[0].Price.Price.QuoInt64(2) }},
		{"sync.retry_height", func(g *types.GenesisState) { g.Converters[0].Sync.RetryHeight = -1 }},
		{"sync.reset_epoch", func(g *types.GenesisState) { g.Converters[0].Sync.ResetEpoch = -1 }},
		{"pending_rewards[0].amount", func(g *types.GenesisState) { g.Converters[0].PendingRewards[0].Amount = math.ZeroInt() }},
		{"pending_rewards[0]", func(g *types.GenesisState) { g.Converters[0].PendingRewards[0].Validator = "" }},
		{"pending_rewards[1]", func(g *types.GenesisState) {
			g.Converters[0].PendingRewards = append(g.Converters[0].PendingRewards, g.Converters[0].PendingRewards[0])
		}},
		{"rewards.totals", func(g *types.GenesisState) { g.Converters[0].PendingRewards[0].Amount = math.NewInt(5) }},
		{"rewards.totals", func(g *types.GenesisState) { g.Converters[0].PendingRewards = nil }},
		{"rewards.totals", func(g *types.GenesisState) { g.Converters[0].Rewards.Totals[0].Arrived = math.NewInt(99) }},
		{"rewards.in_flight", func(g *types.GenesisState) { g.Converters[0].Rewards.InFlight = 2 }},
		{"rewards.retry_height", func(g *types.GenesisState) { g.Converters[0].Rewards.RetryHeight = -1 }},
		{"transfers[0]", func(g *types.GenesisState) { g.Transfers[0].Sequence = 0 }},
		{"transfers[0]", func(g *types.GenesisState) { g.Transfers[0].Entries = nil }},
		{"transfers[1]", func(g *types.GenesisState) { g.Transfers = append(g.Transfers, g.Transfers[0]) }},
		{"transfers", func(g *types.GenesisState) {
			g.Transfers[0].ConverterID, g.Converters[0].Rewards.InFlight = 9, 0
			g.Converters[0].Rewards.Totals[0].Withdrawn = math.NewInt(4)
		}},
	} {
		t.Run(tc.field, func(t *testing.T) {
			var gs types.GenesisState
			require.NoError(t, json.Unmarshal(bz, &gs))
			require.NoError(t, gs.Validate())
			tc.change(&gs)
			require.ErrorContains(t, gs.Validate(), tc.field)
			require.Error(t, newFixture(t).k.InitGenesis(newFixture(t).ctx, gs))
		})
	}

	// What only the chain can know: the account's balance, addresses and feeds.
	for field, change := range map[string]func(*types.GenesisState){
		"pending_rewards": func(*types.GenesisState) {},
		"admin":           func(g *types.GenesisState) { g.Converters[0].Converter.Admin = "nobody" },
		"price feed":      func(g *types.GenesisState) { g.Converters[0].Converter.PriceFeed = "oracle" },
	} {
		var gs types.GenesisState
		require.NoError(t, json.Unmarshal(bz, &gs))
		change(&gs)
		f := newFixture(t)
		cached, _ := f.ctx.CacheContext()
		require.ErrorContains(t, f.k.InitGenesis(cached, gs), field)
	}
	require.Error(t, newFixture(t).app.ValidateGenesis(newFixture(t).cdc, nil, []byte("{")))
}

func TestInvariantsSeeABreach(t *testing.T) {
	f := busy(t)
	cached, _ := f.ctx.CacheContext()
	require.NoError(t, f.bank.SendCoins(cached, types.ConverterAddress(1), bob, sdk.NewCoins(coin(1))))
	require.ErrorContains(t, f.k.InvariantK4(cached), "converter 1 holds 3ucons")

	for name, breach := range map[string]func(sdk.Context, *types.RewardState){
		"withdrawn": func(_ sdk.Context, s *types.RewardState) { s.Totals[0].Withdrawn = s.Totals[0].Withdrawn.AddRaw(1) },
		"in flight": func(_ sdk.Context, s *types.RewardState) { s.InFlight++ },
		"queue":     func(ctx sdk.Context, _ *types.RewardState) { require.NoError(t, f.k.RewardQueue.Remove(ctx, 1)) },
		"none was":  func(_ sdk.Context, s *types.RewardState) { s.Totals = nil },
	} {
		cached, _ := f.ctx.CacheContext()
		state, err := f.k.RewardStates.Get(cached, 1)
		require.NoError(t, err)
		breach(cached, &state)
		require.NoError(t, f.k.RewardStates.Set(cached, 1, state))
		require.ErrorContains(t, f.k.InvariantX3(cached), name)
	}
}
