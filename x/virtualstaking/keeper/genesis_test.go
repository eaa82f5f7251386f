package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// busy is a chain in which everything is under way.
func busy(t *testing.T) *fixture {
	f := newFixture(t, 5)
	f.addSource(1, 9_000_000)
	f.addSource(2, 4_000_000)
	f.addSource(3, 0)
	f.setWeight(1, "0.5")
	f.hooks.batch[1] = 12
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 3_000_000, f.vals[1].operator: 7_000_000})
	f.hooks.set(2, map[string]int64{f.vals[2].operator: 3_000_000})
	f.block(time.Second)
	f.block(time.Second)
	f.setCap(2, 0)
	require.NoError(t, f.staking.Jail(f.ctx, f.vals[1].cons))
	f.block(time.Second)
	f.hooks.failures[1] = errInjected
	f.hooks.silent[1] = true
	f.epoch(1)
	require.NotNil(t, f.source(1).SilentSince)
	f.end()
	unwound := f.source(3)
	unwound.Unwound = true
	require.NoError(t, f.k.Sources.Set(f.ctx, 3, unwound))
	require.NoError(t, f.k.Dirty.Set(f.ctx, f.vals[4].operator))
	require.NoError(t, f.k.ReviewCursor.Set(f.ctx, f.vals[3].operator))
	return f
}

func TestGenesisRoundTrip(t *testing.T) {
	f := busy(t)
	am := virtualstaking.NewAppModule(f.enc.Codec, f.k)
	exported := am.ExportGenesis(f.ctx, f.enc.Codec)
	require.NoError(t, am.ValidateGenesis(f.enc.Codec, nil, exported))

	g := newChain(t)
	g.ctx = g.ctx.WithBlockHeader(f.ctx.BlockHeader())
	g.account.InitGenesis(g.ctx, *f.account.ExportGenesis(f.ctx))
	g.bank.InitGenesis(g.ctx, f.bank.ExportGenesis(f.ctx))
	g.distr.InitGenesis(g.ctx, *f.distr.ExportGenesis(f.ctx))
	g.staking.InitGenesis(g.ctx, f.staking.ExportGenesis(f.ctx))
	g.slashing.InitGenesis(g.ctx, g.staking.Keeper, f.slashing.ExportGenesis(f.ctx))
	virtualstaking.NewAppModule(g.enc.Codec, g.k).InitGenesis(g.ctx, g.enc.Codec, exported)
	require.Equal(t, string(exported), string(virtualstaking.NewAppModule(g.enc.Codec, g.k).ExportGenesis(g.ctx, g.enc.Codec)))
	g.check()

	// Both go on alike.
	g.vals, g.hooks.targets, g.hooks.batch, g.hooks.silent = f.vals, f.hooks.targets, f.hooks.batch, f.hooks.silent
	delete(f.hooks.failures, 1)
	for _, c := range []*fixture{f, g} {
		c.begin(time.Second)
		c.epoch(1)
		c.block(unbondingTime)
		c.end()
	}
	after := string(am.ExportGenesis(f.ctx, f.enc.Codec))
	require.Equal(t, after, string(virtualstaking.NewAppModule(g.enc.Codec, g.k).ExportGenesis(g.ctx, g.enc.Codec)))
	require.Zero(t, f.source(2).NextEpoch)
}

func TestGN02_InitGenesisNamesWhatDoesNotFit(t *testing.T) {
	account := types.VirtualAccount(1)
	for _, tc := range []struct {
		field  string
		change func(f *fixture, s *types.GenesisState)
	}{
		{"params", func(_ *fixture, s *types.GenesisState) { s.Params.EpochLength = 0 }},
		{"sources[0].account", func(_ *fixture, s *types.GenesisState) { s.Sources[0].Account = types.VirtualAccount(2).String() }},
		{"sources[0].reward_account", func(_ *fixture, s *types.GenesisState) { s.Sources[0].RewardAccount = "nonsense" }},
		{"not a base account", func(f *fixture, _ *types.GenesisState) {
			f.account.RemoveAccount(f.ctx, f.account.GetAccount(f.ctx, account))
		}},
		{"must hold none", func(f *fixture, _ *types.GenesisState) { f.fund(account, 5) }},
		{"sources[0].reward_account: is", func(f *fixture, _ *types.GenesisState) {
			require.NoError(t, f.distr.SetDelegatorWithdrawAddr(f.ctx, account, account))
		}},
		{"validators[0]", func(f *fixture, s *types.GenesisState) {
			s.LastSequence, s.Validators = 1, busyRecords("not-an-address")
		}},
		{"dirty[0]", func(_ *fixture, s *types.GenesisState) { s.Dirty = []string{"not-an-address"} }},
	} {
		t.Run(tc.field, func(t *testing.T) {
			f := newChain(t)
			f.account.SetAccount(f.ctx, f.account.NewAccountWithAddress(f.ctx, account))
			require.NoError(t, f.distr.SetDelegatorWithdrawAddr(f.ctx, account, rewardAccount(1)))
			state := *types.DefaultGenesisState()
			state.Sources = []types.Source{types.NewSource(1, account.String(), rewardAccount(1).String())}
			tc.change(f, &state)
			err := f.k.InitGenesis(f.ctx, state)
			require.ErrorIs(t, err, types.ErrInvalidGenesis)
			require.ErrorContains(t, err, tc.field)
		})
	}
}

