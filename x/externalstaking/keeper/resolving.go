package keeper

import (
	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
)

// resolveGas bounds the work for one position of an ended validator.
const resolveGas = 5_000_000

// resolveEnded ends the queued operations of ended validators, at most budget of them: stakes roll back, unstakes
// become entries.
func (k *Keeper) resolveEnded(ctx sdk.Context, budget int) error {
	validators, err := k.resolvingValidators(ctx, budget)
	if err != nil {
		return err
	}
	for _, validator := range validators {
		if budget <= 0 {
			break
		}
		spent, err := k.resolveValidator(ctx, validator, budget)
		if err != nil {
			return err
		}
		budget -= max(spent, 1)
	}
	return nil
}

func (k *Keeper) resolvingValidators(ctx sdk.Context, limit int) ([]validatorKey, error) {
	var validators []validatorKey
	err := k.Resolving.Walk(ctx, nil, func(key validatorKey) (bool, error) {
		if len(validators) >= limit {
			return true, nil
		}
		validators = append(validators, key)
		return false, nil
	})
	return validators, err
}

// resolveValidator ends up to budget positions' queued operations on one validator and returns how many it looked at.
// With none left the validator leaves the list.
func (k *Keeper) resolveValidator(ctx sdk.Context, validator validatorKey, budget int) (int, error) {
	v, err := k.loadValidator(ctx, validator.K1(), validator.K2())
	if err != nil {
		return 0, err
	}
	if !v.Ended() {
		return 0, k.Resolving.Remove(ctx, validator)
	}
	users, err := k.queuedUsers(ctx, validator, budget)
	if err != nil {
		return 0, err
	}
	if len(users) == 0 {
		if err := k.Resolving.Remove(ctx, validator); err != nil {
			return 0, err
		}
		return 0, k.unassignHeldOver(ctx, validator)
	}
	consumer, err := k.GetConsumer(ctx, validator.K1())
	if err != nil {
		return 0, err
	}
	r, err := k.newResolution(ctx, consumer, validator.K2())
	if err != nil {
		return 0, err
	}
	r.refused = "validator has ended"
	spent := 0
	for _, user := range users {
		key := collections.Join3(user, validator.K1(), validator.K2())
		pieces, err := k.vault.TrySettle(ctx, user)
		spent += pieces
		if err == nil {
			err = isolate.WithGas(ctx, resolveGas, func(ctx sdk.Context) error { return k.resolveQueued(ctx, r, key) })
		}
		if err == nil {
			continue
		}
		k.reportSkipped(ctx, validator.K1(), validator.K2(), "operation of "+user.String()+": "+err.Error())
		if err := k.moveBack(ctx, key); err != nil {
			return spent, err
		}
	}
	return spent, nil
}

// resolveQueued ends the queued operations of a position, if the settle has left any.
func (k *Keeper) resolveQueued(ctx sdk.Context, r resolution, key positionKey) error {
	position, _, err := k.loadPosition(ctx, key)
	if err != nil || !position.Queued() {
		return err
	}
	pool, err := k.loadPool(ctx, key.K2(), key.K3())
	if err != nil {
		return err
	}
	stake, unstake := position.QueuedStake, position.QueuedUnstake
	position.QueuedStake, position.QueuedUnstake = nil, nil
	if err := k.dequeue(ctx, key, &position); err != nil {
		return err
	}
	if err := k.resolve(ctx, r, key, position, &pool, stake, unstake); err != nil {
		return err
	}
	return k.savePool(ctx, key.K2(), key.K3(), pool)
}

// moveBack gives a position the last place in the queue, so that one whose operations cannot be ended holds up nobody.
func (k *Keeper) moveBack(ctx sdk.Context, key positionKey) error {
	position, err := k.Positions.Get(ctx, key)
	if err != nil {
		return err
	}
	if err := k.dequeue(ctx, key, &position); err != nil {
		return err
	}
	if err := k.enqueue(ctx, key, &position); err != nil {
		return err
	}
	return k.Positions.Set(ctx, key, position)
}

// unassignHeldOver passes on what is held over in a pool without positions, of a validator that nobody can stake to any
// more or that is about to be forgotten.
func (k *Keeper) unassignHeldOver(ctx sdk.Context, validator validatorKey) error {
	pool, err := k.loadPool(ctx, validator.K1(), validator.K2())
	if err != nil || pool.Positions > 0 {
		return err
	}
	heldOver := pool.TakeHeldOver()
	if heldOver.IsZero() {
		return nil
	}
	for _, coin := range heldOver {
		key := collections.Join(validator.K1(), coin.Denom)
		totals, err := k.RewardTotals.Get(ctx, key)
		if err != nil {
			return err
		}
		totals.Unassigned = totals.Unassigned.Add(coin.Amount)
		if err := k.RewardTotals.Set(ctx, key, totals); err != nil {
			return err
		}
	}
	return k.savePool(ctx, validator.K1(), validator.K2(), pool)
}
