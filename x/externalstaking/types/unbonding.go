package types

import (
	"slices"
	"sort"
	"time"

	"github.com/mesh-security/mesh/x/control"
)

// Add adds an entry in order of release and returns what it has become. Entries released at the same time merge. With
// max entries there already, the new one joins the latest, and both are released at the later of the two times; joined
// is then the former time of the latest.
//
// What a slash has reached and what it has not never merge, so that no stake escapes a later slash and none is hit
// twice: one waits a nanosecond longer than the other, and beyond max there may be one entry more.
func (u *Unbonding) Add(e UnbondingEntry, max uint32) (added UnbondingEntry, joined *time.Time) {
	latest := -1
	for i, other := range u.Entries {
		if other.Hit != e.Hit {
			continue
		}
		if other.ReleaseTime.Equal(e.ReleaseTime) {
			u.Entries[i] = other.merge(e)
			return u.Entries[i], nil
		}
		latest = i
	}
	if latest >= 0 && len(u.Entries) >= int(max) {
		former := u.Entries[latest].ReleaseTime
		e, joined = u.Entries[latest].merge(e), &former
		u.Entries = slices.Delete(u.Entries, latest, latest+1)
	}
	return u.insert(e), joined
}

// insert puts an entry in its place, after any other that is released at the same time.
func (u *Unbonding) insert(e UnbondingEntry) UnbondingEntry {
	i := sort.Search(len(u.Entries), func(i int) bool { return !u.Entries[i].ReleaseTime.Before(e.ReleaseTime) })
	for ; i < len(u.Entries) && u.Entries[i].ReleaseTime.Equal(e.ReleaseTime); i++ {
		e.ReleaseTime = e.ReleaseTime.Add(time.Nanosecond)
	}
	u.Entries = slices.Insert(u.Entries, i, e)
	return e
}

// TakeDue removes the entries whose release time is not after now.
func (u *Unbonding) TakeDue(now time.Time) []UnbondingEntry {
	i := sort.Search(len(u.Entries), func(i int) bool { return u.Entries[i].ReleaseTime.After(now) })
	due := u.Entries[:i:i]
	u.Entries = u.Entries[i:]
	return due
}

// Earliest is before when an entry on validator v must not be released: a full unbonding period after its commit. What
// left a tombstoned validator without a packet has been unable to sign since the tombstone, so its period started then.
func (e UnbondingEntry) Earliest(v Validator) time.Time {
	start := e.CommittedAt
	if e.BatchID == 0 && v.Status == control.StatusTombstoned && v.EndedAt != nil && v.EndedAt.Before(start) {
		start = *v.EndedAt
	}
	return start.Add(e.UnbondingPeriod)
}

// merge is one entry for both, as hard to leave as the harder of the two: the later times, and the later batch, where
// none (0) means that no confirmation by the consumer can ever shorten its exposure.
func (e UnbondingEntry) merge(other UnbondingEntry) UnbondingEntry {
	e.Amount = e.Amount.Add(other.Amount)
	if other.ReleaseTime.After(e.ReleaseTime) {
		e.ReleaseTime = other.ReleaseTime
	}
	if !other.CommittedAt.Before(e.CommittedAt) {
		// Periods only rise, so this is the longer one, too.
		e.CommittedAt, e.UnbondingPeriod = other.CommittedAt, other.UnbondingPeriod
	}
	if other.BatchID == 0 || (e.BatchID != 0 && other.BatchID > e.BatchID) {
		e.BatchID = other.BatchID
	}
	return e
}
