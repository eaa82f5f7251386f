package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Invariants are the checks of this module's state, under their names in the design.
func (k *Keeper) Invariants() []invariant.Named {
	return []invariant.Named{
		{ID: "E1", Check: k.InvariantE1},
		{ID: "E2", Check: k.InvariantE2},
		{ID: "E3", Check: k.InvariantE3},
		{ID: "E4", Check: k.InvariantE4},
		{ID: "E5", Check: k.InvariantE5},
		{ID: "E6", Check: k.InvariantE6},
	}
}

// breachf says what does not hold.
func breachf(format string, args ...any) error {
	return types.ErrInconsistent.Wrapf(format, args...)
}

// InvariantE1 checks that a user's lien for a consumer is the sum of what is bonded, of stakes not bonded yet and of
// unbonding entries there. Unbonding entries belong to a position.
func (k *Keeper) InvariantE1(ctx context.Context) error {
	type holder struct {
		user       string
		consumerID uint64
	}
	backed := make(map[holder]math.Int)
	var order []holder
	add := func(key positionKey, amount math.Int) {
		h := holder{string(key.K1()), key.K2()}
		if _, known := backed[h]; !known {
			backed[h] = math.ZeroInt()
			order = append(order, h)
		}
		backed[h] = backed[h].Add(amount)
	}
	err := k.Positions.Walk(ctx, nil, func(key positionKey, p types.Position) (bool, error) {
		if p.Bonded.IsNegative() || p.Unstakeable().IsNegative() {
			return true, breachf("position %s: %s bonded, %s leaving", positionName(key), p.Bonded, p.PendingUnstake())
		}
		add(key, p.Bonded.Add(p.PendingStake()))
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.Unbondings.Walk(ctx, nil, func(key entryKey, e types.UnbondingEntry) (bool, error) {
		if has, err := k.Positions.Has(ctx, key.K1()); err != nil || !has {
			return true, errors.Join(err, breachf("unbonding entry without position %s", positionName(key.K1())))
		}
		add(key.K1(), e.Amount)
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, h := range order {
		lien, err := k.vault.Lien(ctx, sdk.AccAddress(h.user), types.LienID(h.consumerID))
		if err != nil {
			return err
		}
		if !lien.Equal(backed[h]) {
			return breachf("lien of %s for consumer %d is %s, its pieces add up to %s", sdk.AccAddress(h.user), h.consumerID, lien, backed[h])
		}
	}
	return nil
}

// poolSum is what the positions of a pool add up to.
type poolSum struct {
	// bonded is what is bonded now, unsettled the part that a slash has not reached, as it was before.
	bonded, unsettled math.Int
	// open counts the positions that hold the unsettled part.
	open, positions, live uint64
}

// InvariantE2 checks that a pool's bonded stake and number of positions are those of its positions. While positions are
// unsettled after a slash the pool is worth what is left of their sum, which is at most one unit less than them for each
// but one, and never more than the pool.
func (k *Keeper) InvariantE2(ctx context.Context) error {
	sums := make(map[string]poolSum)
	err := k.Positions.Walk(ctx, nil, func(key positionKey, p types.Position) (bool, error) {
		name := validatorName(key.K2(), key.K3())
		sum, known := sums[name]
		if !known {
			sum.bonded, sum.unsettled = math.ZeroInt(), math.ZeroInt()
		}
		slash, slashed, err := k.firstSlash(ctx, key.K2(), key.K3())
		if err != nil {
			return true, err
		}
		bonded := p.Bonded
		if slashed && !p.Hit {
			bonded = types.Kept(p.Bonded, slash.Fraction)
			sum.unsettled = sum.unsettled.Add(p.Bonded)
			if p.Bonded.IsPositive() {
				sum.open++
			}
		}
		sum.bonded = sum.bonded.Add(bonded)
		sum.positions++
		live, err := k.isLive(ctx, key, p)
		if live {
			sum.live++
		}
		sums[name] = sum
		return err != nil, err
	})
	if err != nil {
		return err
	}
	pools := 0
	err = k.Pools.Walk(ctx, nil, func(key validatorKey, pool types.Pool) (bool, error) {
		name := validatorName(key.K1(), key.K2())
		sum, known := sums[name]
		if known {
			pools++
		} else {
			sum.bonded, sum.unsettled = math.ZeroInt(), math.ZeroInt()
		}
		rounding := pool.Bonded.Sub(sum.bonded)
		if rounding.IsNegative() || rounding.GT(math.NewIntFromUint64(max(sum.open, 1)-1)) || !pool.Unsettled.Equal(sum.unsettled) {
			return true, breachf("pool %s has %s bonded, %s unsettled; its positions hold %s, %s unsettled", name, pool.Bonded, pool.Unsettled, sum.bonded, sum.unsettled)
		}
		if pool.Positions != sum.positions || pool.LivePositions != sum.live {
			return true, breachf("pool %s has %d positions, %d of them live; there are %d, %d of them live", name, pool.Positions, pool.LivePositions, sum.positions, sum.live)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if pools != len(sums) {
		return breachf("%d validators have positions, only %d of them a pool", len(sums), pools)
	}
	return nil
}

// InvariantE4 checks that of every denom received = paid + owed + held over + unassigned + dust with dust at least
// zero, and the reward receiver holds what is owed, held over and unassigned.
func (k *Keeper) InvariantE4(ctx context.Context) error {
	pending := make(map[uint64]sdk.Coins)
	pools := make(map[string]types.Pool)
	err := k.Pools.Walk(ctx, nil, func(key validatorKey, pool types.Pool) (bool, error) {
		pools[validatorName(key.K1(), key.K2())] = pool
		pending[key.K1()] = pending[key.K1()].Add(pool.HeldOver()...)
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.Positions.Walk(ctx, nil, func(key positionKey, p types.Position) (bool, error) {
		pending[key.K2()] = pending[key.K2()].Add(p.Owed(pools[validatorName(key.K2(), key.K3())])...)
		return false, nil
	})
	if err != nil {
		return err
	}
	return k.RewardTotals.Walk(ctx, nil, func(key validatorKey, totals types.RewardTotals) (bool, error) {
		due := pending[key.K1()].AmountOf(key.K2()).Add(totals.Unassigned)
		if dust := totals.Received.Sub(totals.Paid).Sub(due); dust.IsNegative() {
			return true, breachf("consumer %d: received %s %s, paid %s, due %s", key.K1(), totals.Received, key.K2(), totals.Paid, due)
		}
		balance := k.bankKeeper.GetBalance(ctx, types.RewardReceiver(key.K1()), key.K2())
		if balance.Amount.LT(due) {
			return true, breachf("consumer %d: reward receiver holds %s, due is %s", key.K1(), balance, due)
		}
		return false, nil
	})
}

// InvariantE6 checks that every unbonding entry is released a full unbonding period after its commit (or, without a
// packet from a tombstoned validator, after the tombstone), no more than one period from now, and wakes up no earlier
// than that.
func (k *Keeper) InvariantE6(ctx context.Context) error {
	now := sdk.UnwrapSDKContext(ctx).BlockTime()
	return k.Unbondings.Walk(ctx, nil, func(key entryKey, e types.UnbondingEntry) (bool, error) {
		position := key.K1()
		consumer, err := k.GetConsumer(ctx, position.K2())
		if err != nil {
			return true, err
		}
		v, err := k.loadValidator(ctx, position.K2(), position.K3())
		if err != nil {
			return true, err
		}
		// One that must not merge with another waits a nanosecond longer.
		latest := now.Add(consumer.UnbondingPeriod + time.Nanosecond)
		if !e.Amount.IsPositive() || !e.ReleaseTime.Equal(key.K2()) || e.ReleaseTime.After(latest) {
			return true, breachf("position %s has an entry of %s for %s at %s", positionName(position), e.Amount, e.ReleaseTime, key.K2())
		}
		if earliest := e.Earliest(v); e.ReleaseTime.Before(earliest) || e.CommittedAt.After(now) {
			return true, breachf("position %s has an entry for %s, committed %s, that must not be released before %s", positionName(position), e.ReleaseTime, e.CommittedAt, earliest)
		}
		queued, err := k.wakesUp(ctx, position, e.ReleaseTime)
		if err != nil || !queued {
			return true, errors.Join(err, breachf("position %s has an entry for %s that never wakes up", positionName(position), e.ReleaseTime))
		}
		return false, nil
	})
}

// wakesUp is true if the position is in the unbonding queue at the time, or later because a release failed.
func (k *Keeper) wakesUp(ctx context.Context, key positionKey, at time.Time) (bool, error) {
	found := false
	from := new(collections.Range[collections.Pair[time.Time, positionKey]]).StartInclusive(collections.Join(at, key))
	err := k.UnbondingQueue.Walk(ctx, from, func(wake collections.Pair[time.Time, positionKey]) (bool, error) {
		found = positionName(wake.K2()) == positionName(key)
		return found, nil
	})
	return found, err
}

func positionName(key positionKey) string {
	return fmt.Sprintf("%s/%d/%s", key.K1(), key.K2(), key.K3())
}

func validatorName(consumerID uint64, validator string) string {
	return fmt.Sprintf("%d/%s", consumerID, validator)
}
