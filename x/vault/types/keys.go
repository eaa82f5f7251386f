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
)
