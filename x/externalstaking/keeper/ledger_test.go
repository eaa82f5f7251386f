package keeper_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	"cosmossdk.io/log"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/gogoproto/proto"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	connectiontypes "github.com/cosmos/ibc-go/v8/modules/core/03-connection/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
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
	stakeDenom      = "stake"
	ledgerUnbonding = 21 * 24 * time.Hour
	controlChannel  = "channel-1"
	rewardChannel   = "channel-0"
)

var (
	ann = sdk.AccAddress("ann_________________")
	ben = sdk.AccAddress("ben_________________")
	eve = sdk.AccAddress("eve_________________")
)

// tester is what tests and property tests have in common.
type tester interface {
	require.TestingT
	Helper()
}

// ledger is the provider's side over the SDK's own auth, bank and staking keepers and the real vault; only IBC and the
// community pool are fakes, which keep their state in a store.
type ledger struct {
	t     tester
	ctx   sdk.Context
	bank  bankkeeper.BaseKeeper
	vault *vaultkeeper.Keeper
	liens vaultkeeper.Handle
	k     *keeper.Keeper
	ibc   *fakeIBC
	store storetypes.StoreKey
	msgs  types.MsgServer
	query types.QueryServer
}

func newLedger(t tester) *ledger {
	keys := storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, vaulttypes.StoreKey, types.StoreKey, "ibc")
	enc := moduletestutil.MakeTestEncodingConfig(auth.AppModuleBasic{}, bank.AppModuleBasic{}, staking.AppModuleBasic{}, vault.AppModuleBasic{}, externalstaking.AppModuleBasic{})
	service := func(name string) store.KVStoreService { return runtime.NewKVStoreService(keys[name]) }
	authority := authtypes.NewModuleAddress(govtypes.ModuleName).String()
	accounts := authkeeper.NewAccountKeeper(enc.Codec, service(authtypes.StoreKey), authtypes.ProtoBaseAccount, map[string][]string{
		authtypes.FeeCollectorName:     nil,
		vaulttypes.ModuleName:          {authtypes.Burner},
		minttypes.ModuleName:           {authtypes.Minter},
		stakingtypes.BondedPoolName:    {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName: {authtypes.Burner, authtypes.Staking},
	}, address.NewBech32Codec("cosmos"), "cosmos", authority)
	l := &ledger{
		t:     t,
		ctx:   testutil.DefaultContextWithKeys(keys, nil, nil).WithBlockTime(time.Unix(1_700_000_000, 0).UTC()).WithBlockHeight(10),
		bank:  bankkeeper.NewBaseKeeper(enc.Codec, service(banktypes.StoreKey), accounts, nil, authority, log.NewNopLogger()),
		ibc:   &fakeIBC{key: keys["ibc"], status: exported.Active, channel: channeltypes.OPEN, latest: 5},
		store: keys[types.StoreKey],
	}
	stakingKeeper := stakingkeeper.NewKeeper(enc.Codec, service(stakingtypes.StoreKey), accounts, l.bank, authority,
		address.NewBech32Codec("cosmosvaloper"), address.NewBech32Codec("cosmosvalcons"))
	// There is no local stake, so nothing is asked of x/slashing and x/distribution.
	l.vault = vaultkeeper.NewKeeper(enc.Codec, service(vaulttypes.StoreKey), accounts, l.bank, stakingKeeper, nil, nil, authority)
	l.k = keeper.NewKeeper(enc.Codec, service(types.StoreKey), accounts, l.bank, fakePool{l.bank}, l.ibc, l.ibc, l.ibc, l.ibc, l.ibc, authority)
	l.liens = l.vault.RegisterHolder(types.LienPrefix, l.k)
	l.k.SetVault(l.liens)
	l.msgs, l.query = keeper.NewMsgServer(l.k), keeper.NewQuerier(l.k)

	require.NoError(t, accounts.Params.Set(l.ctx, authtypes.DefaultParams()))
	require.NoError(t, l.bank.SetParams(l.ctx, banktypes.DefaultParams()))
	params := stakingtypes.DefaultParams()
	params.BondDenom = stakeDenom
	require.NoError(t, stakingKeeper.SetParams(l.ctx, params))
	require.NoError(t, l.vault.InitGenesis(l.ctx, *vaulttypes.DefaultGenesis()))
	require.NoError(t, l.k.Params.Set(l.ctx, types.DefaultParams()))
	// Tests choose the ids of their consumers, below this.
	require.NoError(t, l.k.NextConsumerID.Set(l.ctx, 1_000))
	for _, user := range []sdk.AccAddress{ann, ben, eve} {
		l.deposit(user, 1_000_000)
	}
	return l
}

