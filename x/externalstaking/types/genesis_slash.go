package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/control"
)

// validateSlashes checks that each slash, in the order of the batches, was proven before the one in front of it, for an
// offence at a higher height; and that only a tombstoned validator has any.
func (g GenesisValidator) validateSlashes(lastBatchID uint64) error {
	if len(g.Slashes) > 0 && g.Validator.Status != control.StatusTombstoned {
		return errorsmod.Wrapf(ErrInvalidSlash, "slashes: the validator is %s, whoever is slashed is tombstoned", g.Validator.Status)
	}
	for i, s := range g.Slashes {
		if err := s.validate(lastBatchID); err != nil {
			return errorsmod.Wrapf(err, "slashes[%d]", i)
		}
		if i == 0 {
			continue
		}
		before := g.Slashes[i-1]
		if s.FromBatch <= before.FromBatch || s.Height.LTE(before.Height) || s.Sequence >= before.Sequence || s.Time.After(before.Time) {
			return errorsmod.Wrapf(ErrInvalidSlash, "slashes[%d]: batches and heights must rise, sequences and times fall", i)
		}
	}
	if g.Sweep == nil {
		return nil
	}
	if len(g.Slashes) == 0 {
		return errorsmod.Wrap(ErrInvalidSlash, "sweep: there is no slash")
	}
	if g.Sweep.Cursor != "" {
		if _, err := sdk.AccAddressFromBech32(g.Sweep.Cursor); err != nil {
			return errorsmod.Wrapf(ErrInvalidSlash, "sweep.cursor %q: %s", g.Sweep.Cursor, err)
		}
	}
	return nil
}

func (s Slash) validate(lastBatchID uint64) error {
	if s.FromBatch == 0 || s.FromBatch > lastBatchID+1 {
		return errorsmod.Wrapf(ErrInvalidSlash, "from_batch: %d, 1 to %d are possible", s.FromBatch, lastBatchID+1)
	}
	if s.Sequence == 0 {
		return errorsmod.Wrap(ErrInvalidSlash, "sequence: 0; they count from 1")
	}
	if err := ValidateSlashFraction(s.Fraction); err != nil {
		return errorsmod.Wrap(err, "fraction")
	}
	return errorsmod.Wrap(validateAmount(s.Bonded), "bonded")
}

// validateBonded checks the pool's bonded stake against its positions. Those that a slash has not reached count with what
// it leaves of them: together they are worth at most the pool, and less by rounding alone.
func (g GenesisValidator) validateBonded(sum poolSum) error {
	fraction := math.LegacyZeroDec()
	if n := len(g.Slashes); n > 0 {
		fraction = g.Slashes[n-1].Fraction
	} else if sum.hit {
		return errorsmod.Wrap(ErrInconsistent, "slashes: none, but a position or an entry was hit")
	}
	worth, unsettled, open := math.ZeroInt(), math.ZeroInt(), int64(0)
	for _, p := range sum.entitled {
		if p.Hit || len(g.Slashes) == 0 {
			worth = worth.Add(p.Bonded)
			continue
		}
		worth, unsettled = worth.Add(Kept(p.Bonded, fraction)), unsettled.Add(p.Bonded)
		if p.Bonded.IsPositive() {
			open++
		}
	}
	if !g.Pool.Unsettled.Equal(unsettled) {
		return errorsmod.Wrapf(ErrInconsistent, "pool.unsettled: %s, the positions add up to %s", g.Pool.Unsettled, unsettled)
	}
	if rounding := g.Pool.Bonded.Sub(worth); rounding.IsNegative() || rounding.GT(math.NewInt(max(open, 1)-1)) {
		return errorsmod.Wrapf(ErrInconsistent, "pool.bonded: %s, the positions add up to %s", g.Pool.Bonded, worth)
	}
	return nil
}
