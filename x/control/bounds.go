package control

import (
	"unicode/utf8"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// Bounds of the protocol. Both ends enforce them on what they send and on what they receive.
const (
	// MaxVersionBytes bounds a channel version.
	MaxVersionBytes = 4096
	// MaxPacketBytes bounds a packet's data.
	MaxPacketBytes = 64 * 1024
	// MaxAckBytes bounds an acknowledgement.
	MaxAckBytes = 64 * 1024
	// MaxMemoBytes bounds a reward memo; it is what the transfer module accepts.
	MaxMemoBytes = 32 * 1024
	// MaxEntries bounds the entries of one packet or memo.
	MaxEntries = 1000
	// MaxNameBytes bounds a validator's name and any account of the other chain.
	MaxNameBytes = 128
	// MaxAmountBits bounds every amount on the wire: below 2^128.
	MaxAmountBits = 128
	// MaxUnbondingDays bounds the unbonding period a chain may state: about ten years.
	MaxUnbondingDays = 3653
)

// checkLength refuses input over max before anything parses it.
func checkLength(what string, got, max int) error {
	if got > max {
		return errorsmod.Wrapf(ErrTooLong, "%s has %d bytes, at most %d are possible", what, got, max)
	}
	return nil
}

// ValidateName accepts an address of the other chain: opaque, 1 to MaxNameBytes printable ASCII characters, no space.
func ValidateName(name string) error {
	if len(name) == 0 || len(name) > MaxNameBytes {
		return errorsmod.Wrapf(ErrInvalidPacket, "a name has %d bytes, 1 to %d are possible", len(name), MaxNameBytes)
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= utf8.RuneSelf-1 {
			return errorsmod.Wrapf(ErrInvalidPacket, "name %q: only printable ASCII without spaces is possible", name)
		}
	}
	return nil
}

// validateAmount accepts 0 <= amount < 2^MaxAmountBits.
func validateAmount(what string, amount math.Int) error {
	switch {
	case amount.IsNil():
		return errorsmod.Wrapf(ErrInvalidPacket, "%s: amount is missing", what)
	case amount.IsNegative():
		return errorsmod.Wrapf(ErrInvalidPacket, "%s: amount %s is negative", what, amount)
	case amount.BigInt().BitLen() > MaxAmountBits:
		return errorsmod.Wrapf(ErrInvalidPacket, "%s: amount is above 2^%d - 1", what, MaxAmountBits)
	}
	return nil
}

// validateCount accepts up to MaxEntries entries.
func validateCount(n int) error {
	if n > MaxEntries {
		return errorsmod.Wrapf(ErrInvalidPacket, "%d entries, at most %d are possible", n, MaxEntries)
	}
	return nil
}

// uniqueNames collects names and refuses a repeated one.
type uniqueNames map[string]struct{}

func (u uniqueNames) add(name string) error {
	if _, seen := u[name]; seen {
		return errorsmod.Wrapf(ErrInvalidPacket, "validator %s is named twice", name)
	}
	u[name] = struct{}{}
	return nil
}
