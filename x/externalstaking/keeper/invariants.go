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

// InvariantE2 checks that a pool's bonded stake and number of positions are those of its positions.
func (k *Keeper) InvariantE2(ctx context.Context) error {
	bonded := make(map[string]math.Int)
	positions, lives := make(map[string]uint64), make(map[string]uint64)
	err := k.Positions.Walk(ctx, nil, func(key positionKey, p types.Position) (bool, error) {
		name := validatorName(key.K2(), key.K3())
		if positions[name] == 0 {
			bonded[name] = math.ZeroInt()
		}
		bonded[name] = bonded[name].Add(p.Bonded)
		positions[name]++
		live, err := k.isLive(ctx, key, p)
		if live {
			lives[name]++
		}
		return err != nil, err
	})
	if err != nil {
		return err
	}
	pools := 0
	err = k.Pools.Walk(ctx, nil, func(key validatorKey, pool types.Pool) (bool, error) {
		name := validatorName(key.K1(), key.K2())
		want := math.ZeroInt()
		if n, known := bonded[name]; known {
			want = n
			pools++
		}
		if !pool.Bonded.Equal(want) || pool.Positions != positions[name] || pool.LivePositions != lives[name] {
			return true, breachf("pool %s has %s bonded in %d positions, %d of them live; its positions hold %s in %d, %d of them live",
				name, pool.Bonded, pool.Positions, pool.LivePositions, want, positions[name], lives[name])
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if pools != len(positions) {
		return breachf("%d validators have positions, only %d of them a pool", len(positions), pools)
	}
	return nil
}

// InvariantE3 checks that the batches in flight are the packet commitments of the open channel, one to one; a sent
// operation belongs to exactly the batch that carries its validator; a validator is in one batch at most, and its total
// in it is what is committed and what the batch carries; queued operations have their place in the queue; what the
// consumer accepted adds up; a consumer that can be sent something is looked at, now or after a wait.
func (k *Keeper) InvariantE3(ctx context.Context) error {
	if err := k.checkBatches(ctx); err != nil {
		return err
	}
	if err := k.checkOperations(ctx); err != nil {
		return err
	}
	if err := k.checkSynced(ctx); err != nil {
		return err
	}
	return k.checkReady(ctx)
}

func (k *Keeper) checkBatches(ctx context.Context) error {
	inFlight := make(map[uint64]map[uint64]bool)
	carried := make(map[string]uint64)
	err := k.Batches.Walk(ctx, nil, func(key batchKey, b types.Batch) (bool, error) {
		consumer, err := k.GetConsumer(ctx, key.K1())
		if err != nil {
			return true, err
		}
		if b.ChannelID == consumer.ChannelID {
			if inFlight[consumer.ID] == nil {
				inFlight[consumer.ID] = make(map[uint64]bool)
			}
			inFlight[consumer.ID][b.Sequence] = true
		}
		found, err := k.BatchBySequence.Get(ctx, collections.Join(b.ChannelID, b.Sequence))
		if err != nil || found.K1() != key.K1() || found.K2() != key.K2() {
			return true, errors.Join(err, breachf("batch %d of consumer %d is not found by its packet", b.ID, key.K1()))
		}
		for _, entry := range b.Entries {
			carried[validatorName(key.K1(), entry.Validator)] = b.ID
			pool, err := k.loadPool(ctx, key.K1(), entry.Validator)
			if err != nil || pool.BatchID != b.ID {
				return true, errors.Join(err, breachf("validator %s is in batch %d, its pool says %d", entry.Validator, b.ID, pool.BatchID))
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.Pools.Walk(ctx, nil, func(key validatorKey, pool types.Pool) (bool, error) {
		if pool.BatchID != carried[validatorName(key.K1(), key.K2())] {
			return true, breachf("pool of validator %s says it is in batch %d, which does not carry it", key.K2(), pool.BatchID)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	return k.Consumers.Walk(ctx, nil, func(id uint64, c types.Consumer) (bool, error) {
		if c.Status != types.ConsumerOpen {
			return false, nil
		}
		commitments := k.channelKeeper.GetAllPacketCommitmentsAtChannel(sdkCtx, types.Port(id), c.ChannelID)
		if len(commitments) != len(inFlight[id]) {
			return true, breachf("consumer %d has %d batches in flight, its channel %d packets", id, len(inFlight[id]), len(commitments))
		}
		for _, commitment := range commitments {
			if !inFlight[id][commitment.Sequence] {
				return true, breachf("packet %d of consumer %d carries no batch", commitment.Sequence, id)
			}
		}
		return false, nil
	})
}

func (k *Keeper) checkOperations(ctx context.Context) error {
	queued, sent := 0, 0
	err := k.Positions.Walk(ctx, nil, func(key positionKey, p types.Position) (bool, error) {
		for _, op := range []*types.Operation{p.QueuedStake, p.QueuedUnstake, p.SentStake, p.SentUnstake} {
			if op != nil && !op.Amount.IsPositive() {
				return true, breachf("position %s has an operation of %s", positionName(key), op.Amount)
			}
		}
		if p.Queued() != (p.QueueSequence != 0) {
			return true, breachf("position %s has place %d in the queue", positionName(key), p.QueueSequence)
		}
		if p.Queued() {
			queued++
			user, err := k.Queue.Get(ctx, collections.Join3(key.K2(), key.K3(), p.QueueSequence))
			if err != nil || string(user) != string(key.K1()) {
				return true, errors.Join(err, breachf("position %s does not hold place %d", positionName(key), p.QueueSequence))
			}
		}
		if p.Sent() {
			sent++
			pool, err := k.loadPool(ctx, key.K2(), key.K3())
			if err != nil {
				return true, err
			}
			has, err := k.SentOps.Has(ctx, collections.Join3(key.K2(), pool.BatchID, collections.Join(key.K3(), key.K1())))
			if err != nil || !has {
				return true, errors.Join(err, breachf("position %s has operations in flight that batch %d does not carry", positionName(key), pool.BatchID))
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.Queue.Walk(ctx, nil, func(collections.Triple[uint64, string, uint64], []byte) (bool, error) { queued--; return false, nil })
	if err != nil {
		return err
	}
	err = k.SentOps.Walk(ctx, nil, func(sentKey) (bool, error) { sent--; return false, nil })
	if err != nil {
		return err
	}
	if queued != 0 || sent != 0 {
		return breachf("the queue differs from the positions by %d, the operations in flight by %d", queued, sent)
	}
	return nil
}

func (k *Keeper) checkSynced(ctx context.Context) error {
	synced := make(map[uint64]math.Int)
	err := k.Pools.Walk(ctx, nil, func(key validatorKey, pool types.Pool) (bool, error) {
		if _, known := synced[key.K1()]; !known {
			synced[key.K1()] = math.ZeroInt()
		}
		synced[key.K1()] = synced[key.K1()].Add(pool.Synced)
		return false, nil
	})
	if err != nil {
		return err
	}
	return k.Outboxes.Walk(ctx, nil, func(id uint64, outbox types.OutboxState) (bool, error) {
		want, known := synced[id]
		if !known {
			want = math.ZeroInt()
		}
		if !outbox.Synced.Equal(want) {
			return true, breachf("consumer %d has accepted %s, its pools say %s", id, outbox.Synced, want)
		}
		return false, nil
	})
}

// checkReady finds consumers that would never be sent what is dirty.
func (k *Keeper) checkReady(ctx context.Context) error {
	waits := make(map[uint64]bool)
	err := k.WakeUps.Walk(ctx, nil, func(key collections.Pair[int64, uint64]) (bool, error) { waits[key.K2()] = true; return false, nil })
	if err != nil {
		return err
	}
	return k.Dirty.Walk(ctx, nil, func(key validatorKey) (bool, error) {
		consumer, err := k.GetConsumer(ctx, key.K1())
		if err != nil || consumer.Status != types.ConsumerOpen || waits[key.K1()] {
			return err != nil, err
		}
		ready, err := k.Ready.Has(ctx, key.K1())
		if err != nil || !ready {
			return true, errors.Join(err, breachf("validator %s of consumer %d is dirty, nobody looks at it", key.K2(), key.K1()))
		}
		return false, nil
	})
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
		if !e.Amount.IsPositive() || !e.ReleaseTime.Equal(key.K2()) || e.ReleaseTime.After(now.Add(consumer.UnbondingPeriod)) {
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
