package keeper

import (
	"errors"
	"fmt"
	"sort"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// rebalance is one epoch of one source under way.
type rebalance struct {
	k       *Keeper
	source  types.Source
	account sdk.AccAddress
	params  types.Params

	// lines are the validators with a delegation or a target, sorted by operator address.
	lines []line
	// increase is false while delegations may only fall.
	increase bool

	bonded, unbonded math.Int
	failed           uint32
	firstFailure     string
	// spentInTurns is gas beside the epoch's own, see turns.
	spentInTurns storetypes.Gas
}

// step is one change of one line. What it returns is called once its writes were kept.
type step func(ctx sdk.Context, l *line) (commit func(), err error)

// line is one validator in a rebalance; amounts in bond denom base units.
type line struct {
	validator string
	address   sdk.ValAddress
	// current is what the delegation is worth now, desired what it should be.
	current, desired math.Int
	// held reports that there is a delegation, whatever it is worth; it is gone once the line is cleared.
	held, cleared bool
	// failed lines are left alone until the next epoch; retry says that they get a turn of their own then.
	failed, retry bool
	// inTurns lines have turns of their own. turned is set with the first step in this epoch; waits when no gas is left for
	// the next one, outOfGas when all gas there is was too little, heavy when an ordinary line's would have been.
	inTurns, turned, waits, outOfGas, heavy bool
}

// above reports that the delegation must fall. One that is worth nothing still has shares to clear away.
func (l *line) above() bool {
	return l.held && (l.desired.LT(l.current) || l.desired.IsZero() && !l.cleared)
}

// below reports that the delegation must rise.
func (l *line) below() bool { return l.desired.GT(l.current) }

// stopped reports that nothing more happens to the line in this epoch.
func (l *line) stopped() bool { return l.failed || l.waits }

func (k *Keeper) newRebalance(ctx sdk.Context, source types.Source, params types.Params) (*rebalance, error) {
	r := &rebalance{
		k: k, source: source, account: types.VirtualAccount(source.ID), params: params,
		bonded: math.ZeroInt(), unbonded: math.ZeroInt(),
	}
	// Bounded by the validators, and so much work for its gas that it must not count against the epoch's.
	outstanding, err := k.outstanding(ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()), source.ID)
	if err != nil {
		return nil, err
	}
	r.source.Slashed = math.MaxInt(math.ZeroInt(), source.Minted.Sub(source.Burned).Sub(outstanding))
	holdings, err := k.holdings(ctx, r.account)
	if err != nil {
		return nil, err
	}
	for _, h := range holdings {
		r.lines = append(r.lines, line{
			validator: h.validator.GetOperator(), address: h.address,
			current: h.tokens(), desired: math.ZeroInt(), held: true,
		})
	}
	r.sortLines()
	r.markTurns()
	return r, nil
}

// markTurns marks the lines that have turns of their own.
func (r *rebalance) markTurns() {
	for _, retry := range r.source.Retries {
		if l := r.line(retry.Validator); l != nil {
			l.inTurns = true
		}
	}
}

func (r *rebalance) sortLines() {
	sort.Slice(r.lines, func(i, j int) bool { return r.lines[i].validator < r.lines[j].validator })
}

// withdrawRewards pays the rewards of each delegation to the reward account and hands them to the owner of the source. A
// delegation whose rewards cannot be withdrawn is not touched in this epoch: touching it would pay them unattributed.
func (r *rebalance) withdrawRewards(ctx sdk.Context) error {
	return r.each(ctx, func(l *line) bool { return l.held }, r.params.EpochGas/2, r.withdraw)
}

func (r *rebalance) withdraw(ctx sdk.Context, l *line) (func(), error) {
	rewards, err := r.k.distribution.WithdrawDelegationRewards(ctx, r.account, l.address)
	if err != nil {
		return nil, types.ErrRewardsNotTaken.Wrap(err.Error())
	}
	// x/distribution returns a coin of zero when there is nothing.
	if rewards.IsZero() {
		return nil, nil
	}
	err = isolate.Try(ctx, func(ctx sdk.Context) error { return r.k.hooks.AddRewards(ctx, r.source.ID, l.validator, rewards) })
	if err == nil || !l.inTurns {
		return nil, err
	}
	// Refused a second time. The rewards are paid all the same, and the stake must be free to leave.
	return nil, ctx.EventManager().EmitTypedEvent(&types.EventRewardsNotAttributed{
		Source: r.source.ID, Validator: l.validator, Amount: types.Shorten(rewards.String()), Reason: types.Reason(err),
	})
}

