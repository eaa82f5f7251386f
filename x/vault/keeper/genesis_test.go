package keeper_test

import (
	"fmt"
	"strings"
	"testing"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault"
	"github.com/mesh-security/mesh/x/vault/types"
)

func TestGenesisRoundTrip(t *testing.T) {
	f := newVault(t)
	f.setParams("0.9", 12)
	f.deposit(alice, 300)
	f.deposit(bob, 50)
	require.NoError(t, f.holder.add(f, alice, "2", 100, "0.05"))
	require.NoError(t, f.holder.add(f, alice, "10", 100, "0.333333333333333333"))
	require.NoError(t, f.other.add(f, alice, "2", 7, "1"))
	f.setBondDenom(otherDenom) // the vault keeps its own
	module := vault.NewAppModule(f.cdc, f.k)
	exported := module.ExportGenesis(f.ctx, f.cdc)
	require.NoError(t, module.ValidateGenesis(f.cdc, nil, exported))

	g := newFixture(t)
	g.setBondDenom(otherDenom)
	g.fund(g.module, sdk.NewInt64Coin(denom, 350))
	g.accounts.SetAccount(g.ctx, g.accounts.NewAccountWithAddress(g.ctx, bob))
	imported := vault.NewAppModule(g.cdc, g.k)
	imported.InitGenesis(g.ctx, g.cdc, exported)
	require.Equal(t, string(exported), string(imported.ExportGenesis(g.ctx, g.cdc)))
	require.Equal(t, f.account(alice), g.account(alice))
	g.holds()
	require.NoError(t, g.withdraw(bob, 50))
}

func TestDefaultGenesisTakesTheBondDenom(t *testing.T) {
	f := newFixture(t)
	f.setBondDenom("uatom")
	module := vault.NewAppModule(f.cdc, f.k)
	require.NoError(t, module.ValidateGenesis(f.cdc, nil, module.DefaultGenesis(f.cdc)))
	module.InitGenesis(f.ctx, f.cdc, module.DefaultGenesis(f.cdc))
	d, err := f.k.Denom.Get(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "uatom", d)
	f.holds()
}

