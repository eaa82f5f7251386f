package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtquery "github.com/cometbft/cometbft/libs/pubsub/query"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	"github.com/cometbft/cometbft/rpc/client/mock"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/stretchr/testify/require"

	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"

	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// chainRPC is a node's RPC over a chain in the same process: its state, and what it remembers of its blocks.
type chainRPC struct {
	mock.Client
	chain  *twochain.Chain
	blocks []block
	// unindexed nodes know nothing of earlier blocks.
	unindexed bool
}

type block struct {
	header cmttypes.Header
	events []abci.Event
}

func (r *chainRPC) ABCIQueryWithOptions(ctx context.Context, path string, data cmtbytes.HexBytes, _ rpcclient.ABCIQueryOptions) (*coretypes.ResultABCIQuery, error) {
	res, err := r.chain.App.Query(ctx, &abci.RequestQuery{Path: path, Data: data})
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultABCIQuery{Response: *res}, nil
}

func (r *chainRPC) BlockSearch(_ context.Context, text string, _, _ *int, _ string) (*coretypes.ResultBlockSearch, error) {
	if r.unindexed {
		return nil, errors.New("block indexing is disabled")
	}
	query, err := cmtquery.New(text)
	if err != nil {
		return nil, err
	}
	found := &coretypes.ResultBlockSearch{}
	for _, b := range r.blocks {
		matches, err := query.Matches(flat(b.events))
		if err != nil {
			return nil, err
		}
		if matches {
			found.Blocks = append(found.Blocks, &coretypes.ResultBlock{Block: &cmttypes.Block{Header: b.header}})
		}
	}
	return found, nil
}

func flat(events []abci.Event) map[string][]string {
	out := make(map[string][]string)
	for _, e := range events {
		for _, a := range e.Attributes {
			key := e.Type + "." + a.Key
			out[key] = append(out[key], a.Value)
		}
	}
	return out
}

func (r *chainRPC) BlockResults(_ context.Context, height *int64) (*coretypes.ResultBlockResults, error) {
	for _, b := range r.blocks {
		if b.header.Height == *height {
			return &coretypes.ResultBlockResults{FinalizeBlockEvents: b.events}, nil
		}
	}
	return nil, fmt.Errorf("no block %d", *height)
}

// pair is two chains and their nodes.
type pair struct {
	*twochain.Network
	provider, consumer *chainRPC
}

func newPair(t *testing.T) pair {
	t.Helper()
	n := twochain.New(t, twochain.DefaultConfig())
	follow := func(c *twochain.Chain) *chainRPC {
		r := &chainRPC{chain: c}
		c.Observe = func(res *abci.ResponseFinalizeBlock) {
			header := cmttypes.Header{ChainID: c.ChainID, Height: c.App.LastBlockHeight(), Time: c.CurrentHeader.Time}
			r.blocks = append(r.blocks, block{header, res.Events})
		}
		return r
	}
	p := pair{n, follow(n.Provider), follow(n.Consumer)}
	n.Setup()
	require.NoError(t, n.Relay())
	return p
}

// status is what the command reads.
func (p pair) status(t *testing.T) meshStatus {
	t.Helper()
	connect := func(r *chainRPC) node {
		c := r.chain
		ctx := client.Context{}.WithClient(r).WithCodec(c.App.AppCodec()).WithInterfaceRegistry(c.App.InterfaceRegistry())
		return node{Context: ctx, ChainID: c.ChainID, Height: c.App.LastBlockHeight(), Time: c.LastHeader.GetTime()}
	}
	status, err := readStatus(context.Background(), connect(p.provider), connect(p.consumer), 0)
	require.NoError(t, err)
	require.Len(t, status.Links, 1)
	return status
}

// link is the only registration; it must have the findings with these runbooks.
func (p pair) link(t *testing.T, runbooks ...string) linkStatus {
	t.Helper()
	status := p.status(t)
	link := status.Links[0]
	pages := []string{}
	for _, f := range link.Findings {
		pages = append(pages, f.Runbook)
	}
	require.ElementsMatch(t, runbooks, pages, "%v", link.Findings)

	var text, object bytes.Buffer
	require.NoError(t, status.print(&text))
	require.NoError(t, status.printJSON(&object))
	for _, f := range link.Findings {
		require.Contains(t, text.String(), "NEEDS A PERSON: "+f.What+": see docs/runbooks/"+f.Runbook)
	}
	var read meshStatus
	require.NoError(t, json.Unmarshal(object.Bytes(), &read))
	require.Equal(t, link.Findings, read.Links[0].Findings)
	if len(runbooks) == 0 {
		require.NoError(t, status.attention())
	} else {
		require.ErrorContains(t, status.attention(), "need a person")
	}
	return link
}

