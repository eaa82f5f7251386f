package keeper_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"cosmossdk.io/collections"
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
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/auth/vesting"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/distribution"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/gogoproto/proto"
	capabilitykeeper "github.com/cosmos/ibc-go/modules/capability/keeper"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	ibc "github.com/cosmos/ibc-go/v8/modules/core"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking"
	"github.com/mesh-security/mesh/x/externalstaking/keeper"
	"github.com/mesh-security/mesh/x/externalstaking/types"
	"github.com/mesh-security/mesh/x/vault"
	vaultkeeper "github.com/mesh-security/mesh/x/vault/keeper"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

const (
	denom      = "stake"
	otherDenom = "photon"
	// unbonding is the consumer's unbonding period, on both chains and in the light client.
	unbonding = 21 * 24 * time.Hour
	converter = "converter.1"
	valA      = "othervaloper1aaaaaaaaaaaa"
	valB      = "othervaloper1bbbbbbbbbbbb"
	valC      = "othervaloper1cccccccccccc"
)

var (
	alice = sdk.AccAddress("alice_______________")
	bob   = sdk.AccAddress("bob_________________")
	carol = sdk.AccAddress("carol_______________")
	start = time.Unix(1_700_000_000, 0).UTC()
	keyA  = bytes.Repeat([]byte{0xA}, 32)
	keyB  = bytes.Repeat([]byte{0xB}, 32)
	keyC  = bytes.Repeat([]byte{0xC}, 32)
)

// fixture is the module over the SDK's own keepers, the real vault and a fake IBC core.
type fixture struct {
	t         testing.TB
	ctx       sdk.Context
	cdc       codec.Codec
	accounts  authkeeper.AccountKeeper
	bank      bankkeeper.BaseKeeper
	staking   *stakingkeeper.Keeper
	slashing  slashingkeeper.Keeper
	distr     distrkeeper.Keeper
	vault     *vaultkeeper.Keeper
	liens     vaultkeeper.Handle
	ibc       *ibcCore
	scoped    capabilitykeeper.ScopedKeeper
	router    *baseapp.MsgServiceRouter
	k         *keeper.Keeper
	module    externalstaking.IBCModule
	query     types.QueryServer
	authority string
}

