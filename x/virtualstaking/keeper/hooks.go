package keeper

import (
	"bytes"
	"context"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// stakingHooks mark validators that may have changed; EndBlock reads what they are then. They always return nil, because
// an error of some of them halts the chain, and never read or change a validator, because x/staking may be holding a copy.
type stakingHooks struct{ k *Keeper }

var _ stakingtypes.StakingHooks = stakingHooks{}

// Hooks returns the hooks to register with x/staking.
func (k *Keeper) Hooks() stakingtypes.StakingHooks { return stakingHooks{k: k} }

func (h stakingHooks) mark(ctx context.Context, addr sdk.ValAddress) {
	operator, err := h.k.staking.ValidatorAddressCodec().BytesToString(addr)
	if err == nil {
		err = h.k.Dirty.Set(ctx, operator)
	}
	if err != nil {
		h.k.logger(ctx).Error("a changed validator could not be marked", "validator", addr, "error", err)
	}
}

// markOperator marks a validator whose own operator's delegation changes: below its minimum it is jailed, without a hook.
func (h stakingHooks) markOperator(ctx context.Context, delegator sdk.AccAddress, addr sdk.ValAddress) {
	if bytes.Equal(delegator, addr) {
		h.mark(ctx, addr)
	}
}

func (h stakingHooks) AfterValidatorCreated(ctx context.Context, addr sdk.ValAddress) error {
	h.mark(ctx, addr)
	return nil
}

func (h stakingHooks) BeforeValidatorModified(ctx context.Context, addr sdk.ValAddress) error {
	h.mark(ctx, addr)
	return nil
}

func (h stakingHooks) AfterValidatorRemoved(ctx context.Context, _ sdk.ConsAddress, addr sdk.ValAddress) error {
	h.mark(ctx, addr)
	return nil
}

func (h stakingHooks) AfterValidatorBonded(ctx context.Context, _ sdk.ConsAddress, addr sdk.ValAddress) error {
	h.mark(ctx, addr)
	return nil
}

func (h stakingHooks) AfterValidatorBeginUnbonding(ctx context.Context, _ sdk.ConsAddress, addr sdk.ValAddress) error {
	h.mark(ctx, addr)
	return nil
}

func (h stakingHooks) BeforeValidatorSlashed(ctx context.Context, addr sdk.ValAddress, _ math.LegacyDec) error {
	h.mark(ctx, addr)
	return nil
}

func (h stakingHooks) AfterDelegationModified(ctx context.Context, delegator sdk.AccAddress, addr sdk.ValAddress) error {
	h.markOperator(ctx, delegator, addr)
	return nil
}

func (h stakingHooks) BeforeDelegationRemoved(ctx context.Context, delegator sdk.AccAddress, addr sdk.ValAddress) error {
	h.markOperator(ctx, delegator, addr)
	return nil
}

func (stakingHooks) BeforeDelegationCreated(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

func (stakingHooks) BeforeDelegationSharesModified(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

func (stakingHooks) AfterUnbondingInitiated(context.Context, uint64) error { return nil }
