package keeper

import (
	"context"
	"encoding/json"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	// maxConsumersPerBlock bounds how many consumers' outboxes are examined, and how many are woken, in one block.
	maxConsumersPerBlock = 50
	// maxScanPerPacket bounds how many validators are looked at for one packet.
	maxScanPerPacket = 1000
	// packetRoom is what entries may take of a packet; the rest is for its envelope.
	packetRoom = control.MaxPacketBytes - 1024
	// entryOverhead is more than the JSON of an entry takes besides the name and the amount.
	entryOverhead = 32
	// maxAmountDigits of an amount below 2^128.
	maxAmountDigits = 39

	// maxScanPerChunk bounds how many validators are looked at for one chunk of a snapshot, which writes each.
	maxScanPerChunk = 200

	// Gas of one packet: its own meter, so that a consumer can never use more than this of a block's time.
	packetGas    = 2_000_000
	scanGas      = 20_000
	entryGas     = 50_000
	operationGas = 50_000
)

// sendPackets serves the outboxes, round robin from the consumer after the one served last: at most
// max_packets_per_block packets, over at most maxConsumersPerBlock consumers that are ready.
func (k *Keeper) sendPackets(ctx sdk.Context, params types.Params) error {
	if err := k.wakeUp(ctx); err != nil {
		return err
	}
	cursor, err := k.SendCursor.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	first, wrapped, packets := uint64(0), false, int(params.MaxPacketsPerBlock)
	for n := 0; n < maxConsumersPerBlock && packets > 0; n++ {
		consumerID, found, err := k.nextReady(ctx, cursor)
		if err != nil {
			return err
		}
		if !found && wrapped {
			break
		}
		if !found {
			cursor, wrapped = 0, true
			continue
		}
		if first == 0 {
			first = consumerID
		} else if wrapped && consumerID >= first {
			break
		}
		cursor = consumerID
		packets -= k.serveConsumer(ctx, params, consumerID, packets)
	}
	return k.SendCursor.Set(ctx, cursor)
}

// serveConsumer sends up to budget packets of one consumer and returns how many. Each is isolated: a failure is an
// event and makes this consumer wait, nothing else.
func (k *Keeper) serveConsumer(ctx sdk.Context, params types.Params, consumerID uint64, budget int) int {
	sent := 0
	for sent < budget {
		more := false
		err := isolate.WithGas(ctx, packetGasLimit(params), func(ctx sdk.Context) (err error) {
			more, err = k.sendPacket(ctx, params, consumerID)
			return err
		})
		if err != nil {
			k.sendFailed(ctx, consumerID, err)
			break
		}
		if !more {
			break
		}
		sent++
	}
	if err := isolate.Try(ctx, func(ctx sdk.Context) error { return k.rest(ctx, consumerID) }); err != nil {
		k.reportOutboxFailure(ctx, consumerID, err)
	}
	return sent
}

// packetGasLimit is what building the largest packet the params allow may cost.
func packetGasLimit(params types.Params) storetypes.Gas {
	return packetGas + maxScanPerPacket*scanGas +
		storetypes.Gas(params.MaxEntriesPerPacket)*entryGas + storetypes.Gas(params.MaxOpsPerPacket)*operationGas
}

// sendFailed reports a packet that could not be sent and makes the consumer wait.
func (k *Keeper) sendFailed(ctx sdk.Context, consumerID uint64, cause error) {
	err := isolate.Try(ctx, func(ctx sdk.Context) error {
		outbox, err := k.loadOutbox(ctx, consumerID)
		if err != nil {
			return err
		}
		outbox.BackOff(ctx.BlockHeight())
		return k.Outboxes.Set(ctx, consumerID, outbox)
	})
	k.reportOutboxFailure(ctx, consumerID, errors.Join(cause, err))
}

