package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cosmossdk.io/log"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
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
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/gogoproto/proto"
	capabilitykeeper "github.com/cosmos/ibc-go/modules/capability/keeper"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	connectiontypes "github.com/cosmos/ibc-go/v8/modules/core/03-connection/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	portkeeper "github.com/cosmos/ibc-go/v8/modules/core/05-port/keeper"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter"
	"github.com/mesh-security/mesh/x/converter/keeper"
	"github.com/mesh-security/mesh/x/converter/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

const (
	bondDenom  = "ucons"
	connection = "connection-0"
	client     = "07-tendermint-0"
	transfer   = "channel-0"
	provider   = "externalstaking.7"
	receiver   = "prov1rewardreceiver"
	val1       = "consvaloper1aaa"
	val2       = "consvaloper1bbb"
	val3       = "consvaloper1ccc"
)

var (
	start     = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	authority = authtypes.NewModuleAddress(govtypes.ModuleName)
	alice     = sdk.AccAddress("alice_______________")
	bob       = sdk.AccAddress("bob_________________")
	escrow    = sdk.AccAddress("escrow______________")
)

// fixture is a converter keeper on real auth, bank, distribution, capability and port keepers, and stateful fakes of
// the rest.
type fixture struct {
	t   *testing.T
	ctx sdk.Context
	cdc codec.Codec

	accounts authkeeper.AccountKeeper
	bank     bankkeeper.BaseKeeper
	distr    distrkeeper.Keeper
	scoped   capabilitykeeper.ScopedKeeper
	ibc      *fakeIBC
	transfer *fakeTransfer
	staking  *fakeStaking
	virtual  *fakeVirtual

	k       *keeper.Keeper
	msgs    types.MsgServer
	queries types.QueryServer
	module  converter.IBCModule
	app     converter.AppModule
	rewards converter.RewardMiddleware
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	keys := storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey, distrtypes.StoreKey, capabilitytypes.StoreKey, types.StoreKey)
	memKeys := storetypes.NewMemoryStoreKeys(capabilitytypes.MemStoreKey)
	ctx := testutil.DefaultContextWithKeys(keys, nil, memKeys).WithBlockHeight(100).WithBlockTime(start).WithChainID("consumer-1")
	enc := moduletestutil.MakeTestEncodingConfig(auth.AppModuleBasic{}, vesting.AppModuleBasic{}, bank.AppModuleBasic{})
	types.RegisterInterfaces(enc.InterfaceRegistry)
	service := func(name string) *storetypes.KVStoreKey { return keys[name] }

	f := &fixture{t: t, cdc: enc.Codec}
	f.accounts = authkeeper.NewAccountKeeper(enc.Codec, runtime.NewKVStoreService(service(authtypes.StoreKey)), authtypes.ProtoBaseAccount,
		map[string][]string{
			distrtypes.ModuleName: nil, minttypes.ModuleName: {authtypes.Minter}, authtypes.FeeCollectorName: nil,
		}, address.NewBech32Codec("cosmos"), "cosmos", authority.String())
	f.bank = bankkeeper.NewBaseKeeper(enc.Codec, runtime.NewKVStoreService(service(banktypes.StoreKey)), f.accounts, nil, authority.String(), log.NewNopLogger())
	f.distr = distrkeeper.NewKeeper(enc.Codec, runtime.NewKVStoreService(service(distrtypes.StoreKey)), f.accounts, f.bank, nil, authtypes.FeeCollectorName, authority.String())
	require.NoError(t, f.accounts.Params.Set(ctx, authtypes.DefaultParams()))
	require.NoError(t, f.bank.SetParams(ctx, banktypes.DefaultParams()))
	require.NoError(t, f.distr.FeePool.Set(ctx, distrtypes.InitialFeePool()))

	capabilities := capabilitykeeper.NewKeeper(enc.Codec, keys[capabilitytypes.StoreKey], memKeys[capabilitytypes.MemStoreKey])
	scopedIBC := capabilities.ScopeToModule(exported.ModuleName)
	f.scoped = capabilities.ScopeToModule(types.ModuleName)
	capabilities.InitMemStore(ctx)
	ports := portkeeper.NewKeeper(scopedIBC)

	f.ibc = newFakeIBC(scopedIBC)
	f.transfer = &fakeTransfer{bank: f.bank}
	f.staking = &fakeStaking{unbonding: 21 * 24 * time.Hour}
	f.virtual = &fakeVirtual{sources: map[uint64]sdk.AccAddress{}, applied: map[uint64]control.Applied{}, capped: map[uint64]bool{}, reset: map[uint64]int64{}, heard: map[uint64]int{}}

	f.k = keeper.NewKeeper(enc.Codec, runtime.NewKVStoreService(keys[types.StoreKey]),
		f.accounts, f.bank, f.staking, f.distr, f.ibc, f.ibc, f.ibc, &ports, f.scoped, f.transfer, f.virtual, authority.String())
	f.msgs, f.queries = keeper.NewMsgServer(f.k), keeper.NewQueryServer(f.k)
	f.module, f.app = converter.NewIBCModule(f.k), converter.NewAppModule(enc.Codec, f.k)
	f.rewards = converter.NewRewardMiddleware(&fakeTransferApp{bank: f.bank}, f.k)
	f.ctx = ctx
	require.NoError(t, f.k.InitGenesis(ctx, *types.DefaultGenesis()))
	f.fund(alice, sdk.NewInt64Coin(bondDenom, 1_000))
	f.clear()
	t.Cleanup(func() { require.NoError(t, invariant.CheckAll(f.ctx, f.k.Invariants())) })
	return f
}

