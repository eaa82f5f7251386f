package twochain

import (
	"errors"
	"fmt"
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"

	"github.com/mesh-security/mesh/internal/invariant"
)

// T is the test or the benchmark that a network belongs to.
type T = testing.TB

// Network is the two chains and what connects them.
type Network struct {
	T
	Provider, Consumer *Chain
	Coordinator        *ibctesting.Coordinator

	// Connection, Transfer and Control are the paths with the provider at A and the consumer at B. They exist once
	// Connect, OpenTransfer and RegisterConsumer have run.
	Connection, Transfer, Control *ibctesting.Path
	// ConsumerID and ConverterID are the registrations'.
	ConsumerID, ConverterID uint64

	cfg Config
}

// New starts two chains with nothing between them.
func New(t testing.TB, cfg Config) *Network {
	t.Helper()
	// Its T stays nil, as a benchmark has none: only its clock is used.
	coord := &ibctesting.Coordinator{
		CurrentTime: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
		Chains:      make(map[string]*ibctesting.TestChain),
	}
	n := &Network{T: t, Coordinator: coord, cfg: cfg}
	n.Provider = newChain(t, coord, cfg.Provider)
	n.Consumer = newChain(t, coord, cfg.Consumer)
	n.Provider.counterparty, n.Consumer.counterparty = n.Consumer, n.Provider
	for _, c := range n.chains() {
		coord.Chains[c.ChainID] = c.TestChain
	}
	coord.IncrementTime()
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *Network) chains() []*Chain { return []*Chain{n.Provider, n.Consumer} }

// Close empties the databases: the stores' own goroutines hold them for as long as the process lives. Nothing can be read after.
func (n *Network) Close() error {
	for _, c := range n.chains() {
		if err := c.drop(); err != nil {
			return err
		}
	}
	return nil
}

// drop empties the chain's database.
func (c *Chain) drop() error {
	var keys [][]byte
	it, err := c.db.Iterator(nil, nil)
	if err != nil {
		return err
	}
	for ; it.Valid(); it.Next() {
		keys = append(keys, it.Key())
	}
	if err := it.Close(); err != nil {
		return err
	}
	for _, key := range keys {
		if err := c.db.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// Config is what the network was made with.
func (n *Network) Config() Config { return n.cfg }

// Advance lets at least d pass on both chains, in steps that keep the light clients alive, with one block on each chain
// and a client update in both directions per step. Clients that are expired or frozen stay so.
func (n *Network) Advance(d time.Duration) error {
	step := min(n.cfg.Provider.UnbondingTime, n.cfg.Consumer.UnbondingTime) / 3
	for end := n.Coordinator.CurrentTime.Add(d); n.Coordinator.CurrentTime.Before(end); {
		n.Coordinator.IncrementTimeBy(min(step, end.Sub(n.Coordinator.CurrentTime)))
		for _, c := range n.chains() {
			if n.Connection == nil || !n.Sees(c) {
				c.NextBlock()
			} else if err := n.UpdateClient(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// UpdateClient makes a block on the other chain and brings the client on one chain up to it.
func (n *Network) UpdateClient(on *Chain) error {
	msg, err := n.updateMsg(on)
	if err != nil {
		return err
	}
	_, err = on.Deliver(on.Relayer, msg)
	return err
}

func (n *Network) updateMsg(on *Chain) (sdk.Msg, error) {
	on.counterparty.NextBlock()
	clientID := n.Connection.EndpointA.ClientID
	if on == n.Consumer {
		clientID = n.Connection.EndpointB.ClientID
	}
	header, err := on.ConstructUpdateTMClientHeader(on.counterparty.TestChain, clientID)
	if err != nil {
		return nil, err
	}
	return clienttypes.NewMsgUpdateClient(clientID, header, on.Relayer.String())
}

// CheckInvariants checks every invariant of the mesh modules on both chains.
func (n *Network) CheckInvariants() error {
	var out error
	for _, c := range n.chains() {
		if err := invariant.CheckAll(c.Ctx(), c.App.Invariants()); err != nil {
			out = errors.Join(out, fmt.Errorf("%s: %w", c.ChainID, err))
		}
	}
	return out
}