// sendPacket sends the consumer's next batch, if it can be sent to and has anything to say; sent is false otherwise.
// Until it is acked or timed out, its validators are not sent again: a batch that is rolled back can then never leave
// more counted on the consumer than is backed.
func (k *Keeper) sendPacket(ctx sdk.Context, params types.Params, consumerID uint64) (sent bool, err error) {
	consumer, err := k.GetConsumer(ctx, consumerID)
	if err != nil {
		return false, err
	}
	outbox, err := k.loadOutbox(ctx, consumerID)
	if err != nil {
		return false, err
	}
	if outbox.RetryHeight > ctx.BlockHeight() || k.channelUsable(ctx, consumer) != nil {
		// Everything waits, in order.
		return false, nil
	}
	outbox.LastBatchID++
	batch := types.Batch{ID: outbox.LastBatchID, ChannelID: consumer.ChannelID, SentAt: ctx.BlockTime().UTC()}
	ready, operations := false, 0
	if outbox.Resyncing(ctx.BlockHeight()) {
		ready, err = k.nextChunk(ctx, params, consumer, &outbox, &batch)
	} else {
		operations, err = k.fillBatch(ctx, params, consumer, &batch)
		ready = len(batch.Entries) > 0
	}
	if err != nil || !ready {
		return false, err
	}
	if batch.Sequence, err = k.transmit(ctx, params, consumer, outbox, batch); err != nil {
		return false, err
	}
	if batch.Snapshot {
		outbox.Snapshot.NextChunk++
	}
	if err := k.Outboxes.Set(ctx, consumerID, outbox); err != nil {
		return false, err
	}
	key := collections.Join(consumerID, batch.ID)
	if err := k.Batches.Set(ctx, key, batch); err != nil {
		return false, err
	}
	if err := k.BatchBySequence.Set(ctx, collections.Join(batch.ChannelID, batch.Sequence), key); err != nil {
		return false, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "batches", "sent")
	return true, emit(ctx, &types.EventBatchSent{
		ConsumerID: consumerID, BatchID: batch.ID, Sequence: batch.Sequence,
		Entries: uint32(len(batch.Entries)), Operations: uint32(operations),
	})
}

func (k *Keeper) transmit(ctx sdk.Context, params types.Params, consumer types.Consumer, outbox types.OutboxState, batch types.Batch) (uint64, error) {
	sync := control.StakeSync{BatchID: batch.ID, Entries: batch.Entries}
	if batch.Snapshot {
		sync.Reset_ = &control.Reset{Chunk: outbox.Snapshot.NextChunk, Last: batch.Last}
	}
	data, err := control.EncodeStakeSync(sync)
	if err != nil {
		return 0, err
	}
	port := types.Port(consumer.ID)
	capability, found := k.scopedKeeper.GetCapability(ctx, host.ChannelCapabilityPath(port, batch.ChannelID))
	if !found {
		return 0, types.ErrChannelNotUsable.Wrapf("no capability for channel %s", batch.ChannelID)
	}
	timeout := uint64(ctx.BlockTime().Add(params.PacketTimeout).UnixNano())
	return k.channelKeeper.SendPacket(ctx, capability, port, batch.ChannelID, clienttypes.ZeroHeight(), timeout, data)
}

// fillBatch moves dirty validators into the batch, with as many of their queued operations as fit, and returns the
// number of operations. Validators without anything to send are taken off the list.
func (k *Keeper) fillBatch(ctx sdk.Context, params types.Params, consumer types.Consumer, batch *types.Batch) (int, error) {
	dirty, err := k.dirtyValidators(ctx, consumer.ID)
	if err != nil {
		return 0, err
	}
	operations, room := 0, packetRoom
	for _, key := range dirty {
		left, size, entries := int(params.MaxOpsPerPacket)-operations, entrySize(key.K2()), len(batch.Entries)
		if entries == int(params.MaxEntriesPerPacket) || left <= 0 || size > room {
			break
		}
		carried, err := k.addEntry(ctx, consumer, key, left, batch)
		if err != nil {
			return 0, err
		}
		operations += carried
		if len(batch.Entries) > entries {
			room -= size
		}
		if err := k.Dirty.Remove(ctx, key); err != nil {
			return 0, err
		}
	}
	return operations, nil
}

// entrySize is the most bytes a validator's entry can take in a packet.
func entrySize(validator string) int {
	name, err := json.Marshal(validator)
	if err != nil {
		return packetRoom
	}
	return len(name) + maxAmountDigits + entryOverhead
}

