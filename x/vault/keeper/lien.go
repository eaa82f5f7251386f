package keeper

import (
	"context"
	stderrors "errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// Handle lets one lien holder, and nobody else, work with the liens under its prefix. In all its methods id is the part
// of the lien's name after "<prefix>/", and amounts are base units of the vault's denom.
type Handle struct {
	k      *Keeper
	prefix string
}

// RegisterHolder makes holder the owner of all liens "<prefix>/…" and returns the handle for them. It is for wiring
// time: a prefix that is malformed or taken, or a nil holder, panics.
func (k *Keeper) RegisterHolder(prefix string, holder types.LienHolder) Handle {
	if err := types.ValidateHolderPrefix(prefix); err != nil {
		panic(err)
	}
	if holder == nil {
		panic(fmt.Sprintf("lien holder %q is nil", prefix))
	}
	if _, taken := k.holders[prefix]; taken {
		panic(fmt.Sprintf("lien holder %q is registered twice", prefix))
	}
	k.holders[prefix] = holder
	return Handle{k: k, prefix: prefix}
}

// Add settles the user and then makes or grows the lien by amount, which can lose slashFraction of itself. A lien that
// grows under another fraction gets the amount-weighted mean of both, rounded up.
//
// Errors: ErrInvalidHolder, ErrInvalidAmount, ErrInvalidSlashFraction; ErrTooManyLiens for a new lien above
// max_consumers_per_user; ErrInsufficientCollateral if the largest lien or what all liens can lose would need more
// collateral than there is.
func (h Handle) Add(ctx context.Context, user sdk.AccAddress, id string, amount math.Int, slashFraction math.LegacyDec) error {
	holder, err := types.HolderKey(h.prefix, id)
	if err != nil {
		return err
	}
	if err := types.ValidateAmount(amount); err != nil {
		return err
	}
	if err := types.ValidateSlashFraction(slashFraction); err != nil {
		return err
	}
	if err := h.k.settle(ctx, user); err != nil {
		return err
	}
	liens, err := h.k.liensOf(ctx, user)
	if err != nil {
		return err
	}
	params, err := h.k.Params.Get(ctx)
	if err != nil {
		return err
	}
	liens, lien, err := grow(liens, types.Lien{Holder: holder, Amount: amount, SlashFraction: slashFraction}, params)
	if err != nil {
		return err
	}
	collateral, err := h.k.collateralOf(ctx, user)
	if err != nil {
		return err
	}
	if needed := types.Needed(liens, params.MaxCollateralUse); needed.GT(collateral) {
		return errors.Wrapf(types.ErrInsufficientCollateral,
			"a lien of %s more for %s needs collateral of %s (largest lien %s, slashable %s, max use %s), the account has %s; deposit %s more",
			amount, holder, needed, types.MaxLien(liens), types.Slashable(liens), params.MaxCollateralUse, collateral, needed.Sub(collateral))
	}
	if err := h.k.setLien(ctx, user, lien); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "liens", "added")
	name, err := h.k.addresses.BytesToString(user)
	if err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventLienAdded{
		User: name, Holder: holder, Amount: amount.String(), Lien: lien.Amount.String(),
	})
}

// grow returns liens with added in them, and the lien it became.
func grow(liens []types.Lien, added types.Lien, params types.Params) ([]types.Lien, types.Lien, error) {
	for i, l := range liens {
		if l.Holder != added.Holder {
			continue
		}
		liens[i].SlashFraction = types.MergeFraction(l.Amount, l.SlashFraction, added.Amount, added.SlashFraction)
		liens[i].Amount = l.Amount.Add(added.Amount)
		return liens, liens[i], nil
	}
	if len(liens) >= int(params.MaxConsumersPerUser) {
		return nil, types.Lien{}, errors.Wrapf(types.ErrTooManyLiens,
			"%s would be one more than the %d an account may have; unstake from another consumer first", added.Holder, params.MaxConsumersPerUser)
	}
	return append(liens, added), added, nil
}

// Release shrinks the lien by amount and deletes it at zero. It does not settle and checks no limit, so stake that is
// proven gone can always be released.
//
// Errors: ErrInvalidHolder, ErrInvalidAmount, ErrLienTooSmall.
func (h Handle) Release(ctx context.Context, user sdk.AccAddress, id string, amount math.Int) error {
	lien, err := h.lien(ctx, user, id)
	if err != nil {
		return err
	}
	if err := types.ValidateAmount(amount); err != nil {
		return err
	}
	if amount.GT(lien.Amount) {
		return errors.Wrapf(types.ErrLienTooSmall, "asked to release %s of %s, which is %s", amount, lien.Holder, lien.Amount)
	}
	lien.Amount = lien.Amount.Sub(amount)
	if err := h.k.setLien(ctx, user, lien); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "liens", "released")
	name, err := h.k.addresses.BytesToString(user)
	if err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventLienReleased{
		User: name, Holder: lien.Holder, Amount: amount.String(), Lien: lien.Amount.String(),
	})
}

// Lien returns the lien's amount as stored, zero if there is none.
func (h Handle) Lien(ctx context.Context, user sdk.AccAddress, id string) (math.Int, error) {
	lien, err := h.lien(ctx, user, id)
	return lien.Amount, err
}

// Free returns what the user could withdraw now. Settle first.
func (h Handle) Free(ctx context.Context, user sdk.AccAddress) (math.Int, error) {
	account, err := h.k.Account(ctx, user)
	return account.Free, err
}

// Settle has every lien holder bring the user's liens up to date.
func (h Handle) Settle(ctx context.Context, user sdk.AccAddress) error { return h.k.settle(ctx, user) }

// Denom returns the denom of all collateral.
func (h Handle) Denom(ctx context.Context) (string, error) { return h.k.Denom.Get(ctx) }

// lien returns the lien, with a zero amount if there is none.
func (h Handle) lien(ctx context.Context, user sdk.AccAddress, id string) (types.Lien, error) {
	holder, err := types.HolderKey(h.prefix, id)
	if err != nil {
		return types.Lien{}, err
	}
	record, err := h.k.Liens.Get(ctx, collections.Join(user, holder))
	if stderrors.Is(err, collections.ErrNotFound) {
		return types.Lien{Holder: holder, Amount: math.ZeroInt(), SlashFraction: math.LegacyZeroDec()}, nil
	}
	return newLien(holder, record), err
}

// setLien stores the lien, or deletes it at zero.
func (k *Keeper) setLien(ctx context.Context, user sdk.AccAddress, lien types.Lien) error {
	key := collections.Join(user, lien.Holder)
	if lien.Amount.IsZero() {
		return k.Liens.Remove(ctx, key)
	}
	return k.Liens.Set(ctx, key, types.LienRecord{Amount: lien.Amount, SlashFraction: lien.SlashFraction})
}
