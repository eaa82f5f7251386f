package twochain

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
)

const (
	// maxPerTx bounds the packets in one relayer transaction.
	maxPerTx = 25
	// maxRounds bounds Relay: chains that send for ever are a failure.
	maxRounds = 50
	// relayTime is how long a packet must live on for a relayer to bring it in time.
	relayTime = 10 * time.Minute
)

// Packet is one packet a chain sent, and how far it got.
type Packet struct {
	channeltypes.Packet
	// Received is true once the other chain has it, then Ack is its answer.
	Received bool
	Ack      []byte
	// Done is true once the sender has the ack or the timeout.
	Done bool
}

// Packets are all packets this chain ever sent, in order.
func (c *Chain) Packets() []*Packet { return c.packets }

// Unreceived are the sent packets that the other chain does not have yet, in order; timed out ones are not among them.
func (c *Chain) Unreceived() []*Packet {
	return c.filter(func(p *Packet) bool { return !p.Received && !p.Done })
}

// Unacknowledged are the sent packets whose ack waits on the other chain, in order.
func (c *Chain) Unacknowledged() []*Packet {
	return c.filter(func(p *Packet) bool { return p.Received && !p.Done })
}

func (c *Chain) filter(wanted func(*Packet) bool) []*Packet { return keep(c.packets, wanted) }

func keep(packets []*Packet, wanted func(*Packet) bool) []*Packet {
	var out []*Packet
	for _, p := range packets {
		if wanted(p) {
			out = append(out, p)
		}
	}
	return out
}

// follow keeps the packets' states by a block's events.
func (c *Chain) follow(events []abci.Event) {
	for _, e := range events {
		switch e.Type {
		case channeltypes.EventTypeSendPacket:
			c.packets = append(c.packets, &Packet{Packet: parsePacket(e)})
		case channeltypes.EventTypeWriteAck:
			if p := c.counterparty.find(parsePacket(e)); p != nil {
				p.Received, p.Ack = true, hexAttribute(e, channeltypes.AttributeKeyAckHex)
			}
		case channeltypes.EventTypeAcknowledgePacket, channeltypes.EventTypeTimeoutPacket:
			if p := c.find(parsePacket(e)); p != nil {
				p.Done = true
			}
		}
	}
}

func (c *Chain) find(packet channeltypes.Packet) *Packet {
	for _, p := range c.packets {
		if p.SourcePort == packet.SourcePort && p.SourceChannel == packet.SourceChannel && p.Sequence == packet.Sequence {
			return p
		}
	}
	return nil
}

func parsePacket(e abci.Event) channeltypes.Packet {
	sequence, _ := strconv.ParseUint(attribute(e, channeltypes.AttributeKeySequence), 10, 64)
	timestamp, _ := strconv.ParseUint(attribute(e, channeltypes.AttributeKeyTimeoutTimestamp), 10, 64)
	height, _ := clienttypes.ParseHeight(attribute(e, channeltypes.AttributeKeyTimeoutHeight))
	return channeltypes.Packet{
		Sequence:           sequence,
		SourcePort:         attribute(e, channeltypes.AttributeKeySrcPort),
		SourceChannel:      attribute(e, channeltypes.AttributeKeySrcChannel),
		DestinationPort:    attribute(e, channeltypes.AttributeKeyDstPort),
		DestinationChannel: attribute(e, channeltypes.AttributeKeyDstChannel),
		Data:               hexAttribute(e, channeltypes.AttributeKeyDataHex),
		TimeoutHeight:      height,
		TimeoutTimestamp:   timestamp,
	}
}

func hexAttribute(e abci.Event, key string) []byte {
	bz, _ := hex.DecodeString(attribute(e, key))
	return bz
}

