package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

// EndBlock tells providers of validator changes: at most one packet per converter and max_packets_per_block in all,
// those with a cap first, then round robin over the open converters: anybody can open a converter, but only governance
// gives it a cap. What cannot be sent waits; it never fails the block.
func (k *Keeper) EndBlock(ctx context.Context) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	k.Guard(sdkCtx, "validator reports", k.reportValidators)
	return nil
}

func (k *Keeper) reportValidators(ctx sdk.Context) error {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	budget := params.MaxPacketsPerBlock
	report := func(id uint64) {
		sent := false
		err := isolate.WithGas(ctx, types.ReportGas, func(ctx sdk.Context) (err error) {
			sent, err = k.reportTo(ctx, id)
			return err
		})
		if err != nil {
			k.sendFailed(ctx, id, "validators", err)
		} else if sent {
			budget--
		}
	}

	capped, err := k.openWithCap(ctx)
	if err != nil {
		return err
	}
	first := make(map[uint64]struct{}, len(capped))
	for i := range capped {
		first[capped[i]] = struct{}{}
		if budget > 0 {
			// A different one begins in every block, so that all get a place if there are too few.
			report(capped[(uint64(i)+uint64(ctx.BlockHeight()))%uint64(len(capped))])
		}
	}
	ids, err := robin(ctx, k.OpenConverters, k.LastReported, types.MaxExamined)
	if err != nil || len(ids) == 0 || budget == 0 {
		return err
	}
	last := ids[0]
	for i := 0; budget > 0 && i < len(ids); i++ {
		last = ids[i]
		if _, done := first[last]; !done {
			report(last)
		}
	}
	return serve(ctx, k.LastReported, last)
}

// openWithCap are the open converters with a cap. However many others there are, these are looked at in every block.
func (k *Keeper) openWithCap(ctx context.Context) ([]uint64, error) {
	capped, err := k.virtualStaking.CappedSources(ctx)
	if err != nil {
		return nil, err
	}
	var open []uint64
	for _, id := range capped {
		if has, err := k.OpenConverters.Has(ctx, id); err != nil {
			return nil, err
		} else if has {
			open = append(open, id)
		}
	}
	return open, nil
}

// reportTo sends the converter's provider one ValidatorSync if there is anything to tell and a way to tell it.
func (k *Keeper) reportTo(ctx sdk.Context, id uint64) (sent bool, err error) {
	c, err := k.GetConverter(ctx, id)
	if err != nil || !k.canReport(ctx, c) {
		return false, err
	}
	cursor, err := k.SyncCursors.Get(ctx, id)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return false, err
	}
	if ctx.BlockHeight() < cursor.RetryHeight {
		return false, nil
	}
	sync, next, err := k.nextReport(ctx, c, cursor)
	if err != nil || sync == nil {
		return false, err
	}
	data, err := control.EncodeValidatorSync(*sync)
	if err != nil {
		return false, err
	}
	sequence, err := k.sendPacket(ctx, c, data)
	if err != nil {
		return false, err
	}
	if next.FullDone && !cursor.FullDone {
		next.LastSequence = sequence
	}
	if err := k.SyncCursors.Set(ctx, id, next); err != nil {
		return false, err
	}
	count("reports_sent")
	return true, emit(ctx, &types.EventValidatorsReported{
		ConverterID: id, Sequence: sequence, Validators: uint32(len(sync.Validators)), Full: sync.Reset_ != nil,
	})
}

