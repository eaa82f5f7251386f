package twochain

import (
	"time"

	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"
)

// endpoint is a chain's end of the connection.
func (n *Network) endpoint(on *Chain) *ibctesting.Endpoint {
	if on == n.Consumer {
		return n.Connection.EndpointB
	}
	return n.Connection.EndpointA
}

// ClientStatus is the state of a chain's light client of the other one.
func (n *Network) ClientStatus(on *Chain) exported.Status {
	clients, id := on.App.IBCKeeper.ClientKeeper, n.endpoint(on).ClientID
	client, _ := clients.GetClientState(on.Ctx(), id)
	return clients.GetClientStatus(on.Ctx(), client, id)
}

// Sees is true while a chain's client of the other one is active, so that anything can be proven to it.
func (n *Network) Sees(on *Chain) bool { return n.ClientStatus(on) == exported.Active }

// Outage lets d pass on both chains with nobody updating the clients.
func (n *Network) Outage(d time.Duration) {
	n.Coordinator.IncrementTimeBy(d)
	for _, c := range n.chains() {
		c.NextBlock()
	}
}

// Freeze freezes a chain's active client by two headers of one height that all validators of the other chain have signed in
// different rounds: a fork for the client, but nobody can be punished for it.
func (n *Network) Freeze(on *Chain) error {
	attack := n.Attack(on.counterparty, Fork{Data: "one"}, Fork{Data: "another", Round: 1})
	msg, err := clienttypes.NewMsgUpdateClient(n.endpoint(on).ClientID, attack, on.Relayer.String())
	if err != nil {
		return err
	}
	_, err = on.Deliver(on.Relayer, msg)
	return err
}

// Recovery makes a new client of the other chain and returns the message by which a chain's governance puts it in the place
// of its expired or frozen one.
func (n *Network) Recovery(on *Chain) (*clienttypes.MsgRecoverClient, error) {
	fresh := n.newPath()
	substitute := fresh.EndpointA
	if on == n.Consumer {
		substitute = fresh.EndpointB
	}
	// Its first header must be newer than the last one of the client that it replaces.
	on.counterparty.NextBlock()
	if err := substitute.CreateClient(); err != nil {
		return nil, err
	}
	return clienttypes.NewMsgRecoverClient(Authority(), n.endpoint(on).ClientID, substitute.ClientID), nil
}

// RecoverClient has a chain's governance replace an expired or frozen client by a new one of the same chain.
func (n *Network) RecoverClient(on *Chain) error {
	msg, err := n.Recovery(on)
	if err != nil {
		return err
	}
	return on.Execute(msg)
}
