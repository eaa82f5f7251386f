package app

import (
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	ibctransfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"

	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// checkedIDs is how many registrations' accounts checkReceivers looks at. The accounts are hashes: a block list that
// hits one by its kind hits the first.
const checkedIDs = 1000

// moduleAccounts are the accounts of modules and what they may do to the supply.
func moduleAccounts() map[string][]string {
	return map[string][]string{
		authtypes.FeeCollectorName:     nil,
		distrtypes.ModuleName:          nil,
		minttypes.ModuleName:           {authtypes.Minter},
		stakingtypes.BondedPoolName:    {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName: {authtypes.Burner, authtypes.Staking},
		govtypes.ModuleName:            {authtypes.Burner},
		ibctransfertypes.ModuleName:    {authtypes.Minter, authtypes.Burner},
		vaulttypes.ModuleName:          {authtypes.Burner},
		virtualtypes.ModuleName:        {authtypes.Minter, authtypes.Burner},
	}
}

// BlockedAddresses are the accounts nobody can send coins to: those of modules, which keep books on what they hold.
// Governance may receive. The derived accounts of the mesh modules must, see checkReceivers.
func BlockedAddresses() map[string]bool {
	blocked := make(map[string]bool)
	for name := range moduleAccounts() {
		blocked[authtypes.NewModuleAddress(name).String()] = name != govtypes.ModuleName
	}
	return blocked
}

// checkReceivers refuses a block list that would strand rewards or virtual stake: x/bank and ICS20 must be able to pay
// into the accounts rewards pass through, and x/staking into those that hold virtual stake or the vault's local stake.
func (k *Keepers) checkReceivers() error {
	for id := uint64(1); id <= checkedIDs; id++ {
		for _, receiver := range []struct {
			what    string
			address sdk.AccAddress
		}{
			{"reward receiver of consumer", externaltypes.RewardReceiver(id)},
			{"account of converter", convertertypes.ConverterAddress(id)},
			{"virtual staking account of converter", virtualtypes.VirtualAccount(id)},
			{"staking account of the vault for user", vaulttypes.StakingAccountAddress(sdk.Uint64ToBigEndian(id))},
		} {
			if k.BankKeeper.BlockedAddr(receiver.address) {
				return fmt.Errorf("%s, the %s %d, is a blocked address: it must be able to receive coins, take it off the list",
					receiver.address, receiver.what, id)
			}
		}
	}
	return nil
}