func (f *fixture) clear() { f.ctx = f.ctx.WithEventManager(sdk.NewEventManager()) }

func (f *fixture) fund(addr sdk.AccAddress, coins ...sdk.Coin) {
	f.t.Helper()
	minted := sdk.NewCoins(coins...)
	require.NoError(f.t, f.bank.MintCoins(f.ctx, minttypes.ModuleName, minted))
	require.NoError(f.t, f.bank.SendCoinsFromModuleToAccount(f.ctx, minttypes.ModuleName, addr, minted))
}

// pass lets blocks and time pass.
func (f *fixture) pass(blocks int64, d time.Duration) {
	f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + blocks).WithBlockTime(f.ctx.BlockTime().Add(d))
}

// events returns the typed events of want's type since the last clear.
func events[T proto.Message](f *fixture, want T) []T {
	f.t.Helper()
	var found []T
	for _, e := range f.ctx.EventManager().ABCIEvents() {
		if e.Type != proto.MessageName(want) {
			continue
		}
		msg, err := sdk.ParseTypedEvent(e)
		require.NoError(f.t, err)
		found = append(found, msg.(T))
	}
	return found
}

// exported is the whole state, to show that nothing was written.
func (f *fixture) exported() string {
	f.t.Helper()
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	bz, err := f.cdc.MarshalJSON(gs)
	require.NoError(f.t, err)
	return string(bz)
}

func (f *fixture) converter(id uint64) types.Converter {
	f.t.Helper()
	c, err := f.k.GetConverter(f.ctx, id)
	require.NoError(f.t, err)
	return c
}

func newMsg() *types.MsgCreateConverter {
	return &types.MsgCreateConverter{
		Sender: alice.String(), ConnectionID: connection, ProviderDenom: "uprov",
		Discount: math.LegacyMustNewDecFromStr("0.1"), TransferChannel: transfer,
	}
}

// create makes a converter of alice's that allows provider to open its channel.
func (f *fixture) create() uint64 {
	f.t.Helper()
	res, err := f.msgs.CreateConverter(f.ctx, newMsg())
	require.NoError(f.t, err)
	_, err = f.msgs.UpdateConverter(f.ctx, &types.MsgUpdateConverter{Sender: alice.String(), ConverterID: res.ConverterID, CounterpartyPort: provider})
	require.NoError(f.t, err)
	return res.ConverterID
}

