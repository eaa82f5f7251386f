package types

import "cosmossdk.io/collections"

const (
	// ModuleName names the module, its module account and its routes.
	ModuleName = "vault"
	// StoreKey is the key of the module's store.
	StoreKey = ModuleName
)

// Store prefixes, numbered once and never reused.
var (
	ParamsKey     = collections.NewPrefix(0)
	DenomKey      = collections.NewPrefix(1)
	CollateralKey = collections.NewPrefix(2)
	LiensKey      = collections.NewPrefix(3)
	// StakingAccountsKey to LastSweptKey: local stake and losses.
	StakingAccountsKey = collections.NewPrefix(4)
	LocalUsersKey      = collections.NewPrefix(5)
	MaturitiesKey      = collections.NewPrefix(6)
	SweepsKey          = collections.NewPrefix(7)
	PendingKey         = collections.NewPrefix(8)
	DebtsKey           = collections.NewPrefix(9)
	LossesKey          = collections.NewPrefix(10)
	LastLossKey        = collections.NewPrefix(11)
	TotalsKey          = collections.NewPrefix(12)
	LastSweptKey       = collections.NewPrefix(13)
)