// newFixture has no genesis yet.
func newFixture(t testing.TB) *fixture {
	keys := storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, slashingtypes.StoreKey, distrtypes.StoreKey,
		capabilitytypes.StoreKey, vaulttypes.StoreKey, types.StoreKey, ibcCoreStore)
	memKeys := storetypes.NewMemoryStoreKeys(capabilitytypes.MemStoreKey)
	enc := moduletestutil.MakeTestEncodingConfig(auth.AppModuleBasic{}, vesting.AppModuleBasic{}, bank.AppModuleBasic{},
		staking.AppModuleBasic{}, distribution.AppModuleBasic{}, ibc.AppModuleBasic{}, ibctm.AppModuleBasic{},
		vault.AppModuleBasic{}, externalstaking.AppModuleBasic{})
	f := &fixture{
		t:         t,
		ctx:       testutil.DefaultContextWithKeys(keys, nil, memKeys).WithBlockTime(start).WithBlockHeight(10).WithChainID("provider-1"),
		cdc:       enc.Codec,
		router:    baseapp.NewMsgServiceRouter(),
		authority: authtypes.NewModuleAddress(govtypes.ModuleName).String(),
	}
	ac := address.NewBech32Codec("cosmos")
	service := func(name string) store.KVStoreService { return runtime.NewKVStoreService(keys[name]) }
	f.accounts = authkeeper.NewAccountKeeper(enc.Codec, service(authtypes.StoreKey), authtypes.ProtoBaseAccount, map[string][]string{
		authtypes.FeeCollectorName:     nil,
		vaulttypes.ModuleName:          {authtypes.Burner},
		distrtypes.ModuleName:          nil,
		minttypes.ModuleName:           {authtypes.Minter},
		stakingtypes.BondedPoolName:    {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName: {authtypes.Burner, authtypes.Staking},
	}, ac, "cosmos", f.authority)
	f.bank = bankkeeper.NewBaseKeeper(enc.Codec, service(banktypes.StoreKey), f.accounts, nil, f.authority, log.NewNopLogger())
	f.staking = stakingkeeper.NewKeeper(enc.Codec, service(stakingtypes.StoreKey), f.accounts, f.bank, f.authority,
		address.NewBech32Codec("cosmosvaloper"), address.NewBech32Codec("cosmosvalcons"))
	f.distr = distrkeeper.NewKeeper(enc.Codec, service(distrtypes.StoreKey), f.accounts, f.bank, f.staking, authtypes.FeeCollectorName, f.authority)
	capabilities := capabilitykeeper.NewKeeper(enc.Codec, keys[capabilitytypes.StoreKey], memKeys[capabilitytypes.MemStoreKey])
	f.ibc = newIBCCore(enc.Codec, keys[ibcCoreStore], capabilities.ScopeToModule(exported.ModuleName))
	f.scoped = capabilities.ScopeToModule(types.ModuleName)
	capabilities.Seal()
	require.NoError(t, capabilities.InitializeIndex(f.ctx, 1))
	capabilities.InitMemStore(f.ctx)

	f.slashing = slashingkeeper.NewKeeper(enc.Codec, enc.Amino, service(slashingtypes.StoreKey), f.staking, f.authority)
	f.vault = vaultkeeper.NewKeeper(enc.Codec, service(vaulttypes.StoreKey), f.accounts, f.bank, f.staking, f.slashing, f.distr, f.authority)
	f.staking.SetHooks(stakingtypes.NewMultiStakingHooks(f.distr.Hooks(), f.vault.Hooks()))
	f.k = keeper.NewKeeper(enc.Codec, service(types.StoreKey), f.accounts, f.bank, f.distr,
		f.ibc, f.ibc, f.ibc, f.ibc.ports, f.scoped, f.authority)
	f.liens = f.vault.RegisterHolder(types.LienPrefix, f.k)
	f.k.SetVault(f.liens)
	f.module = externalstaking.NewIBCModule(f.k)
	f.query = keeper.NewQuerier(f.k)

	f.router.SetInterfaceRegistry(enc.InterfaceRegistry)
	vaulttypes.RegisterMsgServer(f.router, vaultkeeper.NewMsgServer(f.vault))
	types.RegisterMsgServer(f.router, keeper.NewMsgServer(f.k))

	require.NoError(t, f.accounts.Params.Set(f.ctx, authtypes.DefaultParams()))
	require.NoError(t, f.bank.SetParams(f.ctx, banktypes.DefaultParams()))
	stakingParams := stakingtypes.DefaultParams()
	stakingParams.BondDenom = denom
	require.NoError(t, f.staking.SetParams(f.ctx, stakingParams))
	require.NoError(t, f.slashing.SetParams(f.ctx, slashingtypes.DefaultParams()))
	require.NoError(t, f.distr.Params.Set(f.ctx, distrtypes.DefaultParams()))
	require.NoError(t, f.distr.FeePool.Set(f.ctx, distrtypes.InitialFeePool()))
	f.accounts.GetModuleAccount(f.ctx, distrtypes.ModuleName)
	f.accounts.GetModuleAccount(f.ctx, authtypes.FeeCollectorName)
	return f
}

// newProvider is a fixture with the default genesis, an open connection and transfer channel to a consumer chain, and
// 1,000,000 of both denoms in the hands of alice and bob.
func newProvider(t testing.TB) *fixture {
	f := newFixture(t)
	require.NoError(t, f.vault.InitGenesis(f.ctx, *vaulttypes.DefaultGenesis()))
	require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesis()))
	for _, user := range []sdk.AccAddress{alice, bob} {
		f.fund(user, sdk.NewInt64Coin(denom, 1_000_000), sdk.NewInt64Coin(otherDenom, 1_000_000))
	}
	return f
}

// newConnected is a provider with a registered consumer, an open control channel and the active validators A and B.
func newConnected(t testing.TB) (*fixture, types.Consumer) {
	f := newProvider(t)
	f.register(nil)
	f.open(1)
	require.True(t, f.report(1, fullReport(active(valA, keyA), active(valB, keyB))).Success())
	return f, f.consumer(1)
}

// registration is a message that is accepted.
func (f *fixture) registration() *types.MsgRegisterConsumer {
	return &types.MsgRegisterConsumer{
		Sender: alice.String(), Name: "other chain", ConnectionID: "connection-0", CounterpartyPort: converter,
		TransferChannel: "channel-0", UnbondingPeriod: unbonding, SlashFraction: math.LegacyMustNewDecFromStr("0.05"), MinStake: math.OneInt(),
	}
}

// register registers a consumer after change, nil for none.
func (f *fixture) register(change func(*types.MsgRegisterConsumer)) types.Consumer {
	f.t.Helper()
	msg := f.registration()
	if change != nil {
		change(msg)
	}
	var res types.MsgRegisterConsumerResponse
	f.mustSend(msg, &res)
	return f.consumer(res.ConsumerID)
}

