package keeper_test

import (
	"encoding/binary"
	"fmt"

	"cosmossdk.io/store/prefix"
	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
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

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const ibcCoreStore = "ibccore"

// ibcCore is clients, connections and channels of IBC core without proofs: tests set what the other chain would have
// proven. What the module sends is kept in a store, so that it is reverted with the context. Ports and capabilities are
// the real ones.
type ibcCore struct {
	key         *storetypes.KVStoreKey
	scoped      capabilitykeeper.ScopedKeeper
	ports       *portkeeper.Keeper
	clients     map[string]exported.ClientState
	status      map[string]exported.Status
	connections map[string]connectiontypes.ConnectionEnd
	channels    map[string]channeltypes.Channel
	// sendError makes SendPacket fail.
	sendError error
	// opened counts control channels.
	opened int
	cdc    codec.BinaryCodec
}

func newIBCCore(cdc codec.BinaryCodec, key *storetypes.KVStoreKey, scoped capabilitykeeper.ScopedKeeper) *ibcCore {
	ports := portkeeper.NewKeeper(scoped)
	return &ibcCore{
		cdc: cdc, key: key, scoped: scoped, ports: &ports,
		clients: map[string]exported.ClientState{
			"07-tendermint-0": &ibctm.ClientState{
				ChainId: "consumer-1", UnbondingPeriod: unbonding, TrustingPeriod: unbonding * 2 / 3, LatestHeight: clienttypes.NewHeight(1, 100),
			},
		},
		status:      map[string]exported.Status{"07-tendermint-0": exported.Active},
		connections: map[string]connectiontypes.ConnectionEnd{"connection-0": {ClientId: "07-tendermint-0", State: connectiontypes.OPEN}},
		channels: map[string]channeltypes.Channel{
			channelKey(transfertypes.PortID, "channel-0"): transferChannel(),
		},
	}
}

func transferChannel() channeltypes.Channel {
	return channeltypes.NewChannel(channeltypes.OPEN, channeltypes.UNORDERED,
		channeltypes.NewCounterparty(transfertypes.PortID, "channel-7"), []string{"connection-0"}, transfertypes.Version)
}

func channelKey(port, channelID string) string { return port + "/" + channelID }

func (i *ibcCore) GetClientState(_ sdk.Context, clientID string) (exported.ClientState, bool) {
	client, found := i.clients[clientID]
	return client, found
}

func (i *ibcCore) GetClientStatus(_ sdk.Context, _ exported.ClientState, clientID string) exported.Status {
	return i.status[clientID]
}

func (i *ibcCore) GetConnection(_ sdk.Context, connectionID string) (connectiontypes.ConnectionEnd, bool) {
	connection, found := i.connections[connectionID]
	return connection, found
}

func (i *ibcCore) GetChannel(_ sdk.Context, port, channelID string) (channeltypes.Channel, bool) {
	channel, found := i.channels[channelKey(port, channelID)]
	return channel, found
}

// ClientStore has the consensus states that tests have stored.
func (i *ibcCore) ClientStore(ctx sdk.Context, clientID string) storetypes.KVStore {
	return prefix.NewStore(ctx.KVStore(i.key), []byte("client/"+clientID+"/"))
}

// UpdateClient does what IBC core does with misbehaviour: it freezes the client if that verifies.
func (i *ibcCore) UpdateClient(ctx sdk.Context, clientID string, message exported.ClientMessage) error {
	client, store := i.clients[clientID].(*ibctm.ClientState), i.ClientStore(ctx, clientID)
	if err := client.VerifyClientMessage(ctx, i.cdc, store, message); err != nil {
		return err
	}
	i.status[clientID] = exported.Frozen
	return nil
}

// client is the light client of the consumer chain.
func (i *ibcCore) client() *ibctm.ClientState {
	return i.clients["07-tendermint-0"].(*ibctm.ClientState)
}

// advance moves the light client on by n blocks.
func (i *ibcCore) advance(n uint64) {
	client := *i.client()
	client.LatestHeight.RevisionHeight += n
	i.clients["07-tendermint-0"] = &client
}

func (i *ibcCore) setChannelState(port, channelID string, state channeltypes.State) {
	channel := i.channels[channelKey(port, channelID)]
	channel.State = state
	i.channels[channelKey(port, channelID)] = channel
}

// ChanCloseInit closes an open end for whoever owns it.
func (i *ibcCore) ChanCloseInit(ctx sdk.Context, port, channelID string, channelCap *capabilitytypes.Capability) error {
	if !i.scoped.AuthenticateCapability(ctx, channelCap, host.ChannelCapabilityPath(port, channelID)) {
		return channeltypes.ErrChannelCapabilityNotFound
	}
	if i.channels[channelKey(port, channelID)].State != channeltypes.OPEN {
		return channeltypes.ErrInvalidChannelState
	}
	i.setChannelState(port, channelID, channeltypes.CLOSED)
	return nil
}

// SendPacket stores the packet as its own commitment.
func (i *ibcCore) SendPacket(ctx sdk.Context, channelCap *capabilitytypes.Capability, port, channelID string,
	_ clienttypes.Height, timeout uint64, data []byte,
) (uint64, error) {
	channel, found := i.channels[channelKey(port, channelID)]
	if !found || channel.State != channeltypes.OPEN {
		return 0, channeltypes.ErrInvalidChannelState
	}
	if !i.scoped.AuthenticateCapability(ctx, channelCap, host.ChannelCapabilityPath(port, channelID)) {
		return 0, channeltypes.ErrChannelCapabilityNotFound
	}
	if timeout <= uint64(ctx.BlockTime().UnixNano()) {
		return 0, channeltypes.ErrInvalidTimeout
	}
	if i.sendError != nil {
		return 0, i.sendError
	}
	store, counter := ctx.KVStore(i.key), []byte("next/"+channelKey(port, channelID))
	sequence := uint64(1)
	if bz := store.Get(counter); bz != nil {
		sequence = binary.BigEndian.Uint64(bz)
	}
	store.Set(counter, binary.BigEndian.AppendUint64(nil, sequence+1))
	packet := channeltypes.NewPacket(data, sequence, port, channelID, channel.Counterparty.PortId, channel.Counterparty.ChannelId, clienttypes.ZeroHeight(), timeout)
	bz, err := packet.Marshal()
	if err != nil {
		return 0, err
	}
	store.Set(commitmentKey(port, channelID, sequence), bz)
	return sequence, nil
}

func commitmentKey(port, channelID string, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("commitment/"+channelKey(port, channelID)+"/"), sequence)
}