func TestGN02GenesisNamesTheBadField(t *testing.T) {
	lien := func(holder string, amount int64, fraction string) types.Lien {
		return types.Lien{Holder: holder, Amount: math.NewInt(amount), SlashFraction: math.LegacyMustNewDecFromStr(fraction)}
	}
	var many []types.Lien
	for i := range types.MaxLiensPerUser + 1 {
		many = append(many, lien(fmt.Sprintf("external/%d", i), 1, "0"))
	}
	for _, tc := range []struct {
		name   string
		spoil  func(gs *types.GenesisState)
		field  string
		onLoad bool // found when loading only, because it needs the wiring or the bank
	}{
		{name: "params", spoil: func(gs *types.GenesisState) { gs.Params.MaxConsumersPerUser = 0 }, field: "params: max_consumers_per_user is 0"},
		{name: "params missing", spoil: func(gs *types.GenesisState) { gs.Params = types.Params{} }, field: "params: max_collateral_use is missing"},
		{name: "denom", spoil: func(gs *types.GenesisState) { gs.Denom = "1" }, field: "denom: "},
		{name: "address", spoil: func(gs *types.GenesisState) { gs.Accounts[1].User = "bob" }, field: `accounts[1].user "bob"`},
		{name: "duplicate user", spoil: func(gs *types.GenesisState) { gs.Accounts[1].User = alice.String() }, field: "accounts[1].user " + alice.String() + ": duplicate"},
		{name: "duplicate user, other case", spoil: func(gs *types.GenesisState) { gs.Accounts[1].User = strings.ToUpper(alice.String()) }, field: "accounts[1].user"},
		{name: "collateral missing", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Collateral = math.Int{} }, field: "accounts[0].collateral: missing"},
		{name: "collateral zero", spoil: func(gs *types.GenesisState) { gs.Accounts[1].Collateral = math.ZeroInt() }, field: "accounts[1].collateral: 0"},
		{name: "collateral negative", spoil: func(gs *types.GenesisState) { gs.Accounts[1].Collateral = math.NewInt(-1) }, field: "accounts[1].collateral: -1"},
		{name: "too many liens", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens = many }, field: "accounts[0].liens: 257, at most 256"},
		{name: "holder", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[1].Holder = "external" }, field: `accounts[0].liens[1]: "external"`},
		{name: "local lien", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[1].Holder = "local" }, field: "accounts[0].liens[1]: there is no staking account behind it"},
		{name: "duplicate lien", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[1].Holder = "external/1" }, field: "accounts[0].liens[1].holder: duplicate external/1"},
		{name: "lien zero", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[0].Amount = math.ZeroInt() }, field: "accounts[0].liens[0]: 0, must be positive"},
		{name: "lien missing", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[0].Amount = math.Int{} }, field: "accounts[0].liens[0]: missing"},
		{name: "fraction", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[0].SlashFraction = math.LegacyNewDec(2) }, field: "accounts[0].liens[0]: 2.0"},
		{name: "fraction missing", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[0].SlashFraction = math.LegacyDec{} }, field: "accounts[0].liens[0]: missing"},
		{name: "lien over collateral", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[0].Amount = math.NewInt(101) }, field: "accounts[0].liens: the largest lien is 101, the collateral 100"},
		{name: "slashable over collateral", spoil: func(gs *types.GenesisState) {
			gs.Accounts[0].Liens = []types.Lien{lien("external/1", 100, "0.5"), lien("external/2", 100, "0.51")}
		}, field: "accounts[0].liens: the liens can lose 101, the collateral is 100"},
		{name: "lien of a later loss", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[0].SettledAt = 6 }, field: "accounts[0].liens[0].settled_at: 6, the last loss is 5"},
		{name: "debt zero", spoil: func(gs *types.GenesisState) { gs.Accounts[2].Debt.Amount = math.ZeroInt() }, field: "accounts[2].debt.amount: 0"},
		{name: "debt missing", spoil: func(gs *types.GenesisState) { gs.Accounts[2].Debt.Amount = math.Int{} }, field: "accounts[2].debt.amount: missing"},
		{name: "debt without stake", spoil: func(gs *types.GenesisState) { gs.Accounts[1].Debt = gs.Accounts[2].Debt }, field: "accounts[1].debt: there is no staking account"},
		{name: "debts and totals", spoil: func(gs *types.GenesisState) { gs.Accounts[2].Debt = nil }, field: "totals: 3 is lost and not taken, but all debts are 0"},
		{name: "totals missing", spoil: func(gs *types.GenesisState) { gs.Totals = types.Totals{} }, field: "totals.lost"},
		{name: "totals negative", spoil: func(gs *types.GenesisState) { gs.Totals.Pooled = math.NewInt(-1) }, field: "totals.pooled"},
		{name: "more burned than lost", spoil: func(gs *types.GenesisState) { gs.Totals.Burned = math.NewInt(18) }, field: "totals.lost: 20, less than burned 18 and pooled 7"},
		{name: "too many losses", spoil: func(gs *types.GenesisState) { gs.Accounts[2].Losses = make([]types.Loss, types.MaxLosses+1) }, field: "accounts[2].losses: 65, at most 64"},
		{name: "loss holder", spoil: func(gs *types.GenesisState) { gs.Accounts[2].Losses[0].Holder = "me" }, field: `accounts[2].losses[0].holder: "me"`},
		{name: "loss amount", spoil: func(gs *types.GenesisState) { gs.Accounts[2].Losses[0].Amount = math.Int{} }, field: "accounts[2].losses[0].amount"},
		{name: "later loss", spoil: func(gs *types.GenesisState) { gs.Accounts[2].Losses[1].Sequence = 6 }, field: "accounts[2].losses[1].sequence: 6, the last loss is 5"},
		{name: "duplicate loss", spoil: func(gs *types.GenesisState) { gs.Accounts[2].Losses[1] = gs.Accounts[2].Losses[0] }, field: "accounts[2].losses[1]: duplicate 2 of external/1"},
		{name: "sweep validator", spoil: func(gs *types.GenesisState) { gs.Sweeps[0].Validator = alice.String() }, field: "sweeps[0].validator"},
		{name: "duplicate sweep", spoil: func(gs *types.GenesisState) { gs.Sweeps = append(gs.Sweeps, gs.Sweeps[0]) }, field: "sweeps[1].validator"},
		{name: "sweep cursor", spoil: func(gs *types.GenesisState) { gs.Sweeps[0].Cursor = "bob" }, field: `sweeps[0].cursor "bob"`},
		{name: "last swept", spoil: func(gs *types.GenesisState) { gs.LastSwept = "bob" }, field: `last_swept "bob"`},
		{name: "pending user", spoil: func(gs *types.GenesisState) { gs.Pending[0].User = "bob" }, field: `pending[0].user "bob"`},
		{name: "duplicate pending", spoil: func(gs *types.GenesisState) { gs.Pending = append(gs.Pending, gs.Pending[0]) }, field: "pending[1]: duplicate"},
		{name: "no account to stake with", spoil: func(gs *types.GenesisState) { gs.Accounts[1].Staking = true }, field: "accounts[1].staking: x/auth has no account", onLoad: true},
		{name: "unknown holder", spoil: func(gs *types.GenesisState) { gs.Accounts[0].Liens[1].Holder = "nobody/1" }, field: "accounts[0].liens[1].holder: nobody/1", onLoad: true},
		{name: "short module account", spoil: func(gs *types.GenesisState) { gs.Accounts[1].Collateral = math.NewInt(6) }, field: "accounts: their liquid collateral is 112stake", onLoad: true},
		{name: "other denom", spoil: func(gs *types.GenesisState) { gs.Denom = otherDenom }, field: "accounts: their liquid collateral is 111photon", onLoad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			f.fund(f.module, sdk.NewInt64Coin(denom, 111))
			f.accounts.SetAccount(f.ctx, f.accounts.NewAccountWithAddress(f.ctx, types.StakingAccountAddress(carol)))
			validator := sdk.ValAddress(carol).String()
			gs := types.GenesisState{
				Params: types.DefaultParams(), Denom: denom, Accounts: []types.GenesisAccount{
					{User: alice.String(), Collateral: math.NewInt(100), Liens: []types.Lien{lien("external/1", 100, "0.1"), lien("external/2", 5, "0.1")}},
					{User: bob.String(), Collateral: math.NewInt(5)},
					{
						User: carol.String(), Collateral: math.NewInt(10), Liens: []types.Lien{lien("local", 4, "0.1")}, Staking: true,
						Debt: &types.Debt{Amount: math.NewInt(3), Failures: 1, RetryHeight: 12},
						Losses: []types.Loss{
							{Sequence: 2, Holder: "external/1", Amount: math.NewInt(4), Height: 9, Time: start},
							{Sequence: 2, Holder: "local", Amount: math.NewInt(1), Height: 9, Time: start},
						},
					},
				},
				LastLoss: 5, Totals: types.Totals{Lost: math.NewInt(20), Burned: math.NewInt(10), Pooled: math.NewInt(7)}, LastSwept: validator,
				Sweeps:  []types.Sweep{{Validator: validator, Cursor: bob.String(), Again: true}},
				Pending: []types.PendingSettle{{Height: 12, User: carol.String()}},
			}
			require.NoError(t, gs.Validate())
			ctx, _ := f.ctx.CacheContext()
			require.NoError(t, f.k.InitGenesis(ctx, gs))
			exported, err := f.k.ExportGenesis(ctx)
			require.NoError(t, err)
			require.Equal(t, string(f.cdc.MustMarshalJSON(&gs)), string(f.cdc.MustMarshalJSON(exported)))

			tc.spoil(&gs)
			err = gs.Validate()
			if tc.onLoad {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, types.ErrInvalidGenesis)
				require.ErrorContains(t, err, tc.field)
			}
			err = f.k.InitGenesis(f.ctx, gs)
			require.ErrorIs(t, err, types.ErrInvalidGenesis)
			require.ErrorContains(t, err, tc.field)
		})
	}
}
