package keeper

import (
	"context"
	"errors"
	"strconv"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

var _ vaulttypes.LienHolder = (*Keeper)(nil)

// NextLoss returns the earliest slash after sequence settled that is to reach any of the user's pieces on the consumer.
func (k *Keeper) NextLoss(ctx context.Context, user sdk.AccAddress, id string, settled uint64) (next vaulttypes.PendingLoss, found bool, err error) {
	consumerID, err := lienConsumer(id)
	if err != nil {
		return next, false, err
	}
	last, err := k.LastSlashes.Get(ctx, consumerID)
	if errors.Is(err, collections.ErrNotFound) {
		return next, false, nil
	}
	if err != nil || last <= settled {
		return next, false, err
	}
	keys, err := k.userPositions(ctx, user, consumerID)
	if err != nil {
		return next, false, err
	}
	for _, key := range keys {
		_, pending, err := k.pendingHits(ctx, key)
		if err != nil {
			return next, false, err
		}
		for _, slash := range pending {
			if slash != nil && slash.Sequence > settled && (!found || slash.Sequence < next.Sequence) {
				next, found = vaulttypes.PendingLoss{Sequence: slash.Sequence, Time: slash.Time}, true
			}
		}
	}
	return next, found, nil
}

// pendingHits returns a user's pieces on one validator and the slash that is to reach each, nil where none is: of the
// bonded stake first, then of the entries. There are neither if the validator was never slashed.
func (k *Keeper) pendingHits(ctx context.Context, key positionKey) (pieces types.Pieces, pending []*types.Slash, err error) {
	first, slashed, err := k.firstSlash(ctx, key.K2(), key.K3())
	if err != nil || !slashed {
		return pieces, nil, err
	}
	if pieces, err = k.loadPieces(ctx, key); err != nil {
		return pieces, nil, err
	}
	pending = make([]*types.Slash, 1+len(pieces.Entries))
	if !pieces.Hit && pieces.Bonded.IsPositive() {
		pending[0] = &first
	}
	for i, entry := range pieces.Entries {
		slash, found := first, true
		if entry.BatchID != 0 && entry.BatchID < first.FromBatch {
			if slash, found, err = k.slashOf(ctx, key.K2(), key.K3(), entry.BatchID); err != nil {
				return pieces, nil, err
			}
		}
		if found && !entry.Hit && slash.Reaches(entry) {
			pending[1+i] = &slash
		}
	}
	return pieces, pending, nil
}

// ApplyLoss lets a slash reach all of the user's pieces on the consumer that it is to reach, and returns what they lost
// together. Each is reached by one slash only. ErrInconsistent if there is no such slash.
func (k *Keeper) ApplyLoss(ctx context.Context, user sdk.AccAddress, id string, sequence uint64) (math.Int, error) {
	consumerID, err := lienConsumer(id)
	if err != nil {
		return math.Int{}, err
	}
	keys, err := k.userPositions(ctx, user, consumerID)
	if err != nil {
		return math.Int{}, err
	}
	lost, found := math.ZeroInt(), false
	for _, key := range keys {
		pieces, pending, err := k.pendingHits(ctx, key)
		if err != nil {
			return math.Int{}, err
		}
		reached := false
		for i, slash := range pending {
			if slash != nil && slash.Sequence != sequence {
				pending[i] = nil
			}
			reached = reached || pending[i] != nil
		}
		if !reached {
			continue
		}
		found = true
		amount, err := k.hit(ctx, key, pieces, pending, sequence)
		if err != nil {
			return math.Int{}, err
		}
		lost = lost.Add(amount)
	}
	if !found {
		return math.Int{}, types.ErrInconsistent.Wrapf("slash %d of consumer %d is not to reach %s", sequence, consumerID, user)
	}
	return lost, nil
}

// hit lets slashes reach a user's pieces on one validator and returns what they lost.
func (k *Keeper) hit(ctx context.Context, key positionKey, before types.Pieces, slashes []*types.Slash, sequence uint64) (math.Int, error) {
	pool, err := k.loadPool(ctx, key.K2(), key.K3())
	if err != nil {
		return math.Int{}, err
	}
	after := before
	if slashes[0] != nil {
		after.HitBonded(&pool, *slashes[0])
	}
	after.Entries = make([]types.UnbondingEntry, len(before.Entries))
	for i, entry := range before.Entries {
		if slash := slashes[1+i]; slash != nil {
			entry = entry.HitBy(*slash)
		}
		after.Entries[i] = entry
	}
	if err := k.savePieces(ctx, key, before, after, pool); err != nil {
		return math.Int{}, err
	}
	lost := before.Value().Sub(after.Value())
	return lost, k.emitSlashed(ctx, key, sequence, lost)
}

// emitSlashed tells that a slash reached stake of a user.
func (k *Keeper) emitSlashed(ctx context.Context, key positionKey, sequence uint64, lost math.Int) error {
	user, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
	if err != nil {
		return err
	}
	return emit(ctx, &types.EventStakeSlashed{
		User: user, ConsumerID: key.K2(), Validator: key.K3(), Sequence: sequence, Amount: lost.String(),
	})
}

// Mature removes the user's unbonding entries on the consumer that are due at a time and returns their sum, at most
// max_positions_per_user_and_consumer times max_entries_per_position of them. The vault lowers the lien.
func (k *Keeper) Mature(ctx context.Context, user sdk.AccAddress, id string, at time.Time) (math.Int, error) {
	consumerID, err := lienConsumer(id)
	if err != nil {
		return math.Int{}, err
	}
	released := math.ZeroInt()
	var after *positionKey
	for {
		key, found, err := k.nextUnbonding(ctx, user, consumerID, after)
		if err != nil {
			return math.Int{}, err
		}
		if !found {
			return released, nil
		}
		position := key.K1()
		after = &position
		if key.K2().After(at) {
			continue
		}
		amount, err := k.releaseDue(ctx, position, at)
		if err != nil {
			return math.Int{}, err
		}
		released = released.Add(amount)
	}
}

// lienConsumer is the consumer whose lien it is.
func lienConsumer(id string) (uint64, error) {
	consumerID, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return 0, types.ErrInconsistent.Wrapf("lien id %q is not a consumer id", id)
	}
	return consumerID, nil
}
