package types

import errorsmod "cosmossdk.io/errors"

// Errors of the module. Error acknowledgements carry codespace and code, so changing a code breaks consensus.
var (
	ErrConverterNotFound = errorsmod.Register(ModuleName, 2, "converter not found")
	ErrUnauthorized      = errorsmod.Register(ModuleName, 3, "sender may not do this")
	ErrInvalidAddress    = errorsmod.Register(ModuleName, 4, "address is invalid")
	ErrInvalidConnection = errorsmod.Register(ModuleName, 5, "connection cannot be used")
	ErrInvalidTransfer   = errorsmod.Register(ModuleName, 6, "transfer channel cannot be used")
	ErrInvalidDenom      = errorsmod.Register(ModuleName, 7, "denom is invalid")
	ErrInvalidDiscount   = errorsmod.Register(ModuleName, 8, "discount is invalid")
	ErrUnknownFeed       = errorsmod.Register(ModuleName, 9, "price feed is not registered")
	ErrInvalidPrice      = errorsmod.Register(ModuleName, 10, "price is invalid")
	ErrPriceChange       = errorsmod.Register(ModuleName, 11, "price changes too much within one interval")
	ErrInvalidPort       = errorsmod.Register(ModuleName, 12, "port is invalid")
	ErrChannelInUse      = errorsmod.Register(ModuleName, 13, "control channel is in use")
	ErrNothingToUpdate   = errorsmod.Register(ModuleName, 14, "nothing to update")
	ErrInvalidParams     = errorsmod.Register(ModuleName, 15, "params are invalid")
	ErrHandshake         = errorsmod.Register(ModuleName, 16, "channel handshake is refused")
	ErrChannelClose      = errorsmod.Register(ModuleName, 17, "channel cannot be closed by a user")
	ErrWrongChannel      = errorsmod.Register(ModuleName, 18, "channel is not the bound control channel")
	ErrBatchOrder        = errorsmod.Register(ModuleName, 19, "batch was processed before")
	ErrSnapshot          = errorsmod.Register(ModuleName, 20, "snapshot is out of sequence or too large")
	ErrStakeTotal        = errorsmod.Register(ModuleName, 21, "total stake is out of range")
	ErrInvalidGenesis    = errorsmod.Register(ModuleName, 22, "genesis state is invalid")
	ErrInvalidRewards    = errorsmod.Register(ModuleName, 23, "rewards are invalid")
)
