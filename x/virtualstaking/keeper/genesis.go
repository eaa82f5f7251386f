package keeper

import (
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// InitGenesis sets the whole state. It runs after x/staking's, whose hooks may have marked validators already; these marks
// stay. Without any recorded validator, all that exist are marked, so that the first blocks record the bonded ones.
func (k *Keeper) InitGenesis(ctx sdk.Context, state types.GenesisState) error {
	if err := state.Validate(); err != nil {
		return err
	}
	if err := k.createModuleAccount(ctx); err != nil {
		return err
	}
	if err := k.Params.Set(ctx, state.Params); err != nil {
		return err
	}
	if err := k.LastSequence.Set(ctx, state.LastSequence); err != nil {
		return err
	}
	for i, record := range state.Validators {
		operator := record.Update.Validator
		if _, err := k.staking.ValidatorAddressCodec().StringToBytes(operator); err != nil {
			return types.ErrInvalidGenesis.Wrapf("validators[%d]: %s", i, err)
		}
		if err := k.Validators.Set(ctx, operator, record); err != nil {
			return err
		}
		if err := k.Changes.Set(ctx, record.Sequence, operator); err != nil {
			return err
		}
	}
	for i, operator := range state.Dirty {
		if _, err := k.staking.ValidatorAddressCodec().StringToBytes(operator); err != nil {
			return types.ErrInvalidGenesis.Wrapf("dirty[%d]: %s", i, err)
		}
		if err := k.Dirty.Set(ctx, operator); err != nil {
			return err
		}
	}
	if state.ReviewCursor != "" {
		if err := k.ReviewCursor.Set(ctx, state.ReviewCursor); err != nil {
			return err
		}
	}
	if len(state.Validators) == 0 {
		if err := k.markAll(ctx); err != nil {
			return err
		}
	}
	return k.initSources(ctx, state)
}

// createModuleAccount creates the module account, which mints and burns virtual stake. On a chain that adds the module in
// an upgrade anyone can have made an ordinary account of it before, by sending coins to its address.
func (k *Keeper) createModuleAccount(ctx sdk.Context) error {
	existing, ok := k.accounts.GetAccount(ctx, k.accounts.GetModuleAddress(types.ModuleName)).(sdk.ModuleAccountI)
	if ok && existing.HasPermission(authtypes.Minter) && existing.HasPermission(authtypes.Burner) {
		return nil
	}
	return k.adopt(ctx, authtypes.NewEmptyModuleAccount(types.ModuleName, authtypes.Minter, authtypes.Burner))
}

// markAll marks every validator there is. Reading them is bounded per block.
func (k *Keeper) markAll(ctx sdk.Context) error {
	var failure error
	err := k.staking.IterateValidators(ctx, func(_ int64, validator stakingtypes.ValidatorI) bool {
		failure = k.Dirty.Set(ctx, validator.GetOperator())
		return failure != nil
	})
	return errors.Join(err, failure)
}

// initSources stores the sources and builds their queue. An epoch that the chain's new height has passed, or that it will
// not reach within one epoch length, is scheduled again.
func (k *Keeper) initSources(ctx sdk.Context, state types.GenesisState) error {
	var again []types.Source
	for i, source := range state.Sources {
		if err := k.checkSource(ctx, source); err != nil {
			return types.ErrInvalidGenesis.Wrapf("sources[%d].%s", i, err)
		}
		if err := k.Accounts.Set(ctx, types.VirtualAccount(source.ID), source.ID); err != nil {
			return err
		}
		// Of a chain that was higher.
		if source.LastEpoch > ctx.BlockHeight() {
			source.LastEpoch = 0
		}
		if since := source.SilentSince; since != nil && since.After(ctx.BlockTime()) {
			now := ctx.BlockTime()
			source.SilentSince = &now
		}
		needed, err := k.needsEpochs(ctx, source)
		if err != nil {
			return err
		}
		next := source.NextEpoch
		switch {
		case !needed:
			source.NextEpoch = 0
		case next == 0 || next < ctx.BlockHeight() || next > ctx.BlockHeight()+state.Params.EpochLength:
			source.NextEpoch = 0
			again = append(again, source)
		default:
			if err := k.Epochs.Set(ctx, collections.Join(next, source.ID)); err != nil {
				return err
			}
		}
		if err := k.Sources.Set(ctx, source.ID, source); err != nil {
			return err
		}
	}
	for _, source := range again {
		if err := k.schedule(ctx, &source, ctx.BlockHeight()+1); err != nil {
			return err
		}
		if err := k.Sources.Set(ctx, source.ID, source); err != nil {
			return err
		}
	}
	return nil
}

// checkSource checks a source against the accounts and balances of the genesis; the error starts with the field's name.
func (k *Keeper) checkSource(ctx sdk.Context, source types.Source) error {
	account := types.VirtualAccount(source.ID)
	want, err := k.addresses.BytesToString(account)
	if err != nil {
		return err
	}
	if source.Account != want {
		return types.ErrInvalidAccount.Wrapf("account: is %s, must be %s for converter %d", source.Account, want, source.ID)
	}
	rewardAccount, err := k.addresses.StringToBytes(source.RewardAccount)
	if err != nil {
		return types.ErrInvalidAccount.Wrapf("reward_account: %s", err)
	}
	if _, ok := k.accounts.GetAccount(ctx, account).(*authtypes.BaseAccount); !ok {
		return types.ErrInvalidAccount.Wrapf("account: %s is not a base account in the genesis of auth", want)
	}
	denom, err := k.staking.BondDenom(ctx)
	if err != nil {
		return err
	}
	// It would be burned as if it were virtual stake.
	if balance := k.bank.GetBalance(ctx, account, denom); balance.IsPositive() {
		return types.ErrInvalidAccount.Wrapf("account: %s holds %s in the genesis of bank, must hold none", want, balance)
	}
	// Paid anywhere else, rewards would be attributed without being there.
	paidTo, err := k.distribution.GetDelegatorWithdrawAddr(ctx, account)
	if err != nil {
		return err
	}
	if !paidTo.Equals(sdk.AccAddress(rewardAccount)) {
		return types.ErrInvalidAccount.Wrapf("reward_account: is %s, but the genesis of distribution pays the rewards of %s to %s",
			source.RewardAccount, want, paidTo)
	}
	return nil
}

// ExportGenesis returns the whole state.
func (k *Keeper) ExportGenesis(ctx sdk.Context) (*types.GenesisState, error) {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return nil, err
	}
	state := &types.GenesisState{Params: params}
	if state.LastSequence, err = k.lastSequence(ctx); err != nil {
		return nil, err
	}
	err = k.Sources.Walk(ctx, nil, func(_ uint64, source types.Source) (bool, error) {
		state.Sources = append(state.Sources, source)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	err = k.Validators.Walk(ctx, nil, func(_ string, record types.ValidatorRecord) (bool, error) {
		state.Validators = append(state.Validators, record)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	err = k.Dirty.Walk(ctx, nil, func(operator string) (bool, error) {
		state.Dirty = append(state.Dirty, operator)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	state.ReviewCursor, err = k.ReviewCursor.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, err
	}
	return state, nil
}
