package types

import (
	"strconv"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/address"

	"github.com/mesh-security/mesh/x/control"
)

const (
	// ModuleName is the module's name, also the prefix of its ports.
	ModuleName = "externalstaking"
	// StoreKey is the module's store key.
	StoreKey = ModuleName
	// LienPrefix is the prefix of the liens this module holds in the vault.
	LienPrefix = "external"
)

// Collection prefixes; a number is never reused.
var (
	ParamsPrefix          = collections.NewPrefix(1)
	NextConsumerIDPrefix  = collections.NewPrefix(2)
	ConsumersPrefix       = collections.NewPrefix(3)
	OutboxesPrefix        = collections.NewPrefix(4)
	SyncsPrefix           = collections.NewPrefix(5)
	ValidatorsPrefix      = collections.NewPrefix(6)
	KeyOwnersPrefix       = collections.NewPrefix(7)
	PoolsPrefix           = collections.NewPrefix(8)
	PositionsPrefix       = collections.NewPrefix(9)
	UnbondingsPrefix      = collections.NewPrefix(10)
	UnbondingQueuePrefix  = collections.NewPrefix(11)
	QueuePrefix           = collections.NewPrefix(12)
	QueueSequencePrefix   = collections.NewPrefix(13)
	SentOpsPrefix         = collections.NewPrefix(14)
	BatchesPrefix         = collections.NewPrefix(15)
	BatchBySequencePrefix = collections.NewPrefix(16)
	DirtyPrefix           = collections.NewPrefix(17)
	ResolvingPrefix       = collections.NewPrefix(18)
	AppliedRecordsPrefix  = collections.NewPrefix(19)
	RewardTotalsPrefix    = collections.NewPrefix(20)
	RewardReceiversPrefix = collections.NewPrefix(21)
	SendCursorPrefix      = collections.NewPrefix(22)
	ValidatorCountsPrefix = collections.NewPrefix(23)
	EvictablePrefix       = collections.NewPrefix(24)
	ReadyPrefix           = collections.NewPrefix(25)
	WakeUpsPrefix         = collections.NewPrefix(26)
	StakersPrefix         = collections.NewPrefix(27)
	SlashesPrefix         = collections.NewPrefix(28)
	LastSlashesPrefix     = collections.NewPrefix(29)
	UnbondedBatchesPrefix = collections.NewPrefix(30)
	SweepsPrefix          = collections.NewPrefix(31)
	SweepConsumerPrefix   = collections.NewPrefix(32)
	OutcomesPrefix        = collections.NewPrefix(33)
	OutcomeQueuePrefix    = collections.NewPrefix(34)
	ForcedQueuePrefix     = collections.NewPrefix(35)
	UnresolvedPrefix      = collections.NewPrefix(36)
	RetirementsPrefix     = collections.NewPrefix(37)
	RetiringPrefix        = collections.NewPrefix(38)
)

// RewardReceiver is the account a consumer sends its rewards to. It is derived and has no key, so only this module
// can pay out of it.
func RewardReceiver(consumerID uint64) sdk.AccAddress {
	return address.Module(ModuleName, []byte("reward/"+strconv.FormatUint(consumerID, 10)))
}

// Port is the port of a consumer's control channel.
func Port(consumerID uint64) string {
	return control.PortID(control.ExternalStakingPortPrefix, consumerID)
}

// LienID is the id of a consumer's liens in the vault, without the prefix.
func LienID(consumerID uint64) string {
	return strconv.FormatUint(consumerID, 10)
}
