package keeper

import (
	"context"
	"strconv"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Settle brings the user's pieces on one consumer up to date; the vault calls it before anything touches the user's
// collateral. It releases the entries that are due, at most max_positions_per_user_and_consumer times
// max_entries_per_position of them.
func (k *Keeper) Settle(ctx context.Context, user sdk.AccAddress, id string) error {
	consumerID, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return types.ErrInconsistent.Wrapf("lien id %q is not a consumer id", id)
	}
	now := sdk.UnwrapSDKContext(ctx).BlockTime()
	// Positions with something due; a position's entries come one after the other, the earliest first.
	var due []positionKey
	positions := collections.PairPrefix[positionKey, time.Time](collections.TripleSuperPrefix[sdk.AccAddress, uint64, string](user, consumerID))
	err = k.Unbondings.Walk(ctx, collections.NewPrefixUntilPairRange[positionKey, time.Time](positions.K1()),
		func(key entryKey, entry types.UnbondingEntry) (bool, error) {
			position := key.K1()
			if !entry.ReleaseTime.After(now) && (len(due) == 0 || due[len(due)-1].K3() != position.K3()) {
				due = append(due, position)
			}
			return false, nil
		})
	if err != nil || len(due) == 0 {
		return err
	}
	released := math.ZeroInt()
	for _, key := range due {
		unbonding, err := k.loadUnbonding(ctx, key)
		if err != nil {
			return err
		}
		amount, _, err := k.releaseDue(ctx, key, unbonding)
		if err != nil {
			return err
		}
		released = released.Add(amount)
	}
	return k.vault.Release(ctx, user, id, released)
}
