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
	type due struct {
		key       positionKey
		unbonding types.Unbonding
	}
	var all []due
	err = k.Unbondings.Walk(ctx, collections.NewSuperPrefixedTripleRange[sdk.AccAddress, uint64, string](user, consumerID),
		func(key positionKey, unbonding types.Unbonding) (bool, error) {
			if len(unbonding.Entries) > 0 && !unbonding.Entries[0].ReleaseTime.After(now) {
				all = append(all, due{key, unbonding})
			}
			return false, nil
		})
	if err != nil || len(all) == 0 {
		return err
	}
	released := math.ZeroInt()
	for _, d := range all {
		amount, _, err := k.releaseDue(ctx, d.key, d.unbonding)
		if err != nil {
			return err
		}
		released = released.Add(amount)
	}
	return k.vault.Release(ctx, user, id, released)
}