// init starts a handshake as core IBC does and returns the channel and the version proposed.
func (f *fixture) init(id uint64) (channelID, version string, err error) {
	return f.initWith(id, channeltypes.ORDERED, []string{connection}, provider, "")
}

func (f *fixture) initWith(id uint64, order channeltypes.Order, hops []string, counterparty, proposed string) (channelID, version string, err error) {
	f.t.Helper()
	port := types.PortID(id)
	f.ibc.handshakes++
	channelID = fmt.Sprintf("channel-%d", f.ibc.handshakes)
	capability, err := f.ibc.scoped.NewCapability(f.ctx, host.ChannelCapabilityPath(port, channelID))
	require.NoError(f.t, err)
	version, err = f.module.OnChanOpenInit(f.ctx, order, hops, port, channelID, capability, channeltypes.NewCounterparty(counterparty, ""), proposed)
	if err == nil {
		f.ibc.set(port, channelID, channeltypes.NewChannel(channeltypes.INIT, order, channeltypes.NewCounterparty(counterparty, ""), hops, version))
	}
	return channelID, version, err
}

// answer is what an honest provider answers.
func (f *fixture) answer(version string) control.Metadata {
	f.t.Helper()
	proposal, err := control.ParseMetadata(version)
	require.NoError(f.t, err)
	answer, err := control.Answer(proposal, 7, receiver)
	require.NoError(f.t, err)
	return answer
}

// ack ends a handshake as core IBC does: the channel is open before the callback runs, and an error undoes that.
func (f *fixture) ack(id uint64, channelID string, answer control.Metadata) error {
	f.t.Helper()
	version, err := answer.Encode()
	require.NoError(f.t, err)
	port := types.PortID(id)
	before := f.ibc.channel(port, channelID)
	opened := before
	opened.State, opened.Version, opened.Counterparty.ChannelId = channeltypes.OPEN, version, "channel-9"
	f.ibc.set(port, channelID, opened)
	if err := f.module.OnChanOpenAck(f.ctx, port, channelID, "channel-9", version); err != nil {
		f.ibc.set(port, channelID, before)
		return err
	}
	return nil
}

// open makes a converter with an open control channel.
func (f *fixture) open() (id uint64, channelID string) {
	f.t.Helper()
	id = f.create()
	return id, f.reopen(id)
}

func (f *fixture) reopen(id uint64) (channelID string) {
	f.t.Helper()
	channelID, version, err := f.init(id)
	require.NoError(f.t, err)
	require.NoError(f.t, f.ack(id, channelID, f.answer(version)))
	return channelID
}

// timeOut closes the channel as core IBC does when a packet times out.
func (f *fixture) timeOut(id uint64, channelID string) {
	f.t.Helper()
	port := types.PortID(id)
	c := f.ibc.channel(port, channelID)
	c.State = channeltypes.CLOSED
	f.ibc.set(port, channelID, c)
	require.NoError(f.t, f.module.OnTimeoutPacket(f.ctx, channeltypes.Packet{SourcePort: port, SourceChannel: channelID, Sequence: 1}, nil))
}

// receive delivers packet data as core IBC does: a refused packet leaves no writes.
func (f *fixture) receive(id uint64, channelID string, data []byte) exported.Acknowledgement {
	f.t.Helper()
	f.ibc.received++
	cached, write := f.ctx.CacheContext()
	ack := f.module.OnRecvPacket(cached, channeltypes.Packet{
		SourcePort: provider, SourceChannel: "channel-9", DestinationPort: types.PortID(id), DestinationChannel: channelID,
		Sequence: f.ibc.received, Data: data,
	}, nil)
	if ack.Success() {
		write()
	} else {
		f.ctx.EventManager().EmitEvents(cached.EventManager().Events())
	}
	return ack
}

