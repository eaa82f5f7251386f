package keeper

import (
	"context"

	"cosmossdk.io/errors"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// WithdrawLocalRewards has x/distribution pay out the rewards of the user's local stake with a validator, or with all of
// them if it is empty, to the user's withdraw address. It returns their sum. Nothing is settled: no collateral is touched.
//
// Errors: ErrInsufficientStake without local stake there; whatever fails with one validator, naming it, so that the others
// can be withdrawn one by one.
func (k *Keeper) WithdrawLocalRewards(ctx context.Context, user sdk.AccAddress, validator sdk.ValAddress) (sdk.Coins, error) {
	name, err := k.addresses.BytesToString(user)
	if err != nil {
		return nil, err
	}
	to, err := k.rewardReceiver(ctx, user)
	if err != nil {
		return nil, err
	}
	receiver, err := k.addresses.BytesToString(to)
	if err != nil {
		return nil, err
	}
	delegations, err := k.rewarded(ctx, user, validator)
	if err != nil {
		return nil, err
	}
	sum := sdk.NewCoins()
	for _, d := range delegations {
		rewards, err := k.distribution.WithdrawDelegationRewards(ctx, types.StakingAccountAddress(user), d.address)
		if err != nil {
			return nil, errors.Wrapf(err, "rewards of %s", d.validator.GetOperator())
		}
		rewards = sdk.NewCoins(rewards...) // x/distribution reports nothing as a coin of zero
		sum = sum.Add(rewards...)
		err = sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventLocalRewardsWithdrawn{
			User: name, Validator: d.validator.GetOperator(), Amount: rewards.String(), Receiver: receiver,
		})
		if err != nil {
			return nil, err
		}
	}
	telemetry.IncrCounter(1, types.ModuleName, "local", "reward_withdrawals")
	return sum, nil
}

// rewarded returns the delegation with the validator, or all of them.
func (k *Keeper) rewarded(ctx context.Context, user sdk.AccAddress, validator sdk.ValAddress) ([]holding, error) {
	if validator.Empty() {
		delegations, err := k.delegationsOf(ctx, user)
		if err == nil && len(delegations) == 0 {
			err = errors.Wrap(types.ErrInsufficientStake, "there is no local stake")
		}
		return delegations, err
	}
	staked, err := k.holding(ctx, types.StakingAccountAddress(user), validator)
	return []holding{staked}, err
}
