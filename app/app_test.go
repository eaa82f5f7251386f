package app_test

import (
	"encoding/json"
	"strings"
	"testing"

	"cosmossdk.io/collections"
	"cosmossdk.io/log"
	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

var meshModules = []string{vaulttypes.ModuleName, externaltypes.ModuleName, virtualtypes.ModuleName, convertertypes.ModuleName}

// The app refuses to start if it could not pay rewards or virtual stake out.
func TestRW07BlockedReceiversStopTheApp(t *testing.T) {
	for _, tc := range []struct {
		name    string
		address sdk.AccAddress
		want    string
	}{
		{"first reward receiver", externaltypes.RewardReceiver(1), "the reward receiver of consumer 1, is a blocked address"},
		{"later reward receiver", externaltypes.RewardReceiver(7), "the reward receiver of consumer 7, is a blocked address"},
		{"converter", convertertypes.ConverterAddress(1), "the account of converter 1, is a blocked address"},
		{"virtual staking account", virtualtypes.VirtualAccount(2), "the virtual staking account of converter 2, is a blocked address"},
		{"staking account of a user", vaulttypes.StakingAccountAddress(sdk.Uint64ToBigEndian(3)), "the staking account of the vault for user 3, is a blocked address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			blocked := app.BlockedAddresses()
			blocked[tc.address.String()] = true
			defer func() {
				err, _ := recover().(error)
				require.ErrorContains(t, err, tc.want)
			}()
			app.NewWithBlocked(log.NewNopLogger(), dbm.NewMemDB(), nil, true, simtestutil.NewAppOptionsWithFlagHome(t.TempDir()), blocked)
		})
	}
}

func TestBlockedAddressesAreModulesButGovernance(t *testing.T) {
	blocked := app.BlockedAddresses()
	for _, name := range []string{vaulttypes.ModuleName, virtualtypes.ModuleName, authtypes.FeeCollectorName} {
		require.True(t, blocked[authtypes.NewModuleAddress(name).String()], name)
	}
	require.False(t, blocked[authtypes.NewModuleAddress(govtypes.ModuleName).String()])

	n := twochain.New(t, twochain.DefaultConfig())
	user := n.Provider.Users[0]
	_, err := n.Provider.Deliver(user, banktypes.NewMsgSend(
		user.Address, authtypes.NewModuleAddress(vaulttypes.ModuleName), sdk.NewCoins(n.Provider.Coin(1))))
	require.ErrorIs(t, err, sdkerrors.ErrUnauthorized)
}

// A field whose type was not linked is left out by command line and amino signatures.
func TestAllFieldsOfMeshMessagesHaveTheirType(t *testing.T) {
	checked := 0
	app.MakeEncodingConfig().InterfaceRegistry.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(file.Path(), "mesh/") {
			return true
		}
		for i := range file.Messages().Len() {
			fields := file.Messages().Get(i).Fields()
			for j := range fields.Len() {
				if message := fields.Get(j).Message(); message != nil {
					require.False(t, message.IsPlaceholder(), fields.Get(j).FullName())
					checked++
				}
			}
		}
		return true
	})
	require.Greater(t, checked, 100)
}

// A chain exported in the middle of cross-staking starts again from its export, and exports the same.
func TestExportedChainsStartAgain(t *testing.T) {
	n := staked(t)
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		t.Run(c.ChainID, func(t *testing.T) {
			exported, err := c.App.ExportAppStateAndValidators(false, nil, nil)
			require.NoError(t, err)
			require.Equal(t, c.App.LastBlockHeight()+1, exported.Height)

			fresh := start(t, c, exported.AppState, exported.Height)
			// The state of InitChain is visible before the first block is committed.
			ctx := fresh.NewContextLegacy(false, cmtproto.Header{ChainID: c.ChainID, Height: exported.Height})
			again, err := fresh.ModuleManager.ExportGenesisForModules(ctx, fresh.AppCodec(), meshModules)
			require.NoError(t, err)
			var before map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(exported.AppState, &before))
			for _, module := range meshModules {
				require.JSONEq(t, string(before[module]), string(again[module]), module)
			}

			_, err = fresh.FinalizeBlock(&abci.RequestFinalizeBlock{Height: exported.Height, Time: n.Coordinator.CurrentTime})
			require.NoError(t, err)
			_, err = fresh.Commit()
			require.NoError(t, err)
			ctx = fresh.NewUncachedContext(false, cmtproto.Header{ChainID: c.ChainID, Height: exported.Height, Time: n.Coordinator.CurrentTime})
			require.NoError(t, invariant.CheckAll(ctx, fresh.Invariants()))
		})
	}
}

