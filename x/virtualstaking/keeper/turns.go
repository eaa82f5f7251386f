package keeper

import (
	"sort"

	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// A validator can be more than an ordinary line's gas: anyone can add any number of denoms to its rewards, and
// x/distribution pays all of them whenever a delegation changes, so that there is no unbonding without that work. Such a
// line gets a turn of its own in later epochs, with gas that takes nothing from the others. Turns follow a queue; the
// first in it gets all gas there is, and what a whole turn was too little for gets twice as much the next time.

// turns is the gas that the lines with a turn of their own have left in one part of an epoch.
type turns struct{ left storetypes.Gas }

func (r *rebalance) newTurns() *turns { return &turns{left: r.turnGas()} }

// turnGas is the gas of one part of an epoch, unbonding or bonding, for all lines with a turn of their own.
func (r *rebalance) turnGas() storetypes.Gas {
	if len(r.source.Retries) == 0 {
		return 0
	}
	return types.TurnGas(r.params.EpochGas, r.source.Retries[0].OutOfGas)
}

// lowerInTurns takes the turns of the lines that only need rewards or an unbonding, and the rewards of those to bond.
func (r *rebalance) lowerInTurns(ctx sdk.Context) error {
	turns := r.newTurns()
	for _, retry := range r.source.Retries {
		l := r.line(retry.Validator)
		if l == nil || !l.held {
			continue
		}
		if err := r.turn(ctx, turns, l, r.withdraw); err != nil {
			return err
		}
		if !l.stopped() && l.above() {
			if err := r.turn(ctx, turns, l, r.lower); err != nil {
				return err
			}
		}
	}
	return nil
}

// raiseInTurns takes the turns of the lines to bond.
func (r *rebalance) raiseInTurns(ctx sdk.Context) error {
	turns := r.newTurns()
	for _, retry := range r.source.Retries {
		l := r.line(retry.Validator)
		if l == nil || l.stopped() || !l.below() {
			continue
		}
		if err := r.turn(ctx, turns, l, r.raise); err != nil {
			return err
		}
	}
	return nil
}

// turn runs step for a line with the gas that is left. One that had less than a whole turn and ran out of it waits.
func (r *rebalance) turn(ctx sdk.Context, turns *turns, l *line, step step) error {
	if turns.left < r.lineGas() {
		l.waits = true
		return nil
	}
	limit := turns.left
	var (
		meter  storetypes.GasMeter
		commit func()
	)
	failure := isolate.WithGas(ctx, limit, func(ctx sdk.Context) (err error) {
		meter = ctx.GasMeter()
		commit, err = step(ctx, l)
		return err
	})
	used := meter.GasConsumedToLimit()
	turns.left -= used
	r.spentInTurns += used
	l.turned, l.heavy = true, l.heavy || used > r.lineGas()
	if failure == nil {
		if commit != nil {
			commit()
		}
		return nil
	}
	if meter.IsPastLimit() {
		if limit < r.turnGas() {
			l.waits = true
			return nil
		}
		l.outOfGas = true
	}
	return r.fail(ctx, l, failure)
}

// queue is the order of turns after this epoch: those that waited stay in front, those that had one and need more go to
// the back, followed by the ordinary lines that failed.
func (r *rebalance) queue() []types.Retry {
	var front, back []types.Retry
	for _, retry := range r.source.Retries {
		switch l := r.line(retry.Validator); {
		case l == nil || !l.held && l.desired.IsZero():
			// Nothing is there any more, and nothing is wanted.
		case l.waits:
			front = append(front, retry)
		case l.failed || l.heavy || !l.turned:
			if l.outOfGas && retry.OutOfGas < types.MaxOutOfGas {
				retry.OutOfGas++
			}
			back = append(back, retry)
		}
	}
	for i := range r.lines {
		if l := &r.lines[i]; l.failed && l.retry && !l.inTurns {
			back = append(back, types.Retry{Validator: l.validator})
		}
	}
	return append(front, back...)
}

// countWaiting counts the changes that wait for their turn as failed: they are not done.
func (r *rebalance) countWaiting() {
	for _, retry := range r.source.Retries {
		l := r.line(retry.Validator)
		if l == nil || !l.waits || l.failed || !l.above() && !l.below() {
			continue
		}
		r.failed++
		if r.firstFailure == "" {
			r.firstFailure = types.Reason(types.ErrEpochGas.Wrapf("%s waits for its turn", l.validator))
		}
	}
}

// line finds the line of a validator, nil if there is none.
func (r *rebalance) line(validator string) *line {
	at := sort.Search(len(r.lines), func(i int) bool { return r.lines[i].validator >= validator })
	if at < len(r.lines) && r.lines[at].validator == validator {
		return &r.lines[at]
	}
	return nil
}
