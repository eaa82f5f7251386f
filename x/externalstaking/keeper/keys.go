package keeper

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// ownerKey is the CometBFT address of a consensus key and the height the key is valid from, ordered by address, then
// height.
func ownerKey(address cmttypes.Address, from clienttypes.Height) []byte {
	bz := bytes.Clone(address)
	bz = binary.BigEndian.AppendUint64(bz, from.RevisionNumber)
	return binary.BigEndian.AppendUint64(bz, from.RevisionHeight)
}

// ownerHeight is the height in an ownerKey.
func ownerHeight(owner []byte) clienttypes.Height {
	tail := owner[len(owner)-16:]
	return clienttypes.NewHeight(binary.BigEndian.Uint64(tail), binary.BigEndian.Uint64(tail[8:]))
}

// keyAddress is the CometBFT address of an ed25519 key: what votes name their signer by.
func keyAddress(key []byte) cmttypes.Address { return ed25519.PubKey(key).Address() }

var (
	lowestHeight  = clienttypes.ZeroHeight()
	highestHeight = clienttypes.NewHeight(math.MaxUint64, math.MaxUint64)
)

// lastOwner returns the validator that got the key with this address last up to a height, and the height it has it from;
// "" if nobody did.
func (k *Keeper) lastOwner(ctx context.Context, consumerID uint64, address cmttypes.Address, upTo clienttypes.Height) (string, clienttypes.Height, error) {
	return k.firstIn(ctx, collections.NewPrefixedPairRange[uint64, []byte](consumerID).
		StartInclusive(ownerKey(address, lowestHeight)).EndInclusive(ownerKey(address, upTo)).Descending())
}

// firstOwner returns the validator that got the key with this address first, and the height it has it from; "" if nobody
// did.
func (k *Keeper) firstOwner(ctx context.Context, consumerID uint64, address cmttypes.Address) (string, clienttypes.Height, error) {
	return k.firstIn(ctx, collections.NewPrefixedPairRange[uint64, []byte](consumerID).
		StartInclusive(ownerKey(address, lowestHeight)).EndInclusive(ownerKey(address, highestHeight)))
}

func (k *Keeper) firstIn(ctx context.Context, owners collections.Ranger[collections.Pair[uint64, []byte]]) (validator string, from clienttypes.Height, err error) {
	err = k.KeyOwners.Walk(ctx, owners, func(key collections.Pair[uint64, []byte], owner string) (bool, error) {
		validator, from = owner, ownerHeight(key.K2())
		return true, nil
	})
	return validator, from, err
}

// keyAvailable returns nil if the validator may have the key from height at: it has it, nobody ever had it, or whoever
// had it last was removed or has another key by now. acquire is true in that last case: the validator's own history
// needs a new entry even if it once had the same key. ErrKeyTaken otherwise.
func (k *Keeper) keyAvailable(ctx context.Context, consumerID uint64, operator string, key []byte, at clienttypes.Height) (acquire bool, err error) {
	owner, from, err := k.lastOwner(ctx, consumerID, keyAddress(key), highestHeight)
	if err != nil || owner == "" || owner == operator {
		return false, err
	}
	holder, err := k.GetValidator(ctx, consumerID, owner)
	if err != nil {
		return false, err
	}
	if holder.HoldsKey(key) {
		return false, errorsmod.Wrapf(types.ErrKeyTaken, "%s has it since %s; it passes on only after %s was removed", owner, from, owner)
	}
	if !at.GT(from) {
		// At one height a key has one owner.
		return false, errorsmod.Wrapf(types.ErrKeyTaken, "%s had it at %s; it passes on only above that", owner, from)
	}
	return true, nil
}

// poolEmptied is called when the last stake, operation and unbonding entry of a validator has left: a key that has been
// waiting for that becomes the validator's key, and once no rewards are left either the validator may make room again. It may be called more often.
func (k *Keeper) poolEmptied(ctx context.Context, consumerID uint64, operator string) error {
	before, err := k.Validators.Get(ctx, collections.Join(consumerID, operator))
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !before.KeyConflict() {
		// It may have left the index while something was left on it.
		return k.indexEvictable(ctx, consumerID, before, before)
	}
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	next, err := k.withPendingKey(sdkCtx, consumerID, before)
	if err != nil {
		return err
	}
	if !before.Changed(next) {
		return k.indexEvictable(ctx, consumerID, before, before)
	}
	return k.setValidator(sdkCtx, consumerID, before, next)
}

// withPendingKey gives a validator its pending key, from what the light client has seen now. If somebody else got that
// key meanwhile, the conflict stays until the consumer reports something else.
func (k *Keeper) withPendingKey(ctx sdk.Context, consumerID uint64, v types.Validator) (types.Validator, error) {
	consumer, err := k.GetConsumer(ctx, consumerID)
	if err != nil {
		return v, err
	}
	client, err := k.tendermintClient(ctx, consumer.ClientID)
	if err != nil {
		return v, err
	}
	if _, err := k.keyAvailable(ctx, consumerID, v.Address, v.PendingKey, client.LatestHeight); err != nil {
		k.reportSkipped(ctx, consumerID, v.Address, "pending key: "+err.Error())
		return v, nil
	}
	return v.Emptied(client.LatestHeight, ctx.BlockHeight()), nil
}

// hasPieces is true while any stake, operation or unbonding entry is left on the validator. Rewards that nobody has
// withdrawn are none: they cannot be slashed.
func (k *Keeper) hasPieces(ctx context.Context, consumerID uint64, operator string) (bool, error) {
	pool, err := k.loadPool(ctx, consumerID, operator)
	return pool.LivePositions > 0, err
}
