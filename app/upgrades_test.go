package app_test

import (
	"encoding/json"
	"slices"
	"testing"

	"cosmossdk.io/log"
	upgradetypes "cosmossdk.io/x/upgrade/types"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/externalstaking"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	"github.com/mesh-security/mesh/x/virtualstaking"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// stopped is a chain whose earlier binary has stopped at the height of an upgrade.
type stopped struct {
	chain  *twochain.Chain
	db     dbm.DB
	home   string
	height int64
}

func (s stopped) open() *app.App {
	return app.New(log.NewNopLogger(), s.db, nil, true, simtestutil.NewAppOptionsWithFlagHome(s.home), baseapp.SetChainID(s.chain.ChainID))
}

// runBefore starts the binary without the mesh modules with all else of the chain's state, runs it up to the upgrade that
// adds them, and asserts that it stops there.
func runBefore(t *testing.T, c *twochain.Chain) stopped {
	t.Helper()
	exported, err := c.App.ExportAppStateAndValidators(false, nil, nil)
	require.NoError(t, err)
	var genesis app.GenesisState
	require.NoError(t, json.Unmarshal(exported.AppState, &genesis))
	cdc := c.App.AppCodec()
	for _, store := range app.MeshStores {
		delete(genesis, store)
	}
	twochain.Edit(cdc, genesis, authtypes.ModuleName, func(g *authtypes.GenesisState) { withoutMesh(t, g) })
	state, err := json.Marshal(genesis)
	require.NoError(t, err)

	s := stopped{chain: c, db: dbm.NewMemDB(), home: t.TempDir()}
	before := app.NewBefore(s.db, s.home, baseapp.SetChainID(c.ChainID))
	_, err = before.InitChain(&abci.RequestInitChain{
		Time: c.Coordinator.CurrentTime, ChainId: c.ChainID, AppStateBytes: state, InitialHeight: exported.Height,
		ConsensusParams: &exported.ConsensusParams,
	})
	require.NoError(t, err)
	block := func(height int64) error {
		if _, err := before.FinalizeBlock(&abci.RequestFinalizeBlock{Height: height, Time: c.Coordinator.CurrentTime}); err != nil {
			return err
		}
		_, err := before.Commit()
		return err
	}
	height := exported.Height
	require.NoError(t, block(height))
	s.height = height + 4
	ctx := before.NewUncachedContext(false, cmtproto.Header{ChainID: c.ChainID, Height: height})
	require.NoError(t, before.UpgradeKeeper.ScheduleUpgrade(ctx, upgradetypes.Plan{Name: app.UpgradeMesh, Height: s.height}))
	for height++; height < s.height; height++ {
		require.NoError(t, block(height))
		require.Panics(t, func() { s.open() }, "the new binary does not start before the height")
	}
	require.ErrorContains(t, block(height), `UPGRADE "v1-mesh" NEEDED at height`)
	require.ErrorContains(t, block(height), `UPGRADE "v1-mesh" NEEDED at height`, "and stays there")
	return s
}

// withoutMesh takes the accounts of the mesh modules out of a genesis. Somebody has made one of them an ordinary one by
// sending coins to its address.
func withoutMesh(t *testing.T, genesis *authtypes.GenesisState) {
	t.Helper()
	accounts, err := authtypes.UnpackAccounts(genesis.Accounts)
	require.NoError(t, err)
	var kept authtypes.GenesisAccounts
	for _, account := range accounts {
		if m, ok := account.(sdk.ModuleAccountI); ok && (m.GetName() == vaulttypes.ModuleName || m.GetName() == virtualtypes.ModuleName) {
			kept = append(kept, authtypes.NewBaseAccount(m.GetAddress(), nil, m.GetAccountNumber(), 0))
			continue
		}
		kept = append(kept, account)
	}
	genesis.Accounts, err = authtypes.PackAccounts(kept)
	require.NoError(t, err)
}

// Two running chains with a connection get the modules in an upgrade, and secure each other.
func TestGN03AnUpgradeAddsTheModules(t *testing.T) {
	cfg := twochain.DefaultConfig()
	n := twochain.New(t, cfg)
	n.Connect()
	n.OpenTransfer()
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		s := runBefore(t, c)
		upgraded := s.open()
		res, err := upgraded.FinalizeBlock(&abci.RequestFinalizeBlock{Height: s.height, Time: n.Coordinator.CurrentTime})
		require.NoError(t, err)
		require.NotEmpty(t, res.AppHash)
		_, err = upgraded.Commit()
		require.NoError(t, err)

		ctx := upgraded.NewContext(true)
		versions, err := upgraded.UpgradeKeeper.GetModuleVersionMap(ctx)
		require.NoError(t, err)
		require.Equal(t, upgraded.ModuleManager.GetVersionMap(), versions)
		denom, err := upgraded.VaultKeeper.Denom.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, c.Denom, denom)
		require.NoError(t, invariant.CheckAll(ctx, upgraded.Invariants()))

		// Stopped right after the upgrade, it starts again, and goes on.
		again := s.open()
		require.Equal(t, upgraded.LastCommitID(), again.LastCommitID())
		c.Adopt(again, s.db)
		if c == n.Consumer {
			// The cap of a new chain is none.
			params, err := c.App.VirtualStakingKeeper.Params.Get(c.Ctx())
			require.NoError(t, err)
			require.True(t, params.TotalMaxCap.IsZero())
			params.EpochLength, params.TotalMaxCap = 20, cfg.MaxCap
			require.NoError(t, c.Execute(&virtualtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params}))
		}
	}

	n.CreateConverter()
	n.RegisterConsumer()
	n.AllowCounterparty()
	n.OpenControl()
	n.SetPrice()
	n.SetMaxCap()
	n.Epoch()
	require.NoError(t, n.Relay())
	user, v := n.Provider.Users[1], n.Consumer.Validators[0]
	power := n.Consumer.Power(v)
	_, err := n.Provider.Deliver(user,
		&vaulttypes.MsgDeposit{User: user.String(), Amount: n.Provider.Coin(100_000_000)},
		&externaltypes.MsgStake{User: user.String(), ConsumerID: n.ConsumerID, Validator: v.Address, Amount: n.Provider.Coin(100_000_000)})
	require.NoError(t, err)
	require.NoError(t, n.Relay())
	n.Epoch()
	require.Equal(t, power+45, n.Consumer.Power(v))

	// The ports that the modules have bound are theirs after a restart.
	n.Provider.Reboot()
	n.Consumer.Reboot()
	require.NoError(t, n.Relay())
	require.True(t, n.Provider.App.IBCKeeper.PortKeeper.IsBound(n.Provider.Ctx(), n.Control.EndpointA.ChannelConfig.PortID))
	require.True(t, n.Consumer.App.IBCKeeper.PortKeeper.IsBound(n.Consumer.Ctx(), n.Control.EndpointB.ChannelConfig.PortID))
	require.NoError(t, n.CheckInvariants())
}

