// Package types holds the converter's state, messages, pure arithmetic and the interfaces of its collaborators.
package types

import (
	"strconv"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/address"

	"github.com/mesh-security/mesh/x/control"
)

const (
	// ModuleName is the module's name, and its codespace.
	ModuleName = "converter"
	// StoreKey is the name of the module's store.
	StoreKey = ModuleName
)

// Store prefixes; each is used once.
var (
	ParamsKey          = collections.NewPrefix(0)
	NextConverterIDKey = collections.NewPrefix(1)
	ConvertersKey      = collections.NewPrefix(2)
	OpenConvertersKey  = collections.NewPrefix(3)
	StakeKey           = collections.NewPrefix(4)
	SnapshotsKey       = collections.NewPrefix(5)
	StagedKey          = collections.NewPrefix(6)
	SyncCursorsKey     = collections.NewPrefix(7)
	LastReportedKey    = collections.NewPrefix(8)
	PricesKey          = collections.NewPrefix(9)
	BacklogKey         = collections.NewPrefix(10)
	RewardStatesKey    = collections.NewPrefix(11)
	RewardQueueKey     = collections.NewPrefix(12)
	RewardTransfersKey = collections.NewPrefix(13)
	LastRewardedKey    = collections.NewPrefix(14)
)

// PortID is the IBC port of converter id.
func PortID(id uint64) string { return control.PortID(control.ConverterPortPrefix, id) }

// ConverterAddress is the account of converter id. Virtual staking pays rewards into it, and every ICS20 transfer of
// rewards leaves from it. Nobody has its key.
func ConverterAddress(id uint64) sdk.AccAddress {
	return address.Module(ModuleName, []byte(strconv.FormatUint(id, 10)))
}
