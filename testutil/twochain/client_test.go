package twochain_test

import (
	"testing"
	"time"

	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
)

func TestClientsExpireFreezeAndRecover(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	n.Setup()
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		require.True(t, n.Sees(c))
		require.NoError(t, n.Freeze(c))
		require.Equal(t, exported.Frozen, n.ClientStatus(c))
		require.Error(t, n.UpdateClient(c))
		require.NoError(t, n.RecoverClient(c))
		require.NoError(t, n.UpdateClient(c))
	}
	n.Outage(15 * 24 * time.Hour)
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		require.Equal(t, exported.Expired, n.ClientStatus(c))
		require.Error(t, n.UpdateClient(c))
	}
	require.NoError(t, n.Advance(time.Hour), "time passes all the same")
	require.NoError(t, n.Relay(), "what cannot be brought stays where it is")
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		require.NoError(t, n.RecoverClient(c))
		require.NoError(t, n.UpdateClient(c))
	}
	require.NoError(t, n.Relay())
	require.Empty(t, n.Receivable(n.Consumer))
}

func TestRelayProvesTimeoutsAndAHandshakeOpensAgain(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	n.Setup()
	p, err := n.Inject(n.Control.EndpointA, []byte("nothing"))
	require.NoError(t, err)
	require.Equal(t, []*twochain.Packet{p}, n.Receivable(n.Provider))
	for range 6 {
		require.NoError(t, n.Advance(5*24*time.Hour))
	}
	require.True(t, n.TimedOut(p))
	require.Empty(t, n.Receivable(n.Provider))
	late, refused := n.Lost(n.Provider)
	require.Equal(t, []*twochain.Packet{p}, late)
	require.Empty(t, refused)
	require.NoError(t, n.Relay())
	require.True(t, p.Done)
	require.False(t, p.Received)
	former := n.Control
	require.NoError(t, n.CloseConfirm(n.Provider, former.EndpointA.ChannelConfig.PortID, former.EndpointA.ChannelID))

	h := n.NewHandshake()
	for step, on := range []*twochain.Chain{n.Consumer, n.Provider, n.Consumer, n.Provider} {
		require.Equal(t, on, h.Chain())
		require.Equal(t, step == 3, h.Acknowledged())
		require.Equal(t, former, n.Control)
		require.NoError(t, h.Step())
	}
	require.True(t, h.Finished())
	require.NotEqual(t, former.EndpointA.ChannelID, n.Control.EndpointA.ChannelID)
	require.NoError(t, n.Relay())
	require.NoError(t, n.CheckInvariants())
}