// newOpenLedger has consumer 1 with an open channel and the active validators val1 and val2.
func newOpenLedger(t tester) *ledger {
	l := newLedger(t)
	l.addConsumer(1)
	l.report(1, control.StatusActive, "val1", "val2")
	return l
}

func (l *ledger) addConsumer(id uint64) {
	require.NoError(l.t, l.k.Consumers.Set(l.ctx, id, types.Consumer{
		ID: id, Name: "consumer", ConnectionID: "connection-0", ClientID: "client", ChainID: "consumer-1", CounterpartyPort: "converter.1",
		TransferChannel: rewardChannel, UnbondingPeriod: ledgerUnbonding, SlashFraction: math.LegacyNewDecWithPrec(2, 1), MinStake: math.NewInt(10),
		Status: types.ConsumerOpen, ChannelID: channelOf(id), Denom: "ucon",
	}))
	require.NoError(l.t, l.k.Syncs.Set(l.ctx, id, types.SyncState{Round: 1, Complete: true}))
	require.NoError(l.t, l.k.Outboxes.Set(l.ctx, id, types.NewOutboxState()))
	require.NoError(l.t, l.k.RewardReceivers.Set(l.ctx, types.RewardReceiver(id), id))
}

// channelOf is the control channel of a consumer: channel-1 for consumer 1.
func channelOf(id uint64) string { return fmt.Sprintf("channel-%d", id) }

// report has the consumer report the validators' status, through its channel.
func (l *ledger) report(consumer uint64, status control.ValidatorStatus, validators ...string) {
	l.t.Helper()
	sync := control.ValidatorSync{Height: clienttypes.NewHeight(1, 5), UnbondingPeriod: ledgerUnbonding}
	for _, v := range validators {
		sync.Validators = append(sync.Validators, control.ValidatorUpdate{Validator: v, ConsPubkey: keyOf(v).PubKey().Bytes(), Status: status})
	}
	bz, err := control.EncodeValidatorSync(sync)
	require.NoError(l.t, err)
	require.NoError(l.t, l.k.ReceivePacket(l.ctx, types.Port(consumer), l.bound(consumer).ChannelID, bz))
}

// bound is a consumer as stored.
func (l *ledger) bound(id uint64) types.Consumer {
	l.t.Helper()
	consumer, err := l.k.GetConsumer(l.ctx, id)
	require.NoError(l.t, err)
	return consumer
}

func (l *ledger) fund(to sdk.AccAddress, coin sdk.Coin) {
	require.NoError(l.t, l.bank.MintCoins(l.ctx, minttypes.ModuleName, sdk.NewCoins(coin)))
	require.NoError(l.t, l.bank.SendCoinsFromModuleToAccount(l.ctx, minttypes.ModuleName, to, sdk.NewCoins(coin)))
}

func (l *ledger) deposit(user sdk.AccAddress, amount int64) {
	coin := sdk.NewInt64Coin(stakeDenom, amount)
	l.fund(user, coin)
	_, err := l.vault.Deposit(l.ctx, user, coin)
	require.NoError(l.t, err)
}

// tx runs a message as a transaction would: its writes stay only if it succeeds. It returns the events.
func (l *ledger) tx(fn func(ctx context.Context) error) (sdk.Events, error) {
	ctx, write := l.ctx.WithEventManager(sdk.NewEventManager()).CacheContext()
	if err := fn(ctx); err != nil {
		return nil, err
	}
	write()
	return ctx.EventManager().Events(), nil
}

func (l *ledger) stake(user sdk.AccAddress, validator string, amount int64) error {
	return l.stakeOn(1, user, validator, amount)
}

func (l *ledger) stakeOn(consumer uint64, user sdk.AccAddress, validator string, amount int64) error {
	_, err := l.tx(func(ctx context.Context) error {
		_, err := l.msgs.Stake(ctx, &types.MsgStake{User: user.String(), ConsumerID: consumer, Validator: validator, Amount: sdk.NewInt64Coin(stakeDenom, amount)})
		return err
	})
	return err
}