// sync delivers a StakeSync and returns its acknowledgement, or why it was refused.
func (f *fixture) sync(id uint64, channelID string, s control.StakeSync) (control.StakeSyncAck, string) {
	f.t.Helper()
	data, err := control.EncodeStakeSync(s)
	require.NoError(f.t, err)
	ack, refused, err := control.ParseStakeSyncAck(f.receive(id, channelID, data).Acknowledgement())
	require.NoError(f.t, err)
	return ack, refused
}

func stake(entries ...any) []control.StakeEntry {
	var list []control.StakeEntry
	for i := 0; i < len(entries); i += 2 {
		list = append(list, control.StakeEntry{Validator: entries[i].(string), Stake: math.NewInt(int64(entries[i+1].(int)))})
	}
	return list
}

// counted is all stake that counts for a converter.
func (f *fixture) counted(id uint64) map[string]int64 {
	f.t.Helper()
	res, err := f.queries.RemoteStake(f.ctx, &types.QueryRemoteStakeRequest{ConverterId: id})
	require.NoError(f.t, err)
	counted, total := map[string]int64{}, math.ZeroInt()
	for _, s := range res.Stake {
		counted[s.Validator] = s.Stake.Int64()
		total = total.Add(s.Stake)
	}
	require.Equal(f.t, total.String(), res.Total.String())
	return counted
}

// fakeIBC keeps connections, clients and channels, and the packets sent.
type fakeIBC struct {
	scoped   capabilitykeeper.ScopedKeeper
	status   exported.Status
	channels map[string]channeltypes.Channel
	acked    map[string]uint64
	sent     []channeltypes.Packet
	received uint64
	// handshakes numbers the channels.
	handshakes int
	fail       error
}

func newFakeIBC(scoped capabilitykeeper.ScopedKeeper) *fakeIBC {
	f := &fakeIBC{scoped: scoped, status: exported.Active, channels: map[string]channeltypes.Channel{}, acked: map[string]uint64{}}
	f.set(transfertypes.PortID, transfer, channeltypes.NewChannel(channeltypes.OPEN, channeltypes.UNORDERED,
		channeltypes.NewCounterparty(transfertypes.PortID, "channel-5"), []string{connection}, transfertypes.Version))
	return f
}

func (f *fakeIBC) set(port, id string, c channeltypes.Channel) { f.channels[port+"/"+id] = c }

func (f *fakeIBC) channel(port, id string) channeltypes.Channel { return f.channels[port+"/"+id] }

func (f *fakeIBC) GetClientState(sdk.Context, string) (exported.ClientState, bool) {
	return &ibctm.ClientState{ChainId: "provider-1"}, true
}

func (f *fakeIBC) GetClientStatus(sdk.Context, exported.ClientState, string) exported.Status {
	return f.status
}

func (f *fakeIBC) GetConnection(_ sdk.Context, id string) (connectiontypes.ConnectionEnd, bool) {
	return connectiontypes.ConnectionEnd{ClientId: client, State: connectiontypes.OPEN}, id == connection
}

func (f *fakeIBC) GetChannel(_ sdk.Context, port, id string) (channeltypes.Channel, bool) {
	c, found := f.channels[port+"/"+id]
	return c, found
}

func (f *fakeIBC) GetNextSequenceSend(_ sdk.Context, port, id string) (uint64, bool) {
	next := uint64(1)
	for _, p := range f.sent {
		if p.SourcePort == port && p.SourceChannel == id {
			next++
		}
	}
	return next, true
}

func (f *fakeIBC) GetNextSequenceAck(_ sdk.Context, port, id string) (uint64, bool) {
	return f.acked[port+"/"+id] + 1, true
}

