package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// settle has every holder with a lien on the user bring it up to date. It comes before everything that touches the
// user's account, so that nobody acts on collateral that is lost already.
func (k *Keeper) settle(ctx context.Context, user sdk.AccAddress) error {
	// Holders may release what they settle, so the names are collected before the first is called.
	iter, err := k.Liens.Iterate(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, string](user))
	if err != nil {
		return err
	}
	keys, err := iter.Keys()
	if err != nil {
		return err
	}
	for _, key := range keys {
		prefix, id, err := types.ParseHolder(key.K2())
		if err != nil {
			return err
		}
		holder, found := k.holders[prefix]
		if !found {
			return errors.Wrapf(types.ErrUnknownHolder, "%s, no module registered %q", key.K2(), prefix)
		}
		if err := holder.Settle(ctx, user, id); err != nil {
			return errors.Wrapf(err, "settle lien %s", key.K2())
		}
	}
	return nil
}
