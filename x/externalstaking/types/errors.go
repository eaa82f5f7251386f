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

	ErrInvalidParams          = errors.Register(ModuleName, 15, "invalid params")
	ErrInvalidConsumer        = errors.Register(ModuleName, 16, "invalid consumer")
	ErrInvalidUnbondingPeriod = errors.Register(ModuleName, 17, "invalid unbonding period")
	ErrInvalidConnection      = errors.Register(ModuleName, 18, "connection cannot be used")
	ErrInvalidTransferChannel = errors.Register(ModuleName, 19, "transfer channel cannot be used")
	ErrInvalidHandshake       = errors.Register(ModuleName, 20, "channel handshake refused")
	ErrChannelBound           = errors.Register(ModuleName, 21, "consumer has its control channel")
	ErrCloseRefused           = errors.Register(ModuleName, 22, "control channel cannot be closed by a message")
	ErrForeignChannel         = errors.Register(ModuleName, 23, "packet of a channel that is not bound")
	ErrChunkOutOfSequence     = errors.Register(ModuleName, 24, "chunk of a full report is out of sequence")
	ErrFutureHeight           = errors.Register(ModuleName, 25, "height is above what the light client has seen")
	ErrKeyTaken               = errors.Register(ModuleName, 26, "consensus key belongs to another validator")
	ErrPacketFailed           = errors.Register(ModuleName, 27, "packet could not be processed")
	ErrInvalidGenesis         = errors.Register(ModuleName, 28, "invalid genesis")
	ErrInvalidValidator       = errors.Register(ModuleName, 29, "invalid validator")
	ErrAlreadySlashed         = errors.Register(ModuleName, 30, "validator was slashed already")
	ErrClientRefused          = errors.Register(ModuleName, 31, "misbehaviour proves nothing to the light client")
	ErrInvalidSlash           = errors.Register(ModuleName, 32, "invalid slash")
)