func (l *ledger) unstake(user sdk.AccAddress, validator string, amount int64) error {
	return l.unstakeOn(1, user, validator, amount)
}

func (l *ledger) unstakeOn(consumer uint64, user sdk.AccAddress, validator string, amount int64) error {
	_, err := l.tx(func(ctx context.Context) error {
		_, err := l.msgs.Unstake(ctx, &types.MsgUnstake{User: user.String(), ConsumerID: consumer, Validator: validator, Amount: sdk.NewInt64Coin(stakeDenom, amount)})
		return err
	})
	return err
}

func (l *ledger) withdrawRewards(user sdk.AccAddress, validator string) (paid sdk.Coins, err error) {
	_, err = l.tx(func(ctx context.Context) error {
		res, err := l.msgs.WithdrawRewards(ctx, &types.MsgWithdrawRewards{User: user.String(), ConsumerID: 1, Validator: validator})
		if err == nil {
			paid = res.Amount
		}
		return err
	})
	return paid, err
}

// endBlock ends the block, asserts the invariants, begins the next one 5 seconds later and returns the events.
func (l *ledger) endBlock() sdk.Events {
	l.t.Helper()
	ctx := l.ctx.WithEventManager(sdk.NewEventManager())
	l.k.EndBlock(ctx)
	l.holds()
	l.pass(5 * time.Second)
	return ctx.EventManager().Events()
}

func (l *ledger) pass(d time.Duration) {
	l.ctx = l.ctx.WithBlockTime(l.ctx.BlockTime().Add(d)).WithBlockHeight(l.ctx.BlockHeight() + 1)
}

func (l *ledger) holds() {
	l.t.Helper()
	require.NoError(l.t, invariant.CheckAll(l.ctx, l.k.Invariants()))
	require.NoError(l.t, invariant.CheckAll(l.ctx, l.vault.Invariants()))
}

// packets are those in flight, oldest first.
func (l *ledger) packets(consumer uint64) []sentPacket { return l.ibc.packets(l.ctx, consumer) }

// ack answers the oldest packet of consumer 1 in flight and returns the events.
func (l *ledger) ack(ack channeltypes.Acknowledgement) sdk.Events {
	l.t.Helper()
	return l.ackBytes(ack.Acknowledgement())
}

func (l *ledger) ackBytes(bz []byte) sdk.Events {
	l.t.Helper()
	p := l.packets(1)[0]
	l.ibc.remove(l.ctx, 1, p.sequence)
	ctx := l.ctx.WithEventManager(sdk.NewEventManager())
	l.k.AcknowledgePacket(ctx, p.channel, p.sequence, bz)
	l.holds()
	return ctx.EventManager().Events()
}

// accept is the result of consumer 1's oldest packet all of which was applied, but for some validators, with the total the
// provider expects.
func (l *ledger) accept(rejected ...string) channeltypes.Acknowledgement {
	l.t.Helper()
	return l.acceptOn(1, l.packets(1)[0], rejected...)
}

func (l *ledger) acceptOn(consumer uint64, packet sentPacket, rejected ...string) channeltypes.Acknowledgement {
	l.t.Helper()
	outbox, err := l.k.Outboxes.Get(l.ctx, consumer)
	require.NoError(l.t, err)
	res, refused := control.StakeSyncAck{Height: clienttypes.NewHeight(1, 5), Total: outbox.Synced}, map[string]bool{}
	for _, v := range rejected {
		refused[v] = true
		res.Rejected = append(res.Rejected, control.Rejection{Validator: v, Reason: control.RejectTombstoned})
	}
	for _, e := range packet.sync.Entries {
		if !refused[e.Validator] {
			res.Total = res.Total.Add(e.Stake).Sub(l.poolOn(consumer, e.Validator).Synced)
		}
	}
	ack, err := control.StakeSyncResult(res)
	require.NoError(l.t, err)
	return ack
}

// acceptAll lets a consumer accept everything in flight, but for some validators, and returns the events.
func (l *ledger) acceptAll(consumer uint64, rejected ...string) sdk.Events {
	l.t.Helper()
	ctx := l.ctx.WithEventManager(sdk.NewEventManager())
	for _, p := range l.packets(consumer) {
		ack := l.acceptOn(consumer, p, rejected...)
		l.ibc.remove(l.ctx, consumer, p.sequence)
		l.k.AcknowledgePacket(ctx, p.channel, p.sequence, ack.Acknowledgement())
	}
	l.holds()
	return ctx.EventManager().Events()
}