func (f *fakeIBC) SendPacket(
	ctx sdk.Context, capability *capabilitytypes.Capability, port, id string, _ clienttypes.Height, timeout uint64, data []byte,
) (uint64, error) {
	if f.fail != nil {
		return 0, f.fail
	}
	if !f.scoped.AuthenticateCapability(ctx, capability, host.ChannelCapabilityPath(port, id)) {
		return 0, errors.New("capability is not ours")
	}
	sequence, _ := f.GetNextSequenceSend(ctx, port, id)
	f.sent = append(f.sent, channeltypes.Packet{SourcePort: port, SourceChannel: id, Sequence: sequence, Data: data, TimeoutTimestamp: timeout})
	return sequence, nil
}

func (f *fakeIBC) ChanCloseInit(ctx sdk.Context, port, id string, capability *capabilitytypes.Capability) error {
	if !f.scoped.AuthenticateCapability(ctx, capability, host.ChannelCapabilityPath(port, id)) {
		return errors.New("capability is not ours")
	}
	c := f.channel(port, id)
	if c.State == channeltypes.CLOSED {
		return channeltypes.ErrInvalidChannelState
	}
	c.State = channeltypes.CLOSED
	f.set(port, id, c)
	return nil
}

// reports decodes what was sent since the last call.
func (f *fixture) reports() []control.ValidatorSync {
	f.t.Helper()
	var reports []control.ValidatorSync
	for _, p := range f.ibc.sent[f.virtual.read:] {
		s, err := control.DecodeValidatorSync(p.Data)
		require.NoError(f.t, err)
		reports = append(reports, s)
	}
	f.virtual.read = len(f.ibc.sent)
	return reports
}

// fakeTransfer escrows like the transfer keeper and keeps the messages.
type fakeTransfer struct {
	bank bankkeeper.Keeper
	sent []*transfertypes.MsgTransfer
	fail error
}

func (f *fakeTransfer) Transfer(ctx context.Context, msg *transfertypes.MsgTransfer) (*transfertypes.MsgTransferResponse, error) {
	if err := f.bank.SendCoins(ctx, sdk.MustAccAddressFromBech32(msg.Sender), escrow, sdk.NewCoins(msg.Token)); err != nil {
		return nil, err
	}
	if f.fail != nil {
		return nil, f.fail
	}
	f.sent = append(f.sent, msg)
	return &transfertypes.MsgTransferResponse{Sequence: uint64(len(f.sent))}, nil
}

// fakeTransferApp refunds like the transfer app; the packet's data is the refund's coins and the sender.
type fakeTransferApp struct {
	converter.IBCModule
	bank     bankkeeper.Keeper
	calls    int
	fail     error
	upgraded bool
}

func (a *fakeTransferApp) refund(ctx sdk.Context, packet channeltypes.Packet) error {
	a.calls++
	if a.fail != nil {
		return a.fail
	}
	var data transfertypes.FungibleTokenPacketData
	if err := transfertypes.ModuleCdc.UnmarshalJSON(packet.Data, &data); err != nil {
		return err
	}
	amount, _ := math.NewIntFromString(data.Amount)
	return a.bank.SendCoins(ctx, escrow, sdk.MustAccAddressFromBech32(data.Sender), sdk.NewCoins(sdk.NewCoin(data.Denom, amount)))
}

func (a *fakeTransferApp) OnAcknowledgementPacket(ctx sdk.Context, packet channeltypes.Packet, bz []byte, _ sdk.AccAddress) error {
	var ack channeltypes.Acknowledgement
	if err := transfertypes.ModuleCdc.UnmarshalJSON(bz, &ack); err != nil {
		return err
	}
	if ack.Success() {
		a.calls++
		return a.fail
	}
	return a.refund(ctx, packet)
}

func (a *fakeTransferApp) OnTimeoutPacket(ctx sdk.Context, packet channeltypes.Packet, _ sdk.AccAddress) error {
	return a.refund(ctx, packet)
}

func (a *fakeTransferApp) OnChanUpgradeInit(_ sdk.Context, _, _ string, _ channeltypes.Order, _ []string, version string) (string, error) {
	return version, nil
}

