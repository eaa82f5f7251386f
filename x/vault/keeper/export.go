package keeper

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// ExportGenesis returns the whole state, accounts in the order of their addresses, and liens in that of their holders. What
// staking accounts hold is in x/staking's, and the indexes follow from it.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	gs := &types.GenesisState{}
	var err error
	if gs.Params, err = k.Params.Get(ctx); err != nil {
		return nil, err
	}
	if gs.Denom, err = k.Denom.Get(ctx); err != nil {
		return nil, err
	}
	if gs.LastLoss, err = k.LastLoss.Get(ctx); err != nil {
		return nil, err
	}
	if gs.Totals, err = k.Totals.Get(ctx); err != nil {
		return nil, err
	}
	users, err := k.users(ctx)
	if err != nil {
		return nil, err
	}
	for _, user := range users {
		account, err := k.exportAccount(ctx, user)
		if err != nil {
			return nil, err
		}
		gs.Accounts = append(gs.Accounts, account)
	}
	return gs, k.exportSweep(ctx, gs)
}

// users returns everyone the vault knows, in the order of their addresses.
func (k *Keeper) users(ctx context.Context) ([]sdk.AccAddress, error) {
	var users []sdk.AccAddress
	err := k.Collateral.Walk(ctx, nil, func(user sdk.AccAddress, _ math.Int) (bool, error) {
		users = append(users, user)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	err = k.StakingAccounts.Walk(ctx, nil, func(_ sdk.AccAddress, user []byte) (bool, error) {
		users = append(users, user)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	err = k.Losses.Walk(ctx, nil, func(key collections.Triple[sdk.AccAddress, uint64, string], _ types.Loss) (bool, error) {
		users = append(users, key.K1())
		return false, nil
	})
	slices.SortFunc(users, func(a, b sdk.AccAddress) int { return bytes.Compare(a, b) })
	return slices.CompactFunc(users, func(a, b sdk.AccAddress) bool { return bytes.Equal(a, b) }), err
}

func (k *Keeper) exportAccount(ctx context.Context, user sdk.AccAddress) (types.GenesisAccount, error) {
	l, err := k.open(ctx, user)
	if err != nil {
		return types.GenesisAccount{}, err
	}
	account := types.GenesisAccount{User: l.name, Collateral: l.collateral, Liens: l.liens}
	if account.Staking, err = k.StakingAccounts.Has(ctx, types.StakingAccountAddress(user)); err != nil {
		return types.GenesisAccount{}, err
	}
	if l.debt.Amount.IsPositive() {
		account.Debt = &l.debt
	}
	err = k.Losses.Walk(ctx, collections.NewPrefixedTripleRange[sdk.AccAddress, uint64, string](user),
		func(_ collections.Triple[sdk.AccAddress, uint64, string], loss types.Loss) (bool, error) {
			account.Losses = append(account.Losses, loss)
			return false, nil
		})
	return account, err
}

// exportSweep adds what is left of sweeps.
func (k *Keeper) exportSweep(ctx context.Context, gs *types.GenesisState) error {
	err := k.Sweeps.Walk(ctx, nil, func(validator sdk.ValAddress, sweep types.SweepRecord) (bool, error) {
		exported, err := k.sweep(validator, sweep)
		gs.Sweeps = append(gs.Sweeps, exported)
		return false, err
	})
	if err != nil {
		return err
	}
	switch last, err := k.LastSwept.Get(ctx); {
	case err == nil:
		if gs.LastSwept, err = k.staking.ValidatorAddressCodec().BytesToString(last); err != nil {
			return err
		}
	case !errors.Is(err, collections.ErrNotFound):
		return err
	}
	return k.Pending.Walk(ctx, nil, func(key collections.Pair[int64, sdk.AccAddress]) (bool, error) {
		pending, err := k.pending(key)
		gs.Pending = append(gs.Pending, pending)
		return false, err
	})
}

// sweep returns a sweep as it is shown.
func (k *Keeper) sweep(validator sdk.ValAddress, record types.SweepRecord) (types.Sweep, error) {
	name, err := k.staking.ValidatorAddressCodec().BytesToString(validator)
	if err != nil {
		return types.Sweep{}, err
	}
	shown := types.Sweep{Validator: name, Again: record.Again}
	if len(record.Cursor) > 0 {
		shown.Cursor, err = k.addresses.BytesToString(record.Cursor)
	}
	return shown, err
}

// pending returns a user who waits to be settled as it is shown.
func (k *Keeper) pending(key collections.Pair[int64, sdk.AccAddress]) (types.PendingSettle, error) {
	name, err := k.addresses.BytesToString(key.K2())
	return types.PendingSettle{Height: key.K1(), User: name}, err
}
