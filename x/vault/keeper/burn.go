package keeper

import (
	"context"
	"slices"

	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/vault/types"
)

// piece is a part of a user's local stake that lost coins can be taken out of.
type piece struct {
	name  string
	worth math.Int
	// take takes amount, at most what the piece is worth.
	take func(ctx sdk.Context, amount math.Int) error
}

// takeLocal takes up to amount out of the user's local stake: out of delegations, the largest first, then out of what is
// unbonding, the latest first. Each piece stands for itself: one that cannot be taken is left, with the reason returned.
func (k *Keeper) takeLocal(ctx sdk.Context, l *ledger, amount math.Int) (taken math.Int, reason error) {
	taken = math.ZeroInt()
	var pieces []piece
	err := isolate.Try(ctx, func(ctx sdk.Context) (err error) {
		pieces, err = k.pieces(ctx, l)
		return err
	})
	if err != nil {
		return taken, err
	}
	for _, p := range pieces {
		part := math.MinInt(p.worth, amount.Sub(taken))
		if !part.IsPositive() {
			continue
		}
		if err := takePiece(ctx, p, part); err != nil {
			reason = errors.Wrap(err, p.name)
			continue
		}
		taken = taken.Add(part)
	}
	if reason == nil && taken.LT(amount) {
		reason = errors.Wrapf(types.ErrInsufficientStake, "%s of %s could be taken", taken, amount)
	}
	return taken, reason
}

// takePiece takes a part of a piece or leaves no trace. x/staking pays out the rewards of the stake on that occasion; if
// the user cannot be paid, they go to the fee collector, so that nobody can hold a loss up by that.
func takePiece(ctx sdk.Context, p piece, part math.Int) error {
	take := func(ctx sdk.Context) error { return p.take(ctx, part) }
	if isolate.Try(ctx, take) == nil {
		return nil
	}
	return isolate.Try(withRewardsDiverted(ctx), take)
}

// pieces returns the pieces of the user's local stake in the order in which losses are taken out of them.
func (k *Keeper) pieces(ctx context.Context, l *ledger) ([]piece, error) {
	delegations, err := k.delegationsOf(ctx, l.user)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(delegations, func(a, b holding) int { return b.tokens().BigInt().Cmp(a.tokens().BigInt()) })
	unbondings, err := k.unbondingsOf(ctx, l.user)
	if err != nil {
		return nil, err
	}
	type position struct {
		unbonding stakingtypes.UnbondingDelegation
		index     int
	}
	var entries []position
	for _, u := range unbondings {
		for i := range u.Entries {
			entries = append(entries, position{unbonding: u, index: i})
		}
	}
	slices.SortStableFunc(entries, func(a, b position) int {
		return b.unbonding.Entries[b.index].CompletionTime.Compare(a.unbonding.Entries[a.index].CompletionTime)
	})

	pieces := make([]piece, 0, len(delegations)+len(entries))
	for _, d := range delegations {
		pieces = append(pieces, k.delegationPiece(l, d))
	}
	for _, e := range entries {
		pieces = append(pieces, k.entryPiece(l, e.unbonding, e.index))
	}
	return pieces, nil
}

// delegationPiece takes from a delegation: x/staking gives up the shares, and what they were worth is taken from the pool
// that the validator's stake is in. The status was read before, because with the last share the validator may be gone.
func (k *Keeper) delegationPiece(l *ledger, d holding) piece {
	pool := poolOf(d.validator)
	return piece{name: d.validator.GetOperator(), worth: d.tokens(), take: func(ctx sdk.Context, amount math.Int) error {
		shares := types.SharesFor(d.validator, d.shares, amount)
		returned, err := k.staking.Unbond(withActing(ctx), types.StakingAccountAddress(l.user), d.address, shares)
		if err != nil {
			return err
		}
		if !returned.Equal(amount) {
			return errors.Wrapf(types.ErrInsufficientStake, "%s are worth %s, not %s", shares, returned, amount)
		}
		return k.dispose(ctx, l, pool, amount)
	}}
}

// entryPiece takes from an unbonding entry. One with nothing left stays until its time, as after a slash by x/staking. Its
// initial balance stays as well: that is what its owner answers for at home.
func (k *Keeper) entryPiece(l *ledger, unbonding stakingtypes.UnbondingDelegation, index int) piece {
	return piece{name: unbonding.ValidatorAddress, worth: unbonding.Entries[index].Balance, take: func(ctx sdk.Context, amount math.Int) error {
		validator, err := k.staking.ValidatorAddressCodec().StringToBytes(unbonding.ValidatorAddress)
		if err != nil {
			return err
		}
		// Read again: other entries of it may have been taken from.
		unbonding, err := k.staking.GetUnbondingDelegation(ctx, types.StakingAccountAddress(l.user), validator)
		if err != nil {
			return err
		}
		entry := &unbonding.Entries[index]
		entry.Balance = entry.Balance.Sub(amount)
		if err := k.staking.SetUnbondingDelegation(ctx, unbonding); err != nil {
			return err
		}
		return k.dispose(ctx, l, stakingtypes.NotBondedPoolName, amount)
	}}
}
