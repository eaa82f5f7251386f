package app

import (
	capabilitykeeper "github.com/cosmos/ibc-go/modules/capability/keeper"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	"github.com/cosmos/ibc-go/v8/modules/apps/transfer"
	ibctransferkeeper "github.com/cosmos/ibc-go/v8/modules/apps/transfer/keeper"
	ibctransfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"
	ibcexported "github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibckeeper "github.com/cosmos/ibc-go/v8/modules/core/keeper"

	"github.com/mesh-security/mesh/x/converter"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	"github.com/mesh-security/mesh/x/externalstaking"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// addIBC builds core IBC, the transfer app and the mesh modules on top, and routes to them. The params subspaces are
// nil: they serve only migrations from versions older than this chain.
func (k *Keepers) addIBC(app *App, authority string) {
	cdc := app.encoding.Codec
	k.CapabilityKeeper = capabilitykeeper.NewKeeper(
		cdc, app.keys[capabilitytypes.StoreKey], k.memKeys[capabilitytypes.MemStoreKey],
	)
	k.ScopedIBCKeeper = k.CapabilityKeeper.ScopeToModule(ibcexported.ModuleName)
	scopedTransfer := k.CapabilityKeeper.ScopeToModule(ibctransfertypes.ModuleName)
	scopedExternal := k.CapabilityKeeper.ScopeToModule(externaltypes.ModuleName)
	scopedConverter := k.CapabilityKeeper.ScopeToModule(convertertypes.ModuleName)
	k.CapabilityKeeper.Seal()

	k.IBCKeeper = ibckeeper.NewKeeper(
		cdc, app.keys[ibcexported.StoreKey], nil, k.StakingKeeper, k.UpgradeKeeper, k.ScopedIBCKeeper, authority,
	)
	k.TransferKeeper = ibctransferkeeper.NewKeeper(
		cdc, app.keys[ibctransfertypes.StoreKey], nil, k.IBCKeeper.ChannelKeeper, k.IBCKeeper.ChannelKeeper,
		k.IBCKeeper.PortKeeper, k.AccountKeeper, k.BankKeeper, scopedTransfer, authority,
	)
	k.addProvider(app, scopedExternal, authority)
	k.addConsumer(app, scopedConverter, authority)

	// Rewards are ICS20 transfers. On the consumer the converter hears of those that came back; on the provider
	// cross-staking credits those that arrived. Each touches only its own.
	var transfers porttypes.IBCModule = transfer.NewIBCModule(k.TransferKeeper)
	transfers = converter.NewRewardMiddleware(transfers, k.ConverterKeeper)
	transfers = externalstaking.NewRewardMiddleware(transfers, k.ExternalStakingKeeper)

	router := porttypes.NewRouter()
	router.AddRoute(ibctransfertypes.ModuleName, transfers)
	router.AddRoute(externaltypes.ModuleName, externalstaking.NewIBCModule(k.ExternalStakingKeeper))
	router.AddRoute(convertertypes.ModuleName, converter.NewIBCModule(k.ConverterKeeper))
	k.IBCKeeper.SetRouter(router)
}
