package types

import (
	"context"
	"strings"

	"cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// LocalHolder is the holder of a user's own local stake. It belongs to the vault itself, so no other module can register it.
const LocalHolder = "local"

const (
	maxPrefixLength = 32
	maxIDLength     = 64
)

// LienHolder is a module that secures something with users' collateral.
type LienHolder interface {
	// Settle brings the user's pieces behind the lien "<prefix>/<id>" up to date. It may release from that lien, and
	// must not call the vault's Settle or Add for the same user. An error fails the operation that needed the user settled.
	Settle(ctx context.Context, user sdk.AccAddress, id string) error
}

// HolderKey returns the name under which a lien of the holder registered as prefix is stored, "<prefix>/<id>", or
// ErrInvalidHolder if the id is empty, too long or has other characters than letters, digits, '.', '_' and '-'.
func HolderKey(prefix, id string) (string, error) {
	if id == "" || len(id) > maxIDLength || strings.IndexFunc(id, notIDRune) >= 0 {
		return "", errors.Wrapf(ErrInvalidHolder, "id %q, must be 1 to %d letters, digits, '.', '_' or '-'", id, maxIDLength)
	}
	return prefix + "/" + id, nil
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