// bond stakes, sends and has it accepted.
func (l *ledger) bond(user sdk.AccAddress, validator string, amount int64) {
	l.t.Helper()
	l.bondOn(1, user, validator, amount)
}

func (l *ledger) bondOn(consumer uint64, user sdk.AccAddress, validator string, amount int64) {
	l.t.Helper()
	require.NoError(l.t, l.stakeOn(consumer, user, validator, amount))
	l.endBlock()
	l.acceptAll(consumer)
}

func (l *ledger) pool(validator string) types.Pool { return l.poolOn(1, validator) }

func (l *ledger) poolOn(consumer uint64, validator string) types.Pool {
	l.t.Helper()
	pool, err := l.k.Pools.Get(l.ctx, collections.Join(consumer, validator))
	if errors.Is(err, collections.ErrNotFound) {
		return types.NewPool()
	}
	require.NoError(l.t, err)
	return pool
}

// position is what the query says; found is false if there is none.
func (l *ledger) position(user sdk.AccAddress, validator string) (info types.PositionInfo, found bool) {
	l.t.Helper()
	res, err := l.query.Position(l.ctx, &types.QueryPositionRequest{User: user.String(), ConsumerId: 1, Validator: validator})
	if errors.Is(err, types.ErrUnknownPosition) {
		return types.PositionInfo{}, false
	}
	require.NoError(l.t, err)
	return res.Position, true
}

func (l *ledger) lien(user sdk.AccAddress) int64 { return l.lienOn(1, user) }

// lienOn is the lien as stored.
func (l *ledger) lienOn(consumer uint64, user sdk.AccAddress) int64 {
	l.t.Helper()
	lien, err := l.liens.Lien(l.ctx, user, types.LienID(consumer))
	require.NoError(l.t, err)
	return lien.Int64()
}

// collateral is the user's as stored.
func (l *ledger) collateral(user sdk.AccAddress) int64 {
	l.t.Helper()
	account, err := l.vault.Account(l.ctx, user)
	require.NoError(l.t, err)
	return account.Collateral.Int64()
}

// want asserts a position's bonded, pending stake and pending unstake, and the lien behind it.
func (l *ledger) want(user sdk.AccAddress, validator string, bonded, stake, unstake, lien int64) {
	l.t.Helper()
	p, _ := l.position(user, validator)
	got := []int64{0, 0, 0, l.lien(user)}
	for i, amount := range []math.Int{p.Bonded, p.PendingStake, p.PendingUnstake} {
		if !amount.IsNil() {
			got[i] = amount.Int64()
		}
	}
	require.Equal(l.t, []int64{bonded, stake, unstake, lien}, got)
}

// hasTyped asserts that want is among events.
func (l *ledger) hasTyped(events sdk.Events, want proto.Message) {
	l.t.Helper()
	event, err := sdk.TypedEventToEvent(want)
	require.NoError(l.t, err)
	require.Contains(l.t, events, event)
}

// fakePool is the community pool: an account.
type fakePool struct{ bank bankkeeper.BaseKeeper }

var communityPool = sdk.AccAddress("community___________")

func (p fakePool) FundCommunityPool(ctx context.Context, amount sdk.Coins, sender sdk.AccAddress) error {
	return p.bank.SendCoins(ctx, sender, communityPool, amount)
}

// fakeIBC is core IBC: what is sent stays in flight until it is removed.
type fakeIBC struct {
	key     storetypes.StoreKey
	status  exported.Status
	channel channeltypes.State
	// latest is the height that every light client has seen.
	latest uint64
	// transferChannels makes every channel of the transfer port an open, unordered one.
	transferChannels bool
	// version is what was agreed for the channel that is being opened.
	version string
}

type sentPacket struct {
	channel  string
	sequence uint64
	timeout  uint64
	data     []byte
	sync     control.StakeSync
}

// packetKey is that of a packet of any channel of a port: sequences go on over channels.
func packetKey(port string, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("packet/"+port+"/"), sequence)
}

func channelOfKey(port string, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("channel/"+port+"/"), sequence)
}

