package control

import errorsmod "cosmossdk.io/errors"

// Codespace of this package's errors. Error acknowledgements carry codespace and code only, so changing either
// breaks consensus.
const Codespace = "meshcontrol"

// Errors of malformed input from the other chain.
var (
	ErrTooLong       = errorsmod.Register(Codespace, 2, "input is longer than the protocol allows")
	ErrMalformed     = errorsmod.Register(Codespace, 3, "input is not well-formed JSON of the expected message")
	ErrInvalidPacket = errorsmod.Register(Codespace, 4, "packet content is invalid")
	ErrVersion       = errorsmod.Register(Codespace, 5, "channel version is not acceptable")
	ErrInvalidAck    = errorsmod.Register(Codespace, 6, "acknowledgement is invalid")
	ErrInvalidMemo   = errorsmod.Register(Codespace, 7, "reward memo is invalid")
	ErrInvalidPort   = errorsmod.Register(Codespace, 8, "port is not one of this protocol")
)
