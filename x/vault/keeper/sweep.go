package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/vault/types"
)

const (
	// turnPieces is how many pieces one validator's sweep settles before it is the next one's turn.
	turnPieces = 10
	// forgetGas bounds the look at one user's redelegations, which x/staking does not bound in number: some thousands of
	// them. Who has more stays in the index until they end.
	forgetGas = 5_000_000
)

// startSweep has the users of a validator settled who have, or lately had, local stake with it. If a sweep of it is under
// way, those it has been to are settled once more after it: it does not start over, so that nobody can keep it from its
// end by modifying the validator all the time.
func (k *Keeper) startSweep(ctx context.Context, validator sdk.ValAddress) error {
	switch sweep, err := k.Sweeps.Get(ctx, validator); {
	case err == nil:
		if sweep.Again || len(sweep.Cursor) == 0 {
			return nil
		}
		sweep.Again = true
		return k.Sweeps.Set(ctx, validator, sweep)
	case !errors.Is(err, collections.ErrNotFound):
		return err
	}
	users, err := k.localUsers(ctx, validator, nil, 1)
	if err != nil || len(users) == 0 {
		return err
	}
	if err := k.Sweeps.Set(ctx, validator, types.SweepRecord{}); err != nil {
		return err
	}
	name, err := k.staking.ValidatorAddressCodec().BytesToString(validator)
	if err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventSweepStarted{Validator: name})
}

// sweepValidators settles users of slashed validators until about budget pieces are settled, and returns how many were.
// The validators take turns, over blocks as well.
func (k *Keeper) sweepValidators(ctx sdk.Context, budget int) (pieces int, err error) {
	for pieces < budget {
		validator, found, err := k.nextSweep(ctx)
		if err != nil || !found {
			return pieces, err
		}
		settled, err := k.sweepTurn(ctx, validator, min(turnPieces, budget-pieces))
		if err != nil {
			return pieces, err
		}
		pieces += max(1, settled) // a turn without users counts too, so that this ends
		if err := k.LastSwept.Set(ctx, validator); err != nil {
			return pieces, err
		}
	}
	return pieces, nil
}

// nextSweep returns the validator after the one that had the last turn, beginning again after the last one.
func (k *Keeper) nextSweep(ctx context.Context) (validator sdk.ValAddress, found bool, err error) {
	last, err := k.LastSwept.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, false, err
	}
	visit := func(next sdk.ValAddress, _ types.SweepRecord) (bool, error) {
		validator, found = next, true
		return true, nil
	}
	if err := k.Sweeps.Walk(ctx, new(collections.Range[sdk.ValAddress]).StartExclusive(last), visit); err != nil || found {
		return validator, found, err
	}
	err = k.Sweeps.Walk(ctx, nil, visit)
	return validator, found, err
}

// sweepTurn settles the next users of a validator, until about budget pieces are settled, and returns how many were.
func (k *Keeper) sweepTurn(ctx sdk.Context, validator sdk.ValAddress, budget int) (pieces int, err error) {
	sweep, err := k.Sweeps.Get(ctx, validator)
	if err != nil {
		return 0, err
	}
	users, err := k.localUsers(ctx, validator, sweep.Cursor, budget)
	if err != nil {
		return 0, err
	}
	more := len(users) == budget
	for _, user := range users {
		if pieces >= budget {
			more = true
			break
		}
		settled, _ := k.trySettle(ctx, user)
		pieces += settled
		sweep.Cursor = user
		err := isolate.WithGas(ctx, forgetGas, func(ctx sdk.Context) error { return k.forgetLocalUser(ctx, validator, user) })
		if err != nil {
			k.logger(ctx).Error("a user stays in the index of a validator", "user", user, "error", err)
		}
	}
	switch {
	case more:
		return pieces, k.Sweeps.Set(ctx, validator, sweep)
	case sweep.Again:
		return pieces, k.Sweeps.Set(ctx, validator, types.SweepRecord{})
	}
	return pieces, k.endSweep(ctx, validator)
}

func (k *Keeper) endSweep(ctx sdk.Context, validator sdk.ValAddress) error {
	if err := k.Sweeps.Remove(ctx, validator); err != nil {
		return err
	}
	name, err := k.staking.ValidatorAddressCodec().BytesToString(validator)
	if err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventSweepEnded{Validator: name})
}

// localUsers returns the first n users after a cursor for whom a slash of the validator may matter.
func (k *Keeper) localUsers(ctx context.Context, validator sdk.ValAddress, cursor sdk.AccAddress, n int) ([]sdk.AccAddress, error) {
	after := collections.NewPrefixedPairRange[sdk.ValAddress, sdk.AccAddress](validator).StartExclusive(cursor)
	keys, err := first(ctx, k.LocalUsers, after, n)
	if err != nil {
		return nil, err
	}
	users := make([]sdk.AccAddress, 0, len(keys))
	for _, key := range keys {
		users = append(users, key.K2())
	}
	return users, nil
}

// first returns the first n keys of a range. They are collected before anything is done with them, because a set may not
// change while it is walked.
func first[K any](ctx context.Context, set collections.KeySet[K], in collections.Ranger[K], n int) ([]K, error) {
	var keys []K
	err := set.Walk(ctx, in, func(key K) (bool, error) {
		keys = append(keys, key)
		return len(keys) >= n, nil
	})
	return keys, err
}
