package keeper

import (
	"context"
	"strconv"

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
	released := math.ZeroInt()
	var after *positionKey
	for {
		key, found, err := k.nextUnbonding(ctx, user, consumerID, after)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		position := key.K1()
		after = &position
		if key.K2().After(now) {
			continue
		}
		unbonding, err := k.loadUnbonding(ctx, position)
		if err != nil {
			return err
		}
		amount, _, err := k.releaseDue(ctx, position, unbonding)
		if err != nil {
			return err
		}
		released = released.Add(amount)
	}
	if released.IsZero() {
		return nil
	}
	return k.vault.Release(ctx, user, id, released)
}