func (f *fixture) consumer(id uint64) types.Consumer {
	f.t.Helper()
	consumer, err := f.k.GetConsumer(f.ctx, id)
	require.NoError(f.t, err)
	return consumer
}

func (f *fixture) validator(id uint64, operator string) types.Validator {
	f.t.Helper()
	validator, err := f.k.GetValidator(f.ctx, id, operator)
	require.NoError(f.t, err)
	return validator
}

// open takes a consumer's control channel through the provider's part of the handshake and returns its id.
func (f *fixture) open(id uint64) string {
	f.t.Helper()
	channelID, _, err := f.try(id, nil)
	require.NoError(f.t, err)
	require.NoError(f.t, f.confirm(id, channelID))
	return channelID
}

// report delivers a validator report on the consumer's bound channel.
func (f *fixture) report(id uint64, sync control.ValidatorSync) exported.Acknowledgement {
	f.t.Helper()
	bz, err := control.EncodeValidatorSync(sync)
	require.NoError(f.t, err)
	return f.receive(types.Port(id), f.consumer(id).ChannelID, bz)
}

// plainReport reports single changes at the light client's height.
func plainReport(updates ...control.ValidatorUpdate) control.ValidatorSync {
	return control.ValidatorSync{Height: clienttypes.NewHeight(1, 100), UnbondingPeriod: unbonding, Validators: updates}
}

// fullReport is a full report in one chunk.
func fullReport(updates ...control.ValidatorUpdate) control.ValidatorSync {
	return chunk(0, true, updates...)
}

func chunk(n uint32, last bool, updates ...control.ValidatorUpdate) control.ValidatorSync {
	sync := plainReport(updates...)
	sync.Reset_ = &control.Reset{Chunk: n, Last: last}
	return sync
}

func active(operator string, key []byte) control.ValidatorUpdate {
	return reported(operator, key, control.StatusActive)
}

func reported(operator string, key []byte, status control.ValidatorStatus) control.ValidatorUpdate {
	return control.ValidatorUpdate{Validator: operator, ConsPubkey: key, Status: status}
}

func (f *fixture) deposit(user sdk.AccAddress, amount int64) {
	f.t.Helper()
	f.mustSend(&vaulttypes.MsgDeposit{User: user.String(), Amount: sdk.NewInt64Coin(denom, amount)}, nil)
}

func (f *fixture) pool(id uint64, operator string) types.Pool {
	f.t.Helper()
	pool, err := f.k.Pools.Get(f.ctx, collections.Join(id, operator))
	require.NoError(f.t, err)
	return pool
}

// stake deposits what is needed and stakes it.
func (f *fixture) stake(user sdk.AccAddress, id uint64, operator string, amount int64) {
	f.t.Helper()
	f.deposit(user, amount)
	f.mustSend(&types.MsgStake{User: user.String(), ConsumerID: id, Validator: operator, Amount: sdk.NewInt64Coin(denom, amount)}, nil)
}

func (f *fixture) unstake(user sdk.AccAddress, id uint64, operator string, amount int64) {
	f.t.Helper()
	f.mustSend(&types.MsgUnstake{User: user.String(), ConsumerID: id, Validator: operator, Amount: sdk.NewInt64Coin(denom, amount)}, nil)
}

// nextBlock ends the block and starts the next one after d.
func (f *fixture) nextBlock(d time.Duration) {
	f.t.Helper()
	f.k.EndBlock(f.ctx)
	f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + 1).WithBlockTime(f.ctx.BlockTime().Add(d)).WithEventManager(sdk.NewEventManager())
	f.holds()
}

// accept sends what is queued and acknowledges all packets in flight with nothing rejected.
func (f *fixture) accept(id uint64) {
	f.t.Helper()
	f.nextBlock(time.Second)
	for _, packet := range f.ibc.inFlight(f.ctx) {
		f.acknowledge(packet, f.accepted(id, packet.Data))
	}
	f.holds()
}

// accepted is the acknowledgement of a consumer that applies a packet and counts everything it took before.
func (f *fixture) accepted(id uint64, data []byte) []byte {
	f.t.Helper()
	sync, err := control.DecodeStakeSync(data)
	require.NoError(f.t, err)
	outbox, err := f.k.Outboxes.Get(f.ctx, id)
	require.NoError(f.t, err)
	total := outbox.Synced
	for _, entry := range sync.Entries {
		info, err := f.query.Validator(f.ctx, &types.QueryValidatorRequest{ConsumerId: id, Validator: entry.Validator})
		require.NoError(f.t, err)
		total = total.Add(entry.Stake).Sub(info.Validator.Pool.Synced)
	}
	ack, err := control.StakeSyncResult(control.StakeSyncAck{Height: clienttypes.NewHeight(1, 100), Total: total})
	require.NoError(f.t, err)
	return ack.Acknowledgement()
}

