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
// registered, and a module account that holds less than the liquid collateral. It may hold more: anyone can send coins
// there.
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
	return k.initModuleAccount(ctx)
}

// initModuleAccount creates the module account. On a chain that adds the vault in an upgrade anyone can have made an
// ordinary account of it before, by sending coins to its address; nobody has a key for it, so it is replaced, keeping
// its number.
func (k *Keeper) initModuleAccount(ctx context.Context) error {
	account := authtypes.NewEmptyModuleAccount(types.ModuleName)
	existing := k.accounts.GetAccount(ctx, k.module)
	switch existing.(type) {
	case nil:
		k.accounts.SetAccount(ctx, k.accounts.NewAccount(ctx, account))
		return nil
	case sdk.ModuleAccountI:
		return nil
	}
	if err := account.SetAccountNumber(existing.GetAccountNumber()); err != nil {
		return err
	}
	k.accounts.SetAccount(ctx, account)
	return nil
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
		prefix, _, err := types.ParseHolder(l.Holder)
		if err != nil {
			return errors.Wrapf(err, "liens[%d].holder", i)
		}
		if _, found := k.holders[prefix]; !found {
			return errors.Wrapf(types.ErrUnknownHolder, "liens[%d].holder: %s, no module registered %q", i, l.Holder, prefix)
		}
		if err := k.setLien(ctx, user, l); err != nil {
			return errors.Wrapf(err, "liens[%d]", i)
		}
	}
	return nil
}

// ExportGenesis returns the whole state, accounts in the order of their addresses and liens in that of their holders.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return nil, err
	}
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return nil, err
	}
	gs := &types.GenesisState{Params: params, Denom: denom}
	liens, err := k.allLiens(ctx)
	if err != nil {
		return nil, err
	}
	err = k.Collateral.Walk(ctx, nil, func(user sdk.AccAddress, collateral math.Int) (bool, error) {
		name, err := k.addresses.BytesToString(user)
		if err != nil {
			return true, err
		}
		gs.Accounts = append(gs.Accounts, types.GenesisAccount{User: name, Collateral: collateral, Liens: liens[string(user)]})
		return false, nil
	})
	return gs, err
}

// allLiens returns every user's liens by address bytes, each user's in the order of the holders.
func (k *Keeper) allLiens(ctx context.Context) (map[string][]types.Lien, error) {
	liens := make(map[string][]types.Lien)
	err := k.Liens.Walk(ctx, nil, func(key collections.Pair[sdk.AccAddress, string], record types.LienRecord) (bool, error) {
		liens[string(key.K1())] = append(liens[string(key.K1())], newLien(key.K2(), record))
		return false, nil
	})
	return liens, err
}
