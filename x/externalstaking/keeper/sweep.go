package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// sweepTurn is how many users of one consumer are settled before the next consumer's turn.
const sweepTurn = 20

// Sweep settles users with stake on slashed validators, in turn over the consumers that have any, until about budget pieces
// are settled, and returns how many were. Where it has got to is stored, so it goes on in any later block.
func (k *Keeper) Sweep(ctx sdk.Context, budget int) (settled int) {
	for settled < budget {
		pieces := 0
		err := isolate.Try(ctx, func(ctx sdk.Context) (err error) {
			pieces, err = k.sweepNext(ctx, min(sweepTurn, budget-settled))
			return err
		})
		if err != nil {
			k.Logger(ctx).Error("sweep", "error", err)
			return settled
		}
		if pieces == 0 {
			return settled
		}
		settled += pieces
	}
	return settled
}

// sweepNext settles up to limit users of the next consumer's first slashed validator and returns how many pieces that
// went through, at least 1, or 0 if there is nothing to sweep. A user whose settle fails is passed over: the vault tries
// again by itself.
func (k *Keeper) sweepNext(ctx sdk.Context, limit int) (pieces int, err error) {
	last, err := k.SweepConsumer.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return 0, err
	}
	validator, cursor, found, err := k.nextSweep(ctx, last+1)
	if err == nil && !found {
		validator, cursor, found, err = k.nextSweep(ctx, 0)
	}
	if err != nil || !found {
		return 0, err
	}
	users, err := k.stakersAfter(ctx, validator, cursor, limit)
	if err != nil {
		return 0, err
	}
	for _, user := range users {
		n, err := k.vault.TrySettle(ctx, user)
		if err != nil {
			k.Logger(ctx).Error("sweep: user could not be settled", "user", user.String(), "error", err)
		}
		pieces += n
	}
	if err := k.SweepConsumer.Set(ctx, validator.K1()); err != nil {
		return 0, err
	}
	if len(users) == limit {
		return pieces, k.Sweeps.Set(ctx, validator, users[limit-1])
	}
	if err := k.Sweeps.Remove(ctx, validator); err != nil {
		return 0, err
	}
	return max(1, pieces), emit(ctx, &types.EventSweepFinished{ConsumerID: validator.K1(), Validator: validator.K2()})
}

// nextSweep returns the first slashed validator, of a consumer from an id on, whose users are to be settled, and the last
// one that was.
func (k *Keeper) nextSweep(ctx context.Context, from uint64) (validator validatorKey, cursor sdk.AccAddress, found bool, err error) {
	start := new(collections.Range[validatorKey]).StartInclusive(collections.Join(from, ""))
	err = k.Sweeps.Walk(ctx, start, func(key validatorKey, user []byte) (bool, error) {
		validator, cursor, found = key, user, true
		return true, nil
	})
	return validator, cursor, found, err
}

// stakersAfter lists up to limit users with a position on a validator, after one of them, or from the first.
func (k *Keeper) stakersAfter(ctx context.Context, validator validatorKey, after sdk.AccAddress, limit int) ([]sdk.AccAddress, error) {
	var users []sdk.AccAddress
	from := new(collections.Range[stakerKey]).StartExclusive(collections.Join3(validator.K1(), validator.K2(), after))
	err := k.Stakers.Walk(ctx, from, func(key stakerKey) (bool, error) {
		if key.K1() != validator.K1() || key.K2() != validator.K2() || len(users) >= limit {
			return true, nil
		}
		users = append(users, key.K3())
		return false, nil
	})
	return users, err
}
