package keeper_test

import (
	"context"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/keeper"
)

// fakeHolder is a lien holder that keeps, per lien, how much of it has matured, and releases that when it is settled.
// It keeps it in a store, so that what it did is undone with everything else.
type fakeHolder struct {
	key     storetypes.StoreKey
	handle  keeper.Handle
	settled []string
	err     error
}

func newFakeHolder(key storetypes.StoreKey) *fakeHolder { return &fakeHolder{key: key} }

func (h *fakeHolder) Settle(ctx context.Context, user sdk.AccAddress, id string) error {
	h.settled = append(h.settled, id)
	if h.err != nil {
		return h.err
	}
	store := sdk.UnwrapSDKContext(ctx).KVStore(h.key)
	bz := store.Get(matured(user, id))
	if bz == nil {
		return nil
	}
	store.Delete(matured(user, id))
	amount, _ := math.NewIntFromString(string(bz))
	return h.handle.Release(ctx, user, id, amount)
}

// mature makes the next settle release amount of the lien.
func (h *fakeHolder) mature(ctx context.Context, user sdk.AccAddress, id string, amount int64) {
	sdk.UnwrapSDKContext(ctx).KVStore(h.key).Set(matured(user, id), []byte(math.NewInt(amount).String()))
}

func (h *fakeHolder) add(f *fixture, user sdk.AccAddress, id string, amount int64, fraction string) error {
	return h.handle.Add(f.ctx, user, id, math.NewInt(amount), math.LegacyMustNewDecFromStr(fraction))
}

func (h *fakeHolder) release(f *fixture, user sdk.AccAddress, id string, amount int64) error {
	return h.handle.Release(f.ctx, user, id, math.NewInt(amount))
}

func matured(user sdk.AccAddress, id string) []byte { return append(append([]byte{}, user...), id...) }