// inFlight lists the packets that were sent and not ended, in order.
func (i *ibcCore) inFlight(ctx sdk.Context) []channeltypes.Packet {
	iter := storetypes.KVStorePrefixIterator(ctx.KVStore(i.key), []byte("commitment/"))
	defer iter.Close()
	var packets []channeltypes.Packet
	for ; iter.Valid(); iter.Next() {
		var packet channeltypes.Packet
		if err := packet.Unmarshal(iter.Value()); err != nil {
			panic(err)
		}
		packets = append(packets, packet)
	}
	return packets
}

func (i *ibcCore) GetAllPacketCommitmentsAtChannel(ctx sdk.Context, port, channelID string) []channeltypes.PacketState {
	var states []channeltypes.PacketState
	for _, p := range i.inFlight(ctx) {
		if p.SourcePort == port && p.SourceChannel == channelID {
			states = append(states, channeltypes.NewPacketState(port, channelID, p.Sequence, p.Data))
		}
	}
	return states
}

func (i *ibcCore) forget(ctx sdk.Context, p channeltypes.Packet) {
	ctx.KVStore(i.key).Delete(commitmentKey(p.SourcePort, p.SourceChannel, p.Sequence))
}

// handshake is what a relayer brings to Try; tests change single parts.
type handshake struct {
	order            channeltypes.Order
	hops             []string
	port             string
	counterpartyPort string
	version          string
}

