package keeper

import (
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

// ReceivePacket answers every packet: with the result of a processed StakeSync, or with the registered code of what was
// wrong, in which case nothing was written. A panic is an error like any other; only out-of-gas is passed on, so that a
// relayer with too little gas cannot forge a refusal.
func (k *Keeper) ReceivePacket(ctx sdk.Context, packet channeltypes.Packet) channeltypes.Acknowledgement {
	var (
		id  uint64
		ack channeltypes.Acknowledgement
	)
	err := isolate.Try(ctx, func(ctx sdk.Context) error {
		c, err := k.boundTo(ctx, packet.DestinationPort, packet.DestinationChannel)
		if err != nil {
			return err
		}
		id = c.ID
		sync, err := control.DecodeStakeSync(packet.Data)
		if err != nil {
			return err
		}
		result, err := k.ApplyStakeSync(ctx, c, packet.Sequence, sync)
		if err != nil {
			return err
		}
		ack, err = control.StakeSyncResult(result)
		return err
	})
	if err != nil {
		count("stake_syncs_refused")
		k.report(ctx, &types.EventStakeSyncRefused{ConverterID: id, Sequence: packet.Sequence, Reason: reason(err)})
		return control.ErrorAck(err)
	}
	return ack
}

// boundTo returns the converter whose open control channel this is.
func (k *Keeper) boundTo(ctx sdk.Context, port, channelID string) (types.Converter, error) {
	c, err := k.byPort(ctx, port)
	if err != nil {
		return types.Converter{}, err
	}
	if c.Status != types.ConverterOpen || c.ChannelID != channelID {
		return types.Converter{}, errorsmod.Wrapf(types.ErrWrongChannel, "%s; converter %d is bound to %q", channelID, c.ID, c.ChannelID)
	}
	return c, nil
}

// ReportAcknowledged handles the acknowledgement of a ValidatorSync. A refused one may have carried news that will not come
// again, so the provider is then told of all validators anew, after a back-off that doubles with every such report.
func (k *Keeper) ReportAcknowledged(ctx sdk.Context, packet channeltypes.Packet, ack []byte) error {
	c, err := k.byPort(ctx, packet.SourcePort)
	if err != nil {
		return err
	}
	refused := control.AckRefused(ack)
	if refused != "" {
		count("reports_refused")
		err := emit(ctx, &types.EventReportRefused{ConverterID: c.ID, Sequence: packet.Sequence, Reason: shorten(refused)})
		if err != nil {
			return err
		}
	}
	if c.Status != types.ConverterOpen || c.ChannelID != packet.SourceChannel {
		return nil
	}
	cursor, err := optional(k.SyncCursors.Get(ctx, c.ID))
	// What was sent before the last restart has been made up for by it.
	if err != nil || packet.Sequence < cursor.FirstSequence {
		return err
	}
	switch {
	case refused != "":
		next, _ := k.channelKeeper.GetNextSequenceSend(ctx, c.Port(), c.ChannelID)
		cursor.Restart(ctx.BlockHeight(), next)
	case cursor.Failures > 0 && cursor.FullDone && packet.Sequence >= cursor.LastSequence:
		cursor.Failures = 0
	default:
		return nil
	}
	return k.SyncCursors.Set(ctx, c.ID, cursor)
}

// Guard runs the handler of an acknowledgement, a timeout, a closure or a block. An error returned from there would jam the
// channel for ever, or halt the chain, so a failure only leaves a log line, and none of the handler's writes.
func (k *Keeper) Guard(ctx sdk.Context, what string, handler func(sdk.Context) error) {
	if err := isolate.Try(ctx, handler); err != nil {
		count("handlers_failed")
		ctx.Logger().Error("converter: handler failed", "handler", what, "err", err)
	}
}