func attribute(e abci.Event, key string) string {
	for _, a := range e.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// Receive delivers packets that from sent to the other chain.
func (n *Network) Receive(from *Chain, packets ...*Packet) error {
	return n.submit(from.counterparty, packets, func(p *Packet, signer string) sdk.Msg {
		proof, height := from.QueryProof(host.PacketCommitmentKey(p.SourcePort, p.SourceChannel, p.Sequence))
		return channeltypes.NewMsgRecvPacket(p.Packet, proof, height, signer)
	})
}

// Acknowledge delivers the acks of packets that from sent back to it.
func (n *Network) Acknowledge(from *Chain, packets ...*Packet) error {
	return n.submit(from, packets, func(p *Packet, signer string) sdk.Msg {
		key := host.PacketAcknowledgementKey(p.DestinationPort, p.DestinationChannel, p.Sequence)
		proof, height := from.counterparty.QueryProof(key)
		return channeltypes.NewMsgAcknowledgement(p.Packet, p.Ack, proof, height, signer)
	})
}

// Timeout proves to from that the other chain has not received packets in time. An ordered channel closes by it.
func (n *Network) Timeout(from *Chain, packets ...*Packet) error {
	return n.submit(from, packets, func(p *Packet, signer string) sdk.Msg {
		next, key := from.counterparty.unreceived(p)
		proof, height := from.counterparty.QueryProof(key)
		return channeltypes.NewMsgTimeout(p.Packet, next, proof, height, signer)
	})
}

// TimeoutOnClose proves to from that the other end of a channel is closed and has not received packets.
func (n *Network) TimeoutOnClose(from *Chain, packets ...*Packet) error {
	return n.submit(from, packets, func(p *Packet, signer string) sdk.Msg {
		next, key := from.counterparty.unreceived(p)
		proof, height := from.counterparty.QueryProof(key)
		closed, _ := from.counterparty.QueryProof(host.ChannelKey(p.DestinationPort, p.DestinationChannel))
		return channeltypes.NewMsgTimeoutOnClose(p.Packet, next, proof, closed, height, signer)
	})
}

// unreceived is what proves that this chain has not received a packet: the next sequence it would, and where it is stored.
func (c *Chain) unreceived(p *Packet) (next uint64, key []byte) {
	channels := c.App.IBCKeeper.ChannelKeeper
	if channel, _ := channels.GetChannel(c.Ctx(), p.DestinationPort, p.DestinationChannel); channel.Ordering != channeltypes.ORDERED {
		return p.Sequence, host.PacketReceiptKey(p.DestinationPort, p.DestinationChannel, p.Sequence)
	}
	next, _ = channels.GetNextSequenceRecv(c.Ctx(), p.DestinationPort, p.DestinationChannel)
	return next, host.NextSequenceRecvKey(p.DestinationPort, p.DestinationChannel)
}

// End is this chain's end of a channel, an uninitialised one if it has none.
func (c *Chain) End(port, channel string) channeltypes.Channel {
	end, _ := c.App.IBCKeeper.ChannelKeeper.GetChannel(c.Ctx(), port, channel)
	return end
}

// sourceEnd and destinationEnd are the ends that a packet of this chain leaves and comes to.
func (c *Chain) sourceEnd(p *Packet) channeltypes.Channel {
	return c.End(p.SourcePort, p.SourceChannel)
}

func (c *Chain) destinationEnd(p *Packet) channeltypes.Channel {
	return c.counterparty.End(p.DestinationPort, p.DestinationChannel)
}

// TimedOut is true if a packet can no longer be received.
func (n *Network) TimedOut(p *Packet) bool {
	return !n.Coordinator.CurrentTime.Before(time.Unix(0, int64(p.TimeoutTimestamp)))
}

// Receivable are the packets that from sent and the other chain can take now, in order: it sees from, its end is open, there
// is time left for a relayer, and on an ordered channel none is missing in between.
func (n *Network) Receivable(from *Chain) []*Packet {
	if !n.Sees(from.counterparty) {
		return nil
	}
	next := make(map[string]uint64)
	return keep(from.Unreceived(), func(p *Packet) bool {
		end, channel := from.destinationEnd(p), p.SourcePort+"/"+p.SourceChannel
		if end.State != channeltypes.OPEN || !n.Coordinator.CurrentTime.Add(relayTime).Before(time.Unix(0, int64(p.TimeoutTimestamp))) {
			return false
		}
		if end.Ordering != channeltypes.ORDERED {
			return true
		}
		if next[channel] == 0 {
			next[channel], _ = from.counterparty.App.IBCKeeper.ChannelKeeper.GetNextSequenceRecv(
				from.counterparty.Ctx(), p.DestinationPort, p.DestinationChannel)
		}
		if p.Sequence != next[channel] {
			return false
		}
		next[channel]++
		return true
	})
}

// Acknowledgeable are the packets that from sent whose ack it can take now, in order: it sees the other chain, and its end is
// open.
func (n *Network) Acknowledgeable(from *Chain) []*Packet {
	if !n.Sees(from) {
		return nil
	}
	return keep(from.Unacknowledged(), func(p *Packet) bool { return from.sourceEnd(p).State == channeltypes.OPEN })
}

// Lost are the packets that from sent and that can be proven to it never to be received: because it is too late, or because
// the other end is closed.
func (n *Network) Lost(from *Chain) (late, refused []*Packet) {
	if !n.Sees(from) {
		return nil, nil
	}
	for _, p := range from.Unreceived() {
		switch {
		case n.TimedOut(p):
			late = append(late, p)
		case from.destinationEnd(p).State == channeltypes.CLOSED:
			refused = append(refused, p)
		}
	}
	return late, refused
}

// CloseConfirm tells the other end of a channel that from's end is closed.
func (n *Network) CloseConfirm(from *Chain, port, channel string) error {
	end, found := from.App.IBCKeeper.ChannelKeeper.GetChannel(from.Ctx(), port, channel)
	if !found {
		return fmt.Errorf("no channel %s/%s on %s", port, channel, from.ChainID)
	}
	to := from.counterparty
	if err := n.UpdateClient(to); err != nil {
		return err
	}
	proof, height := from.QueryProof(host.ChannelKey(port, channel))
	_, err := to.Deliver(to.Relayer, channeltypes.NewMsgChannelCloseConfirm(
		end.Counterparty.PortId, end.Counterparty.ChannelId, proof, height, to.Relayer.String(),
	))
	return err
}

// submit updates the client on a chain and delivers one message per packet, several packets in a transaction.
func (n *Network) submit(to *Chain, packets []*Packet, message func(*Packet, string) sdk.Msg) error {
	for len(packets) > 0 {
		chunk := packets[:min(len(packets), maxPerTx)]
		packets = packets[len(chunk):]
		update, err := n.updateMsg(to)
		if err != nil {
			return err
		}
		msgs := []sdk.Msg{update}
		for _, p := range chunk {
			msgs = append(msgs, message(p, to.Relayer.String()))
		}
		if _, err := to.Deliver(to.Relayer, msgs...); err != nil {
			return err
		}
	}
	return nil
}

// RelayRecv delivers the next packets that from sent, n of them, all if n is 0, and says how many. If some of them can never
// be received, from is told so instead.
func (n *Network) RelayRecv(from *Chain, count int) (int, error) {
	late, refused := n.Lost(from)
	late, refused = first(late, count), first(refused, count)
	switch {
	case len(late) > 0:
		return len(late), n.Timeout(from, late...)
	case len(refused) > 0:
		return len(refused), n.TimeoutOnClose(from, refused...)
	}
	packets := first(n.Receivable(from), count)
	return len(packets), n.Receive(from, packets...)
}

// RelayAcks delivers the next acks to from, n of them, all if n is 0, and says how many.
func (n *Network) RelayAcks(from *Chain, count int) (int, error) {
	packets := first(n.Acknowledgeable(from), count)
	return len(packets), n.Acknowledge(from, packets...)
}

func first(packets []*Packet, count int) []*Packet {
	if count > 0 && count < len(packets) {
		return packets[:count]
	}
	return packets
}

// Relay does what a relayer does, in both directions, until nothing is left, also of what is sent meanwhile: it delivers
// packets and acks, and proves timeouts. What has to wait for a client or a handshake stays where it is.
func (n *Network) Relay() error {
	for range maxRounds {
		moved := 0
		for _, step := range []func(*Chain, int) (int, error){n.RelayRecv, n.RelayAcks} {
			for _, c := range []*Chain{n.Provider, n.Consumer} {
				count, err := step(c, 0)
				if err != nil {
					return fmt.Errorf("relaying what %s sent: %w", c.ChainID, err)
				}
				moved += count
			}
		}
		if moved == 0 {
			return nil
		}
	}
	return fmt.Errorf("packets are still being sent after %d rounds", maxRounds)
}