func TestZeroHeightExportStartsAtOne(t *testing.T) {
	n := staked(t)
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		t.Run(c.ChainID, func(t *testing.T) {
			keep := c.Validators[0].Address
			exported, err := c.App.ExportAppStateAndValidators(true, []string{keep}, nil)
			require.NoError(t, err)
			require.Zero(t, exported.Height)
			require.Len(t, exported.Validators, 1)
			start(t, c, exported.AppState, 1)

			_, err = c.App.ExportAppStateAndValidators(true, []string{"nobody"}, nil)
			require.ErrorContains(t, err, "jail allow list")
		})
	}
}

// Rewards that the export pays out are owed to the provider like all others.
func TestZeroHeightExportLostTheRewardsOfVirtualStake(t *testing.T) {
	c := staked(t).Consumer
	_, err := c.Deliver(c.Users[0], distrtypes.NewMsgDepositValidatorRewardsPool(
		c.Users[0].String(), c.Validators[0].Address, sdk.NewCoins(c.Coin(100_000_000_000))))
	require.NoError(t, err)
	exported, err := c.App.ExportAppStateAndValidators(true, nil, nil)
	require.NoError(t, err)
	fresh := start(t, c, exported.AppState, 1)
	ctx := fresh.NewContextLegacy(false, cmtproto.Header{ChainID: c.ChainID, Height: 1})
	state, err := fresh.ConverterKeeper.ExportGenesis(ctx)
	require.NoError(t, err)
	pending := math.ZeroInt()
	for _, p := range state.Converters[0].PendingRewards {
		pending = pending.Add(p.Amount)
	}
	require.True(t, pending.IsPositive())
	held := fresh.BankKeeper.GetBalance(ctx, convertertypes.ConverterAddress(1), c.Denom)
	require.Equal(t, held.Amount.String(), pending.String(), "none is attributed to nobody")
	require.NoError(t, invariant.CheckAll(ctx, fresh.ConverterKeeper.Invariants()))
}

// The consumer's x/mint and x/gov are wired to the decorated x/staking: of 22 virtual stake, bonded with the first
// validator, half has a vote, and inflation takes no notice of it, nor of the 14 that are unbonding.
func TestMintAndGovSeeVirtualStakeForWhatItIs(t *testing.T) {
	c := staked(t).Consumer
	ctx, _ := c.Ctx().CacheContext()
	total, err := c.App.StakingKeeper.StakingTokenSupply(ctx)
	require.NoError(t, err)
	native, err := c.App.MintKeeper.StakingTokenSupply(ctx)
	require.NoError(t, err)
	require.Equal(t, "36", total.Sub(native).String())

	voter, err := sdk.ValAddressFromBech32(c.Validators[0].Address)
	require.NoError(t, err)
	v := govv1.NewVote(1, sdk.AccAddress(voter), govv1.NewNonSplitVoteOption(govv1.OptionYes), "")
	require.NoError(t, c.App.GovKeeper.Votes.Set(ctx, collections.Join(uint64(1), sdk.AccAddress(voter)), v))
	_, _, tally, err := c.App.GovKeeper.Tally(ctx, govv1.Proposal{Id: 1})
	require.NoError(t, err)
	require.Equal(t, "100000011", tally.YesCount)
}

// staked is a network with stake on the consumer, an unbonding entry, and rewards on the way.
func staked(t *testing.T) *twochain.Network {
	t.Helper()
	n := twochain.New(t, twochain.DefaultConfig())
	n.Setup()
	user, v := n.Provider.Users[1].String(), n.Consumer.Validators[0].Address
	_, err := n.Provider.Deliver(n.Provider.Users[1],
		&vaulttypes.MsgDeposit{User: user, Amount: n.Provider.Coin(100)},
		&externaltypes.MsgStake{User: user, ConsumerID: n.ConsumerID, Validator: v, Amount: n.Provider.Coin(80)})
	require.NoError(t, err)
	require.NoError(t, n.Relay())
	n.Epoch()
	_, err = n.Provider.Deliver(n.Provider.Users[1],
		&externaltypes.MsgUnstake{User: user, ConsumerID: n.ConsumerID, Validator: v, Amount: n.Provider.Coin(30)})
	require.NoError(t, err)
	require.NoError(t, n.Relay())
	n.Epoch()
	return n
}

func start(t *testing.T, c *twochain.Chain, state json.RawMessage, height int64) *app.App {
	t.Helper()
	fresh := app.New(log.NewNopLogger(), dbm.NewMemDB(), nil, true, simtestutil.NewAppOptionsWithFlagHome(t.TempDir()), baseapp.SetChainID(c.ChainID))
	_, err := fresh.InitChain(&abci.RequestInitChain{
		Time: c.Coordinator.CurrentTime, ChainId: c.ChainID, AppStateBytes: state, InitialHeight: height, ConsensusParams: simtestutil.DefaultConsensusParams,
	})
	require.NoError(t, err)
	return fresh
}
