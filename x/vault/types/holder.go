package types

import (
	"context"
	"strings"
	"time"

	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// LocalHolder is the holder of a user's own local stake. It belongs to the vault itself, so no other module can register it.
const LocalHolder = "local"

const (
	maxPrefixLength = 32
	maxIDLength     = 64
)

// PendingLoss is a slash that has not reached a lien yet.
type PendingLoss struct {
	// Sequence orders the losses of all holders; a holder takes it from Handle.NextLossSequence when it records a slash.
	Sequence uint64
	// Time is the block time of the slash: what was released up to then is not hit.
	Time time.Time
}

// LienHolder is a module that secures something with users' collateral. The vault calls it while it settles a user, so none
// of its methods may call Add, Lose or Settle for the same user, nor release from the lien itself: the vault lowers the lien
// by what they return. Amounts are base units of the vault's denom. An error fails the operation that needed the user
// settled.
type LienHolder interface {
	// NextLoss returns the earliest slash after sequence `settled` that has not reached the user's pieces behind the lien
	// "<prefix>/<id>". Without anything new it costs one read.
	NextLoss(ctx context.Context, user sdk.AccAddress, id string, settled uint64) (loss PendingLoss, found bool, err error)
	// ApplyLoss lets the slash that NextLoss returned reach the pieces and returns what they lost, at most the lien.
	ApplyLoss(ctx context.Context, user sdk.AccAddress, id string, sequence uint64) (lost math.Int, err error)
	// Mature takes out of the pieces what is due at a time and returns its sum.
	Mature(ctx context.Context, user sdk.AccAddress, id string, at time.Time) (released math.Int, err error)
	// Reduce lowers the pieces by exactly amount, in proportion: the collateral behind them is gone. It is a command.
	Reduce(ctx context.Context, user sdk.AccAddress, id string, amount math.Int) error
	// Sweep settles users whom slashes hit, with Handle.TrySettle, until about budget pieces are settled, and returns how
	// many were. It keeps its own cursor.
	Sweep(ctx sdk.Context, budget int) (settled int)
}

// HolderKey returns the name under which a lien of the holder registered as prefix is stored, "<prefix>/<id>", or
// ErrInvalidHolder if the id is empty, too long or has other characters than letters, digits, '.', '_' and '-'.
func HolderKey(prefix, id string) (string, error) {
	if id == "" || len(id) > maxIDLength || strings.IndexFunc(id, notIDRune) >= 0 {
		return "", errors.Wrapf(ErrInvalidHolder, "id %q, must be 1 to %d letters, digits, '.', '_' or '-'", id, maxIDLength)
	}
	return prefix + "/" + id, nil
}

// ValidateHolder returns ErrInvalidHolder unless holder is "local" or "<prefix>/<id>".
func ValidateHolder(holder string) error {
	if holder == LocalHolder {
		return nil
	}
	_, _, err := ParseHolder(holder)
	return err
}

// ParseHolder splits "<prefix>/<id>", or returns ErrInvalidHolder.
func ParseHolder(holder string) (prefix, id string, err error) {
	prefix, id, found := strings.Cut(holder, "/")
	if !found {
		return "", "", errors.Wrapf(ErrInvalidHolder, "%q, must be <prefix>/<id>", holder)
	}
	if err := ValidateHolderPrefix(prefix); err != nil {
		return "", "", err
	}
	if _, err := HolderKey(prefix, id); err != nil {
		return "", "", err
	}
	return prefix, id, nil
}

// ValidateHolderPrefix returns ErrInvalidHolder unless prefix is 1 to 32 lower-case letters and not reserved.
func ValidateHolderPrefix(prefix string) error {
	if prefix == "" || len(prefix) > maxPrefixLength || strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz") != "" {
		return errors.Wrapf(ErrInvalidHolder, "prefix %q, must be 1 to %d lower-case letters", prefix, maxPrefixLength)
	}
	if prefix == LocalHolder {
		return errors.Wrapf(ErrInvalidHolder, "prefix %q is reserved", prefix)
	}
	return nil
}

func notIDRune(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		return false
	}
	return true
}