// nextReport is the next packet for the converter's provider and the cursor after it; nil when there is nothing to tell.
// The index of changes is followed by sequence: from 0 that is the full report, made of chunks until the end of the
// index is reached, and a validator that changes meanwhile simply comes again at the end.
func (k *Keeper) nextReport(ctx sdk.Context, c types.Converter, cursor types.SyncCursor) (*control.ValidatorSync, types.SyncCursor, error) {
	// One more than fits tells whether this is the last chunk.
	changes, err := k.virtualStaking.ValidatorChanges(ctx, cursor.After, types.ValidatorsPerReport+1)
	if err != nil {
		return nil, cursor, err
	}
	applied, err := k.virtualStaking.Applied(ctx, c.ID)
	if err != nil {
		return nil, cursor, err
	}
	if applied != nil && (applied.BatchID <= cursor.AppliedBatchID || applied.BatchID > c.LastBatchID) {
		applied = nil
	}
	unbonding, err := k.stakingKeeper.UnbondingTime(ctx)
	if err != nil {
		return nil, cursor, err
	}
	// Asked for once per epoch, until the snapshot has come.
	reset, err := k.virtualStaking.ResetEpoch(ctx, c.ID)
	if err != nil {
		return nil, cursor, err
	}
	needReset := reset != 0 && reset != cursor.ResetEpoch
	if cursor.FullDone && len(changes) == 0 && applied == nil && unbonding == cursor.UnbondingPeriod && !needReset {
		return nil, cursor, nil
	}
	sync := &control.ValidatorSync{
		Height: clienttypes.GetSelfHeight(ctx), UnbondingPeriod: unbonding, Applied: applied, NeedReset: needReset,
	}
	last := len(changes) <= types.ValidatorsPerReport
	if !last {
		changes = changes[:types.ValidatorsPerReport]
	}
	for _, change := range changes {
		sync.Validators = append(sync.Validators, change.Update)
		cursor.After = change.Sequence
	}
	if !cursor.FullDone {
		sync.Reset_ = &control.Reset{Chunk: cursor.FullChunk, Last: last}
		cursor.FullChunk, cursor.FullDone = cursor.FullChunk+1, last
	}
	if applied != nil {
		cursor.AppliedBatchID = applied.BatchID
	}
	if needReset {
		cursor.ResetEpoch = reset
	}
	cursor.UnbondingPeriod = unbonding
	return sync, cursor, nil
}

// connected reports whether packets of the control channel can be sent and proven now: the channel is open and the client
// active.
func (k *Keeper) connected(ctx sdk.Context, c types.Converter) bool {
	channel, found := k.channelKeeper.GetChannel(ctx, c.Port(), c.ChannelID)
	return found && channel.State == channeltypes.OPEN && k.reachable(ctx, c.ConnectionID)
}

// canReport reports whether a packet can leave now: the provider can be reached, and not too many earlier packets are
// unacknowledged.
func (k *Keeper) canReport(ctx sdk.Context, c types.Converter) bool {
	if !k.connected(ctx, c) {
		return false
	}
	next, _ := k.channelKeeper.GetNextSequenceSend(ctx, c.Port(), c.ChannelID)
	acked, _ := k.channelKeeper.GetNextSequenceAck(ctx, c.Port(), c.ChannelID)
	return next < acked+types.MaxReportsInFlight
}

// sendPacket sends data on the converter's control channel.
func (k *Keeper) sendPacket(ctx sdk.Context, c types.Converter, data []byte) (sequence uint64, err error) {
	path := host.ChannelCapabilityPath(c.Port(), c.ChannelID)
	capability, found := k.scopedKeeper.GetCapability(ctx, path)
	if !found {
		return 0, errorsmod.Wrap(channeltypes.ErrChannelCapabilityNotFound, path)
	}
	timeout, err := k.packetTimeout(ctx)
	if err != nil {
		return 0, err
	}
	return k.channelKeeper.SendPacket(ctx, capability, c.Port(), c.ChannelID, clienttypes.ZeroHeight(), timeout, data)
}

// packetTimeout is the timeout of a packet sent now, in nanoseconds since 1970.
func (k *Keeper) packetTimeout(ctx sdk.Context) (uint64, error) {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return 0, err
	}
	return uint64(ctx.BlockTime().Add(params.PacketTimeout).UnixNano()), nil
}

func (k *Keeper) sendFailed(ctx sdk.Context, id uint64, kind string, err error) {
	count("sends_failed")
	ctx.Logger().Error("converter: send failed, will be retried", "converter", id, "kind", kind, "err", err)
	k.report(ctx, &types.EventSendFailed{ConverterID: id, Kind: kind, Reason: reason(err)})
}
