package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	connectiontypes "github.com/cosmos/ibc-go/v8/modules/core/03-connection/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
)

// packetSent is a packet that the other end has not acknowledged.
type packetSent struct {
	Sequence uint64 `json:"sequence,string"`
	// Sent and Timeout are zero if the node does not index blocks.
	Sent    time.Time `json:"sent"`
	Timeout time.Time `json:"timeout"`
}

// readIBC reads how long the end's light client lives, and which of its packets waits longest.
func (end *linkEnd) readIBC(ctx context.Context, n node, connection string) error {
	if err := end.readClient(ctx, n, connection); err != nil {
		return fmt.Errorf("light client of %s: %w", connection, err)
	}
	if end.ChannelID == "" {
		return nil
	}
	if err := end.readPackets(ctx, n); err != nil {
		return fmt.Errorf("packets of %s/%s: %w", end.Port, end.ChannelID, err)
	}
	return nil
}

func (end *linkEnd) readClient(ctx context.Context, n node, connection string) error {
	res, err := connectiontypes.NewQueryClient(n).Connection(ctx, &connectiontypes.QueryConnectionRequest{ConnectionId: connection})
	if err != nil {
		return err
	}
	end.ClientID = res.Connection.ClientId
	clients := clienttypes.NewQueryClient(n)
	client, err := clients.ClientState(ctx, &clienttypes.QueryClientStateRequest{ClientId: end.ClientID})
	if err != nil {
		return err
	}
	var state ibctm.ClientState
	if err := state.Unmarshal(client.ClientState.Value); err != nil {
		return err
	}
	end.TrustingPeriod = state.TrustingPeriod
	latest, err := clients.ConsensusState(ctx, &clienttypes.QueryConsensusStateRequest{
		ClientId: end.ClientID, RevisionNumber: state.LatestHeight.RevisionNumber, RevisionHeight: state.LatestHeight.RevisionHeight,
	})
	if err != nil {
		return err
	}
	var seen ibctm.ConsensusState
	if err := seen.Unmarshal(latest.ConsensusState.Value); err != nil {
		return err
	}
	expires := seen.Timestamp.Add(state.TrustingPeriod).UTC()
	end.ClientExpires = &expires
	return nil
}

func (end *linkEnd) readPackets(ctx context.Context, n node) error {
	commitments, err := all(func(page *query.PageRequest) ([]*channeltypes.PacketState, *query.PageResponse, error) {
		res, err := channeltypes.NewQueryClient(n).PacketCommitments(ctx, &channeltypes.QueryPacketCommitmentsRequest{
			PortId: end.Port, ChannelId: end.ChannelID, Pagination: page,
		})
		if err != nil {
			return nil, nil, err
		}
		return res.Commitments, res.Pagination, nil
	})
	if err != nil || len(commitments) == 0 {
		return err
	}
	first := slices.MinFunc(commitments, func(a, b *channeltypes.PacketState) int { return int(a.Sequence) - int(b.Sequence) })
	end.Packets = uint64(len(commitments))
	end.Oldest = &packetSent{Sequence: first.Sequence}
	return end.readOldest(ctx, n)
}

// readOldest finds the block that has sent the oldest packet. Control packets are sent at the end of blocks, so that only
// the index of blocks knows them. A node without one leaves the times unknown.
func (end *linkEnd) readOldest(ctx context.Context, n node) error {
	rpc, err := n.GetNode()
	if err != nil {
		return err
	}
	one := 1
	found, err := rpc.BlockSearch(ctx, fmt.Sprintf("%s.%s='%s' AND %s.%s='%s' AND %s.%s=%d",
		channeltypes.EventTypeSendPacket, channeltypes.AttributeKeySrcPort, end.Port,
		channeltypes.EventTypeSendPacket, channeltypes.AttributeKeySrcChannel, end.ChannelID,
		channeltypes.EventTypeSendPacket, channeltypes.AttributeKeySequence, end.Oldest.Sequence), &one, &one, "desc")
	if err != nil || len(found.Blocks) == 0 {
		return nil //nolint:nilerr // without an index of blocks there is an answer too
	}
	block := found.Blocks[0].Block
	results, err := rpc.BlockResults(ctx, &block.Height)
	if err != nil {
		return err
	}
	for _, event := range results.FinalizeBlockEvents {
		if nanos, sent := end.timeoutOf(event); sent {
			end.Oldest.Sent, end.Oldest.Timeout = block.Time.UTC(), time.Unix(0, nanos).UTC()
		}
	}
	return nil
}

// timeoutOf returns the timeout, in nanoseconds since 1970, if the event is that of the oldest packet.
func (end *linkEnd) timeoutOf(event abci.Event) (nanos int64, sent bool) {
	if event.Type != channeltypes.EventTypeSendPacket {
		return 0, false
	}
	attributes := make(map[string]string, len(event.Attributes))
	for _, a := range event.Attributes {
		attributes[a.Key] = a.Value
	}
	if attributes[channeltypes.AttributeKeySrcPort] != end.Port || attributes[channeltypes.AttributeKeySrcChannel] != end.ChannelID ||
		attributes[channeltypes.AttributeKeySequence] != strconv.FormatUint(end.Oldest.Sequence, 10) {
		return 0, false
	}
	nanos, err := strconv.ParseInt(attributes[channeltypes.AttributeKeyTimeoutTimestamp], 10, 64)
	return nanos, err == nil && nanos > 0
}