// A binary may come with a later version of a module only together with how the state of the earlier one becomes its own.
func TestGN03EveryVersionHasItsMigration(t *testing.T) {
	n := staked(t)
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		ctx := c.Ctx()
		for name, version := range c.App.ModuleManager.GetVersionMap() {
			for from := uint64(1); from < version && slices.Contains(meshModules, name); from++ {
				versions := c.App.ModuleManager.GetVersionMap()
				versions[name] = from
				require.NoError(t, c.App.UpgradeKeeper.SetModuleVersionMap(ctx, versions))
				require.NoError(t, c.App.UpgradeKeeper.ApplyUpgrade(ctx, upgradetypes.Plan{Name: app.UpgradeExits, Height: ctx.BlockHeight()}))
				migrated, err := c.App.UpgradeKeeper.GetModuleVersionMap(ctx)
				require.NoError(t, err)
				require.Equal(t, version, migrated[name])
			}
		}
	}
}

// Two chains in the middle of cross-staking, one after the other, leave version 1 of their modules, and what was in flight
// between the two versions arrives.
func TestGN03AnUpgradeMigratesTheModules(t *testing.T) {
	n := staked(t)
	user, v := n.Provider.Users[1].String(), n.Consumer.Validators[0].Address
	_, err := n.Provider.Deliver(n.Provider.Users[1],
		&externaltypes.MsgUnstake{User: user, ConsumerID: n.ConsumerID, Validator: v, Amount: n.Provider.Coin(20)})
	require.NoError(t, err)
	require.NotEmpty(t, n.Provider.Unreceived())

	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		height := c.App.LastBlockHeight()
		ctx := c.App.NewUncachedContext(false, cmtproto.Header{ChainID: c.ChainID, Height: height, Time: c.CurrentHeader.Time})
		firstVersion(t, ctx, c.App)
		c.NextBlock()
		require.NoError(t, c.App.UpgradeKeeper.ScheduleUpgrade(
			c.App.NewUncachedContext(false, cmtproto.Header{Height: height + 1}), upgradetypes.Plan{Name: app.UpgradeExits, Height: height + 2}))
		c.NextBlock()

		migrated := c.Ctx()
		done, err := c.App.UpgradeKeeper.GetDoneHeight(migrated, app.UpgradeExits)
		require.NoError(t, err)
		require.Equal(t, height+2, done)
		versions, err := c.App.UpgradeKeeper.GetModuleVersionMap(migrated)
		require.NoError(t, err)
		require.Equal(t, uint64(externalstaking.ConsensusVersion), versions[externaltypes.ModuleName])
		require.Equal(t, uint64(virtualstaking.ConsensusVersion), versions[virtualtypes.ModuleName])
		external, err := c.App.ExternalStakingKeeper.Params.Get(migrated)
		require.NoError(t, err)
		require.NoError(t, external.Validate())
		virtual, err := c.App.VirtualStakingKeeper.Params.Get(migrated)
		require.NoError(t, err)
		require.NoError(t, virtual.Validate())
		require.NoError(t, invariant.CheckAll(migrated, c.App.Invariants()))
		// The other chain still runs version 1, or does not any more.
		require.NoError(t, n.Relay())
		n.Epoch()
	}
	require.NoError(t, n.CheckInvariants())
	position, err := externaltypes.NewQueryClient(n.Provider.Query()).Position(n.Provider.Ctx(),
		&externaltypes.QueryPositionRequest{User: user, ConsumerId: n.ConsumerID, Validator: v})
	require.NoError(t, err)
	require.Equal(t, "30", position.Position.Bonded.String())
	require.True(t, position.Position.PendingUnstake.IsZero())
}

