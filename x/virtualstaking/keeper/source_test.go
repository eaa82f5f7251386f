package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

var full = math.LegacyOneDec()

func TestCreateSourceTakesOverWhatIsAtItsAddress(t *testing.T) {
	f := newFixture(t, 1)
	addr := types.VirtualAccount(7)
	f.fund(addr, 500)
	squatter := f.account.GetAccount(f.ctx, addr)
	vesting, err := vestingtypes.NewPermanentLockedAccount(squatter.(*authtypes.BaseAccount), sdk.NewCoins(sdk.NewInt64Coin(denom, 500)))
	require.NoError(t, err)
	f.account.SetAccount(f.ctx, vesting)

	// Locked coins become free when the plain account takes over, and go to the community pool.
	s := f.addSource(7, 0)
	require.Equal(t, addr.String(), s.Account)
	require.Equal(t, rewardAccount(7).String(), s.RewardAccount)
	account := f.account.GetAccount(f.ctx, addr)
	require.IsType(t, &authtypes.BaseAccount{}, account)
	require.Equal(t, squatter.GetAccountNumber(), account.GetAccountNumber())
	require.True(t, f.bank.GetBalance(f.ctx, addr, denom).IsZero())
	pool, err := f.distr.FeePool.Get(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "500.000000000000000000"+denom, pool.CommunityPool.String())
	withdraw, err := f.distr.GetDelegatorWithdrawAddr(f.ctx, addr)
	require.NoError(t, err)
	require.Equal(t, rewardAccount(7), withdraw)
	f.check()

	require.ErrorIs(t, f.k.CreateSource(f.ctx, 7, rewardAccount(7)), types.ErrSourceExists)
	require.ErrorIs(t, f.k.CreateSource(f.ctx, 8, nil), types.ErrInvalidAccount)
	require.ErrorIs(t, f.k.CreateSource(f.ctx, 8, types.VirtualAccount(8)), types.ErrInvalidAccount)
	require.ErrorIs(t, f.k.CreateSource(f.ctx, 0, rewardAccount(1)), types.ErrSourceNotFound)
	_, err = f.k.GetSource(f.ctx, 8)
	require.ErrorIs(t, err, types.ErrSourceNotFound)
}

func TestVS10_VirtualAccountsCannotBeUsed(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 1_000_000)
	account := types.VirtualAccount(1)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 400_000})
	alice := sdk.AccAddress("alice---------------")
	f.fund(alice, 1_000)

	bank := bankkeeper.NewMsgServerImpl(f.bank)
	coins := sdk.NewCoins(sdk.NewInt64Coin(denom, 10))
	require.ErrorIs(t, f.try(func(ctx sdk.Context) error {
		_, err := bank.Send(ctx, &banktypes.MsgSend{FromAddress: alice.String(), ToAddress: account.String(), Amount: coins})
		return err
	}), types.ErrSendRefused)
	require.ErrorIs(t, f.try(func(ctx sdk.Context) error {
		_, err := bank.MultiSend(ctx, &banktypes.MsgMultiSend{
			Inputs:  []banktypes.Input{banktypes.NewInput(alice, coins)},
			Outputs: []banktypes.Output{banktypes.NewOutput(account, coins)},
		})
		return err
	}), types.ErrSendRefused)
	require.NoError(t, f.bank.SendCoins(f.ctx, alice, sdk.AccAddress("bob-----------------"), coins), "others are not concerned")

	// No key, so no signature and no authz grant: every message needs one of the two. And no other account can act for it.
	f.epoch(1)
	require.Nil(t, f.account.GetAccount(f.ctx, account).GetPubKey())
	require.EqualValues(t, 400_000, f.delegated(1, f.vals[0]))
	require.NotEqual(t, authority, account.String())
	require.Len(t, account, 32, "a derived address, which no key and no other module can have")
	for range 25 {
		f.block(10 * time.Second) // check() includes K3: the balance is zero after each block
	}
}

