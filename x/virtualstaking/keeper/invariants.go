package keeper

import (
	"context"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Invariants returns the module's invariants; they hold at the end of every block.
func (k *Keeper) Invariants() []invariant.Named {
	return []invariant.Named{
		{ID: "K1", Check: k.InvariantK1},
		{ID: "K2", Check: k.InvariantK2},
		{ID: "K3", Check: k.InvariantK3},
		{ID: "K6", Check: k.InvariantK6},
	}
}

// InvariantK1 checks that right after an epoch in which nothing failed, the delegations of a source are worth at most
// the cap it ran under, plus one unit of rounding per validator, and that an unwound source has none.
func (k *Keeper) InvariantK1(ctx context.Context) error {
	height := sdk.UnwrapSDKContext(ctx).BlockHeight()
	return k.eachSource(ctx, func(source types.Source) error {
		// One block later nothing may have run yet: that is how a test or an operator looks at a finished block.
		if age := height - source.LastEpoch; source.LastEpoch == 0 || age < 0 || age > 1 || source.LastFailure != "" {
			return nil
		}
		holdings, err := k.holdings(ctx, types.VirtualAccount(source.ID))
		if err != nil {
			return err
		}
		if source.Unwound && len(holdings) > 0 {
			return types.ErrInvariant.Wrapf("source %d is unwound and has %d delegations", source.ID, len(holdings))
		}
		sum := math.ZeroInt()
		for _, h := range holdings {
			sum = sum.Add(h.tokens())
		}
		if limit := source.EffectiveCap.AddRaw(int64(len(holdings))); sum.GT(limit) {
			return types.ErrInvariant.Wrapf("source %d delegates %s, its cap was %s", source.ID, sum, source.EffectiveCap)
		}
		return nil
	})
}

// dustParts is the part of a source's live stake that others' rounding may have added to it: x/staking leaves up to a unit
// with a validator's other delegators at every undelegation.
const dustParts = 1_000_000

// InvariantK2 checks that what a source has, bonded and unbonding, is at most what was minted and neither burned nor
// slashed by the last epoch, up to rounding of what is live. So the supply of the bond denom less all virtual stake is the native supply.
// It may be less by the slashes since; that an epoch itself loses nothing is checked by the epoch.
func (k *Keeper) InvariantK2(ctx context.Context) error {
	return k.eachSource(ctx, func(source types.Source) error {
		surplus, dust, err := k.surplus(ctx, source)
		if err != nil {
			return err
		}
		if surplus.GT(dust) {
			return types.ErrInvariant.Wrapf("source %d has %s more than the %s minted less %s burned less %s slashed", source.ID, surplus, source.Minted, source.Burned, source.Slashed)
		}
		return nil
	})
}

// surplus is what the source has beyond what its books say, below zero if it has less, and how much rounding may be.
func (k *Keeper) surplus(ctx context.Context, source types.Source) (surplus, dust math.Int, err error) {
	outstanding, err := k.outstanding(ctx, source.ID)
	if err != nil {
		return math.Int{}, math.Int{}, err
	}
	booked := source.Minted.Sub(source.Burned).Sub(source.Slashed)
	return outstanding.Sub(booked), outstanding.QuoRaw(dustParts).AddRaw(1_000), nil
}

// InvariantK3 checks that a virtual account holds no liquid bond denom and has no redelegations.
func (k *Keeper) InvariantK3(ctx context.Context) error {
	denom, err := k.staking.BondDenom(ctx)
	if err != nil {
		return err
	}
	return k.eachSource(ctx, func(source types.Source) error {
		account := types.VirtualAccount(source.ID)
		if balance := k.bank.GetBalance(ctx, account, denom); !balance.IsZero() {
			return types.ErrInvariant.Wrapf("account of source %d holds %s", source.ID, balance)
		}
		redelegations := 0
		err := k.staking.IterateDelegatorRedelegations(ctx, account, func(stakingtypes.Redelegation) bool {
			redelegations++
			return false
		})
		if err != nil {
			return err
		}
		if redelegations > 0 {
			return types.ErrInvariant.Wrapf("account of source %d has %d redelegations", source.ID, redelegations)
		}
		return nil
	})
}

// InvariantK6 checks that a source with a cap or outstanding stake has exactly one next epoch, not in the past; others
// have none.
func (k *Keeper) InvariantK6(ctx context.Context) error {
	scheduled, err := k.scheduled(ctx)
	if err != nil {
		return err
	}
	queued := make(map[uint64]int64, len(scheduled))
	for _, epoch := range scheduled {
		if _, dup := queued[epoch.K2()]; dup {
			return types.ErrInvariant.Wrapf("source %d has two next epochs", epoch.K2())
		}
		queued[epoch.K2()] = epoch.K1()
	}
	height := sdk.UnwrapSDKContext(ctx).BlockHeight()
	n := 0
	err = k.eachSource(ctx, func(source types.Source) error {
		needed, err := k.needsEpochs(ctx, source)
		if err != nil {
			return err
		}
		next, has := queued[source.ID]
		switch {
		case has:
			n++
			if !needed || next != source.NextEpoch || next < height {
				return types.ErrInvariant.Wrapf("source %d: needs epochs %t, queued at %d, next epoch %d, height %d", source.ID, needed, next, source.NextEpoch, height)
			}
		case needed || source.NextEpoch != 0:
			return types.ErrInvariant.Wrapf("source %d: needs epochs %t, next epoch %d, but none is queued", source.ID, needed, source.NextEpoch)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n != len(scheduled) {
		return types.ErrInvariant.Wrapf("%d epochs are queued for %d sources", len(scheduled), n)
	}
	return nil
}

func (k *Keeper) eachSource(ctx context.Context, check func(types.Source) error) error {
	return k.Sources.Walk(ctx, nil, func(_ uint64, source types.Source) (bool, error) { return false, check(source) })
}
