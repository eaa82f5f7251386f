package keeper_test

import (
	"testing"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault"
	"github.com/mesh-security/mesh/x/vault/types"
)

// Each invariant must be able to fail: state is spoiled behind the keeper's back.
func TestInvariantsFindSpoiledState(t *testing.T) {
	record := func(amount int64, fraction string) types.LienRecord {
		return types.LienRecord{Amount: math.NewInt(amount), SlashFraction: math.LegacyMustNewDecFromStr(fraction)}
	}
	set := func(f *fixture, user sdk.AccAddress, holder string, r types.LienRecord) {
		require.NoError(f.t, f.k.Liens.Set(f.ctx, collections.Join(user, holder), r))
	}
	for _, tc := range []struct {
		name  string
		spoil func(f *fixture)
		id    string
		want  string
	}{
		{name: "vault drained", id: "V1", want: "holds 99stake, the users' liquid collateral is 100", spoil: func(f *fixture) {
			require.NoError(f.t, f.bank.SendCoins(f.ctx, f.module, bob, sdk.NewCoins(sdk.NewInt64Coin(denom, 1))))
		}},
		{name: "more staked than there is", id: "V1", want: "is -1", spoil: func(f *fixture) { set(f, alice, types.LocalHolder, record(101, "0.1")) }},
		{name: "less staked than the local lien", id: "V1", want: "holds 0, the local lien is 5 and the debt 0, and no sweep", spoil: func(f *fixture) {
			set(f, alice, types.LocalHolder, record(5, "0.1"))
		}},
		{name: "less staked than the debt", id: "V1", want: "holds 0, the local lien is 0 and the debt 5, and no sweep", spoil: func(f *fixture) {
			require.NoError(f.t, f.k.Debts.Set(f.ctx, alice, types.Debt{Amount: math.NewInt(5)}))
		}},
		{name: "lien above the collateral", id: "V2", want: "the largest lien is 101", spoil: func(f *fixture) { set(f, alice, "external/1", record(101, "0.1")) }},
		{name: "lien without collateral", id: "V2", want: "the collateral 0", spoil: func(f *fixture) { set(f, bob, "external/1", record(1, "0.1")) }},
		{name: "slashable above the collateral", id: "V2", want: "can lose 101", spoil: func(f *fixture) { set(f, alice, "external/2", record(92, "1")) }},
		{name: "zero lien", id: "V2", want: "must be positive", spoil: func(f *fixture) { set(f, alice, "external/2", record(0, "1")) }},
		{name: "less owed than debts", id: "E7", want: "0 was lost, 0 burned and 0 pooled, but the debts are 5", spoil: func(f *fixture) {
			require.NoError(f.t, f.k.Debts.Set(f.ctx, bob, types.Debt{Amount: math.NewInt(5)}))
		}},
		{name: "empty debt", id: "E7", want: "must be positive", spoil: func(f *fixture) {
			require.NoError(f.t, f.k.Debts.Set(f.ctx, bob, types.NewDebt()))
		}},
		{name: "forgotten debt", id: "E7", want: "7 was lost, 0 burned and 0 pooled, but the debts are 0", spoil: func(f *fixture) {
			totals := types.NewTotals()
			totals.Lost = math.NewInt(7)
			require.NoError(f.t, f.k.Totals.Set(f.ctx, totals))
		}},
		{name: "unknown holder", id: "V2", want: "no registered holder", spoil: func(f *fixture) { set(f, alice, "nobody/2", record(1, "1")) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newVault(t)
			f.deposit(alice, 100)
			require.NoError(t, f.holder.add(f, alice, "1", 90, "0.1"))
			f.holds()
			tc.spoil(f)
			registry := registry{}
			vault.NewAppModule(f.cdc, f.k).RegisterInvariants(registry)
			require.Len(t, registry, 3)
			for _, inv := range f.k.Invariants() {
				text, broken := registry["vault/"+inv.ID](f.ctx)
				if inv.ID != tc.id {
					continue
				}
				require.ErrorIs(t, inv.Check(f.ctx), types.ErrInvariant)
				require.ErrorContains(t, inv.Check(f.ctx), tc.want)
				require.True(t, broken)
				require.Contains(t, text, tc.want)
			}
		})
	}
}

type registry map[string]sdk.Invariant

func (r registry) RegisterRoute(module, route string, inv sdk.Invariant) { r[module+"/"+route] = inv }
