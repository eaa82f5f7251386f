package types

import (
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/address"
)

// StakingAccountLength is the number of bytes of a staking account's address. No account with a key of its own has as
// many.
const StakingAccountLength = 32

var stakingAccountKey = []byte("staking")

// StakingAccountAddress returns the address of the account that delegates user's local stake. It is derived, so nobody has
// its key.
func StakingAccountAddress(user sdk.AccAddress) sdk.AccAddress {
	return address.Module(ModuleName, stakingAccountKey, user)
}
