package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// stakingHooks put those whom a slash in x/staking may have hit on the sweep. That is all they do: settle compares what
// staking accounts hold with the liens, whatever was heard here. They always return nil, because an error of some of them
// halts the chain, and never read or change a validator, because x/staking may be holding a copy.
type stakingHooks struct{ k *Keeper }

var _ stakingtypes.StakingHooks = stakingHooks{}

// Hooks returns the hooks to register with x/staking.
func (k *Keeper) Hooks() stakingtypes.StakingHooks { return stakingHooks{k: k} }

// BeforeValidatorModified comes before every slash, also one that only hits unbonding stake and redelegations, and before
// a new commission.
func (h stakingHooks) BeforeValidatorModified(ctx context.Context, validator sdk.ValAddress) error {
	h.note(ctx, h.k.startSweep(ctx, validator))
	return nil
}

func (h stakingHooks) BeforeValidatorSlashed(ctx context.Context, validator sdk.ValAddress, _ math.LegacyDec) error {
	h.note(ctx, h.k.startSweep(ctx, validator))
	return nil
}

// BeforeDelegationSharesModified hears of a delegation that x/staking slashes for a validator it has left, without a word
// about the one it is with.
func (h stakingHooks) BeforeDelegationSharesModified(ctx context.Context, delegator sdk.AccAddress, _ sdk.ValAddress) error {
	if len(delegator) != types.StakingAccountLength || ctx.Value(acting) != nil {
		return nil
	}
	user, err := h.k.StakingAccounts.Get(ctx, delegator)
	switch {
	case errors.Is(err, collections.ErrNotFound):
	case err != nil:
		h.note(ctx, err)
	default:
		h.note(ctx, h.k.Pending.Set(ctx, collections.Join(sdk.UnwrapSDKContext(ctx).BlockHeight(), sdk.AccAddress(user))))
	}
	return nil
}

func (h stakingHooks) note(ctx context.Context, err error) {
	if err != nil {
		h.k.logger(ctx).Error("a slash could not be put on the sweep; its users settle when they are next touched", "error", err)
	}
}

func (stakingHooks) AfterValidatorCreated(context.Context, sdk.ValAddress) error { return nil }

func (stakingHooks) AfterValidatorRemoved(context.Context, sdk.ConsAddress, sdk.ValAddress) error {
	return nil
}

func (stakingHooks) AfterValidatorBonded(context.Context, sdk.ConsAddress, sdk.ValAddress) error {
	return nil
}

func (stakingHooks) AfterValidatorBeginUnbonding(context.Context, sdk.ConsAddress, sdk.ValAddress) error {
	return nil
}

func (stakingHooks) BeforeDelegationCreated(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

func (stakingHooks) BeforeDelegationRemoved(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

func (stakingHooks) AfterDelegationModified(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

func (stakingHooks) AfterUnbondingInitiated(context.Context, uint64) error { return nil }
