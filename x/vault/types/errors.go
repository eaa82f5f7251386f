package types

import "cosmossdk.io/errors"

// Errors of the vault. Each is wrapped with what was asked, what is possible and what to do.
var (
	ErrInvalidAmount          = errors.Register(ModuleName, 2, "invalid amount")
	ErrWrongDenom             = errors.Register(ModuleName, 3, "wrong denom")
	ErrDepositsRefused        = errors.Register(ModuleName, 4, "deposits are refused")
	ErrInsufficientFree       = errors.Register(ModuleName, 5, "not enough free collateral")
	ErrInsufficientCollateral = errors.Register(ModuleName, 6, "not enough collateral for the lien")
	ErrTooManyLiens           = errors.Register(ModuleName, 7, "too many liens")
	ErrLienTooSmall           = errors.Register(ModuleName, 8, "lien is smaller than the amount to take off")
	ErrInvalidSlashFraction   = errors.Register(ModuleName, 9, "invalid slash fraction")
	ErrInvalidHolder          = errors.Register(ModuleName, 10, "invalid lien holder")
	ErrUnknownHolder          = errors.Register(ModuleName, 11, "unknown lien holder")
	ErrInvalidParams          = errors.Register(ModuleName, 12, "invalid params")
	ErrInvalidGenesis         = errors.Register(ModuleName, 13, "invalid genesis")
	ErrInvariant              = errors.Register(ModuleName, 14, "invariant broken")
	ErrInvalidSequence        = errors.Register(ModuleName, 15, "invalid loss sequence")
	ErrLocalStakingRefused    = errors.Register(ModuleName, 16, "local staking is refused")
	ErrDebt                   = errors.Register(ModuleName, 17, "a loss is still to be taken out of local stake")
	ErrInvalidValidator       = errors.Register(ModuleName, 18, "validator cannot be staked with")
	ErrTooManyValidators      = errors.Register(ModuleName, 19, "too many validators")
	ErrInsufficientStake      = errors.Register(ModuleName, 20, "not enough stake with the validator")
	ErrTooManyUnbondings      = errors.Register(ModuleName, 21, "too many unbondings with the validator")
	ErrImmatureRedelegation   = errors.Register(ModuleName, 22, "stake can still be slashed for the validator it came from")
	ErrDelegationStays        = errors.Register(ModuleName, 23, "delegation cannot be moved")
)