func busyRecords(operator string) []types.ValidatorRecord {
	r := types.ValidatorRecord{Sequence: 1}
	r.Update.Validator, r.Update.ConsPubkey, r.Update.Status = operator, make([]byte, 32), 1
	return []types.ValidatorRecord{r}
}

// At genesis x/staking's hooks come first; in an upgrade they never came.
func TestAllBondedValidatorsAreRecordedAtTheStart(t *testing.T) {
	f := newChain(t)
	for i := range 3 {
		f.addValidator(i, selfStake)
	}
	_, err := f.staking.EndBlocker(f.ctx)
	require.NoError(t, err)
	require.NoError(t, f.k.Dirty.Clear(f.ctx, nil))
	require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesisState()))
	f.block(time.Second)
	require.Len(t, f.changes(0), 3)
}

func TestImportAtAnotherHeightSchedulesAgain(t *testing.T) {
	f := newChain(t)
	state := *types.DefaultGenesisState()
	state.Params.TotalMaxCap = math.NewInt(100)
	for id := uint64(1); id <= 3; id++ {
		f.account.SetAccount(f.ctx, f.account.NewAccountWithAddress(f.ctx, types.VirtualAccount(id)))
		require.NoError(t, f.distr.SetDelegatorWithdrawAddr(f.ctx, types.VirtualAccount(id), rewardAccount(id)))
		s := types.NewSource(id, types.VirtualAccount(id).String(), rewardAccount(id).String())
		s.MaxCap, s.NextEpoch = math.NewInt(10), 1_000_000
		state.Sources = append(state.Sources, s)
	}
	state.Sources[2].MaxCap = math.ZeroInt() // and nothing outstanding
	past, future := f.ctx.BlockTime().Add(-time.Hour), f.ctx.BlockTime().Add(time.Hour)
	state.Sources[0].SilentSince, state.Sources[1].SilentSince = &past, &future
	require.NoError(t, f.k.InitGenesis(f.ctx, state))
	require.EqualValues(t, 2, f.source(1).NextEpoch)
	require.EqualValues(t, 3, f.source(2).NextEpoch)
	require.Zero(t, f.source(3).NextEpoch)
	require.Equal(t, past, *f.source(1).SilentSince)
	require.Equal(t, f.ctx.BlockTime(), *f.source(2).SilentSince, "it cannot have begun later than now")
	f.check()
}

func TestQueries(t *testing.T) {
	f := busy(t)
	params, err := f.query.Params(f.ctx, &types.QueryParamsRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 10, params.Params.EpochLength)

	all, err := f.query.Sources(f.ctx, &types.QuerySourcesRequest{})
	require.NoError(t, err)
	require.Len(t, all.Sources, 3)
	require.Equal(t, "0", all.Sources[1].Delegated.String())
	require.Equal(t, "3000000", all.Sources[1].Unbonding.String())
	page, err := f.query.Sources(f.ctx, &types.QuerySourcesRequest{Pagination: &query.PageRequest{Limit: 2}})
	require.NoError(t, err)
	require.Equal(t, all.Sources[:2], page.Sources)
	page, err = f.query.Sources(f.ctx, &types.QuerySourcesRequest{Pagination: &query.PageRequest{Key: page.Pagination.NextKey}})
	require.NoError(t, err)
	require.Equal(t, all.Sources[2:], page.Sources)

	_, err = f.query.Source(f.ctx, &types.QuerySourceRequest{ConverterId: 9})
	require.ErrorIs(t, err, types.ErrSourceNotFound)
	_, err = f.query.Delegations(f.ctx, &types.QueryDelegationsRequest{ConverterId: 9})
	require.ErrorIs(t, err, types.ErrSourceNotFound)

	want, err := f.query.Delegations(f.ctx, &types.QueryDelegationsRequest{ConverterId: 1})
	require.NoError(t, err)
	require.NotEmpty(t, want.Delegations)
	sum, key := math.ZeroInt(), []byte(nil)
	var got []types.VirtualDelegation
	for {
		resp, err := f.query.Delegations(f.ctx, &types.QueryDelegationsRequest{ConverterId: 1, Pagination: &query.PageRequest{Limit: 1, Key: key}})
		require.NoError(t, err)
		require.LessOrEqual(t, len(resp.Delegations), 1)
		got = append(got, resp.Delegations...)
		if key = resp.Pagination.NextKey; key == nil {
			break
		}
	}
	require.Equal(t, want.Delegations, got)
	for _, d := range got {
		sum = sum.Add(d.Amount)
	}
	require.Equal(t, f.info(1).Delegated.String(), sum.String())
	far, err := f.query.Delegations(f.ctx, &types.QueryDelegationsRequest{ConverterId: 1, Pagination: &query.PageRequest{Offset: 1 << 40}})
	require.NoError(t, err)
	require.Empty(t, far.Delegations)
}

// Somebody sent a coin to the address of the module account before the upgrade that added the module: InitGenesis
// panicked on every node.
func TestGN03_AnAccountMadeBeforeTheUpgradeHaltedTheChain(t *testing.T) {
	f := newChain(t)
	addr := authtypes.NewModuleAddress(types.ModuleName)
	made := f.account.NewAccountWithAddress(f.ctx, addr)
	f.account.SetAccount(f.ctx, made)

	require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesisState()))
	account := f.account.GetModuleAccount(f.ctx, types.ModuleName)
	require.Equal(t, made.GetAccountNumber(), account.GetAccountNumber())
	require.ElementsMatch(t, []string{authtypes.Minter, authtypes.Burner}, account.GetPermissions())
}
