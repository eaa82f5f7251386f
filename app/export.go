package app

import (
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// ExportAppStateAndValidators exports the state as a genesis: at the next height, or, for a chain that starts afresh,
// at height zero, then with every validator jailed that is not in jailAllowed (unless that is empty). modules limits
// the export to some modules; empty means all.
func (app *App) ExportAppStateAndValidators(
	forZeroHeight bool, jailAllowed, modules []string,
) (servertypes.ExportedApp, error) {
	ctx := app.NewContext(true)
	height := app.LastBlockHeight() + 1
	if forZeroHeight {
		height = 0
		if err := app.prepareZeroHeight(ctx, jailAllowed); err != nil {
			return servertypes.ExportedApp{}, err
		}
	}
	genesis, err := app.ModuleManager.ExportGenesisForModules(ctx, app.encoding.Codec, modules)
	if err != nil {
		return servertypes.ExportedApp{}, err
	}
	state, err := json.MarshalIndent(genesis, "", "  ")
	if err != nil {
		return servertypes.ExportedApp{}, err
	}
	validators, err := staking.WriteValidators(ctx, app.StakingKeeper)
	return servertypes.ExportedApp{
		AppState:        state,
		Validators:      validators,
		Height:          height,
		ConsensusParams: app.GetConsensusParams(ctx),
	}, err
}

// prepareZeroHeight rewrites everything that refers to a height of the old chain.
func (app *App) prepareZeroHeight(ctx sdk.Context, jailAllowed []string) error {
	allowed := make(map[string]bool, len(jailAllowed))
	for _, operator := range jailAllowed {
		if _, err := app.StakingKeeper.ValidatorAddressCodec().StringToBytes(operator); err != nil {
			return fmt.Errorf("jail allow list: %w", err)
		}
		allowed[operator] = true
	}
	for _, step := range []func() error{
		func() error { return app.restartDistribution(ctx) },
		func() error { return app.restartStaking(ctx, allowed) },
		func() error { return app.restartSlashing(ctx) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// restartDistribution pays out all rewards and begins every validator's and delegation's period anew.
func (app *App) restartDistribution(ctx sdk.Context) error {
	validators, err := app.StakingKeeper.GetAllValidators(ctx)
	if err != nil {
		return err
	}
	delegations, err := app.StakingKeeper.GetAllDelegations(ctx)
	if err != nil {
		return err
	}
	operators := make([]sdk.ValAddress, len(validators))
	for i, v := range validators {
		if operators[i], err = app.StakingKeeper.ValidatorAddressCodec().StringToBytes(v.GetOperator()); err != nil {
			return err
		}
		// There may be no commission to withdraw.
		_, _ = app.DistrKeeper.WithdrawValidatorCommission(ctx, operators[i])
	}
	type pair struct {
		delegator sdk.AccAddress
		validator sdk.ValAddress
	}
	pairs := make([]pair, len(delegations))
	for i, d := range delegations {
		if pairs[i].delegator, err = app.AccountKeeper.AddressCodec().StringToBytes(d.DelegatorAddress); err != nil {
			return err
		}
		if pairs[i].validator, err = app.StakingKeeper.ValidatorAddressCodec().StringToBytes(d.ValidatorAddress); err != nil {
			return err
		}
		rewards, err := app.DistrKeeper.WithdrawDelegationRewards(ctx, pairs[i].delegator, pairs[i].validator)
		if err != nil {
			return err
		}
		if err := app.attribute(ctx, pairs[i].delegator, d.ValidatorAddress, rewards); err != nil {
			return err
		}
	}
	app.DistrKeeper.DeleteAllValidatorSlashEvents(ctx)
	app.DistrKeeper.DeleteAllValidatorHistoricalRewards(ctx)

	// The starting info of a delegation holds the height it began at.
	ctx = ctx.WithBlockHeight(0)
	for _, operator := range operators {
		// Fractions that could not be paid out go to the community pool.
		scraps, err := app.DistrKeeper.GetValidatorOutstandingRewardsCoins(ctx, operator)
		if err != nil {
			return err
		}
		pool, err := app.DistrKeeper.FeePool.Get(ctx)
		if err != nil {
			return err
		}
		pool.CommunityPool = pool.CommunityPool.Add(scraps...)
		if err := app.DistrKeeper.FeePool.Set(ctx, pool); err != nil {
			return err
		}
		if err := app.DistrKeeper.Hooks().AfterValidatorCreated(ctx, operator); err != nil {
			return err
		}
	}
	for _, p := range pairs {
		if err := app.DistrKeeper.Hooks().BeforeDelegationCreated(ctx, p.delegator, p.validator); err != nil {
			return err
		}
		if err := app.DistrKeeper.Hooks().AfterDelegationModified(ctx, p.delegator, p.validator); err != nil {
			return err
		}
	}
	return nil
}

// attribute hands rewards of virtual stake to its converter, as an epoch does: they are owed to a provider.
func (app *App) attribute(ctx sdk.Context, delegator sdk.AccAddress, validator string, rewards sdk.Coins) error {
	source, err := app.VirtualStakingKeeper.Accounts.Get(ctx, delegator)
	if errors.Is(err, collections.ErrNotFound) || err == nil && rewards.IsZero() {
		return nil
	}
	if err != nil {
		return err
	}
	return app.ConverterKeeper.AddRewards(ctx, source, validator, rewards)
}

// restartStaking sets the heights of unbondings to zero and jails whom the operator wants out.
func (app *App) restartStaking(ctx sdk.Context, allowed map[string]bool) error {
	var redelegations []stakingtypes.Redelegation
	err := app.StakingKeeper.IterateRedelegations(ctx, func(_ int64, r stakingtypes.Redelegation) bool {
		redelegations = append(redelegations, r)
		return false
	})
	if err != nil {
		return err
	}
	for _, r := range redelegations {
		for i := range r.Entries {
			r.Entries[i].CreationHeight = 0
		}
		if err := app.StakingKeeper.SetRedelegation(ctx, r); err != nil {
			return err
		}
	}
	var unbondings []stakingtypes.UnbondingDelegation
	err = app.StakingKeeper.IterateUnbondingDelegations(ctx, func(_ int64, u stakingtypes.UnbondingDelegation) bool {
		unbondings = append(unbondings, u)
		return false
	})
	if err != nil {
		return err
	}
	for _, u := range unbondings {
		for i := range u.Entries {
			u.Entries[i].CreationHeight = 0
		}
		if err := app.StakingKeeper.SetUnbondingDelegation(ctx, u); err != nil {
			return err
		}
	}
	validators, err := app.StakingKeeper.GetAllValidators(ctx)
	if err != nil {
		return err
	}
	for _, v := range validators {
		v.UnbondingHeight = 0
		if err := app.StakingKeeper.SetValidator(ctx, v); err != nil {
			return err
		}
		if len(allowed) == 0 || allowed[v.OperatorAddress] || v.Jailed {
			continue
		}
		consAddr, err := v.GetConsAddr()
		if err != nil {
			return err
		}
		if err := app.StakingKeeper.Jail(ctx, consAddr); err != nil {
			return err
		}
	}
	_, err = app.StakingKeeper.ApplyAndReturnValidatorSetUpdates(ctx)
	return err
}

// restartSlashing starts every signing window at zero.
func (app *App) restartSlashing(ctx sdk.Context) error {
	type signer struct {
		address sdk.ConsAddress
		info    slashingtypes.ValidatorSigningInfo
	}
	var signers []signer
	err := app.SlashingKeeper.IterateValidatorSigningInfos(ctx,
		func(address sdk.ConsAddress, info slashingtypes.ValidatorSigningInfo) bool {
			info.StartHeight = 0
			signers = append(signers, signer{address, info})
			return false
		})
	if err != nil {
		return err
	}
	for _, s := range signers {
		if err := app.SlashingKeeper.SetValidatorSigningInfo(ctx, s.address, s.info); err != nil {
			return err
		}
	}
	return nil
}
