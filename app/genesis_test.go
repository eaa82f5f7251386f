package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"cosmossdk.io/log"
	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// exportOf is a chain's whole state as a genesis.
func exportOf(t *testing.T, c *twochain.Chain) (genesis app.GenesisState, height int64) {
	t.Helper()
	exported, err := c.App.ExportAppStateAndValidators(false, nil, nil)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(exported.AppState, &genesis))
	return genesis, exported.Height
}

// begin starts a chain with a genesis, as a node does: it is validated, and what InitGenesis panics with stops the node.
func begin(t *testing.T, c *twochain.Chain, genesis app.GenesisState, height int64, changes ...func(*app.App)) (err error) {
	t.Helper()
	fresh := app.New(log.NewNopLogger(), dbm.NewMemDB(), nil, true, simtestutil.NewAppOptionsWithFlagHome(t.TempDir()), baseapp.SetChainID(c.ChainID))
	for _, change := range changes {
		change(fresh)
	}
	if err := fresh.BasicManager.ValidateGenesis(fresh.AppCodec(), fresh.TxConfig(), genesis); err != nil {
		return err
	}
	state, err := json.Marshal(genesis)
	require.NoError(t, err)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("InitGenesis: %v", r)
		}
	}()
	_, err = fresh.InitChain(&abci.RequestInitChain{
		Time: c.Coordinator.CurrentTime, ChainId: c.ChainID, AppStateBytes: state, InitialHeight: height, ConsensusParams: simtestutil.DefaultConsensusParams,
	})
	return err
}

// without takes coins of an account, and of the supply, out of the genesis.
func without(cdc codec.Codec, genesis app.GenesisState, account sdk.AccAddress, taken sdk.Coin) {
	twochain.Edit(cdc, genesis, banktypes.ModuleName, func(g *banktypes.GenesisState) {
		for i, b := range g.Balances {
			if b.Address == account.String() {
				g.Balances[i].Coins = b.Coins.Sub(taken)
				g.Supply = g.Supply.Sub(taken)
			}
		}
	})
}

