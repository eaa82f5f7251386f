package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// InitGenesis loads the whole state. Besides what Validate finds, ErrInvalidGenesis names a lien whose holder no module
// registered, a staking account that x/auth does not have, and a module account that holds less than the liquid
// collateral. It may hold more: anyone can send coins there. What staking accounts hold is not checked: a slash that is
// not settled yet is charged when it is.
func (k *Keeper) InitGenesis(ctx context.Context, gs types.GenesisState) error {
	if err := gs.Validate(); err != nil {
		return err
	}
	denom := gs.Denom
	if denom == "" {
		var err error
		if denom, err = k.staking.BondDenom(ctx); err != nil {
			return err
		}
	}
	if err := k.Denom.Set(ctx, denom); err != nil {
		return err
	}
	if err := k.Params.Set(ctx, gs.Params); err != nil {
		return err
	}
	if err := k.LastLoss.Set(ctx, gs.LastLoss); err != nil {
		return err
	}
	if err := k.Totals.Set(ctx, gs.Totals); err != nil {
		return err
	}
	liquid := math.ZeroInt()
	for i, a := range gs.Accounts {
		if err := k.initAccount(ctx, a); err != nil {
			return errors.Wrapf(types.ErrInvalidGenesis, "accounts[%d].%s", i, err)
		}
		var err error
		if liquid, err = liquid.SafeAdd(types.Liquid(a.Collateral, a.Liens)); err != nil {
			return errors.Wrapf(types.ErrInvalidGenesis, "accounts[%d].collateral: the sum of all overflows", i)
		}
	}
	if held := k.bank.GetBalance(ctx, k.module, denom); held.Amount.LT(liquid) {
		return errors.Wrapf(types.ErrInvalidGenesis, "accounts: their liquid collateral is %s%s, the module account %s holds only %s",
			liquid, denom, k.module, held)
	}
	if err := k.initSweep(ctx, gs); err != nil {
		return err
	}
	return k.initModuleAccount(ctx)
}

// initModuleAccount creates the module account, which burns what is lost. On a chain that adds the vault in an upgrade
// anyone can have made an ordinary account of it before, by sending coins to its address.
func (k *Keeper) initModuleAccount(ctx context.Context) error {
	if existing, ok := k.accounts.GetAccount(ctx, k.module).(sdk.ModuleAccountI); ok && existing.HasPermission(authtypes.Burner) {
		return nil
	}
	return k.adopt(ctx, authtypes.NewEmptyModuleAccount(types.ModuleName, authtypes.Burner))
}

// initAccount loads one account. Its error starts with the field's name.
func (k *Keeper) initAccount(ctx context.Context, a types.GenesisAccount) error {
	user, err := k.user(a.User)
	if err != nil {
		return errors.Wrap(err, "user")
	}
	if err := k.setCollateral(ctx, user, a.Collateral); err != nil {
		return errors.Wrap(err, "collateral")
	}
	for i, l := range a.Liens {
		if l.Holder != types.LocalHolder {
			if _, _, err := k.holder(l.Holder); err != nil {
				return errors.Wrapf(err, "liens[%d].holder", i)
			}
		}
		if err := k.setLien(ctx, user, l); err != nil {
			return errors.Wrapf(err, "liens[%d]", i)
		}
	}
	if a.Staking {
		if err := k.initStakingAccount(ctx, user); err != nil {
			return errors.Wrap(err, "staking")
		}
	}
	if a.Debt != nil {
		debt := *a.Debt
		debt.Adopt(sdk.UnwrapSDKContext(ctx).BlockHeight())
		if err := k.Debts.Set(ctx, user, debt); err != nil {
			return errors.Wrap(err, "debt")
		}
	}
	for i, l := range a.Losses {
		if err := k.Losses.Set(ctx, collections.Join3(user, l.Sequence, l.Holder), l); err != nil {
			return errors.Wrapf(err, "losses[%d]", i)
		}
	}
	return nil
}

// initStakingAccount takes up the user's staking account. x/staking would lose the coins of its unbondings if x/auth did
// not have it.
func (k *Keeper) initStakingAccount(ctx context.Context, user sdk.AccAddress) error {
	account := types.StakingAccountAddress(user)
	if k.accounts.GetAccount(ctx, account) == nil {
		return errors.Wrapf(types.ErrInvalidGenesis, "x/auth has no account %s", account)
	}
	if err := k.StakingAccounts.Set(ctx, account, user); err != nil {
		return err
	}
	return k.indexLocalStake(ctx, user)
}

// initSweep loads what is left of sweeps. A height further away than any was set on a chain that was higher, and is due at
// once.
func (k *Keeper) initSweep(ctx context.Context, gs types.GenesisState) error {
	for _, s := range gs.Sweeps {
		validator, err := k.staking.ValidatorAddressCodec().StringToBytes(s.Validator)
		if err != nil {
			return err
		}
		sweep := types.SweepRecord{Again: s.Again}
		if s.Cursor != "" {
			if sweep.Cursor, err = k.addresses.StringToBytes(s.Cursor); err != nil {
				return err
			}
		}
		if err := k.Sweeps.Set(ctx, validator, sweep); err != nil {
			return err
		}
	}
	if gs.LastSwept != "" {
		validator, err := k.staking.ValidatorAddressCodec().StringToBytes(gs.LastSwept)
		if err != nil {
			return err
		}
		if err := k.LastSwept.Set(ctx, validator); err != nil {
			return err
		}
	}
	for _, p := range gs.Pending {
		user, err := k.user(p.User)
		if err != nil {
			return err
		}
		height := types.AdoptHeight(p.Height, sdk.UnwrapSDKContext(ctx).BlockHeight())
		if err := k.Pending.Set(ctx, collections.Join(height, user)); err != nil {
			return err
		}
	}
	return nil
}
