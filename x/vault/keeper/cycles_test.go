package keeper_test

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/vault/types"
)

// Many tiny operations must not gain anything over one big one: rounding always goes against the user.
func TestVA04TinyCyclesGainNothing(t *testing.T) {
	f := newVault(t)
	f.deposit(bob, 100)
	require.NoError(t, f.holder.add(f, bob, "1", 100, "0.05"))
	big := f.account(bob)
	for i := range 1000 {
		f.deposit(alice, 1)
		require.NoError(t, f.holder.add(f, alice, "1", 1, "0.05"))
		a := f.account(alice)
		require.True(t, a.Slashable.LTE(a.Collateral))
		require.ErrorIs(t, f.withdraw(alice, 1), types.ErrInsufficientFree)
		require.NoError(t, f.holder.release(f, alice, "1", 1))
		require.NoError(t, f.withdraw(alice, 1))
		require.LessOrEqual(t, f.balance(alice), int64(1000), "cycle %d", i)
	}
	require.Equal(t, int64(1000), f.balance(alice))
	require.Equal(t, big, f.account(bob))
	f.holds()
}

// The same over 10^5 cycles on the arithmetic alone: one unit at a time, spread over 32 liens.
func TestVA04TinyLiensAreNeverCheaper(t *testing.T) {
	fraction := math.LegacyNewDecWithPrec(5, 2)
	liens := make([]types.Lien, 32)
	for i := range liens {
		liens[i] = types.Lien{Holder: fmt.Sprintf("external/%d", i), Amount: math.ZeroInt(), SlashFraction: fraction}
	}
	for i := range 100_000 {
		l := &liens[i%len(liens)]
		l.SlashFraction = types.MergeFraction(l.Amount, l.SlashFraction, math.OneInt(), fraction)
		l.Amount = l.Amount.AddRaw(1)
	}
	whole := []types.Lien{{Holder: "external/0", Amount: math.NewInt(100_000), SlashFraction: fraction}}
	require.True(t, types.Slashable(liens).GTE(types.Slashable(whole)))
	require.Equal(t, fraction, liens[0].SlashFraction)
}

// Random operations of two users and two holders, checked against a model that is kept apart and against the invariants.
func TestPropertyVaultFollowsItsModel(t *testing.T) {
	users := []sdk.AccAddress{alice, bob}
	rapid.Check(t, func(rt *rapid.T) {
		f := newVault(t)
		type account struct {
			collateral int64
			liens      map[string]int64
			wallet     int64
		}
		model := map[string]*account{}
		for _, u := range users {
			model[u.String()] = &account{liens: map[string]int64{}, wallet: 1000}
		}
		fractions := map[string]string{"1": "0.05", "2": "0.5", "3": "1"}
		draw := func(rt *rapid.T) (sdk.AccAddress, *account, *fakeHolder, string, int64) {
			user := rapid.SampledFrom(users).Draw(rt, "user")
			holder := rapid.SampledFrom([]*fakeHolder{f.holder, f.other}).Draw(rt, "holder")
			id := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "id")
			return user, model[user.String()], holder, id, rapid.Int64Range(1, 400).Draw(rt, "amount")
		}
		name := func(h *fakeHolder, id string) string { return h.key.Name() + "/" + id }
		used := func(a *account) (largest, slashable int64) {
			for n, amount := range a.liens {
				fraction := math.LegacyMustNewDecFromStr(fractions[n[len(n)-1:]])
				largest = max(largest, amount)
				slashable += fraction.MulInt64(amount).Ceil().TruncateInt64()
			}
			return largest, slashable
		}
		rt.Repeat(map[string]func(*rapid.T){
			"deposit": func(rt *rapid.T) {
				user, a, _, _, amount := draw(rt)
				_, err := f.k.Deposit(f.ctx, user, sdk.NewInt64Coin(denom, amount))
				require.Equal(rt, amount <= a.wallet, err == nil, err)
				if err == nil {
					a.collateral, a.wallet = a.collateral+amount, a.wallet-amount
				}
			},
			"withdraw": func(rt *rapid.T) {
				user, a, _, _, amount := draw(rt)
				largest, slashable := used(a)
				_, err := f.k.Withdraw(f.ctx, user, sdk.NewInt64Coin(denom, amount))
				require.Equal(rt, amount <= a.collateral-max(largest, slashable), err == nil, err)
				if err == nil {
					a.collateral, a.wallet = a.collateral-amount, a.wallet+amount
				}
			},
			"add": func(rt *rapid.T) {
				user, a, h, id, amount := draw(rt)
				a.liens[name(h, id)] += amount
				largest, slashable := used(a)
				err := h.add(f, user, id, amount, fractions[id])
				require.Equal(rt, max(largest, slashable) <= a.collateral, err == nil, err)
				if err != nil {
					a.liens[name(h, id)] -= amount
				}
			},
			"release": func(rt *rapid.T) {
				user, a, h, id, amount := draw(rt)
				err := h.release(f, user, id, amount)
				require.Equal(rt, amount <= a.liens[name(h, id)], err == nil, err)
				if err == nil {
					a.liens[name(h, id)] -= amount
				}
			},
			"": func(rt *rapid.T) {
				for _, user := range users {
					a, got := model[user.String()], f.account(user)
					require.Equal(rt, a.collateral, got.Collateral.Int64())
					require.Equal(rt, a.wallet, f.balance(user))
					for _, l := range got.Liens {
						require.Equal(rt, a.liens[l.Holder], l.Amount.Int64())
					}
				}
				f.holds()
			},
		})
	})
}
