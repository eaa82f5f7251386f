package keeper

import (
	"context"
	"strconv"
	"time"

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
	type entries struct {
		key       positionKey
		unbonding types.Unbonding
	}
	// A position's entries come one after the other.
	var positions []entries
	ofConsumer := collections.TripleSuperPrefix[sdk.AccAddress, uint64, string](user, consumerID)
	err = k.Unbondings.Walk(ctx, collections.NewPrefixedPairRange[positionKey, time.Time](ofConsumer),
		func(key entryKey, entry types.UnbondingEntry) (bool, error) {
			if n := len(positions); n == 0 || positions[n-1].key.K3() != key.K1().K3() {
				positions = append(positions, entries{key: key.K1()})
			}
			unbonding := &positions[len(positions)-1].unbonding
			unbonding.Entries = append(unbonding.Entries, entry)
			return false, nil
		})
	if err != nil {
		return err
	}
	released := math.ZeroInt()
	for _, p := range positions {
		amount, _, err := k.releaseDue(ctx, p.key, p.unbonding)
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