// setTargets asks for the targets, drops validators that cannot have stake, and scales the rest to the cap. Without an
// answer what is there counts as the target, so that a lower cap takes effect all the same, and nothing rises. It returns
// the last batch that the targets include.
func (r *rebalance) setTargets(ctx sdk.Context) (lastBatch uint64, err error) {
	var targets []types.Target
	failure := r.ask(ctx, func(ctx sdk.Context) (err error) {
		// Read first: a batch that came later need not be in the targets.
		if lastBatch, err = r.k.hooks.LastBatchID(ctx, r.source.ID); err != nil {
			return err
		}
		// Everything leaves, whatever the owner of the source says.
		if r.leaves() {
			return nil
		}
		if targets, r.increase, err = r.k.hooks.Targets(ctx, r.source.ID); err != nil {
			return err
		}
		return types.ValidateTargets(targets)
	})
	if failure != nil {
		targets, r.increase = nil, false
		for _, l := range r.lines {
			targets = append(targets, types.Target{Validator: l.validator, Amount: l.current})
		}
		r.failed++
		r.firstFailure = types.Reason(fmt.Errorf("targets: %w", failure))
		r.k.logger(ctx).Error("no targets, virtual stake is only kept to its cap", "source", r.source.ID, "error", failure)
		err := ctx.EventManager().EmitTypedEvent(&types.EventEpochFailed{Source: r.source.ID, Reason: "targets: " + failure.Error()})
		if err != nil {
			return 0, err
		}
	}
	return lastBatch, r.aim(ctx, targets)
}

// leaves reports that the source must have no stake at all: governance authorises none, or its provider was silent for
// too long.
func (r *rebalance) leaves() bool { return r.source.Unwound || !r.source.MaxCap.IsPositive() }

// ask runs fn, which is the owner's, with all gas but what unbonding and bonding need at least.
func (r *rebalance) ask(ctx sdk.Context, fn func(sdk.Context) error) error {
	reserve := r.params.EpochGas / 5
	if left := ctx.GasMeter().GasRemaining(); left > reserve {
		return charged(ctx, left-reserve, fn)
	}
	return types.ErrEpochGas.Wrap("none is left to ask for targets, raise epoch_gas")
}

// aim sets what each line should be.
func (r *rebalance) aim(ctx sdk.Context, targets []types.Target) error {
	// Not scaled to zero, but none at all: a validator that lost everything has a line too.
	if r.leaves() {
		return nil
	}
	kept, addresses := make([]types.Target, 0, len(targets)), make([]sdk.ValAddress, 0, len(targets))
	for _, t := range targets {
		addr, ok, err := r.k.canHaveStake(ctx, t.Validator)
		if err != nil {
			return err
		}
		if ok {
			kept, addresses = append(kept, t), append(addresses, addr)
		}
	}
	held := len(r.lines)
	for i, t := range types.ScaleToCap(kept, r.source.MaxCap) {
		at := sort.Search(held, func(i int) bool { return r.lines[i].validator >= t.Validator })
		if at < held && r.lines[at].validator == t.Validator {
			r.lines[at].desired = t.Amount
			continue
		}
		r.lines = append(r.lines, line{
			validator: t.Validator, address: addresses[i], current: math.ZeroInt(), desired: t.Amount,
		})
	}
	r.sortLines()
	r.markTurns()
	return nil
}

// unbond lowers the delegations that are above their target. All unbonds come before all bonds, so that a source at its
// cap can move stake from one validator to another.
func (r *rebalance) unbond(ctx sdk.Context) error {
	if err := r.each(ctx, (*line).above, r.params.EpochGas/10, r.lower); err != nil {
		return err
	}
	return r.lowerInTurns(ctx)
}

func (r *rebalance) lower(ctx sdk.Context, l *line) (func(), error) {
	amount := l.current.Sub(l.desired)
	shares, err := r.k.sharesFor(ctx, r.account, l.address, amount, l.desired.IsZero())
	if err != nil {
		return nil, err
	}
	returned, burned, err := r.k.unbond(ctx, r.source.ID, r.account, l.address, shares)
	if err != nil {
		return nil, err
	}
	return func() {
		l.current, l.cleared = l.desired, l.desired.IsZero()
		r.unbonded = r.unbonded.Add(returned)
		r.source.Burned = r.source.Burned.Add(burned)
	}, nil
}

// bond raises the delegations that are below their target.
func (r *rebalance) bond(ctx sdk.Context) error {
	if !r.increase {
		return nil
	}
	if err := r.each(ctx, (*line).below, r.params.EpochGas/10, r.raise); err != nil {
		return err
	}
	return r.raiseInTurns(ctx)
}