func (p pair) stake(t *testing.T, amount int64) {
	t.Helper()
	user := p.Provider.Users[1]
	_, err := p.Provider.Deliver(user,
		&vaulttypes.MsgDeposit{User: user.String(), Amount: p.Provider.Coin(amount)},
		&externaltypes.MsgStake{User: user.String(), ConsumerID: p.ConsumerID, Validator: p.Consumer.Validators[0].Address, Amount: p.Provider.Coin(amount)})
	require.NoError(t, err)
}

func TestMeshStatusOfTwoHealthyChains(t *testing.T) {
	p := newPair(t)
	p.stake(t, 1_000)
	link := p.link(t)
	require.EqualValues(t, 1, link.Outbox.InFlight)
	require.EqualValues(t, 1, link.Provider.Packets)
	require.Equal(t, 28*24*time.Hour, link.Provider.Oldest.Timeout.Sub(link.Provider.Oldest.Sent))
	require.Equal(t, 14*24*time.Hour, link.Provider.TrustingPeriod)
	require.True(t, link.Provider.ClientExpires.After(p.Coordinator.CurrentTime.Add(13*24*time.Hour)))
	require.Equal(t, "Active", link.Consumer.ClientStatus)

	p.provider.unindexed, p.consumer.unindexed = true, true
	link = p.link(t)
	require.EqualValues(t, 1, link.Provider.Packets)
	require.True(t, link.Provider.Oldest.Timeout.IsZero(), "unknown without an index of blocks")

	require.NoError(t, p.Relay())
	p.Epoch()
	link = p.link(t)
	require.Zero(t, link.Outbox.InFlight)
	require.Equal(t, "1000", link.Synced.String())
	require.Equal(t, "1000", link.Counted.String())
}

func TestMeshStatusFindsClientsThatExpire(t *testing.T) {
	p := newPair(t)
	p.Coordinator.IncrementTimeBy(10 * 24 * time.Hour)
	p.Provider.NextBlock()
	p.link(t, "expired-client.md")
	p.Coordinator.IncrementTimeBy(5 * 24 * time.Hour)
	p.Provider.NextBlock()
	link := p.link(t, "expired-client.md")
	require.Equal(t, "Expired", link.Provider.ClientStatus)
	require.Contains(t, link.Findings[0].What, "light client 07-tendermint-0 on the provider is Expired")
}

func TestMeshStatusFindsAPacketNearItsTimeoutAndAClosedChannel(t *testing.T) {
	p := newPair(t)
	p.stake(t, 1_000)
	require.NoError(t, p.Advance(21*24*time.Hour))
	require.Len(t, p.status(t).Links[0].Findings, 2, "the price is stale too")
	p.SetPrice()
	link := p.link(t, "stuck-packet.md")
	require.Contains(t, link.Findings[0].What, fmt.Sprintf("packet %d of externalstaking.1/", link.Provider.Oldest.Sequence))

	require.NoError(t, p.Advance(8*24*time.Hour))
	p.SetPrice()
	require.NoError(t, p.Timeout(p.Provider, p.Provider.Unreceived()...))
	p.link(t, "closed-channel.md")
	require.NoError(t, p.CloseConfirm(p.Provider, p.Control.EndpointA.ChannelConfig.PortID, p.Control.EndpointA.ChannelID))
	p.link(t, "closed-channel.md", "closed-channel.md")
	for range 3 {
		p.Epoch()
	}
	require.NotNil(t, p.link(t, "closed-channel.md", "closed-channel.md", "provider-silent.md").SilentSince)
}

