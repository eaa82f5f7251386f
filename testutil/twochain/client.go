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

// Outage lets d pass on both chains with nobody updating the clients.
func (n *Network) Outage(d time.Duration) {
	n.Coordinator.IncrementTimeBy(d)
	for _, c := range n.chains() {
		c.NextBlock()
	}
}

// RecoverClient has a chain's governance replace an expired or frozen client by a new one of the same chain.
func (n *Network) RecoverClient(on *Chain) error {
	fresh := n.newPath()
	substitute := fresh.EndpointA
	if on == n.Consumer {
		substitute = fresh.EndpointB
	}
	// Its first header must be newer than the last one of the client that it replaces.
	on.counterparty.NextBlock()
	if err := substitute.CreateClient(); err != nil {
		return err
	}
	return on.Execute(clienttypes.NewMsgRecoverClient(Authority(), n.endpoint(on).ClientID, substitute.ClientID))
}