func (f *fixture) setParams(change func(*types.Params)) {
	f.t.Helper()
	params, err := f.k.Params.Get(f.ctx)
	require.NoError(f.t, err)
	change(&params)
	f.mustSend(&types.MsgUpdateParams{Authority: f.authority, Params: params}, nil)
}

func (f *fixture) fund(to sdk.AccAddress, coins ...sdk.Coin) {
	f.t.Helper()
	require.NoError(f.t, f.bank.MintCoins(f.ctx, minttypes.ModuleName, sdk.NewCoins(coins...)))
	require.NoError(f.t, f.bank.SendCoinsFromModuleToAccount(f.ctx, minttypes.ModuleName, to, sdk.NewCoins(coins...)))
}

// send handles a message as a transaction would: what a failing one wrote is thrown away. It returns its events and
// decodes the response into res unless that is nil.
func (f *fixture) send(msg sdk.Msg, res proto.Message) (sdk.Events, error) {
	f.t.Helper()
	cached, write := f.ctx.CacheContext()
	result, err := f.router.Handler(msg)(cached, msg)
	if err != nil {
		return nil, err
	}
	write()
	if res != nil {
		require.NoError(f.t, f.cdc.Unmarshal(result.Data, res))
	}
	events := make(sdk.Events, 0, len(result.Events))
	for _, e := range result.Events {
		events = append(events, sdk.Event(e))
	}
	return events, nil
}

func (f *fixture) mustSend(msg sdk.Msg, res proto.Message) sdk.Events {
	f.t.Helper()
	events, err := f.send(msg, res)
	require.NoError(f.t, err)
	return events
}

// refused runs op, asserts that it failed with want and left everything as it was.
func (f *fixture) refused(want error, op func() error) {
	f.t.Helper()
	before := f.state()
	require.ErrorIs(f.t, op(), want)
	require.Equal(f.t, before, f.state(), "state changed")
	f.holds()
}

// refusedMsg sends a message that must fail with want and leave everything as it was.
func (f *fixture) refusedMsg(want error, msg sdk.Msg) {
	f.t.Helper()
	f.refused(want, func() error {
		_, err := f.send(msg, nil)
		return err
	})
}

// holds asserts the invariants of this module and of the vault.
func (f *fixture) holds() {
	f.t.Helper()
	require.NoError(f.t, invariant.CheckAll(f.ctx, f.k.Invariants()))
	require.NoError(f.t, invariant.CheckAll(f.ctx, f.vault.Invariants()))
}

// state is all of this module, the vault, x/bank and x/auth as JSON.
func (f *fixture) state() string {
	f.t.Helper()
	own, err := f.k.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	collateral, err := f.vault.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	bz, err := json.Marshal([]json.RawMessage{
		f.cdc.MustMarshalJSON(own), f.cdc.MustMarshalJSON(collateral),
		f.cdc.MustMarshalJSON(f.bank.ExportGenesis(f.ctx)), f.cdc.MustMarshalJSON(f.accounts.ExportGenesis(f.ctx)),
	})
	require.NoError(f.t, err)
	return string(bz)
}

// during runs fn with an empty event manager and returns what it emitted.
func (f *fixture) during(fn func()) sdk.Events {
	before := f.ctx
	f.ctx = f.ctx.WithEventManager(sdk.NewEventManager())
	fn()
	events := f.ctx.EventManager().Events()
	f.ctx = f.ctx.WithEventManager(before.EventManager())
	return events
}

// hasEvent asserts that want is among events.
func (f *fixture) hasEvent(events sdk.Events, want proto.Message) {
	f.t.Helper()
	typed, err := sdk.TypedEventToEvent(want)
	require.NoError(f.t, err)
	require.Contains(f.t, events, typed)
}

// skipped returns the validators whose entries were skipped, with the reasons.
func (f *fixture) skipped(events sdk.Events) map[string]string {
	f.t.Helper()
	skipped := make(map[string]string)
	for _, e := range events {
		if e.Type != proto.MessageName(&types.EventEntrySkipped{}) {
			continue
		}
		fields := make(map[string]string)
		for _, a := range e.Attributes {
			var value string
			require.NoError(f.t, json.Unmarshal([]byte(a.Value), &value))
			fields[a.Key] = value
		}
		skipped[fields["validator"]] = fields["reason"]
	}
	return skipped
}
