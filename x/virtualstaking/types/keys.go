package types

import (
	"strconv"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/address"
)

const (
	// ModuleName names the module, its module account and its routes.
	ModuleName = "virtualstaking"
	// StoreKey is the key of the module's store.
	StoreKey = ModuleName
)

// Store prefixes, numbered once and never reused.
var (
	ParamsKey       = collections.NewPrefix(0)
	SourcesKey      = collections.NewPrefix(1)
	AccountsKey     = collections.NewPrefix(2)
	EpochsKey       = collections.NewPrefix(3)
	ValidatorsKey   = collections.NewPrefix(4)
	ChangesKey      = collections.NewPrefix(5)
	LastSequenceKey = collections.NewPrefix(6)
	DirtyKey        = collections.NewPrefix(7)
	ReviewCursorKey = collections.NewPrefix(8)
)

// VirtualAccount is the account that holds the virtual stake of one source. It is derived, so nobody has its key.
func VirtualAccount(id uint64) sdk.AccAddress {
	return address.Module(ModuleName, []byte(strconv.FormatUint(id, 10)))
}
