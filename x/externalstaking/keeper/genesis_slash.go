package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// initSlashes loads a validator's slashes and how far the sweep after them has come.
func (k *Keeper) initSlashes(ctx context.Context, key validatorKey, g types.GenesisValidator) error {
	for _, s := range g.Slashes {
		if err := k.setSlash(ctx, key, s); err != nil {
			return err
		}
	}
	if g.Sweep == nil {
		return nil
	}
	cursor := []byte{}
	if g.Sweep.Cursor != "" {
		var err error
		if cursor, err = k.address("sweep cursor", g.Sweep.Cursor); err != nil {
			return err
		}
	}
	return k.Sweeps.Set(ctx, key, cursor)
}

func (k *Keeper) exportSlashes(ctx context.Context, key validatorKey, g *types.GenesisValidator) (err error) {
	if g.Slashes, err = k.slashesOf(ctx, key); err != nil {
		return err
	}
	cursor, err := k.Sweeps.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	g.Sweep = &types.GenesisSweep{}
	g.Sweep.Cursor, err = k.accountKeeper.AddressCodec().BytesToString(cursor)
	return err
}