// proposal is what the consumer's converter proposes first.
func (f *fixture) proposal() control.Metadata { return control.NewProposal("uother", unbonding, 0) }

// try does what IBC core does at Try, with the handshake after change (nil for none). What a refused one wrote is
// thrown away.
func (f *fixture) try(id uint64, change func(*handshake)) (channelID, version string, err error) {
	f.t.Helper()
	proposal, err := f.proposal().Encode()
	require.NoError(f.t, err)
	h := handshake{order: channeltypes.ORDERED, hops: []string{"connection-0"}, port: types.Port(id), counterpartyPort: converter, version: proposal}
	if change != nil {
		change(&h)
	}
	f.ibc.opened++
	channelID = fmt.Sprintf("channel-%d", 100+f.ibc.opened)
	cached, write := f.ctx.CacheContext()
	channelCap, err := f.ibc.scoped.NewCapability(cached, host.ChannelCapabilityPath(h.port, channelID))
	require.NoError(f.t, err)
	counterparty := channeltypes.NewCounterparty(h.counterpartyPort, "channel-1")
	version, err = f.module.OnChanOpenTry(cached, h.order, h.hops, h.port, channelID, channelCap, counterparty, h.version)
	if err != nil {
		return "", "", err
	}
	write()
	f.ibc.channels[channelKey(h.port, channelID)] = channeltypes.NewChannel(channeltypes.TRYOPEN, h.order, counterparty, h.hops, version)
	return channelID, version, nil
}

// confirm does what IBC core does at Confirm: the channel is open unless the module refuses.
func (f *fixture) confirm(id uint64, channelID string) error {
	f.t.Helper()
	cached, write := f.ctx.CacheContext()
	f.ibc.setChannelState(types.Port(id), channelID, channeltypes.OPEN)
	if err := f.module.OnChanOpenConfirm(cached, types.Port(id), channelID); err != nil {
		f.ibc.setChannelState(types.Port(id), channelID, channeltypes.TRYOPEN)
		return err
	}
	write()
	return nil
}

// receive does what IBC core does with a packet: an error acknowledgement discards what the module wrote.
func (f *fixture) receive(port, channelID string, data []byte) exported.Acknowledgement {
	f.t.Helper()
	packet := channeltypes.NewPacket(data, 1, converter, "channel-1", port, channelID, clienttypes.ZeroHeight(), 1)
	cached, write := f.ctx.CacheContext()
	ack := f.module.OnRecvPacket(cached, packet, carol)
	require.NotNil(f.t, ack)
	if ack.Success() {
		write()
	}
	return ack
}

// acknowledge delivers an acknowledgement of a packet in flight.
func (f *fixture) acknowledge(packet channeltypes.Packet, ack []byte) {
	f.t.Helper()
	f.ibc.forget(f.ctx, packet)
	require.NoError(f.t, f.module.OnAcknowledgementPacket(f.ctx, packet, ack, carol))
}

// timeout delivers the timeout of a packet in flight, which closes the channel.
func (f *fixture) timeout(packet channeltypes.Packet) {
	f.t.Helper()
	f.ibc.forget(f.ctx, packet)
	f.ibc.setChannelState(packet.SourcePort, packet.SourceChannel, channeltypes.CLOSED)
	require.NoError(f.t, f.module.OnTimeoutPacket(f.ctx, packet, carol))
}

// adopt takes over clients, channels and what is in flight from another chain's core, as its own import would.
func (i *ibcCore) adopt(ctx sdk.Context, other *ibcCore, from sdk.Context) {
	i.clients, i.status, i.connections, i.opened = other.clients, other.status, other.connections, other.opened
	i.channels = make(map[string]channeltypes.Channel, len(other.channels))
	for key, channel := range other.channels {
		i.channels[key] = channel
	}
	iter := from.KVStore(other.key).Iterator(nil, nil)
	defer iter.Close()
	for ; iter.Valid(); iter.Next() {
		ctx.KVStore(i.key).Set(iter.Key(), iter.Value())
	}
}
