package keeper

import (
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// addLocalUser notes that a slash of the validator matters to the user from now on.
func (k *Keeper) addLocalUser(ctx context.Context, validator sdk.ValAddress, user sdk.AccAddress) error {
	key := collections.Join(validator, user)
	if noted, err := k.LocalUsers.Has(ctx, key); err != nil || noted {
		return err
	}
	return k.LocalUsers.Set(ctx, key)
}

// forgetLocalUser takes the user off the validator's if no slash of it can matter any more: the staking account has no
// delegation to it, nothing unbonding from it, and no redelegation away from it.
func (k *Keeper) forgetLocalUser(ctx context.Context, validator sdk.ValAddress, user sdk.AccAddress) error {
	account := types.StakingAccountAddress(user)
	switch _, err := k.staking.GetDelegation(ctx, account, validator); {
	case err == nil:
		return nil
	case !errors.Is(err, stakingtypes.ErrNoDelegation):
		return err
	}
	switch _, err := k.staking.GetUnbondingDelegation(ctx, account, validator); {
	case err == nil:
		return nil
	case !errors.Is(err, stakingtypes.ErrNoUnbondingDelegation):
		return err
	}
	if away, err := k.staking.GetAllRedelegations(ctx, account, validator, nil); err != nil || len(away) > 0 {
		return err
	}
	return k.LocalUsers.Remove(ctx, collections.Join(validator, user))
}

// indexLocalStake derives what the indexes say about the user from x/staking, for an imported account.
func (k *Keeper) indexLocalStake(ctx context.Context, user sdk.AccAddress) error {
	account := types.StakingAccountAddress(user)
	validators, err := k.stakedWith(ctx, user)
	if err != nil {
		return err
	}
	redelegations, err := k.staking.GetAllRedelegations(ctx, account, nil, nil)
	if err != nil {
		return err
	}
	for _, r := range redelegations {
		validators = append(validators, r.ValidatorSrcAddress)
	}
	for _, name := range validators {
		addr, err := k.staking.ValidatorAddressCodec().StringToBytes(name)
		if err != nil {
			return err
		}
		if err := k.addLocalUser(ctx, addr, user); err != nil {
			return err
		}
	}
	unbondings, err := k.unbondingsOf(ctx, user)
	if err != nil {
		return err
	}
	for _, u := range unbondings {
		for _, entry := range u.Entries {
			if err := k.scheduleMaturity(ctx, entry.CompletionTime, user); err != nil {
				return err
			}
		}
	}
	return nil
}

// stakedWith returns the operators of all validators the user's staking account has a delegation to or something unbonding
// from, in order.
func (k *Keeper) stakedWith(ctx context.Context, user sdk.AccAddress) ([]string, error) {
	var operators []string
	err := k.staking.IterateDelegatorDelegations(ctx, types.StakingAccountAddress(user), func(d stakingtypes.Delegation) bool {
		operators = append(operators, d.ValidatorAddress)
		return false
	})
	if err != nil {
		return nil, err
	}
	unbondings, err := k.unbondingsOf(ctx, user)
	if err != nil {
		return nil, err
	}
	for _, u := range unbondings {
		operators = append(operators, u.ValidatorAddress)
	}
	slices.Sort(operators)
	return slices.Compact(operators), nil
}
