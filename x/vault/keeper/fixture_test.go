package keeper_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"cosmossdk.io/core/store"
	"cosmossdk.io/log"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/auth/vesting"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	authz "github.com/cosmos/cosmos-sdk/x/authz/module"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/distribution"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/vault"
	"github.com/mesh-security/mesh/x/vault/keeper"
	"github.com/mesh-security/mesh/x/vault/types"
)

const (
	denom       = "stake"
	otherDenom  = "photon"
	prefix      = "external"
	otherPrefix = "dao"
)

var (
	alice = sdk.AccAddress("alice_______________")
	bob   = sdk.AccAddress("bob_________________")
	carol = sdk.AccAddress("carol_______________")
	start = time.Unix(1_700_000_000, 0).UTC()
)

// fixture is the vault over the SDK's own keepers, with two lien holders. newChain adds validators and blocks.
type fixture struct {
	t         testing.TB
	ctx       sdk.Context
	cdc       codec.Codec
	accounts  authkeeper.AccountKeeper
	bank      bankkeeper.BaseKeeper
	staking   *stakingkeeper.Keeper
	slashing  slashingkeeper.Keeper
	distr     distrkeeper.Keeper
	gov       *govkeeper.Keeper
	authz     authzkeeper.Keeper
	router    *baseapp.MsgServiceRouter
	k         *keeper.Keeper
	query     types.QueryServer
	holder    *fakeHolder
	other     *fakeHolder
	faults    *faultyHooks
	store     storetypes.StoreKey
	authority string
	module    sdk.AccAddress
}

// faultyHooks stand for another module of the chain that hears of changes in x/staking, and fails for some validators.
type faultyHooks struct {
	stakingtypes.MultiStakingHooks
	refuses map[string]bool
}

func (h *faultyHooks) BeforeDelegationSharesModified(_ context.Context, _ sdk.AccAddress, validator sdk.ValAddress) error {
	if h.refuses[validator.String()] {
		return sdkerrors.ErrLogic.Wrap("refused by a hook")
	}
	return nil
}

// newFixture has an empty vault. Genesis is loaded by initGenesis.
func newFixture(t testing.TB) *fixture {
	keys := storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, slashingtypes.StoreKey,
		distrtypes.StoreKey, govtypes.StoreKey, authzkeeper.StoreKey, types.StoreKey, prefix, otherPrefix)
	enc := moduletestutil.MakeTestEncodingConfig(auth.AppModuleBasic{}, vesting.AppModuleBasic{}, bank.AppModuleBasic{},
		staking.AppModuleBasic{}, slashing.AppModuleBasic{}, distribution.AppModuleBasic{}, gov.AppModuleBasic{},
		authz.AppModuleBasic{}, vault.AppModuleBasic{})
	f := &fixture{
		t:         t,
		ctx:       testutil.DefaultContextWithKeys(keys, nil, nil).WithBlockTime(start).WithBlockHeight(10),
		cdc:       enc.Codec,
		router:    baseapp.NewMsgServiceRouter(),
		faults:    &faultyHooks{refuses: map[string]bool{}},
		store:     keys[types.StoreKey],
		authority: authtypes.NewModuleAddress(govtypes.ModuleName).String(),
		module:    authtypes.NewModuleAddress(types.ModuleName),
	}
	ac := address.NewBech32Codec("cosmos")
	service := func(name string) store.KVStoreService { return runtime.NewKVStoreService(keys[name]) }
	f.accounts = authkeeper.NewAccountKeeper(enc.Codec, service(authtypes.StoreKey), authtypes.ProtoBaseAccount, map[string][]string{
		types.ModuleName:               {authtypes.Burner},
		authtypes.FeeCollectorName:     nil,
		distrtypes.ModuleName:          nil,
		govtypes.ModuleName:            {authtypes.Burner},
		minttypes.ModuleName:           {authtypes.Minter},
		stakingtypes.BondedPoolName:    {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName: {authtypes.Burner, authtypes.Staking},
	}, ac, "cosmos", f.authority)
	f.bank = bankkeeper.NewBaseKeeper(enc.Codec, service(banktypes.StoreKey), f.accounts, nil, f.authority, log.NewNopLogger())
	f.staking = stakingkeeper.NewKeeper(enc.Codec, service(stakingtypes.StoreKey), f.accounts, f.bank, f.authority,
		address.NewBech32Codec("cosmosvaloper"), address.NewBech32Codec("cosmosvalcons"))
	f.slashing = slashingkeeper.NewKeeper(enc.Codec, enc.Amino, service(slashingtypes.StoreKey), f.staking, f.authority)
	f.distr = distrkeeper.NewKeeper(enc.Codec, service(distrtypes.StoreKey), f.accounts, f.bank, f.staking, authtypes.FeeCollectorName, f.authority)
	f.k = keeper.NewKeeper(enc.Codec, service(types.StoreKey), f.accounts, f.bank, f.staking, f.slashing, f.distr, f.authority)
	f.staking.SetHooks(stakingtypes.NewMultiStakingHooks(f.distr.Hooks(), f.slashing.Hooks(), f.k.Hooks(), f.faults))
	f.gov = govkeeper.NewKeeper(enc.Codec, service(govtypes.StoreKey), f.accounts, f.bank, keeper.NewGovStaking(f.staking, f.k), f.distr,
		f.router, govtypes.DefaultConfig(), f.authority)
	f.holder = newFakeHolder(keys[prefix])
	f.holder.handle = f.k.RegisterHolder(prefix, f.holder)
	f.other = newFakeHolder(keys[otherPrefix])
	f.other.handle = f.k.RegisterHolder(otherPrefix, f.other)
	f.query = keeper.NewQueryServer(f.k)

	f.router.SetInterfaceRegistry(enc.InterfaceRegistry)
	types.RegisterMsgServer(f.router, keeper.NewMsgServer(f.k))
	f.authz = authzkeeper.NewKeeper(service(authzkeeper.StoreKey), enc.Codec, f.router, f.accounts)

	require.NoError(t, f.accounts.Params.Set(f.ctx, authtypes.DefaultParams()))
	require.NoError(t, f.bank.SetParams(f.ctx, banktypes.DefaultParams()))
	require.NoError(t, f.slashing.SetParams(f.ctx, slashingtypes.DefaultParams()))
	require.NoError(t, f.distr.Params.Set(f.ctx, distrtypes.DefaultParams()))
	require.NoError(t, f.distr.FeePool.Set(f.ctx, distrtypes.InitialFeePool()))
	require.NoError(t, f.gov.Params.Set(f.ctx, govv1.DefaultParams()))
	f.setBondDenom(denom)
	return f
}

