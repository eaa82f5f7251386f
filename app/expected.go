package app

import (
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"

	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	capabilitykeeper "github.com/cosmos/ibc-go/modules/capability/keeper"
	ibctransferkeeper "github.com/cosmos/ibc-go/v8/modules/apps/transfer/keeper"
	clientkeeper "github.com/cosmos/ibc-go/v8/modules/core/02-client/keeper"
	connectionkeeper "github.com/cosmos/ibc-go/v8/modules/core/03-connection/keeper"
	channelkeeper "github.com/cosmos/ibc-go/v8/modules/core/04-channel/keeper"
	portkeeper "github.com/cosmos/ibc-go/v8/modules/core/05-port/keeper"

	converterkeeper "github.com/mesh-security/mesh/x/converter/keeper"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalkeeper "github.com/mesh-security/mesh/x/externalstaking/keeper"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaultkeeper "github.com/mesh-security/mesh/x/vault/keeper"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualkeeper "github.com/mesh-security/mesh/x/virtualstaking/keeper"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// What the mesh modules expect of others, and of each other, is what there is.
var (
	_ vaulttypes.AccountKeeper      = authkeeper.AccountKeeper{}
	_ vaulttypes.BankKeeper         = bankkeeper.BaseKeeper{}
	_ vaulttypes.StakingKeeper      = (*stakingkeeper.Keeper)(nil)
	_ vaulttypes.SlashingKeeper     = slashingkeeper.Keeper{}
	_ vaulttypes.DistributionKeeper = distrkeeper.Keeper{}
	_ vaulttypes.LienHolder         = (*externalkeeper.Keeper)(nil)

	_ externaltypes.Vault              = vaultkeeper.Handle{}
	_ externaltypes.AccountKeeper      = authkeeper.AccountKeeper{}
	_ externaltypes.BankKeeper         = bankkeeper.BaseKeeper{}
	_ externaltypes.DistributionKeeper = distrkeeper.Keeper{}
	_ externaltypes.ClientKeeper       = clientkeeper.Keeper{}
	_ externaltypes.ConnectionKeeper   = connectionkeeper.Keeper{}
	_ externaltypes.ChannelKeeper      = channelkeeper.Keeper{}
	_ externaltypes.PortKeeper         = (*portkeeper.Keeper)(nil)
	_ externaltypes.ScopedKeeper       = capabilitykeeper.ScopedKeeper{}

	_ virtualtypes.AccountKeeper      = authkeeper.AccountKeeper{}
	_ virtualtypes.BankKeeper         = bankkeeper.BaseKeeper{}
	_ virtualtypes.StakingKeeper      = (*stakingkeeper.Keeper)(nil)
	_ virtualtypes.SlashingKeeper     = slashingkeeper.Keeper{}
	_ virtualtypes.DistributionKeeper = distrkeeper.Keeper{}
	_ virtualtypes.SourceHooks        = (*converterkeeper.Keeper)(nil)

	// x/gov's view of x/staking can be decorated by both, in either order.
	_ virtualtypes.GovStakingKeeper  = vaultkeeper.GovStaking{}
	_ vaulttypes.GovStakingKeeper    = virtualkeeper.GovStaking{}
	_ govtypes.StakingKeeper         = virtualkeeper.GovStaking{}
	_ govtypes.StakingKeeper         = vaultkeeper.GovStaking{}
	_ virtualtypes.MintStakingKeeper = (*stakingkeeper.Keeper)(nil)
	_ minttypes.StakingKeeper        = virtualkeeper.MintStaking{}

	_ convertertypes.VirtualStaking     = (*virtualkeeper.Keeper)(nil)
	_ convertertypes.AccountKeeper      = authkeeper.AccountKeeper{}
	_ convertertypes.BankKeeper         = bankkeeper.BaseKeeper{}
	_ convertertypes.StakingKeeper      = (*stakingkeeper.Keeper)(nil)
	_ convertertypes.DistributionKeeper = distrkeeper.Keeper{}
	_ convertertypes.ClientKeeper       = clientkeeper.Keeper{}
	_ convertertypes.ConnectionKeeper   = connectionkeeper.Keeper{}
	_ convertertypes.ChannelKeeper      = channelkeeper.Keeper{}
	_ convertertypes.PortKeeper         = (*portkeeper.Keeper)(nil)
	_ convertertypes.ScopedKeeper       = capabilitykeeper.ScopedKeeper{}
	_ convertertypes.TransferKeeper     = ibctransferkeeper.Keeper{}
)
