package bench

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
)

// deliver executes a transaction of one message in a block of its own and returns the gas it used.
func deliver(tb testing.TB, c *twochain.Chain, signer twochain.Account, msg sdk.Msg) uint64 {
	tb.Helper()
	res, err := c.Deliver(signer, msg)
	require.NoError(tb, err)
	return uint64(res.GasUsed)
}

// clock runs a benchmark's timer while a chain executes a block.
type clock struct {
	ibctesting.TestingApp
	b *testing.B
}

func (c clock) FinalizeBlock(req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	c.b.StartTimer()
	defer c.b.StopTimer()
	return c.TestingApp.FinalizeBlock(req)
}

// timed lets the timer run while c executes the blocks that do makes.
func timed(b *testing.B, c *twochain.Chain, do func()) {
	b.Helper()
	inner := c.TestChain.App
	c.TestChain.App = clock{TestingApp: inner, b: b}
	defer func() { c.TestChain.App = inner }()
	do()
}

// run measures step b.N times: what it does within timed, and the gas it returns.
func run(b *testing.B, step func(b *testing.B) (gas uint64)) {
	b.Helper()
	total := uint64(0)
	b.ResetTimer()
	b.StopTimer()
	for range b.N {
		total += step(b)
	}
	b.ReportMetric(float64(total)/float64(b.N), "gas/op")
}

// receive is the message that brings a packet to the other chain, whose light client knows the block it was sent in.
func (w *world) receive(from, to *twochain.Chain, p *twochain.Packet) sdk.Msg {
	w.Helper()
	require.NoError(w, w.UpdateClient(to))
	proof, height := from.QueryProof(host.PacketCommitmentKey(p.SourcePort, p.SourceChannel, p.Sequence))
	return channeltypes.NewMsgRecvPacket(p.Packet, proof, height, to.Relayer.String())
}

// acknowledge is the message that brings the ack of a packet back.
func (w *world) acknowledge(from, to *twochain.Chain, p *twochain.Packet) sdk.Msg {
	w.Helper()
	require.NoError(w, w.UpdateClient(from))
	proof, height := to.QueryProof(host.PacketAcknowledgementKey(p.DestinationPort, p.DestinationChannel, p.Sequence))
	return channeltypes.NewMsgAcknowledgement(p.Packet, p.Ack, proof, height, from.Relayer.String())
}

// only returns the one packet there is.
func only(tb testing.TB, packets []*twochain.Packet) *twochain.Packet {
	tb.Helper()
	require.Len(tb, packets, 1)
	return packets[0]
}
