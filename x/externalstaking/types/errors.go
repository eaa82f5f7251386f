package types

import "cosmossdk.io/errors"

// Registered errors; a code is never reused.
var (
	ErrUnauthorized      = errors.Register(ModuleName, 2, "unauthorized")
	ErrInvalidRequest    = errors.Register(ModuleName, 3, "invalid request")
	ErrUnknownConsumer   = errors.Register(ModuleName, 4, "unknown consumer")
	ErrUnknownValidator  = errors.Register(ModuleName, 5, "unknown consumer validator")
	ErrUnknownPosition   = errors.Register(ModuleName, 6, "no such position")
	ErrInvalidAmount     = errors.Register(ModuleName, 7, "invalid amount")
	ErrChannelNotUsable  = errors.Register(ModuleName, 8, "consumer cannot be reached")
	ErrValidatorEnded    = errors.Register(ModuleName, 9, "consumer validator takes no new stake")
	ErrBelowMinimum      = errors.Register(ModuleName, 10, "position would be below the minimum stake")
	ErrTooManyPositions  = errors.Register(ModuleName, 11, "too many positions")
	ErrInsufficientStake = errors.Register(ModuleName, 12, "not enough bonded stake")
	ErrRewardRefused     = errors.Register(ModuleName, 13, "reward transfer refused")
	ErrInconsistent      = errors.Register(ModuleName, 14, "inconsistent state")
)