func (f *fakeIBC) SendPacket(ctx sdk.Context, _ *capabilitytypes.Capability, port, channel string, height clienttypes.Height, timeout uint64, data []byte) (uint64, error) {
	if f.channel != channeltypes.OPEN || !height.IsZero() || timeout == 0 {
		return 0, channeltypes.ErrInvalidPacket
	}
	s, sequence := ctx.KVStore(f.key), uint64(1)
	if bz := s.Get([]byte(port)); bz != nil {
		sequence = binary.BigEndian.Uint64(bz) + 1
	}
	s.Set([]byte(port), binary.BigEndian.AppendUint64(nil, sequence))
	s.Set(channelOfKey(port, sequence), []byte(channel))
	s.Set(packetKey(port, sequence), binary.BigEndian.AppendUint64(data[:len(data):len(data)], timeout))
	return sequence, nil
}

func (f *fakeIBC) packets(ctx sdk.Context, consumer uint64) []sentPacket {
	var sent []sentPacket
	prefix := []byte("packet/" + types.Port(consumer) + "/")
	it := storetypes.KVStorePrefixIterator(ctx.KVStore(f.key), prefix)
	defer it.Close()
	for ; it.Valid(); it.Next() {
		n := len(it.Value()) - 8
		sync, err := control.DecodeStakeSync(it.Value()[:n])
		if err != nil {
			panic(err)
		}
		sequence := binary.BigEndian.Uint64(it.Key()[len(prefix):])
		sent = append(sent, sentPacket{
			channel:  string(ctx.KVStore(f.key).Get(channelOfKey(types.Port(consumer), sequence))),
			sequence: sequence, timeout: binary.BigEndian.Uint64(it.Value()[n:]), data: it.Value()[:n], sync: sync,
		})
	}
	return sent
}

func (f *fakeIBC) remove(ctx sdk.Context, consumer, sequence uint64) {
	ctx.KVStore(f.key).Delete(packetKey(types.Port(consumer), sequence))
}

func (f *fakeIBC) ChanCloseInit(sdk.Context, string, string, *capabilitytypes.Capability) error {
	f.channel = channeltypes.CLOSED
	return nil
}

func (f *fakeIBC) GetAllPacketCommitmentsAtChannel(ctx sdk.Context, port, channel string) []channeltypes.PacketState {
	var states []channeltypes.PacketState
	id, _ := control.ParsePortID(types.ModuleName, port)
	for _, p := range f.packets(ctx, id) {
		if p.channel == channel {
			states = append(states, channeltypes.PacketState{Sequence: p.sequence})
		}
	}
	return states
}

func (f *fakeIBC) GetChannel(_ sdk.Context, port, _ string) (channeltypes.Channel, bool) {
	if f.transferChannels && port == "transfer" {
		return channeltypes.Channel{State: channeltypes.OPEN, Ordering: channeltypes.UNORDERED, ConnectionHops: []string{"connection-0"}}, true
	}
	return channeltypes.Channel{State: f.channel, Ordering: channeltypes.ORDERED, ConnectionHops: []string{"connection-0"}, Version: f.version}, true
}

func (f *fakeIBC) GetClientState(sdk.Context, string) (exported.ClientState, bool) {
	return &ibctm.ClientState{ChainId: "consumer-1", UnbondingPeriod: ledgerUnbonding, LatestHeight: clienttypes.NewHeight(1, f.latest)}, true
}

func (f *fakeIBC) GetClientStatus(sdk.Context, exported.ClientState, string) exported.Status {
	return f.status
}

func (f *fakeIBC) ClientStore(ctx sdk.Context, _ string) storetypes.KVStore {
	return ctx.KVStore(f.key)
}

func (f *fakeIBC) UpdateClient(sdk.Context, string, exported.ClientMessage) error {
	return errors.New("headers are not verified here")
}

func (f *fakeIBC) GetConnection(sdk.Context, string) (connectiontypes.ConnectionEnd, bool) {
	return connectiontypes.ConnectionEnd{ClientId: "client", State: connectiontypes.OPEN}, true
}

func (f *fakeIBC) BindPort(sdk.Context, string) *capabilitytypes.Capability {
	return capabilitytypes.NewCapability(1)
}

func (f *fakeIBC) GetCapability(sdk.Context, string) (*capabilitytypes.Capability, bool) {
	return capabilitytypes.NewCapability(1), true
}

func (f *fakeIBC) ClaimCapability(sdk.Context, *capabilitytypes.Capability, string) error { return nil }
