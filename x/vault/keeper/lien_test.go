package keeper_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/keeper"
	"github.com/mesh-security/mesh/x/vault/types"
)

func TestLienGrowsShrinksAndEnds(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	half := math.LegacyNewDecWithPrec(5, 1)

	events, err := f.in(func(ctx context.Context) error { return f.holder.handle.Add(ctx, alice, "1", math.NewInt(30), half) })
	require.NoError(t, err)
	f.hasEvent(events, &types.EventLienAdded{User: alice.String(), Holder: "external/1", Amount: "30", Lien: "30"})
	events, err = f.in(func(ctx context.Context) error { return f.holder.handle.Add(ctx, alice, "1", math.NewInt(20), half) })
	require.NoError(t, err)
	f.hasEvent(events, &types.EventLienAdded{User: alice.String(), Holder: "external/1", Amount: "20", Lien: "50"})
	require.Equal(t, []types.Lien{{Holder: "external/1", Amount: math.NewInt(50), SlashFraction: half}}, f.account(alice).Liens)
	f.holds()

	events, err = f.in(func(ctx context.Context) error { return f.holder.handle.Release(ctx, alice, "1", math.NewInt(15)) })
	require.NoError(t, err)
	f.hasEvent(events, &types.EventLienReleased{User: alice.String(), Holder: "external/1", Amount: "15", Lien: "35"})
	amount, err := f.holder.handle.Lien(f.ctx, alice, "1")
	require.NoError(t, err)
	require.Equal(t, int64(35), amount.Int64())

	require.NoError(t, f.holder.release(f, alice, "1", 35))
	require.Empty(t, f.account(alice).Liens, "a lien of zero is not kept")
	amount, err = f.holder.handle.Lien(f.ctx, alice, "1")
	require.NoError(t, err)
	require.True(t, amount.IsZero())
	f.holds()
}

func TestOneCoinBacksManyLiens(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 100, "0.3"))
	require.NoError(t, f.holder.add(f, alice, "2", 100, "0.3"))
	require.NoError(t, f.other.add(f, alice, "1", 100, "0.4"))
	a := f.account(alice)
	require.Equal(t, int64(100), a.MaxLien.Int64())
	require.Equal(t, int64(100), a.Slashable.Int64())
	require.Equal(t, int64(0), a.Free.Int64())
	f.refused(types.ErrInsufficientCollateral, func() error { return f.other.add(f, alice, "2", 1, "0.1") })
	f.refused(types.ErrInsufficientCollateral, func() error { return f.holder.add(f, alice, "1", 1, "0.3") })
	f.holds()
}

func TestVA03TwentyFirstFullLien(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 1000)
	for i := range 20 {
		require.NoError(t, f.holder.add(f, alice, strconv.Itoa(i), 1000, "0.05"))
	}
	f.holds()
	err := f.holder.add(f, alice, "20", 1000, "0.05")
	require.ErrorContains(t, err, "a lien of 1000 more for external/20 needs collateral of 1050 (largest lien 1000, slashable 1050, max use 1.000000000000000000), the account has 1000; deposit 50 more")
	f.refused(types.ErrInsufficientCollateral, func() error { return f.holder.add(f, alice, "20", 1000, "0.05") })
	f.refused(types.ErrInsufficientCollateral, func() error { return f.holder.add(f, alice, "20", 1, "0.05") })
}

func TestVA07MostLiensAndOneMore(t *testing.T) {
	f := newVault(t)
	f.setParams("1", types.MaxLiensPerUser)
	f.deposit(alice, 1000)
	for i := range types.MaxLiensPerUser - 1 {
		require.NoError(t, f.holder.add(f, alice, fmt.Sprint(i), 1, "0.5"))
	}
	ctx := f.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter())
	require.NoError(t, f.holder.handle.Add(ctx, alice, "last", math.OneInt(), math.LegacyNewDecWithPrec(5, 1)))
	require.Less(t, ctx.GasMeter().GasConsumed(), uint64(1_000_000), "the vault's part of an operation at the bound")
	t.Logf("gas of adding lien number %d, settling %d: %d", types.MaxLiensPerUser, types.MaxLiensPerUser-1, ctx.GasMeter().GasConsumed())

	f.refused(types.ErrTooManyLiens, func() error { return f.holder.add(f, alice, "more", 1, "0.5") })
	require.NoError(t, f.holder.add(f, alice, "last", 1, "0.5"), "an existing lien can grow")

	f.setParams("1", 3)
	f.refused(types.ErrTooManyLiens, func() error { return f.holder.add(f, alice, "more", 1, "0.5") })
	require.NoError(t, f.holder.release(f, alice, "last", 2), "a lowered bound does not hold anyone")
	f.holds()
}