func (k *Keeper) dirtyValidators(ctx sdk.Context, consumerID uint64) ([]validatorKey, error) {
	var dirty []validatorKey
	err := k.Dirty.Walk(ctx, collections.NewPrefixedPairRange[uint64, string](consumerID), func(key validatorKey) (bool, error) {
		dirty = append(dirty, key)
		return len(dirty) == maxScanPerPacket, nil
	})
	return dirty, err
}

// addEntry adds the validator's total to the batch if it differs from what the consumer accepted last or carries
// operations, and returns their number. The total is the committed stake and the operations carried, nothing else;
// an ended validator counts for nothing and carries none, like all of a retired consumer.
func (k *Keeper) addEntry(ctx sdk.Context, consumer types.Consumer, key validatorKey, limit int, batch *types.Batch) (int, error) {
	pool, err := k.loadPool(ctx, key.K1(), key.K2())
	if err != nil || pool.BatchID != 0 {
		return 0, err
	}
	v, err := k.loadValidator(ctx, key.K1(), key.K2())
	if err != nil {
		return 0, err
	}
	total, carried := math.ZeroInt(), 0
	if !v.Ended() && !consumer.Retired {
		total, carried, err = k.takeOperations(ctx, key, limit, batch.ID, pool.Bonded)
		if err != nil {
			return 0, err
		}
	}
	if carried == 0 && total.Equal(pool.Synced) {
		return 0, nil
	}
	pool.BatchID = batch.ID
	batch.Entries = append(batch.Entries, control.StakeEntry{Validator: key.K2(), Stake: total})
	return carried, k.savePool(ctx, key.K1(), key.K2(), pool)
}

// takeOperations sends queued operations in order of request, about limit of them but those of one position always
// together, and returns the validator's total with them.
func (k *Keeper) takeOperations(ctx sdk.Context, validator validatorKey, limit int, batchID uint64, total math.Int) (math.Int, int, error) {
	users, err := k.queuedUsers(ctx, validator, limit)
	if err != nil {
		return total, 0, err
	}
	carried := 0
	for _, user := range users {
		if carried >= limit {
			break
		}
		key := collections.Join3(user, validator.K1(), validator.K2())
		position, err := k.Positions.Get(ctx, key)
		if err != nil {
			return total, 0, err
		}
		if position.Sent() {
			// What is left of a batch whose end failed for this position; it must not be mixed with another.
			continue
		}
		total = total.Add(position.QueuedStake.Value()).Sub(position.QueuedUnstake.Value())
		carried += position.Operations()
		position.SentStake, position.SentUnstake = position.QueuedStake, position.QueuedUnstake
		position.QueuedStake, position.QueuedUnstake = nil, nil
		if err := k.dequeue(ctx, key, &position); err != nil {
			return total, 0, err
		}
		if err := k.Positions.Set(ctx, key, position); err != nil {
			return total, 0, err
		}
		if err := k.SentOps.Set(ctx, collections.Join3(validator.K1(), batchID, collections.Join(validator.K2(), user))); err != nil {
			return total, 0, err
		}
	}
	return total, carried, nil
}

// queuedUsers lists up to limit users with queued operations on a validator, in order of request.
func (k *Keeper) queuedUsers(ctx sdk.Context, validator validatorKey, limit int) ([]sdk.AccAddress, error) {
	var users []sdk.AccAddress
	err := k.Queue.Walk(ctx, collections.NewSuperPrefixedTripleRange[uint64, string, uint64](validator.K1(), validator.K2()),
		func(_ collections.Triple[uint64, string, uint64], user []byte) (bool, error) {
			users = append(users, user)
			return len(users) >= limit, nil
		})
	return users, err
}

// loadOutbox returns a consumer's outbox, a new one if nothing was ever sent.
func (k *Keeper) loadOutbox(ctx context.Context, consumerID uint64) (types.OutboxState, error) {
	outbox, err := k.Outboxes.Get(ctx, consumerID)
	if errors.Is(err, collections.ErrNotFound) {
		return types.NewOutboxState(), nil
	}
	return outbox, err
}
