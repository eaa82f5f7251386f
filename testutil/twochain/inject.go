package twochain

import (
	"time"

	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"
)

// Inject sends data on a channel past the module that owns it, as a byzantine chain would, with a timeout far away. The
// packet is followed like any other.
func (n *Network) Inject(endpoint *ibctesting.Endpoint, data []byte) (*Packet, error) {
	c := n.Provider
	if endpoint.Chain == n.Consumer.TestChain {
		c = n.Consumer
	}
	port := endpoint.ChannelConfig.PortID
	timeout := uint64(n.Coordinator.CurrentTime.Add(28 * 24 * time.Hour).UnixNano())
	capability := endpoint.Chain.GetChannelCapability(port, endpoint.ChannelID)
	sequence, err := c.App.IBCKeeper.ChannelKeeper.SendPacket(
		c.GetContext(), capability, port, endpoint.ChannelID, clienttypes.ZeroHeight(), timeout, data,
	)
	if err != nil {
		return nil, err
	}
	p := &Packet{Packet: channeltypes.NewPacket(
		data, sequence, port, endpoint.ChannelID,
		endpoint.Counterparty.ChannelConfig.PortID, endpoint.Counterparty.ChannelID, clienttypes.ZeroHeight(), timeout,
	)}
	// Before the block in which the module itself may send more.
	c.packets = append(c.packets, p)
	c.NextBlock()
	return p, nil
}