// firstVersion makes the state of the modules what their version 1 would have left.
func firstVersion(t *testing.T, ctx sdk.Context, a *app.App) {
	t.Helper()
	versions := a.ModuleManager.GetVersionMap()
	versions[externaltypes.ModuleName], versions[virtualtypes.ModuleName] = 1, 1
	require.NoError(t, a.UpgradeKeeper.SetModuleVersionMap(ctx, versions))

	external, err := a.ExternalStakingKeeper.Params.Get(ctx)
	require.NoError(t, err)
	external.MaxForcedPerBlock, external.ResyncInterval = 0, 0
	require.NoError(t, a.ExternalStakingKeeper.Params.Set(ctx, external))
	positions, err := a.ExternalStakingKeeper.Positions.Iterate(ctx, nil)
	require.NoError(t, err)
	all, err := positions.KeyValues()
	require.NoError(t, err)
	for _, p := range all {
		p.Value.ForcedAt = nil
		require.NoError(t, a.ExternalStakingKeeper.Positions.Set(ctx, p.Key, p.Value))
	}
	require.NoError(t, a.ExternalStakingKeeper.ForcedQueue.Clear(ctx, nil))

	virtual, err := a.VirtualStakingKeeper.Params.Get(ctx)
	require.NoError(t, err)
	virtual.MaxSilence = 0
	require.NoError(t, a.VirtualStakingKeeper.Params.Set(ctx, virtual))
}
