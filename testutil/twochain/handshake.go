package twochain

import (
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"
)

// Handshake opens another control channel between the same ports, step by step, as relayers come and go.
type Handshake struct {
	network *Network
	path    *ibctesting.Path
	// Done counts the steps taken: Init on the consumer, Try on the provider, Ack on the consumer, Confirm on the provider.
	Done int
}

// NewHandshake begins nothing yet.
func (n *Network) NewHandshake() *Handshake {
	former := n.Control
	return &Handshake{network: n, path: n.NewChannelPath(
		former.EndpointA.ChannelConfig.PortID, former.EndpointB.ChannelConfig.PortID, channeltypes.ORDERED, "",
	)}
}

// Chain is where the next step happens, which must see the other chain.
func (h *Handshake) Chain() *Chain {
	if h.Done%2 == 0 {
		return h.network.Consumer
	}
	return h.network.Provider
}

// Acknowledged is true once the consumer is bound to the channel.
func (h *Handshake) Acknowledged() bool { return h.Done >= 3 }

// Finished is true once both ends are open.
func (h *Handshake) Finished() bool { return h.Done == 4 }

// Step takes the next step. With the last one the channel is the network's control channel.
func (h *Handshake) Step() error {
	provider, consumer := h.path.EndpointA, h.path.EndpointB
	steps := []func() error{consumer.ChanOpenInit, provider.ChanOpenTry, consumer.ChanOpenAck, provider.ChanOpenConfirm}
	if err := steps[h.Done](); err != nil {
		return err
	}
	h.Done++
	if h.Finished() {
		h.network.Control = h.path
	}
	return nil
}

// ReopenControl opens another control channel between the same ports, once both ends of the former one are closed.
func (n *Network) ReopenControl() error {
	h := n.NewHandshake()
	for !h.Finished() {
		if err := h.Step(); err != nil {
			return err
		}
	}
	return nil
}
