package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/vault/types"
)

// LocalStake works in a branch that is never written back, so it can withdraw the rewards to know them.
func (s queryServer) LocalStake(ctx context.Context, req *types.QueryLocalStakeRequest) (*types.QueryLocalStakeResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	user, err := s.k.user(req.User)
	if err != nil {
		return nil, err
	}
	settled, err := s.settled(ctx, user)
	if err != nil {
		return nil, err
	}
	validators, err := s.k.stakedWith(settled, user)
	if err != nil {
		return nil, err
	}
	names, page, err := paging.Slice(validators, req.Pagination)
	if err != nil {
		return nil, err
	}
	stakes := make([]types.LocalStake, 0, len(names))
	for _, name := range names {
		stake, err := s.k.localStake(settled, user, name)
		if err != nil {
			return nil, err
		}
		stakes = append(stakes, stake)
	}
	return &types.QueryLocalStakeResponse{Stakes: stakes, Pagination: page}, nil
}

// localStake returns the user's local stake with one validator; its rewards are withdrawn from ctx. A validator that is no
// more, while stake still unbonds from it, has no status.
func (k *Keeper) localStake(ctx context.Context, user sdk.AccAddress, operator string) (types.LocalStake, error) {
	stake := types.LocalStake{Validator: operator, Status: stakingtypes.Unspecified.String(), Amount: math.ZeroInt()}
	account := types.StakingAccountAddress(user)
	addr, err := k.staking.ValidatorAddressCodec().StringToBytes(operator)
	if err != nil {
		return stake, err
	}
	validator, err := k.staking.GetValidator(ctx, addr)
	switch {
	case err == nil:
		stake.Status, stake.Jailed = validator.GetStatus().String(), validator.IsJailed()
	case !errors.Is(err, stakingtypes.ErrNoValidatorFound):
		return stake, err
	}
	delegation, err := k.staking.GetDelegation(ctx, account, addr)
	switch {
	case err == nil:
		stake.Amount = types.TokensOf(validator, delegation.Shares)
		// Diverted, so that also a user who cannot be paid learns of them.
		rewards, err := k.distribution.WithdrawDelegationRewards(withRewardsDiverted(ctx), account, addr)
		if err != nil {
			return stake, err
		}
		stake.Rewards = sdk.NewCoins(rewards...)
	case !errors.Is(err, stakingtypes.ErrNoDelegation):
		return stake, err
	}
	unbonding, err := k.staking.GetUnbondingDelegation(ctx, account, addr)
	if err != nil && !errors.Is(err, stakingtypes.ErrNoUnbondingDelegation) {
		return stake, err
	}
	for _, entry := range unbonding.Entries {
		stake.Unbonding = append(stake.Unbonding, types.LocalUnbonding{Amount: entry.Balance, CompletionTime: entry.CompletionTime})
	}
	return stake, nil
}