// A chain does not start with a state that does not fit together, and says where it does not.
func TestGN02WholeGenesisThatDoesNotFitIsRefused(t *testing.T) {
	n := staked(t)
	user := n.Provider.Users[1].String()
	vault := func(change func(*vaulttypes.GenesisState)) func(codec.Codec, app.GenesisState) {
		return func(cdc codec.Codec, g app.GenesisState) { twochain.Edit(cdc, g, vaulttypes.ModuleName, change) }
	}
	external := func(change func(*externaltypes.GenesisState)) func(codec.Codec, app.GenesisState) {
		return func(cdc codec.Codec, g app.GenesisState) { twochain.Edit(cdc, g, externaltypes.ModuleName, change) }
	}
	converter := func(change func(*convertertypes.GenesisState)) func(codec.Codec, app.GenesisState) {
		return func(cdc codec.Codec, g app.GenesisState) { twochain.Edit(cdc, g, convertertypes.ModuleName, change) }
	}
	virtual := func(change func(*virtualtypes.GenesisState)) func(codec.Codec, app.GenesisState) {
		return func(cdc codec.Codec, g app.GenesisState) { twochain.Edit(cdc, g, virtualtypes.ModuleName, change) }
	}
	for _, tc := range []struct {
		name   string
		chain  *twochain.Chain
		change func(codec.Codec, app.GenesisState)
		want   string
	}{
		{"collateral above what the vault holds", n.Provider, vault(func(g *vaulttypes.GenesisState) {
			g.Accounts[0].Collateral = g.Accounts[0].Collateral.AddRaw(1)
		}), "accounts: their liquid collateral is 101uprov, the module account"},
		{"short balance of the vault", n.Provider, func(cdc codec.Codec, g app.GenesisState) {
			without(cdc, g, authtypes.NewModuleAddress(vaulttypes.ModuleName), n.Provider.Coin(1))
		}, "holds only 99uprov"},
		{"missing lien", n.Provider, vault(func(g *vaulttypes.GenesisState) { g.Accounts[0].Liens = nil }), user},
		{"lien of another size", n.Provider, vault(func(g *vaulttypes.GenesisState) {
			g.Accounts[0].Liens[0].Amount = g.Accounts[0].Liens[0].Amount.AddRaw(-1)
		}), user},
		{"lien of a holder that no module is", n.Provider, vault(func(g *vaulttypes.GenesisState) {
			g.Accounts[0].Liens[0].Holder = "elsewhere/1"
		}), "accounts[0].liens[0]"},
		{"vault account twice", n.Provider, vault(func(g *vaulttypes.GenesisState) { g.Accounts = append(g.Accounts, g.Accounts[0]) }), "accounts[1].user"},
		{"position twice", n.Provider, external(func(g *externaltypes.GenesisState) { g.Positions = append(g.Positions, g.Positions[0]) }), "positions[1]"},
		{"consumer twice", n.Provider, external(func(g *externaltypes.GenesisState) { g.Consumers = append(g.Consumers, g.Consumers[0]) }), "consumers[1].consumer.id"},
		{"validator twice", n.Provider, external(func(g *externaltypes.GenesisState) {
			g.Consumers[0].Validators = append(g.Consumers[0].Validators, g.Consumers[0].Validators[0])
		}), "consumers[0].validators[4].validator.address"},
		{"sum of a pool", n.Provider, external(func(g *externaltypes.GenesisState) {
			g.Consumers[0].Validators[1].Pool.Bonded = g.Consumers[0].Validators[1].Pool.Bonded.AddRaw(1)
		}), "consumers[0].validators[1]: pool.bonded"},
		{"sum of what was accepted", n.Provider, external(func(g *externaltypes.GenesisState) {
			g.Consumers[0].Outbox.Synced = g.Consumers[0].Outbox.Synced.AddRaw(1)
		}), "consumers[0].outbox.synced"},
		{"position without its consumer", n.Provider, external(func(g *externaltypes.GenesisState) { g.Consumers = nil }), "positions[0].validator"},
		{"sum of counted stake", n.Consumer, converter(func(g *convertertypes.GenesisState) {
			g.Converters[0].Converter.TotalStake = g.Converters[0].Converter.TotalStake.AddRaw(1)
		}), "converters[0]: converter.total_stake is 51, stake adds up to 50"},
		{"counted stake twice", n.Consumer, converter(func(g *convertertypes.GenesisState) {
			g.Converters[0].Stake = append(g.Converters[0].Stake, g.Converters[0].Stake[0])
		}), "converters[0]: stake: entry 1"},
		{"rewards that nobody holds", n.Consumer, converter(func(g *convertertypes.GenesisState) {
			c := &g.Converters[0]
			c.PendingRewards = []convertertypes.PendingReward{{Validator: n.Consumer.Validators[0].Address, Denom: n.Consumer.Denom, Amount: math.NewInt(1_000)}}
			c.Rewards.Totals = []convertertypes.RewardTotals{{Denom: n.Consumer.Denom, Withdrawn: math.NewInt(1_000), Arrived: math.ZeroInt()}}
		}), "pending_rewards"},
		{"source twice", n.Consumer, virtual(func(g *virtualtypes.GenesisState) { g.Sources = append(g.Sources, g.Sources[0]) }), "sources[1].id"},
		{"source without an account", n.Consumer, func(cdc codec.Codec, g app.GenesisState) {
			twochain.Edit(cdc, g, authtypes.ModuleName, func(g *authtypes.GenesisState) {
				accounts, err := authtypes.UnpackAccounts(g.Accounts)
				require.NoError(t, err)
				accounts = slices.DeleteFunc(accounts, func(a authtypes.GenesisAccount) bool { return a.GetAddress().Equals(virtualtypes.VirtualAccount(1)) })
				g.Accounts, err = authtypes.PackAccounts(accounts)
				require.NoError(t, err)
			})
		}, "sources[0].account"},
		{"rewards of a source paid to another account", n.Consumer, func(cdc codec.Codec, g app.GenesisState) {
			twochain.Edit(cdc, g, distrtypes.ModuleName, func(g *distrtypes.GenesisState) { g.DelegatorWithdrawInfos = nil })
		}, "sources[0].reward_account"},
		{"caps above the total", n.Consumer, virtual(func(g *virtualtypes.GenesisState) { g.Params.TotalMaxCap = math.OneInt() }), "sources[0].max_cap"},
		{"validator of the set twice", n.Consumer, virtual(func(g *virtualtypes.GenesisState) { g.Validators = append(g.Validators, g.Validators[0]) }), "validators[4]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			genesis, height := exportOf(t, tc.chain)
			tc.change(tc.chain.App.AppCodec(), genesis)
			require.ErrorContains(t, begin(t, tc.chain, genesis, height), tc.want)
		})
	}
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		genesis, height := exportOf(t, c)
		require.NoError(t, begin(t, c, genesis, height), "unchanged")
	}
}

// A wiring that loads modules before those they build on does not start.
func TestGN02WrongOrderOfModulesIsRefused(t *testing.T) {
	n := staked(t)
	for _, tc := range []struct {
		chain         *twochain.Chain
		early, before string
		want          string
	}{
		{n.Provider, vaulttypes.ModuleName, banktypes.ModuleName, "accounts: their liquid collateral is 100uprov"},
		{n.Provider, externaltypes.ModuleName, vaulttypes.ModuleName, n.Provider.Users[1].String()},
		{n.Consumer, virtualtypes.ModuleName, authtypes.ModuleName, "sources[0].account"},
	} {
		t.Run(tc.early+" before "+tc.before, func(t *testing.T) {
			genesis, height := exportOf(t, tc.chain)
			err := begin(t, tc.chain, genesis, height, func(a *app.App) {
				order := slices.DeleteFunc(slices.Clone(a.ModuleManager.OrderInitGenesis), func(name string) bool { return name == tc.early })
				a.ModuleManager.SetOrderInitGenesis(slices.Insert(order, slices.Index(order, tc.before), tc.early)...)
			})
			require.ErrorContains(t, err, tc.want)
		})
	}
}
