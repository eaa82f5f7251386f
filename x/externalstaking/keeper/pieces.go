package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// loadPieces returns a position with its unbonding entries.
func (k *Keeper) loadPieces(ctx context.Context, key positionKey) (pieces types.Pieces, err error) {
	if pieces.Position, err = k.Positions.Get(ctx, key); err != nil {
		return pieces, err
	}
	pieces.Unbonding, err = k.loadUnbonding(ctx, key)
	return pieces, err
}

// savePieces replaces a live position and its entries after their amounts fell: what has nothing left goes, with its
// place in the queue or the batch. The pool's bonded stake is the caller's to change; the pool is saved here.
func (k *Keeper) savePieces(ctx context.Context, key positionKey, before, after types.Pieces, pool types.Pool) error {
	for i, entry := range after.Entries {
		var err error
		switch {
		case entry.Amount.IsZero():
			err = k.removeUnbonding(ctx, key, entry.ReleaseTime)
		case entry != before.Entries[i]:
			err = k.Unbondings.Set(ctx, collections.Join(key, entry.ReleaseTime), entry)
		}
		if err != nil {
			return err
		}
	}
	if before.Queued() && !after.Queued() {
		if err := k.dequeue(ctx, key, &after.Position); err != nil {
			return err
		}
	}
	if before.Sent() && !after.Sent() {
		if err := k.forgetSent(ctx, key, pool); err != nil {
			return err
		}
	}
	if err := k.savePosition(ctx, key, after.Position, &pool); err != nil {
		return err
	}
	return k.savePool(ctx, key.K2(), key.K3(), pool)
}

// Reduce lowers the user's pieces on one consumer by exactly amount, in proportion, because the collateral behind them
// is gone: the vault has lowered the lien already. What remains of the totals is sent to the consumer; there is no
// unbonding, as the promise itself is withdrawn. ErrInconsistent if there is less than amount.
func (k *Keeper) Reduce(ctx context.Context, user sdk.AccAddress, id string, amount math.Int) error {
	consumerID, err := lienConsumer(id)
	if err != nil {
		return err
	}
	keys, err := k.userPositions(ctx, user, consumerID)
	if err != nil {
		return err
	}
	before, value := make([]types.Pieces, len(keys)), math.ZeroInt()
	for i, key := range keys {
		if before[i], err = k.loadPieces(ctx, key); err != nil {
			return err
		}
		value = value.Add(before[i].Value())
	}
	if amount.GT(value) {
		return types.ErrInconsistent.Wrapf("asked to reduce the stake of %s on consumer %d by %s, there is %s", user, consumerID, amount, value)
	}
	for i, amounts := range types.ReducedAmounts(before, amount) {
		if err := k.reducePieces(ctx, keys[i], before[i], amounts); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) reducePieces(ctx context.Context, key positionKey, before types.Pieces, amounts []math.Int) error {
	pool, err := k.loadPool(ctx, key.K2(), key.K3())
	if err != nil {
		return err
	}
	after, pending := before, (*types.Slash)(nil)
	if pool.Unsettled.IsPositive() {
		slash, _, err := k.firstSlash(ctx, key.K2(), key.K3())
		if err != nil {
			return err
		}
		pending = &slash
	}
	after.Reduce(amounts, &pool, pending)
	by := before.Value().Sub(after.Value())
	if by.IsZero() {
		return nil
	}
	if err := k.savePieces(ctx, key, before, after, pool); err != nil {
		return err
	}
	if err := k.markDirty(ctx, key.K2(), key.K3(), pool); err != nil {
		return err
	}
	user, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
	if err != nil {
		return err
	}
	return emit(ctx, &types.EventStakeReduced{User: user, ConsumerID: key.K2(), Validator: key.K3(), Amount: by.String()})
}