func TestGasOfOneLien(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 1000)
	for _, what := range []string{"first", "grown"} {
		ctx := f.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()).WithKVGasConfig(storetypes.KVGasConfig())
		require.NoError(t, f.holder.handle.Add(ctx, alice, "1", math.NewInt(100), math.LegacyNewDecWithPrec(5, 2)))
		t.Logf("gas of a lien, %s: %d", what, ctx.GasMeter().GasConsumed())
		require.Less(t, ctx.GasMeter().GasConsumed(), uint64(10_000))
	}
}

func TestRM17LimitedUseWithoutLiens(t *testing.T) {
	f := newVault(t)
	f.setParams("0.5", 32)
	f.deposit(alice, 1)
	require.Equal(t, int64(1), f.account(alice).Free.Int64())
	f.refused(types.ErrInsufficientCollateral, func() error { return f.holder.add(f, alice, "1", 1, "0.1") })
	require.NoError(t, f.withdraw(alice, 1))
	f.holds()
}

func TestMaxCollateralUseBindsNewLiensOnly(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 90, "0.1"))
	f.setParams("0.5", 32)
	f.holds()
	require.Equal(t, int64(0), f.account(alice).Free.Int64())
	f.refused(types.ErrInsufficientCollateral, func() error { return f.holder.add(f, alice, "2", 1, "0.1") })
	f.refused(types.ErrInsufficientFree, func() error { return f.withdraw(alice, 1) })
	require.NoError(t, f.holder.release(f, alice, "1", 50))
	require.Equal(t, int64(20), f.account(alice).Free.Int64())
	require.NoError(t, f.holder.add(f, alice, "1", 10, "0.1"))
	require.Equal(t, int64(0), f.account(alice).Free.Int64())
	f.holds()
}

func TestLienKeepsItsFractionAndMergesAnother(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 1000)
	require.NoError(t, f.holder.add(f, alice, "1", 1, "0.1"))
	require.NoError(t, f.holder.add(f, alice, "1", 2, "0.2"))
	// (1 × 0.1 + 2 × 0.2) / 3 = 0.1666…, rounded up
	require.Equal(t, "0.166666666666666667", f.account(alice).Liens[0].SlashFraction.String())
	require.NoError(t, f.holder.release(f, alice, "1", 2))
	require.Equal(t, "0.166666666666666667", f.account(alice).Liens[0].SlashFraction.String(), "shrinking keeps it")
	f.holds()
}

func TestAddSettlesFirst(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 100, "0.1"))
	require.NoError(t, f.other.add(f, alice, "7", 100, "0.1"))
	f.holder.settled, f.other.settled = nil, nil

	f.holder.mature(f.ctx, alice, "1", 100)
	f.other.mature(f.ctx, alice, "7", 40)
	require.NoError(t, f.holder.add(f, alice, "2", 60, "0.1"))
	require.Equal(t, []string{"1"}, f.holder.settled)
	require.Equal(t, []string{"7"}, f.other.settled)
	a := f.account(alice)
	require.Len(t, a.Liens, 2)
	require.Equal(t, "dao/7", a.Liens[0].Holder)
	require.Equal(t, int64(60), a.Liens[0].Amount.Int64())
	require.Equal(t, "external/2", a.Liens[1].Holder)
	require.Equal(t, int64(40), a.Free.Int64())
	f.holds()

	f.other.err = sdkerrors.ErrLogic
	f.refused(sdkerrors.ErrLogic, func() error { return f.holder.add(f, alice, "2", 1, "0.1") })
	f.refused(sdkerrors.ErrLogic, func() error { return f.holder.handle.Settle(f.ctx, alice) })
	require.NoError(t, f.holder.release(f, alice, "2", 60), "releasing never settles")
}

func TestLienThatSettleEndsStartsAfresh(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 80, "0.9"))
	f.holder.mature(f.ctx, alice, "1", 80)
	require.NoError(t, f.holder.add(f, alice, "1", 100, "0.1"))
	require.Equal(t, "0.100000000000000000", f.account(alice).Liens[0].SlashFraction.String())
	require.Equal(t, int64(100), f.account(alice).Liens[0].Amount.Int64())
	f.holds()
}

func TestHandleReachesOnlyItsOwnLiens(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 50, "0.1"))
	amount, err := f.other.handle.Lien(f.ctx, alice, "1")
	require.NoError(t, err)
	require.True(t, amount.IsZero())
	f.refused(types.ErrLienTooSmall, func() error { return f.other.release(f, alice, "1", 1) })
	f.refused(types.ErrInvalidHolder, func() error { return f.other.release(f, alice, "../external/1", 1) })
	free, err := f.other.handle.Free(f.ctx, alice)
	require.NoError(t, err)
	require.Equal(t, int64(50), free.Int64())
	d, err := f.other.handle.Denom(f.ctx)
	require.NoError(t, err)
	require.Equal(t, denom, d)
}