// An error from x/staking's slash halts the chain, and it returns one if the slash of a redelegation cannot pay rewards.
func TestRewardsOfOthersMeantForAVirtualAccountCannotStopASlash(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 0)
	mallory := sdk.AccAddress("mallory-------------")
	f.fund(mallory, 1_000_000)
	staking := stakingkeeper.NewMsgServerImpl(f.staking.Keeper)
	_, err := staking.Delegate(f.ctx, stakingtypes.NewMsgDelegate(mallory.String(), f.vals[0].operator, sdk.NewInt64Coin(denom, 1_000_000)))
	require.NoError(t, err)
	f.block(time.Second)
	fault := f.ctx.BlockHeight()
	_, err = staking.BeginRedelegate(f.ctx, stakingtypes.NewMsgBeginRedelegate(mallory.String(), f.vals[0].operator, f.vals[1].operator, sdk.NewInt64Coin(denom, 1_000_000)))
	require.NoError(t, err)
	_, err = distrkeeper.NewMsgServerImpl(f.distr.Keeper).SetWithdrawAddress(f.ctx, &distrtypes.MsgSetWithdrawAddress{
		DelegatorAddress: mallory.String(), WithdrawAddress: types.VirtualAccount(1).String(),
	})
	require.NoError(t, err)
	f.block(time.Second)
	f.block(time.Second)

	fees := f.account.GetModuleAddress(authtypes.FeeCollectorName)
	before := f.bank.GetBalance(f.ctx, fees, denom)
	f.slash(f.vals[0], fault, "0.5")
	require.True(t, f.bank.GetBalance(f.ctx, types.VirtualAccount(1), denom).IsZero())
	require.True(t, f.bank.GetBalance(f.ctx, fees, denom).Amount.GT(before.Amount), "the rewards went to the fees")
	f.block(time.Second)
}

func TestGV01_OnlyTheAuthorityAndOnlyWithinBounds(t *testing.T) {
	f := newFixture(t, 1)
	f.addSource(1, 0)
	f.addSource(2, 0)
	f.setParams(func(p *types.Params) { p.TotalMaxCap, p.MaxSources = math.NewInt(100), 1 })
	coin := func(amount int64) sdk.Coin { return sdk.Coin{Denom: denom, Amount: math.NewInt(amount)} }
	weight := func(text string) *math.LegacyDec {
		w := math.LegacyMustNewDecFromStr(text)
		return &w
	}
	for _, tc := range []struct {
		name      string
		authority string
		id        uint64
		cap       sdk.Coin
		weight    *math.LegacyDec
		err       error
	}{
		{"not the authority", rewardAccount(1).String(), 1, coin(5), &full, govtypes.ErrInvalidSigner},
		{"nobody", "", 1, coin(5), &full, govtypes.ErrInvalidSigner},
		{"unknown source", authority, 9, coin(5), &full, types.ErrSourceNotFound},
		{"another denom", authority, 1, sdk.NewInt64Coin("uother", 5), &full, types.ErrInvalidCap},
		{"bad denom", authority, 1, sdk.Coin{Denom: "!", Amount: math.NewInt(5)}, &full, types.ErrInvalidCap},
		{"negative", authority, 1, coin(-1), &full, types.ErrInvalidCap},
		{"no amount", authority, 1, sdk.Coin{Denom: denom}, &full, types.ErrInvalidCap},
		{"above the total", authority, 1, coin(101), &full, types.ErrTotalCap},
		{"no weight", authority, 1, coin(5), nil, types.ErrInvalidWeight},
		{"weight without a value", authority, 1, coin(5), &math.LegacyDec{}, types.ErrInvalidWeight},
		{"weight below 0", authority, 1, coin(5), weight("-0.000000000000000001"), types.ErrInvalidWeight},
		{"weight above 1", authority, 1, coin(5), weight("1.000000000000000001"), types.ErrInvalidWeight},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := f.source(1)
			_, err := f.msg.SetMaxCap(f.ctx, &types.MsgSetMaxCap{Authority: tc.authority, ConverterID: tc.id, MaxCap: tc.cap, GovernanceWeight: tc.weight})
			require.ErrorIs(t, err, tc.err)
			require.Equal(t, before, f.source(1))
		})
	}

	resp, err := f.msg.SetMaxCap(f.ctx, &types.MsgSetMaxCap{Authority: authority, ConverterID: 1, MaxCap: coin(100), GovernanceWeight: weight("0.5")})
	require.NoError(t, err)
	require.Equal(t, f.ctx.BlockHeight()+1, resp.NextEpoch)
	require.Equal(t, []*types.EventMaxCapSet{{Source: 1, MaxCap: "100", GovernanceWeight: "0.500000000000000000"}}, events[*types.EventMaxCapSet](f))
	require.Equal(t, *weight("0.5"), f.info(1).Source.GovernanceWeight)
	_, err = f.msg.SetMaxCap(f.ctx, &types.MsgSetMaxCap{Authority: authority, ConverterID: 2, MaxCap: coin(1), GovernanceWeight: weight("0")})
	require.ErrorIs(t, err, types.ErrTooManySources)

	for _, tc := range []struct {
		name   string
		change func(p *types.Params)
		err    string
	}{
		{"epoch length 0", func(p *types.Params) { p.EpochLength = 0 }, "epoch_length"},
		{"total below the caps", func(p *types.Params) { p.TotalMaxCap = math.NewInt(99) }, "caps of 100 are set"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			params, err := f.k.Params.Get(f.ctx)
			require.NoError(t, err)
			before := params
			tc.change(&params)
			_, err = f.msg.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
			require.ErrorIs(t, err, types.ErrInvalidParams)
			require.ErrorContains(t, err, tc.err)
			after, err := f.k.Params.Get(f.ctx)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
	_, err = f.msg.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: "", Params: types.DefaultParams()})
	require.ErrorContains(t, err, "expected gov account")

	f.setParams(func(p *types.Params) { p.MaxSources = 2 })
	f.setParams(func(p *types.Params) { p.TotalMaxCap = math.NewInt(1000) })
	f.setCap(2, 1)
	params, err := f.k.Params.Get(f.ctx)
	require.NoError(t, err)
	params.MaxSources = 1
	_, err = f.msg.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.ErrorContains(t, err, "2 converters have a cap")
	f.check()
}

