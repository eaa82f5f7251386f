package keeper

import (
	"context"
	stderrors "errors"
	"fmt"
	"slices"
	"strings"

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
	k.prefixes = append(k.prefixes, prefix)
	slices.Sort(k.prefixes)
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
	l, err := h.k.settled(ctx, user)
	if err != nil {
		return err
	}
	return h.k.addLien(ctx, l, holder, amount, slashFraction)
}

// addLien makes or grows a lien of a settled user within both limits, in the ledger and the store.
func (k *Keeper) addLien(ctx context.Context, l *ledger, holder string, amount math.Int, slashFraction math.LegacyDec) error {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	// What is added now was not there at any slash up to now.
	added := types.Lien{Holder: holder, Amount: amount, SlashFraction: slashFraction, SettledAt: l.last}
	liens, lien, err := grow(l.liens, added, params)
	if err != nil {
		return err
	}
	if needed := types.Needed(liens, params.MaxCollateralUse); needed.GT(l.collateral) {
		return errors.Wrapf(types.ErrInsufficientCollateral,
			"a lien of %s more for %s needs collateral of %s (largest lien %s, slashable %s, max use %s), the account has %s; deposit %s more",
			amount, holder, needed, types.MaxLien(liens), types.Slashable(liens), params.MaxCollateralUse, l.collateral, needed.Sub(l.collateral))
	}
	if err := k.setLien(ctx, l.user, lien); err != nil {
		return err
	}
	l.liens, l.storedLiens = liens, slices.Clone(liens)
	telemetry.IncrCounter(1, types.ModuleName, "liens", "added")
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventLienAdded{
		User: l.name, Holder: holder, Amount: amount.String(), Lien: lien.Amount.String(),
	})
}

// grow returns liens with added in them, in their order, and the lien it became.
func grow(liens []types.Lien, added types.Lien, params types.Params) ([]types.Lien, types.Lien, error) {
	consumers := uint32(0)
	for i, l := range liens {
		if l.Holder == added.Holder {
			added.SlashFraction = types.MergeFraction(l.Amount, l.SlashFraction, added.Amount, added.SlashFraction)
			added.Amount = l.Amount.Add(added.Amount)
			liens[i] = added
			return liens, added, nil
		}
		if l.Holder != types.LocalHolder {
			consumers++
		}
	}
	if added.Holder != types.LocalHolder && consumers >= params.MaxConsumersPerUser {
		return nil, types.Lien{}, errors.Wrapf(types.ErrTooManyLiens,
			"%s would be one more than the %d an account may have; unstake from another consumer first", added.Holder, params.MaxConsumersPerUser)
	}
	at, _ := slices.BinarySearchFunc(liens, added.Holder, func(l types.Lien, holder string) int { return strings.Compare(l.Holder, holder) })
	return slices.Insert(liens, at, added), added, nil
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
	if err := lien.Lower(amount); err != nil {
		return err
	}
	if err := h.k.setLien(ctx, user, lien); err != nil {
		return err
	}
	return h.k.released(ctx, user, lien, amount)
}

// released reports that amount was released and lien is left.
func (k *Keeper) released(ctx context.Context, user sdk.AccAddress, lien types.Lien, amount math.Int) error {
	telemetry.IncrCounter(1, types.ModuleName, "liens", "released")
	name, err := k.addresses.BytesToString(user)
	if err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventLienReleased{
		User: name, Holder: lien.Holder, Amount: amount.String(), Lien: lien.Amount.String(),
	})
}

// Lose takes a loss out of the lien and the collateral outside of a settle: that of stake in flight that was bonded
// after the slash. Settle first, so that earlier slashes come first. amount may be zero; limits are restored, so the
// holder may be told to reduce this lien and others.
//
// Errors: ErrInvalidHolder, ErrInvalidAmount, ErrLienTooSmall.
func (h Handle) Lose(ctx context.Context, user sdk.AccAddress, id string, sequence uint64, amount math.Int) error {
	holder, err := types.HolderKey(h.prefix, id)
	if err != nil {
		return err
	}
	l, err := h.k.open(ctx, user)
	if err != nil {
		return err
	}
	index := l.index(holder)
	if index < 0 {
		return errors.Wrapf(types.ErrLienTooSmall, "asked to take %s off %s, there is none", amount, holder)
	}
	if err := h.k.lose(ctx, l, index, sequence, amount); err != nil {
		return err
	}
	if err := h.k.save(ctx, l); err != nil {
		return err
	}
	return h.k.collect(ctx, l)
}

// NextLossSequence returns the place of a new slash in the order of all slashes.
func (h Handle) NextLossSequence(ctx context.Context) (uint64, error) {
	return h.k.nextLossSequence(ctx)
}

// Lien returns the lien's amount as stored, zero if there is none.
func (h Handle) Lien(ctx context.Context, user sdk.AccAddress, id string) (math.Int, error) {
	lien, err := h.lien(ctx, user, id)
	return lien.Amount, err
}

// Account settles the user and returns the account, with the liens of all holders.
func (h Handle) Account(ctx context.Context, user sdk.AccAddress) (types.Account, error) {
	account, _, err := h.k.settledAccount(ctx, user)
	return account, err
}

// Free returns what the user could withdraw now. Settle first.
func (h Handle) Free(ctx context.Context, user sdk.AccAddress) (math.Int, error) {
	account, err := h.k.Account(ctx, user)
	return account.Free, err
}

// Settle brings everything of the user up to date.
func (h Handle) Settle(ctx context.Context, user sdk.AccAddress) error { return h.k.settle(ctx, user) }

// TrySettle is Settle for Begin- and EndBlock, where one user's failure must not stop anyone else's settle: what fails
// leaves no trace but an event, and is tried again by the vault. It returns how many pieces it went through, at least 1.
func (h Handle) TrySettle(ctx sdk.Context, user sdk.AccAddress) (pieces int, err error) {
	return h.k.trySettle(ctx, user)
}

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
	return k.Liens.Set(ctx, key, types.LienRecord{
		Amount: lien.Amount, SlashFraction: lien.SlashFraction, SettledAt: lien.SettledAt,
	})
}
