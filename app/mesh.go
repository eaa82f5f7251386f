package app

import (
	vaultkeeper "github.com/mesh-security/mesh/x/vault/keeper"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"

	"github.com/cosmos/cosmos-sdk/runtime"
)

// MeshKeepers are the keepers of the mesh modules.
type MeshKeepers struct {
	VaultKeeper *vaultkeeper.Keeper
}

func (k *Keepers) addMesh(app *App, authority string) {
	store := func(key string) storeService { return runtime.NewKVStoreService(app.keys[key]) }
	k.VaultKeeper = vaultkeeper.NewKeeper(
		app.encoding.Codec, store(vaulttypes.StoreKey), k.AccountKeeper, k.BankKeeper, k.StakingKeeper, authority,
	)
}