func TestMeshStatusShowsPausedAndRetired(t *testing.T) {
	p := newPair(t)
	authority := twochain.Authority()
	require.NoError(t, p.Provider.Execute(&externaltypes.MsgPauseConsumer{Sender: authority, ConsumerID: p.ConsumerID, Paused: true}))
	link := p.link(t)
	require.True(t, link.Paused)
	require.Equal(t, "open, PAUSED", link.statusLine())
	require.NoError(t, p.Provider.Execute(&externaltypes.MsgRetireConsumer{Authority: authority, ConsumerID: p.ConsumerID}))
	p.Coordinator.IncrementTimeBy(30 * 24 * time.Hour)
	p.Provider.NextBlock()
	link = p.link(t)
	require.True(t, link.Retired, "left for good: its light client is nobody's business any more")
}

// What two chains in one process do not come to.
func TestMeshStatusFindings(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	later := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	healthy := func() linkStatus {
		end := linkEnd{
			ClientID: "07-tendermint-0", ClientStatus: "Active", TrustingPeriod: 9 * time.Hour, ClientExpires: later(8 * time.Hour),
			ChannelState: channeltypes.OPEN.String(),
		}
		link := linkStatus{
			ConsumerID: 1, ConverterID: 1, Provider: end, Consumer: end,
			Bonded: math.NewInt(5), Synced: math.NewInt(5), Counted: math.NewInt(5), Price: math.LegacyOneDec(),
		}
		link.Provider.Status, link.Consumer.Status = externaltypes.ConsumerOpen.String(), convertertypes.ConverterOpen.String()
		return link
	}
	require.Empty(t, healthy().find(now, now))
	for name, tc := range map[string]struct {
		change  func(*linkStatus)
		runbook string
	}{
		"no pair":     {func(l *linkStatus) { l.Problem = "the registration is for another chain" }, "README.md"},
		"frozen":      {func(l *linkStatus) { l.Consumer.ClientStatus = "Frozen" }, "expired-client.md"},
		"near expiry": {func(l *linkStatus) { l.Consumer.ClientExpires = later(3*time.Hour - 1) }, "expired-client.md"},
		"closed":      {func(l *linkStatus) { l.Consumer.ChannelState = channeltypes.CLOSED.String() }, "closed-channel.md"},
		"packet": {func(l *linkStatus) {
			l.Consumer.Oldest = &packetSent{7, now.Add(-7 * time.Hour), now.Add(2 * time.Hour)}
		}, "stuck-packet.md"},
		"batches refused":  {func(l *linkStatus) { l.Outbox.Failures = 3 }, "stuck-packet.md"},
		"reports refused":  {func(l *linkStatus) { l.ReportFailures = 3 }, "stuck-packet.md"},
		"drift":            {func(l *linkStatus) { l.Counted = math.NewInt(6) }, "closed-channel.md"},
		"resynced in vain": {func(l *linkStatus) { l.Outbox.Resyncs, l.Outbox.InFlight = 2, 1 }, "closed-channel.md"},
		"epoch":            {func(l *linkStatus) { l.LastFailure = "out of gas" }, "failing-epoch.md"},
		"price":            {func(l *linkStatus) { l.PriceStale = true }, "failing-epoch.md"},
		"silent":           {func(l *linkStatus) { l.SilentSince = &now }, "provider-silent.md"},
		"unwound":          {func(l *linkStatus) { l.SilentSince, l.Unwound = &now, true }, "provider-silent.md"},
		"rewards":          {func(l *linkStatus) { l.Rewards.Failures = 3 }, "reward-channel.md"},
	} {
		link := healthy()
		tc.change(&link)
		found := link.find(now, now)
		require.Len(t, found, 1, name)
		require.Equal(t, tc.runbook, found[0].Runbook, name)
		require.FileExists(t, "../../docs/runbooks/"+tc.runbook)
	}
	for name, change := range map[string]func(*linkStatus){
		"in flight":       func(l *linkStatus) { l.Counted, l.Outbox.InFlight = math.NewInt(6), 1 },
		"snapshot":        func(l *linkStatus) { l.Counted, l.Outbox.Snapshot = math.NewInt(6), true },
		"no price yet":    func(l *linkStatus) { l.Price, l.PriceStale = math.LegacyZeroDec(), true },
		"a third is left": func(l *linkStatus) { l.Provider.ClientExpires = later(3 * time.Hour) },
		"never opened": func(l *linkStatus) {
			l.Provider.Status, l.Provider.ChannelState = externaltypes.ConsumerRegistered.String(), channeltypes.UNINITIALIZED.String()
		},
	} {
		link := healthy()
		change(&link)
		require.Empty(t, link.find(now, now), name)
	}
}
