package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// InvariantE5 checks that whoever is slashed is tombstoned, and no stake was hit elsewhere; that each slash proven later is of
// a lower height and reaches more batches; that the sweep finds everybody; that key histories are never back-dated, and that
// each key belongs to one validator at any height.
func (k *Keeper) InvariantE5(ctx context.Context) error {
	if err := k.checkSlashes(ctx); err != nil {
		return err
	}
	if err := k.checkHits(ctx); err != nil {
		return err
	}
	if err := k.checkStakers(ctx); err != nil {
		return err
	}
	return k.checkKeys(ctx)
}

func (k *Keeper) checkSlashes(ctx context.Context) error {
	lasts := make(map[uint64]uint64)
	var before *types.Slash
	var beforeKey slashKey
	err := k.Slashes.Walk(ctx, nil, func(key slashKey, s types.Slash) (bool, error) {
		name := validatorName(key.K1(), key.K2())
		v, err := k.loadValidator(ctx, key.K1(), key.K2())
		if err != nil {
			return true, err
		}
		if v.Status != control.StatusTombstoned || s.FromBatch != key.K3() {
			return true, breachf("validator %s was slashed from batch %d on, and is %s", name, s.FromBatch, v.Status)
		}
		if before != nil && beforeKey.K1() == key.K1() && beforeKey.K2() == key.K2() &&
			(s.Height.LTE(before.Height) || s.Sequence >= before.Sequence || s.Time.After(before.Time)) {
			return true, breachf("validator %s was slashed at %s by loss %d and at %s by loss %d", name, before.Height, before.Sequence, s.Height, s.Sequence)
		}
		before, beforeKey = &s, key
		lasts[key.K1()] = max(lasts[key.K1()], s.Sequence)
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.LastSlashes.Walk(ctx, nil, func(consumerID, last uint64) (bool, error) {
		found := lasts[consumerID]
		delete(lasts, consumerID)
		// A retired consumer's slashes go before the note does, once there is nobody whom they could reach.
		clearing, err := k.Retirements.Has(ctx, consumerID)
		if err != nil || found > last || found < last && !clearing {
			return true, errors.Join(err, breachf("the last loss of consumer %d is %d, noted is %d", consumerID, found, last))
		}
		return false, nil
	})
	if err != nil || len(lasts) > 0 {
		return errors.Join(err, breachf("the last loss of %d consumers is not noted", len(lasts)))
	}
	return k.Sweeps.Walk(ctx, nil, func(key validatorKey, _ []byte) (bool, error) {
		_, slashed, err := k.firstSlash(ctx, key.K1(), key.K2())
		if err != nil || !slashed {
			return true, errors.Join(err, breachf("validator %s is swept, but was never slashed", validatorName(key.K1(), key.K2())))
		}
		return false, nil
	})
}

// checkHits finds stake that was hit although its validator was never slashed.
func (k *Keeper) checkHits(ctx context.Context) error {
	check := func(key positionKey, hit bool) (bool, error) {
		if !hit {
			return false, nil
		}
		_, slashed, err := k.firstSlash(ctx, key.K2(), key.K3())
		if err != nil || !slashed {
			return true, errors.Join(err, breachf("position %s was hit, but its validator was never slashed", positionName(key)))
		}
		return false, nil
	}
	return errors.Join(
		k.Positions.Walk(ctx, nil, func(key positionKey, p types.Position) (bool, error) { return check(key, p.Hit) }),
		k.Unbondings.Walk(ctx, nil, func(key entryKey, e types.UnbondingEntry) (bool, error) { return check(key.K1(), e.Hit) }),
	)
}

// checkStakers compares the index of the sweep with the positions.
func (k *Keeper) checkStakers(ctx context.Context) error {
	positions := 0
	err := k.Positions.Walk(ctx, nil, func(key positionKey, _ types.Position) (bool, error) {
		positions++
		has, err := k.Stakers.Has(ctx, collections.Join3(key.K2(), key.K3(), key.K1()))
		if err != nil || !has {
			return true, errors.Join(err, breachf("the sweep would not find position %s", positionName(key)))
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.Stakers.Walk(ctx, nil, func(stakerKey) (bool, error) { positions--; return false, nil })
	if err != nil || positions != 0 {
		return errors.Join(err, breachf("the sweep finds %d positions too few", positions))
	}
	return nil
}

// checkKeys compares the owners of keys, of which there is one at any height, with the histories of the validators.
func (k *Keeper) checkKeys(ctx context.Context) error {
	owned := 0
	err := k.Validators.Walk(ctx, nil, func(key validatorKey, v types.Validator) (bool, error) {
		for i, own := range v.Keys {
			owned++
			if i > 0 && own.From.LT(v.Keys[i-1].From) {
				return true, breachf("key %d of validator %s is back-dated to %s", i, validatorName(key.K1(), key.K2()), own.From)
			}
			owner, err := k.KeyOwners.Get(ctx, collections.Join(key.K1(), ownerKey(keyAddress(own.ConsPubkey), own.From)))
			if err != nil || owner != v.Address {
				return true, errors.Join(err, breachf("key %d of validator %s belongs to %q", i, validatorName(key.K1(), key.K2()), owner))
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.KeyOwners.Walk(ctx, nil, func(collections.Pair[uint64, []byte], string) (bool, error) { owned--; return false, nil })
	if err != nil || owned != 0 {
		return errors.Join(err, breachf("%d keys have an owner too few", owned))
	}
	return nil
}