// newVault is a fixture with the default genesis and 1,000 stake and photon in the hands of alice and bob.
func newVault(t testing.TB) *fixture {
	f := newFixture(t)
	require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesis()))
	for _, user := range []sdk.AccAddress{alice, bob} {
		f.fund(user, sdk.NewInt64Coin(denom, 1000), sdk.NewInt64Coin(otherDenom, 1000))
	}
	return f
}

func (f *fixture) setBondDenom(denom string) {
	params := stakingtypes.DefaultParams()
	params.BondDenom = denom
	require.NoError(f.t, f.staking.SetParams(f.ctx, params))
}

func (f *fixture) setParams(use string, liens uint32) {
	params := types.DefaultParams()
	params.MaxCollateralUse, params.MaxConsumersPerUser = math.LegacyMustNewDecFromStr(use), liens
	require.NoError(f.t, f.k.UpdateParams(f.ctx, params))
}

func (f *fixture) fund(to sdk.AccAddress, coins ...sdk.Coin) {
	require.NoError(f.t, f.bank.MintCoins(f.ctx, minttypes.ModuleName, sdk.NewCoins(coins...)))
	require.NoError(f.t, f.bank.SendCoinsFromModuleToAccount(f.ctx, minttypes.ModuleName, to, sdk.NewCoins(coins...)))
}

// send handles a message as a block would, except that a failing one's writes are not thrown away: there must be none.
func (f *fixture) send(msg sdk.Msg) (sdk.Events, error) {
	f.t.Helper()
	res, err := f.router.Handler(msg)(f.ctx, msg)
	if err != nil {
		return nil, err
	}
	events := make(sdk.Events, 0, len(res.Events))
	for _, e := range res.Events {
		events = append(events, sdk.Event(e))
	}
	return events, nil
}

func (f *fixture) deposit(user sdk.AccAddress, amount int64) {
	f.t.Helper()
	_, err := f.send(&types.MsgDeposit{User: user.String(), Amount: sdk.NewInt64Coin(denom, amount)})
	require.NoError(f.t, err)
}

func (f *fixture) withdraw(user sdk.AccAddress, amount int64) error {
	f.t.Helper()
	_, err := f.send(&types.MsgWithdraw{User: user.String(), Amount: sdk.NewInt64Coin(denom, amount)})
	return err
}

func (f *fixture) account(user sdk.AccAddress) types.Account {
	f.t.Helper()
	a, err := f.k.Account(f.ctx, user)
	require.NoError(f.t, err)
	return a
}

func (f *fixture) balance(user sdk.AccAddress) int64 {
	return f.bank.GetBalance(f.ctx, user, denom).Amount.Int64()
}

// holds asserts the vault's invariants.
func (f *fixture) holds() {
	f.t.Helper()
	require.NoError(f.t, invariant.CheckAll(f.ctx, f.k.Invariants()))
}

// refused runs op and asserts that it failed with want, changed nothing in the vault, in x/bank and in x/auth, and that
// the invariants hold.
func (f *fixture) refused(want error, op func() error) {
	f.t.Helper()
	before := f.state()
	require.ErrorIs(f.t, op(), want)
	require.Equal(f.t, before, f.state(), "state changed")
	f.holds()
}

// state is all of the vault, x/bank and x/auth as JSON.
func (f *fixture) state() string {
	f.t.Helper()
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	bz, err := json.Marshal([]json.RawMessage{
		f.cdc.MustMarshalJSON(gs), f.cdc.MustMarshalJSON(f.bank.ExportGenesis(f.ctx)), f.cdc.MustMarshalJSON(f.accounts.ExportGenesis(f.ctx)),
	})
	require.NoError(f.t, err)
	return string(bz)
}

// wipe deletes all of the vault's state.
func (f *fixture) wipe() {
	f.t.Helper()
	store := f.ctx.KVStore(f.store)
	iter := store.Iterator(nil, nil)
	var keys [][]byte
	for ; iter.Valid(); iter.Next() {
		keys = append(keys, iter.Key())
	}
	require.NoError(f.t, iter.Close())
	for _, key := range keys {
		store.Delete(key)
	}
}

// hasEvent asserts that want is among events.
func (f *fixture) hasEvent(events sdk.Events, want proto.Message) {
	f.t.Helper()
	typed, err := sdk.TypedEventToEvent(want)
	require.NoError(f.t, err)
	require.Contains(f.t, events, typed)
}

// in runs fn with an empty event manager and returns what it emitted.
func (f *fixture) in(fn func(ctx context.Context) error) (sdk.Events, error) {
	ctx := f.ctx.WithEventManager(sdk.NewEventManager())
	err := fn(ctx)
	return ctx.EventManager().Events(), err
}
