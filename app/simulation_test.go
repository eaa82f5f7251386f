package app_test

import (
	"context"
	"encoding/json"
	"io"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cosmossdk.io/log"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/simulation"
	simcli "github.com/cosmos/cosmos-sdk/x/simulation/client/cli"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	ibcexported "github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// simulationStart is the time of a simulation's genesis.
var simulationStart = time.Unix(1_700_000_000, 0).UTC()

// simulated is a chain after random messages of random users.
type simulated struct {
	*app.App
	// last is the header of the last block; done counts the messages that succeeded, by their type.
	last *cmtproto.Header
	done map[string]int
}

// ctx reads the last state.
func (s simulated) ctx() sdk.Context { return s.NewUncachedContext(false, *s.last) }

// follow keeps the header of the last block.
type follow struct{ *cmtproto.Header }

func (f follow) ListenFinalizeBlock(_ context.Context, req abci.RequestFinalizeBlock, _ abci.ResponseFinalizeBlock) error {
	f.Height, f.Time = req.Height, req.Time
	return nil
}

func (follow) ListenCommit(context.Context, abci.ResponseCommit, []*storetypes.StoreKVPair) error {
	return nil
}

// number is an environment variable, or value if it is not set.
func number(t *testing.T, name string, value int) int {
	t.Helper()
	text, set := os.LookupEnv(name)
	if !set {
		return value
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// simulate runs a chain with a provider whose channel is closed: MESH_SIM_BLOCKS (30) blocks of about MESH_SIM_OPS (100)
// messages. All invariants hold at random moments and at the end.
func simulate(t *testing.T, seed int64) simulated {
	t.Helper()
	// The SDK skips a test whose chain has lost all validators, which must not pass for a success.
	t.Cleanup(func() {
		if t.Skipped() {
			t.Errorf("seed %d leaves no validators, choose another one", seed)
		}
	})
	simcli.FlagGenesisTimeValue = simulationStart.Unix()
	s := simulated{last: &cmtproto.Header{ChainID: simulationChain}, done: make(map[string]int)}
	s.App = emptySimulation(t, func(base *baseapp.BaseApp) {
		base.SetStreamingManager(storetypes.StreamingManager{ABCIListeners: []storetypes.ABCIListener{follow{s.last}}})
	})
	config := simtypes.Config{
		Seed: seed, InitialBlockHeight: 1, Commit: true, Lean: true, ChainID: simulationChain,
		NumBlocks: number(t, "MESH_SIM_BLOCKS", 30), BlockSize: number(t, "MESH_SIM_OPS", 100),
	}
	state := simtestutil.AppStateFnWithExtendedCb(s.AppCodec(), s.SimulationManager(), s.DefaultGenesis(),
		func(genesis map[string]json.RawMessage) { addSource(s.AppCodec(), genesis) })
	stopped, _, err := simulation.SimulateFromSeed(
		t, io.Discard, s.BaseApp, state, fewAccounts, s.operations(t, config), app.BlockedAddresses(), config, s.AppCodec(),
	)
	require.NoError(t, err)
	require.False(t, stopped)
	s.checkInvariants(t, s.ctx())
	return s
}

const simulationChain = "simulation-1"

// fewAccounts are so few that they meet each other's limits.
func fewAccounts(r *rand.Rand, n int) []simtypes.Account {
	return simtypes.RandomAccounts(r, min(n, 12))
}

func emptySimulation(t *testing.T, options ...func(*baseapp.BaseApp)) *app.App {
	t.Helper()
	return app.New(log.NewNopLogger(), dbm.NewMemDB(), nil, true, simtestutil.NewAppOptionsWithFlagHome(t.TempDir()),
		append(options, baseapp.SetChainID(simulationChain))...)
}

// operations are those of all modules, counted, and now and then a look at all invariants.
func (s *simulated) operations(t *testing.T, config simtypes.Config) simulation.WeightedOperations {
	t.Helper()
	var all simulation.WeightedOperations
	total := 0
	for _, weighted := range simtestutil.SimulationOperations(s, s.AppCodec(), config) {
		total += weighted.Weight()
		all = append(all, simulation.NewWeightedOperation(weighted.Weight(), func(
			r *rand.Rand, base *baseapp.BaseApp, ctx sdk.Context, accounts []simtypes.Account, chainID string,
		) (simtypes.OperationMsg, []simtypes.FutureOperation, error) {
			msg, future, err := weighted.Op()(r, base, ctx, accounts, chainID)
			if msg.OK {
				s.done[msg.Name]++
			}
			return msg, future, err
		}))
	}
	return append(all, simulation.NewWeightedOperation(total/50, func(
		_ *rand.Rand, _ *baseapp.BaseApp, ctx sdk.Context, _ []simtypes.Account, _ string,
	) (simtypes.OperationMsg, []simtypes.FutureOperation, error) {
		s.checkInvariants(t, ctx)
		return simtypes.NoOpMsg("test", "invariants", ""), nil, nil
	}))
}

func (s *simulated) checkInvariants(t *testing.T, ctx sdk.Context) {
	t.Helper()
	require.NoError(t, invariant.CheckAll(ctx, s.Invariants()))
	for _, broken := range []sdk.Invariant{
		bankkeeper.AllInvariants(s.BankKeeper), stakingkeeper.AllInvariants(s.StakingKeeper), distrkeeper.AllInvariants(s.DistrKeeper),
	} {
		message, stop := broken(ctx)
		require.False(t, stop, message)
	}
}

// addSource adds a converter to a genesis that counts stake of a provider on all validators, and its source of virtual
// stake. The channel is closed, so that all of it unwinds after max_silence.
func addSource(cdc codec.Codec, genesis app.GenesisState) {
	account := virtualtypes.VirtualAccount(1)
	var staking stakingtypes.GenesisState
	cdc.MustUnmarshalJSON(genesis[stakingtypes.ModuleName], &staking)
	var stake []control.StakeEntry
	total := math.ZeroInt()
	for i, v := range staking.Validators {
		counted := v.Tokens.QuoRaw(int64(i%5 + 1)).AddRaw(1)
		stake = append(stake, control.StakeEntry{Validator: v.OperatorAddress, Stake: counted})
		total = total.Add(counted)
	}
	slices.SortFunc(stake, func(a, b control.StakeEntry) int { return strings.Compare(a.Validator, b.Validator) })
	price := math.LegacyOneDec()
	twochain.Edit(cdc, genesis, authtypes.ModuleName, func(g *authtypes.GenesisState) {
		packed, err := authtypes.PackAccounts(authtypes.GenesisAccounts{authtypes.NewBaseAccountWithAddress(account)})
		if err != nil {
			panic(err)
		}
		g.Accounts = append(g.Accounts, packed...)
	})
	twochain.Edit(cdc, genesis, distrtypes.ModuleName, func(g *distrtypes.GenesisState) {
		g.DelegatorWithdrawInfos = append(g.DelegatorWithdrawInfos, distrtypes.DelegatorWithdrawInfo{
			DelegatorAddress: account.String(), WithdrawAddress: convertertypes.ConverterAddress(1).String(),
		})
	})
	twochain.Edit(cdc, genesis, convertertypes.ModuleName, func(g *convertertypes.GenesisState) {
		g.NextConverterID = 2
		g.Converters = []convertertypes.GenesisConverter{{
			Converter: convertertypes.Converter{
				ID: 1, ConnectionID: "connection-0", CounterpartyPort: "externalstaking.1", ProviderDenom: "uprov",
				Discount: math.LegacyNewDecWithPrec(1, 1), PriceFeed: convertertypes.GovFeed, TransferChannel: "channel-0",
				Status: convertertypes.ConverterClosed, ChannelID: "channel-1", ConsumerID: 1,
				RewardReceiver: externaltypes.RewardReceiver(1).String(), LastBatchID: 1, TotalStake: total,
			},
			Price: &convertertypes.Price{
				Price: price, UpdatedAt: simulationStart, StartedAt: simulationStart, Low: price, High: price, LastLow: price, LastHigh: price,
			},
			Stake: stake,
		}}
	})
	twochain.Edit(cdc, genesis, virtualtypes.ModuleName, func(g *virtualtypes.GenesisState) {
		source := virtualtypes.NewSource(1, account.String(), convertertypes.ConverterAddress(1).String())
		source.MaxCap, source.NextEpoch, source.GovernanceWeight = g.Params.TotalMaxCap, 1, math.LegacyNewDecWithPrec(5, 1)
		g.Sources = []virtualtypes.Source{source}
	})
}

// Random messages of all modules, the vault's among them, leave all invariants, and a chain that starts again from its
// export and exports the same.
func TestSimulationFullAndImportExport(t *testing.T) {
	s := simulate(t, int64(number(t, "MESH_SIM_SEED", 13)))
	for _, message := range []string{
		"MsgDeposit", "MsgWithdraw", "MsgStakeLocal", "MsgUnstakeLocal", "MsgRestakeLocal", "MsgDepositDelegation",
		"MsgWithdrawDelegation", "MsgWithdrawLocalRewards",
	} {
		require.NotZero(t, s.done["/mesh.vault.v1."+message], "%s never succeeded: %v", message, s.done)
	}
	source, err := s.VirtualStakingKeeper.GetSource(s.ctx(), 1)
	require.NoError(t, err)
	require.True(t, source.Minted.IsPositive())

	exported, err := s.ExportAppStateAndValidators(false, nil, nil)
	require.NoError(t, err)
	fresh := emptySimulation(t)
	_, err = fresh.InitChain(&abci.RequestInitChain{
		Time: s.last.Time, ChainId: simulationChain, AppStateBytes: exported.AppState, InitialHeight: exported.Height,
		ConsensusParams: &exported.ConsensusParams,
	})
	require.NoError(t, err)
	header := cmtproto.Header{ChainID: simulationChain, Height: exported.Height, Time: s.last.Time}
	again, err := fresh.ModuleManager.ExportGenesis(fresh.NewContextLegacy(false, header), fresh.AppCodec())
	require.NoError(t, err)
	var before app.GenesisState
	require.NoError(t, json.Unmarshal(exported.AppState, &before))
	// Core IBC keeps the chain's own height, which has moved.
	delete(before, ibcexported.ModuleName)
	for name, state := range before {
		require.JSONEq(t, string(state), string(again[name]), name)
	}
	_, err = fresh.FinalizeBlock(&abci.RequestFinalizeBlock{Height: exported.Height, Time: s.last.Time})
	require.NoError(t, err)
	_, err = fresh.Commit()
	require.NoError(t, err)
	imported := simulated{App: fresh}
	imported.checkInvariants(t, fresh.NewUncachedContext(false, header))
}

// The same seed leads to the same state.
func TestSimulationIsDeterministic(t *testing.T) {
	seed := int64(number(t, "MESH_SIM_SEED", 15))
	first := simulate(t, seed)
	for range 2 {
		require.Equal(t, first.LastCommitID(), simulate(t, seed).LastCommitID())
	}
}