func TestBadInputToAHandle(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 50, "0.1"))
	tenth, h := math.LegacyNewDecWithPrec(1, 1), f.holder.handle
	for _, tc := range []struct {
		name     string
		user     sdk.AccAddress
		id       string
		amount   math.Int
		fraction math.LegacyDec
		add      error
		release  error
	}{
		{name: "nil amount", user: alice, id: "1", fraction: tenth, add: types.ErrInvalidAmount, release: types.ErrInvalidAmount},
		{name: "zero", user: alice, id: "1", amount: math.ZeroInt(), fraction: tenth, add: types.ErrInvalidAmount, release: types.ErrInvalidAmount},
		{name: "negative", user: alice, id: "1", amount: math.NewInt(-1), fraction: tenth, add: types.ErrInvalidAmount, release: types.ErrInvalidAmount},
		{name: "above the lien", user: alice, id: "1", amount: math.NewInt(51), fraction: tenth, add: types.ErrInsufficientCollateral, release: types.ErrLienTooSmall},
		{name: "no such lien", user: alice, id: "2", amount: math.NewInt(101), fraction: tenth, add: types.ErrInsufficientCollateral, release: types.ErrLienTooSmall},
		{name: "no such user", user: carol, id: "1", amount: math.NewInt(1), fraction: tenth, add: types.ErrInsufficientCollateral, release: types.ErrLienTooSmall},
		{name: "empty id", user: alice, amount: math.NewInt(1), fraction: tenth, add: types.ErrInvalidHolder, release: types.ErrInvalidHolder},
		{name: "long id", user: alice, id: strings.Repeat("1", 65), amount: math.NewInt(1), fraction: tenth, add: types.ErrInvalidHolder, release: types.ErrInvalidHolder},
		{name: "slash in the id", user: alice, id: "1/2", amount: math.NewInt(1), fraction: tenth, add: types.ErrInvalidHolder, release: types.ErrInvalidHolder},
	} {
		t.Run("add/"+tc.name, func(t *testing.T) {
			f.refused(tc.add, func() error { return h.Add(f.ctx, tc.user, tc.id, tc.amount, tc.fraction) })
		})
		t.Run("release/"+tc.name, func(t *testing.T) {
			f.refused(tc.release, func() error { return h.Release(f.ctx, tc.user, tc.id, tc.amount) })
		})
	}
	for name, fraction := range map[string]math.LegacyDec{
		"missing": {}, "negative": tenth.Neg(), "above one": math.LegacyOneDec().Add(math.LegacySmallestDec()),
	} {
		t.Run("fraction/"+name, func(t *testing.T) {
			f.refused(types.ErrInvalidSlashFraction, func() error { return h.Add(f.ctx, alice, "1", math.OneInt(), fraction) })
		})
	}
}

func TestRegisterHolderFailsFast(t *testing.T) {
	f := newVault(t)
	for _, bad := range []string{"", prefix, "local", "Upper", "with/slash", strings.Repeat("x", 33)} {
		require.Panics(t, func() { f.k.RegisterHolder(bad, f.holder) }, bad)
	}
	require.Panics(t, func() { f.k.RegisterHolder("nobody", nil) })
}

func TestNewKeeperFailsFast(t *testing.T) {
	f := newVault(t)
	service := runtime.NewKVStoreService(storetypes.NewKVStoreKey(types.StoreKey))
	require.Panics(t, func() { keeper.NewKeeper(f.cdc, service, f.accounts, f.bank, f.staking, f.slashing, f.distr, "nobody") })
	require.Panics(t, func() {
		keeper.NewKeeper(f.cdc, service, withoutModules{f.accounts}, f.bank, f.staking, f.slashing, f.distr, f.authority)
	})
}

type withoutModules struct{ types.AccountKeeper }

func (withoutModules) GetModuleAddress(string) sdk.AccAddress { return nil }

// A binary that lost a holder must refuse to act on that holder's liens, not ignore them.
func TestSettleRefusesALienWithoutHolder(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.k.Liens.Set(f.ctx, collections.Join(alice, "gone/1"), types.LienRecord{
		Amount: math.OneInt(), SlashFraction: math.LegacyOneDec(),
	}))
	require.ErrorIs(t, f.withdraw(alice, 1), types.ErrUnknownHolder)
	require.ErrorIs(t, f.holder.handle.Settle(f.ctx, alice), types.ErrUnknownHolder)
}
