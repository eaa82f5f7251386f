package app

import (
	corestore "cosmossdk.io/core/store"
	capabilitykeeper "github.com/cosmos/ibc-go/modules/capability/keeper"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	"github.com/cosmos/ibc-go/v8/modules/apps/transfer"
	ibctransferkeeper "github.com/cosmos/ibc-go/v8/modules/apps/transfer/keeper"
	ibctransfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"
	ibcexported "github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibckeeper "github.com/cosmos/ibc-go/v8/modules/core/keeper"
)

type storeService = corestore.KVStoreService

// addIBC builds core IBC, the transfer app and the router. The params subspaces are nil: they serve only migrations
// from versions older than this chain.
func (k *Keepers) addIBC(app *App, authority string) {
	cdc := app.encoding.Codec
	k.CapabilityKeeper = capabilitykeeper.NewKeeper(
		cdc, app.keys[capabilitytypes.StoreKey], k.memKeys[capabilitytypes.MemStoreKey],
	)
	k.ScopedIBCKeeper = k.CapabilityKeeper.ScopeToModule(ibcexported.ModuleName)
	scopedTransfer := k.CapabilityKeeper.ScopeToModule(ibctransfertypes.ModuleName)
	k.CapabilityKeeper.Seal()

	k.IBCKeeper = ibckeeper.NewKeeper(
		cdc, app.keys[ibcexported.StoreKey], nil, k.StakingKeeper, k.UpgradeKeeper, k.ScopedIBCKeeper, authority,
	)
	k.TransferKeeper = ibctransferkeeper.NewKeeper(
		cdc, app.keys[ibctransfertypes.StoreKey], nil, k.IBCKeeper.ChannelKeeper, k.IBCKeeper.ChannelKeeper,
		k.IBCKeeper.PortKeeper, k.AccountKeeper, k.BankKeeper, scopedTransfer, authority,
	)

	router := porttypes.NewRouter()
	router.AddRoute(ibctransfertypes.ModuleName, transfer.NewIBCModule(k.TransferKeeper))
	k.IBCKeeper.SetRouter(router)
}
