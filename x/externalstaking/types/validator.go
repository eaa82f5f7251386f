package types

import (
	"bytes"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/x/control"
)

// MaxKeysPerValidator bounds a validator's key history. A validator that was created again with a new key more often
// keeps the new one pending for ever, so it takes no stake that its known keys could not answer for.
const MaxKeysPerValidator = 32

// Report is what a consumer says about one of its validators, with what this chain knows at that moment.
type Report struct {
	Status control.ValidatorStatus
	// Key is the raw consensus key; see ConsidersKey.
	Key []byte
	// At is the light client's latest height: a key is valid from there on.
	At clienttypes.Height
	// Time is the block time, Height the block height of this chain.
	Time   time.Time
	Height int64
	// Round is the full report under way, or the last one.
	Round uint64
	// HasPieces is true while any stake, operation or unbonding entry of the validator exists.
	HasPieces bool
	// Acquire is true if somebody else held Key last and has let it go.
	Acquire bool
}

// NewValidator is a validator nobody has reported anything about.
func NewValidator(address string) Validator { return Validator{Address: address} }

// Known tells whether v has ever been reported.
func (v Validator) Known() bool { return v.Status != control.StatusUnspecified }

// Ended tells whether v takes no new stake, counts for nothing and lets stake leave without a packet: it is tombstoned
// or removed, or reports another key than the one its stake was given to.
func (v Validator) Ended() bool {
	return v.Status == control.StatusTombstoned || v.Status == control.StatusRemoved || v.KeyConflict()
}

// TakesStake tells whether new stake can be lent to v.
func (v Validator) TakesStake() bool {
	return !v.Ended() && (v.Status == control.StatusActive || v.Status == control.StatusInactive)
}

// KeyConflict tells whether the consumer reports another key than the accepted one.
func (v Validator) KeyConflict() bool { return len(v.PendingKey) > 0 }

// PresentKey is the last accepted key, nil if there is none.
func (v Validator) PresentKey() []byte {
	if len(v.Keys) == 0 {
		return nil
	}
	return v.Keys[len(v.Keys)-1].ConsPubkey
}

// KeyFrom returns the key with a CometBFT address that v has from a height, if v still has it at another: its next key
// ends it.
func (v Validator) KeyFrom(address cmttypes.Address, from, at clienttypes.Height) (key []byte, found bool) {
	for _, k := range v.Keys {
		switch {
		case k.From.EQ(from) && bytes.Equal(ed25519.PubKey(k.ConsPubkey).Address(), address):
			key, found = k.ConsPubkey, true
		case found && k.From.LTE(at):
			return nil, false
		}
	}
	return key, found
}

// HoldsKey tells whether no other validator may take key: it is v's present key and v is not removed.
func (v Validator) HoldsKey(key []byte) bool {
	return v.Status != control.StatusRemoved && bytes.Equal(v.PresentKey(), key)
}

// Evictable tells whether v may make room for another validator once nothing is left on it. Tombstoned ones stay: the
// tombstone is final, so it must not be forgotten.
func (v Validator) Evictable() bool {
	return v.Status != control.StatusActive && v.Status != control.StatusTombstoned
}

// ConsidersKey tells whether r's key matters for v: not once v is tombstoned, and not in a report that only says that v
// is gone, unless it is the first one.
func (v Validator) ConsidersKey(r Report) bool {
	switch {
	case v.Status == control.StatusTombstoned, r.Status == control.StatusRemoved:
		return false
	case r.Status == control.StatusTombstoned:
		return len(v.Keys) == 0
	}
	return true
}

// Apply returns v after r. A tombstone is final and nothing can follow it. The first key is the only one while pieces
// exist: another is kept pending and v counts as ended meanwhile. Keys are only ever appended, never dated before the
// last one.
func (v Validator) Apply(r Report) Validator {
	v.SeenRound = r.Round
	if v.Status == control.StatusTombstoned {
		return v
	}
	before := v
	// A copy, so that the caller's history never shares an array with the result.
	v.Keys = append([]ConsumerKey(nil), v.Keys...)
	v.Status, v.PendingKey = r.Status, nil
	if before.ConsidersKey(r) && (r.Acquire || !bytes.Equal(v.PresentKey(), r.Key)) {
		v = v.takeKey(r)
	}
	switch {
	case !v.Ended():
		v.EndedAt = nil
	case !before.Ended() || r.Status == control.StatusTombstoned:
		// A tombstone restarts the clock: nothing may leave before its own time plus the unbonding period.
		at := r.Time.UTC()
		v.EndedAt = &at
	}
	if v.changedFrom(before) {
		v.ReportedAt = r.Height
	}
	return v
}

// Emptied returns v after the last piece has left at the light client's height at: a pending key becomes the key.
func (v Validator) Emptied(at clienttypes.Height, height int64) Validator {
	if !v.KeyConflict() || v.Status == control.StatusTombstoned || len(v.Keys) >= MaxKeysPerValidator {
		return v
	}
	v.Keys = appendKey(append([]ConsumerKey(nil), v.Keys...), v.PendingKey, at)
	v.PendingKey, v.EndedAt, v.ReportedAt = nil, nil, height
	return v
}

func (v Validator) takeKey(r Report) Validator {
	other := len(v.Keys) > 0 && !bytes.Equal(v.PresentKey(), r.Key)
	if len(v.Keys) >= MaxKeysPerValidator || (other && r.HasPieces) {
		v.PendingKey = r.Key
		return v
	}
	v.Keys = appendKey(v.Keys, r.Key, r.At)
	return v
}

func appendKey(keys []ConsumerKey, key []byte, at clienttypes.Height) []ConsumerKey {
	if n := len(keys); n > 0 && at.LT(keys[n-1].From) {
		at = keys[n-1].From
	}
	return append(keys, ConsumerKey{ConsPubkey: key, From: at})
}

// changedFrom tells whether anything but the round differs.
func (v Validator) changedFrom(o Validator) bool {
	return v.Status != o.Status || len(v.Keys) != len(o.Keys) || !bytes.Equal(v.PendingKey, o.PendingKey)
}

// Changed tells whether the step from v to next is worth an event.
func (v Validator) Changed(next Validator) bool { return next.changedFrom(v) }
