package keeper

import (
	"context"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// maxReceiverBytes bounds a receiver before it is decoded; anything longer is not one of ours.
const maxReceiverBytes = 256

// RewardConsumer returns the consumer whose reward receiver this is; false for any other account.
func (k *Keeper) RewardConsumer(ctx context.Context, receiver string) (uint64, bool) {
	if len(receiver) > maxReceiverBytes {
		return 0, false
	}
	addr, err := k.accountKeeper.AddressCodec().StringToBytes(receiver)
	if err != nil {
		return 0, false
	}
	consumerID, err := k.RewardReceivers.Get(ctx, addr)
	return consumerID, err == nil
}

// ReceiveReward credits a transfer that has just arrived in the consumer's reward receiver. It must have come over the
// consumer's own transfer channel, with a memo for this consumer whose entries add up to exactly the amount.
func (k *Keeper) ReceiveReward(ctx sdk.Context, consumerID uint64, packet channeltypes.Packet, data transfertypes.FungibleTokenPacketData) error {
	consumer, err := k.GetConsumer(ctx, consumerID)
	if err != nil {
		return err
	}
	if packet.DestinationPort != transfertypes.PortID || packet.DestinationChannel != consumer.TransferChannel {
		return types.ErrRewardRefused.Wrapf("it came over %s/%s, the rewards of consumer %d come over %s/%s",
			packet.DestinationPort, packet.DestinationChannel, consumerID, transfertypes.PortID, consumer.TransferChannel)
	}
	memo, err := control.DecodeRewardMemo(data.Memo)
	if err != nil {
		return err
	}
	if memo.ConsumerID != consumerID {
		return types.ErrRewardRefused.Wrapf("its memo is for consumer %d, its receiver belongs to consumer %d", memo.ConsumerID, consumerID)
	}
	total, err := memo.Total()
	if err != nil {
		return err
	}
	amount, ok := math.NewIntFromString(data.Amount)
	if !ok || !amount.Equal(total) {
		return types.ErrRewardRefused.Wrapf("the transfer is of %s, the entries add up to %s", data.Amount, total)
	}
	return k.CreditRewards(ctx, consumer, data.Sender, sdk.NewCoin(receivedDenom(packet, data.Denom), amount), memo.Entries)
}

// receivedDenom is what a transferred denom is called here: a token that comes home loses its prefix, any other becomes
// a voucher.
func receivedDenom(packet channeltypes.Packet, denom string) string {
	if transfertypes.ReceiverChainIsSource(packet.SourcePort, packet.SourceChannel, denom) {
		home := denom[len(transfertypes.GetDenomPrefix(packet.SourcePort, packet.SourceChannel)):]
		return transfertypes.ParseDenomTrace(home).IBCDenom()
	}
	path := transfertypes.GetPrefixedDenom(packet.DestinationPort, packet.DestinationChannel, denom)
	return transfertypes.ParseDenomTrace(path).IBCDenom()
}