func (a *fakeTransferApp) OnChanUpgradeTry(_ sdk.Context, _, _ string, _ channeltypes.Order, _ []string, version string) (string, error) {
	return version, nil
}

func (a *fakeTransferApp) OnChanUpgradeAck(sdk.Context, string, string, string) error { return a.fail }

func (a *fakeTransferApp) OnChanUpgradeOpen(sdk.Context, string, string, channeltypes.Order, []string, string) {
	a.upgraded = true
}

func (a *fakeTransferApp) UnmarshalPacketData(bz []byte) (interface{}, error) { return string(bz), nil }

// packet is the IBC packet of a transfer message.
func packet(sequence uint64, msg *transfertypes.MsgTransfer) channeltypes.Packet {
	data := transfertypes.NewFungibleTokenPacketData(msg.Token.Denom, msg.Token.Amount.String(), msg.Sender, msg.Receiver, msg.Memo)
	return channeltypes.Packet{SourcePort: msg.SourcePort, SourceChannel: msg.SourceChannel, Sequence: sequence, Data: data.GetBytes()}
}

type fakeStaking struct{ unbonding time.Duration }

func (*fakeStaking) BondDenom(context.Context) (string, error) { return bondDenom, nil }

func (f *fakeStaking) UnbondingTime(context.Context) (time.Duration, error) { return f.unbonding, nil }

// fakeVirtual is an index of validators, and what the converter asked for.
type fakeVirtual struct {
	sources map[uint64]sdk.AccAddress
	records []virtualstakingtypes.ValidatorRecord
	next    uint64
	applied map[uint64]control.Applied
	capped  map[uint64]bool
	// reset is the epoch for which a source needs a snapshot; heard counts the snapshots.
	reset  map[uint64]int64
	heard  map[uint64]int
	panics bool
	fail   error
	read   int
}

func (f *fakeVirtual) CreateSource(_ context.Context, id uint64, account sdk.AccAddress) error {
	f.sources[id] = account
	return f.fail
}

func (f *fakeVirtual) CappedSources(context.Context) ([]uint64, error) {
	var ids []uint64
	for id, capped := range f.capped {
		if capped {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// change records a validator's new status at the end of the index.
func (f *fakeVirtual) change(validator string, status control.ValidatorStatus) {
	f.next++
	kept := f.records[:0:0]
	for _, r := range f.records {
		if r.Update.Validator != validator {
			kept = append(kept, r)
		}
	}
	f.records = append(kept, virtualstakingtypes.ValidatorRecord{
		Update:   control.ValidatorUpdate{Validator: validator, ConsPubkey: make([]byte, 32), Status: status},
		Sequence: f.next,
	})
}

func (f *fakeVirtual) ValidatorChanges(_ context.Context, after uint64, limit int) ([]virtualstakingtypes.ValidatorRecord, error) {
	if f.fail != nil {
		return nil, f.fail
	}
	var changes []virtualstakingtypes.ValidatorRecord
	for _, r := range f.records {
		if r.Sequence > after && len(changes) < limit {
			changes = append(changes, r)
		}
	}
	return changes, nil
}

func (f *fakeVirtual) ValidatorStatus(_ context.Context, operator string) (control.ValidatorStatus, error) {
	if f.panics {
		panic("staking call")
	}
	for _, r := range f.records {
		if r.Update.Validator == operator {
			return r.Update.Status, nil
		}
	}
	return control.StatusUnspecified, nil
}

func (f *fakeVirtual) Applied(_ context.Context, id uint64) (*control.Applied, error) {
	if a, found := f.applied[id]; found {
		return &a, nil
	}
	return nil, nil
}

func (f *fakeVirtual) ResetEpoch(_ context.Context, id uint64) (int64, error) {
	return f.reset[id], nil
}

func (f *fakeVirtual) Heard(_ context.Context, id uint64) error {
	if f.fail != nil {
		return f.fail
	}
	delete(f.reset, id)
	f.heard[id]++
	return nil
}
