package types

import "cosmossdk.io/errors"

// Errors of virtual staking. Each is wrapped with what was asked, what is possible and what to do.
var (
	ErrSourceNotFound   = errors.Register(ModuleName, 2, "source not found")
	ErrSourceExists     = errors.Register(ModuleName, 3, "source already exists")
	ErrInvalidAccount   = errors.Register(ModuleName, 4, "invalid account")
	ErrInvalidCap       = errors.Register(ModuleName, 5, "invalid max cap")
	ErrTotalCap         = errors.Register(ModuleName, 6, "total max cap exceeded")
	ErrTooManySources   = errors.Register(ModuleName, 7, "too many sources with a cap")
	ErrTotalPower       = errors.Register(ModuleName, 8, "total voting power exceeded")
	ErrInvalidParams    = errors.Register(ModuleName, 9, "invalid params")
	ErrInvalidGenesis   = errors.Register(ModuleName, 10, "invalid genesis")
	ErrInvalidTarget    = errors.Register(ModuleName, 11, "invalid target")
	ErrSendRefused      = errors.Register(ModuleName, 12, "virtual accounts cannot receive coins")
	ErrNoHooks          = errors.Register(ModuleName, 13, "no source hooks are wired")
	ErrRewardsNotTaken  = errors.Register(ModuleName, 14, "rewards could not be withdrawn first")
	ErrNoRoom           = errors.Register(ModuleName, 15, "no room under the cap")
	ErrInvalidDelegated = errors.Register(ModuleName, 16, "invalid delegation")
	ErrEpochGas         = errors.Register(ModuleName, 17, "epoch gas is used up")
	ErrInvariant        = errors.Register(ModuleName, 18, "invariant broken")
	ErrInvalidWeight    = errors.Register(ModuleName, 19, "invalid governance weight")
)