func TestCapsStayWithinCometBFTsPower(t *testing.T) {
	f := newFixture(t, 1)
	f.addSource(1, 0)
	limit := math.NewInt(1 << 60).SubRaw(1).Mul(f.staking.PowerReduction(f.ctx)) // MaxInt64/8, in tokens
	f.setParams(func(p *types.Params) { p.TotalMaxCap = limit.MulRaw(2) })
	_, err := f.msg.SetMaxCap(f.ctx, &types.MsgSetMaxCap{Authority: authority, ConverterID: 1, MaxCap: sdk.NewCoin(denom, limit), GovernanceWeight: &full})
	require.ErrorIs(t, err, types.ErrTotalPower)
	_, err = f.msg.SetMaxCap(f.ctx, &types.MsgSetMaxCap{Authority: authority, ConverterID: 1, MaxCap: sdk.NewCoin(denom, limit.SubRaw(selfStake)), GovernanceWeight: &full})
	require.NoError(t, err)
}

func TestVS11_CapsOfAllSourcesStayWithinTheTotal(t *testing.T) {
	f := newFixture(t, 3)
	f.setParams(func(p *types.Params) { p.TotalMaxCap = math.NewInt(1_000_000) })
	f.addSource(1, 600_000)
	f.addSource(2, 0)
	_, err := f.msg.SetMaxCap(f.ctx, &types.MsgSetMaxCap{Authority: authority, ConverterID: 2, MaxCap: sdk.NewInt64Coin(denom, 400_001), GovernanceWeight: &full})
	require.ErrorIs(t, err, types.ErrTotalCap)
	require.ErrorContains(t, err, "only 400000 of total_max_cap 1000000")
	f.setCap(2, 400_000)
	require.NotEqual(t, f.source(1).NextEpoch, f.source(2).NextEpoch, "they do not share a block")

	// Both want more than their cap; one of them fails and does not concern the other.
	for id := uint64(1); id <= 2; id++ {
		f.hooks.set(id, map[string]int64{f.vals[0].operator: 900_000, f.vals[1].operator: 900_000})
	}
	f.hooks.failures[1] = errInjected
	f.epoch(1)
	require.Equal(t, "targets: "+errInjected.Error(), f.source(1).LastFailure)
	require.Len(t, events[*types.EventEpochFailed](f), 1)
	f.epoch(2)
	require.Equal(t, "0", f.info(1).Delegated.String())
	require.Equal(t, "400000", f.info(2).Delegated.String())
	delete(f.hooks.failures, 1)
	f.epoch(1)
	require.Equal(t, "600000", f.info(1).Delegated.String())
	require.Empty(t, f.source(1).LastFailure)

	// A source that only asks is not paid for by the others' bounds: lowering is always possible.
	f.setCap(1, 0)
	f.setCap(2, 0)
	f.epoch(1)
	f.epoch(2)
	require.Equal(t, "0", f.info(1).Delegated.String())
	require.Equal(t, "600000", f.info(1).Unbonding.String())
}