func (r *rebalance) raise(ctx sdk.Context, l *line) (func(), error) {
	amount := l.desired.Sub(l.current)
	// Below the sum of what is missing only if an unbond failed or waits.
	room := r.source.MaxCap
	for _, other := range r.lines {
		room = room.Sub(other.current)
	}
	if amount.GT(room) {
		return nil, types.ErrNoRoom.Wrapf("%s to bond, %s of the cap %s are free until stake elsewhere has left", amount, room, r.source.MaxCap)
	}
	if err := r.k.bond(ctx, r.source.ID, r.account, l.address, amount); err != nil {
		return nil, err
	}
	return func() {
		l.current = l.desired
		r.bonded = r.bonded.Add(amount)
		r.source.Minted = r.source.Minted.Add(amount)
	}, nil
}

// each runs step for every ordinary line that needs it, each isolated and with bounded gas, and keeps reserve of the
// epoch's gas for what follows. A line that fails is reported, left alone until the next epoch, and has turns of its own
// from then on; the order turns with every epoch, so that lines cannot starve others for ever.
func (r *rebalance) each(ctx sdk.Context, needs func(*line) bool, reserve storetypes.Gas, step step) error {
	n := len(r.lines)
	for i := range n {
		l := &r.lines[(i+int(ctx.BlockHeight()/r.params.EpochLength%int64(n)))%n]
		if l.failed || l.inTurns || !needs(l) {
			continue
		}
		var commit func()
		failure := r.limited(ctx, reserve, func(ctx sdk.Context) (err error) {
			commit, err = step(ctx, l)
			return err
		})
		if failure == nil {
			if commit != nil {
				commit()
			}
			continue
		}
		if err := r.fail(ctx, l, failure); err != nil {
			return err
		}
	}
	return nil
}

// lineGas is the gas of one step of an ordinary line.
func (r *rebalance) lineGas() storetypes.Gas { return r.params.EpochGas / 20 }

// limited runs fn with an ordinary line's gas, and charges the epoch for it.
func (r *rebalance) limited(ctx sdk.Context, reserve storetypes.Gas, fn func(sdk.Context) error) error {
	if left := ctx.GasMeter().GasRemaining(); left < reserve+r.lineGas() {
		return types.ErrEpochGas.Wrapf("%d gas left, raise epoch_gas", left)
	}
	return charged(ctx, r.lineGas(), fn)
}

// charged runs fn with at most limit of the epoch's gas.
func charged(ctx sdk.Context, limit storetypes.Gas, fn func(sdk.Context) error) error {
	var meter storetypes.GasMeter
	err := isolate.WithGas(ctx, limit, func(ctx sdk.Context) error {
		meter = ctx.GasMeter()
		return fn(ctx)
	})
	ctx.GasMeter().ConsumeGas(meter.GasConsumedToLimit(), "virtual stake of one validator")
	return err
}

func (r *rebalance) fail(ctx sdk.Context, l *line, failure error) error {
	l.failed = true
	// Too little room, or gas of the epoch, is not the line's own fault.
	l.retry = !errors.Is(failure, types.ErrEpochGas) && !errors.Is(failure, types.ErrNoRoom)
	r.failed++
	if r.firstFailure == "" {
		r.firstFailure = types.Reason(fmt.Errorf("%s: %w", l.validator, failure))
	}
	r.k.logger(ctx).Error("virtual stake of a validator failed, it is tried again at the next epoch",
		"source", r.source.ID, "validator", l.validator, "error", failure)
	return ctx.EventManager().EmitTypedEvent(&types.EventValidatorFailed{
		Source: r.source.ID, Validator: l.validator, Reason: failure.Error(),
	})
}

// checkBooks compares what the source has with what the epoch booked, both ways: no slash comes in between. A difference
// cannot be repaired here, and must not keep stake from leaving, so it is reported like any failure.
func (r *rebalance) checkBooks(ctx sdk.Context) error {
	surplus, dust, err := r.k.surplus(ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()), r.source)
	if err != nil || surplus.Abs().LTE(dust) {
		return err
	}
	failure := types.ErrInvariant.Wrapf("K2: the epoch booked %s less than there is", surplus)
	r.failed++
	r.firstFailure = types.Reason(failure)
	r.k.logger(ctx).Error("virtual stake does not add up", "source", r.source.ID, "error", failure)
	return ctx.EventManager().EmitTypedEvent(&types.EventEpochFailed{Source: r.source.ID, Reason: failure.Error()})
}

// canHaveStake returns the address of a validator that may have virtual stake: one that exists, is not jailed and not
// tombstoned, and has not lost everything (x/staking refuses delegations to that).
func (k *Keeper) canHaveStake(ctx sdk.Context, operator string) (sdk.ValAddress, bool, error) {
	addr, err := k.staking.ValidatorAddressCodec().StringToBytes(operator)
	if err != nil {
		return nil, false, nil
	}
	validator, err := k.staking.GetValidator(ctx, addr)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if validator.IsJailed() || validator.InvalidExRate() {
		return nil, false, nil
	}
	tombstoned, err := k.tombstoned(ctx, operator, validator)
	return addr, !tombstoned, err
}
