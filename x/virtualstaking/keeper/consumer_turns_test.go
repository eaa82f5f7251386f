package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func (f *fixture) setMaxValidators(n uint32) {
	sp, err := f.staking.GetParams(f.ctx)
	require.NoError(f.t, err)
	sp.MaxValidators = n
	require.NoError(f.t, f.staking.SetParams(f.ctx, sp))
}

// want gives source 1 the same target on each of some validators.
func (f *fixture) want(amount int64, vals ...validator) {
	targets := map[string]int64{}
	for _, v := range vals {
		targets[v.operator] = amount
	}
	f.hooks.set(1, targets)
}

// has demands how much source 1 has on each of the validators, after an epoch in which nothing failed.
func (f *fixture) has(want map[int]int64) {
	if t, ok := f.t.(*testing.T); ok {
		t.Helper()
	}
	f.epoch(1)
	require.Empty(f.t, f.source(1).LastFailure)
	for i, v := range f.vals {
		require.Equal(f.t, want[i], f.delegated(1, v), "validator %d", i)
	}
}

// All invariants hold after every block of it: K1 to K3, K6, and those of x/bank, x/staking and x/distribution.
func TestVS02_EveryTurnOfTheConsumer(t *testing.T) {
	f := newFixture(t, 4)
	f.setParams(func(p *types.Params) { p.TotalMaxCap = math.NewInt(1_000_000) })
	f.addSource(1, 900_000)
	f.want(300_000, f.vals[:3]...)
	f.has(map[int]int64{0: 300_000, 1: 300_000, 2: 300_000})

	// The cap: lowered, to zero, raised again. Each in force in the next block.
	for _, maxCap := range []int64{600_000, 3, 0, 1, 300_000, 0, 900_000} {
		f.setCap(1, maxCap)
		f.block(time.Second)
		require.Equal(t, fmt.Sprint(maxCap), f.info(1).Delegated.String())
		require.Empty(t, f.source(1).LastFailure)
	}

	// The sum of all caps: governance cannot lower the total below it, and is told what to do.
	params, err := f.k.Params.Get(f.ctx)
	require.NoError(t, err)
	low := params
	low.TotalMaxCap = math.NewInt(899_999)
	_, err = f.msg.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: low})
	require.ErrorIs(t, err, types.ErrInvalidParams)
	require.ErrorContains(t, err, "total_max_cap is 899999, but caps of 900000 are set: lower these first")
	f.setCap(1, 600_000)
	_, err = f.msg.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: low})
	require.NoError(t, err)
	_, err = f.msg.SetMaxCap(f.ctx, &types.MsgSetMaxCap{Authority: authority, ConverterID: 1, MaxCap: sdk.NewInt64Coin(denom, 900_000), GovernanceWeight: &full})
	require.ErrorIs(t, err, types.ErrTotalCap)
	f.setParams(func(p *types.Params) { p.TotalMaxCap = params.TotalMaxCap })
	f.setCap(1, 900_000)

	// The weight: nothing moves by it.
	for _, weight := range []string{"1", "0", "0.333333333333333333"} {
		before := f.source(1)
		f.setWeight(1, weight)
		require.Equal(t, weight, f.source(1).GovernanceWeight.String()[:len(weight)])
		require.Equal(t, before.MaxCap, f.source(1).MaxCap)
		f.has(map[int]int64{0: 300_000, 1: 300_000, 2: 300_000})
	}

	// The price: stale for a while, with a validator jailed meanwhile. Its stake leaves and goes nowhere else.
	f.hooks.stale = true
	require.NoError(t, f.staking.Jail(f.ctx, f.vals[0].cons))
	f.want(290_000, f.vals...)
	f.has(map[int]int64{1: 290_000, 2: 290_000})
	f.hooks.stale = false
	f.has(map[int]int64{1: 290_000, 2: 290_000, 3: 290_000})
	require.NoError(t, f.staking.Unjail(f.ctx, f.vals[0].cons))
	f.has(map[int]int64{0: 225_000, 1: 225_000, 2: 225_000, 3: 225_000})

	// A validator is tombstoned: its stake leaves for good, the others share the cap.
	f.slash(f.vals[2], f.ctx.BlockHeight()-1, "0.05")
	require.NoError(t, f.staking.Jail(f.ctx, f.vals[2].cons))
	require.NoError(t, f.slashing.Tombstone(f.ctx, f.vals[2].cons))
	f.has(map[int]int64{0: 290_000, 1: 290_000, 3: 290_000})
	require.Equal(t, control.StatusTombstoned, f.status(f.vals[2]))

	// A validator leaves, is removed, and its operator comes back with another key. A target counts for the operator.
	gone := f.vals[3]
	f.undelegate(gone, selfStake)
	f.has(map[int]int64{0: 290_000, 1: 290_000}) // without self-delegation it is jailed
	f.block(unbondingTime)
	f.block(time.Second)
	_, err = f.staking.GetValidator(f.ctx, gone.address)
	require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
	require.Equal(t, control.StatusRemoved, f.status(gone))
	f.has(map[int]int64{0: 290_000, 1: 290_000})
	f.vals = f.vals[:3]
	f.addValidatorWithKey(3, selfStake, ed25519.GenPrivKeyFromSecret([]byte("another")).PubKey())
	f.block(time.Second)
	require.Equal(t, control.StatusActive, f.status(f.vals[3]))
	f.has(map[int]int64{0: 290_000, 1: 290_000, 3: 290_000})

	// Fewer validators than have stake: an inactive one keeps it, and earns nothing.
	f.setMaxValidators(1)
	f.block(time.Second)
	f.has(map[int]int64{0: 290_000, 1: 290_000, 3: 290_000})
	f.setMaxValidators(100)
	f.has(map[int]int64{0: 290_000, 1: 290_000, 3: 290_000})

	f.setCap(1, 0)
	f.block(time.Second)
	f.block(unbondingTime)
	f.block(time.Second)
	require.Equal(t, "0 0", f.info(1).Delegated.String()+" "+f.info(1).Unbonding.String())
	require.Zero(t, f.source(1).NextEpoch)
	f.creditedEqualsPaid(1)
	f.end()
}

// A source whose epochs fail for long, and then in turns, goes on from where it is.
func TestVS02_SourceWhoseEpochsKeepFailing(t *testing.T) {
	f := newFixture(t, 3)
	f.addSource(1, 900_000)
	f.want(300_000, f.vals...)
	f.has(map[int]int64{0: 300_000, 1: 300_000, 2: 300_000})
	f.hooks.batch[1] = 5
	f.hooks.failures[1] = errInjected
	f.want(100_000, f.vals...)
	applied := f.source(1).Applied
	for range 20 {
		f.epoch(1)
		require.Equal(t, "targets: "+errInjected.Error(), f.source(1).LastFailure)
		require.Equal(t, applied, f.source(1).Applied)
		require.Equal(t, "900000", f.info(1).Delegated.String())
		require.Equal(t, f.ctx.BlockHeight()+10, f.source(1).NextEpoch, "once per epoch, not more")
	}
	delete(f.hooks.failures, 1)
	f.staking.failUnbond[f.vals[1].operator] = true
	for range 5 {
		f.epoch(1)
		require.NotEmpty(t, f.source(1).LastFailure)
		require.Equal(t, applied, f.source(1).Applied)
		require.EqualValues(t, 300_000, f.delegated(1, f.vals[1]))
		require.EqualValues(t, 100_000, f.delegated(1, f.vals[0]))
	}
	clear(f.staking.failUnbond)
	f.has(map[int]int64{0: 100_000, 1: 100_000, 2: 100_000})
	require.EqualValues(t, 5, f.source(1).Applied.BatchID)
	f.end()
}

// The last shares of an unbonded validator take it away in the middle of an epoch, while another source has a target on it.
func TestVS07_ValidatorVanishesInTheMiddleOfAnEpoch(t *testing.T) {
	f := newFixture(t, 3)
	f.fees = 0
	f.addSource(1, 10_000_000)
	f.addSource(2, 10_000_000)
	gone := f.vals[0]
	f.want(3_000_000, f.vals...)
	f.hooks.set(2, map[string]int64{gone.operator: 1_000_000})
	f.epoch(1)
	f.epoch(2)
	// Rates that divide nothing evenly, and everything of it but our shares leaves.
	f.slash(gone, f.ctx.BlockHeight(), "0.3333333")
	f.setParams(func(p *types.Params) { p.EpochLength = 1_000 })
	f.staking.failUnbond[gone.operator] = true
	own, err := f.staking.GetDelegation(f.ctx, sdk.AccAddress(gone.address), gone.address)
	require.NoError(t, err)
	_, _, err = f.staking.Undelegate(f.ctx, sdk.AccAddress(gone.address), gone.address, own.Shares)
	require.NoError(t, err)
	f.block(time.Second)
	f.block(unbondingTime)
	f.block(time.Second)
	require.True(t, f.validator(gone).IsUnbonded())
	require.Equal(t, "0", f.source(1).Burned.String())
	clear(f.staking.failUnbond)
	f.setParams(func(p *types.Params) { p.EpochLength = 10 })
	f.epoch(1)
	require.Empty(t, f.source(1).LastFailure)
	require.Zero(t, f.delegated(1, gone))
	require.EqualValues(t, 3_000_000, f.delegated(1, f.vals[1]))
	f.epoch(2)
	require.Empty(t, f.source(2).LastFailure)
	_, err = f.staking.GetValidator(f.ctx, gone.address)
	require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
	f.block(time.Second)
	require.Equal(t, control.StatusRemoved, f.status(gone))
	require.Equal(t, "2000000", f.source(1).Burned.String())
	require.InDelta(t, 666_667, f.source(2).Burned.Int64(), 1)
	f.epoch(1)
	f.epoch(2)
	require.Empty(t, f.source(1).LastFailure+f.source(2).LastFailure)
	f.end()
}

// Shares whose value is not a whole number: whatever is asked, a delegation ends at its target and never below zero.
func TestVS07_DustOfRoundingIsClamped(t *testing.T) {
	f := newFixture(t, 1)
	f.addSource(1, 10_000_000)
	v := f.vals[0]
	f.want(1_000_003, v)
	f.epoch(1)
	for i, fraction := range []string{"0.3333333", "0.0000007", "0.9999", "0.123456789"} {
		f.slash(v, f.ctx.BlockHeight(), fraction)
		for _, amount := range []int64{999_999, 1, 2, 0, 1, 777_777, 3} {
			f.want(amount, v)
			f.epoch(1)
			require.Empty(t, f.source(1).LastFailure, "slash %d, target %d", i, amount)
			require.Equal(t, amount, f.delegated(1, v), "slash %d", i)
		}
	}
	f.setCap(1, 0)
	f.block(time.Second)
	f.block(unbondingTime)
	f.block(time.Second)
	require.Equal(t, "0 0", f.info(1).Delegated.String()+" "+f.info(1).Unbonding.String())
	f.end()
}

// As much of the validator set as possible changes in the block in which an epoch runs.
func TestVS09_MaximalChurnInTheBlockOfAnEpoch(t *testing.T) {
	f := newFixture(t, 12)
	f.setMaxValidators(10)
	f.addSource(1, 50_000_000)
	f.want(2_000_000, f.vals[:10]...)
	f.epoch(1)
	for f.ctx.BlockHeight() < f.source(1).NextEpoch-1 {
		f.block(time.Second)
	}
	server := stakingkeeper.NewMsgServerImpl(f.staking.Keeper)
	native := sdk.AccAddress("native--------------")
	f.fund(native, 1_000_000_000)

	// In the block before and in the very block: half the set leaves, is jailed or tombstoned, new ones replace it, the number
	// of validators falls, and the one that is bonded last has hardly more power than the one it pushes out.
	churn := func(round int) {
		f.setMaxValidators(uint32(4 + 3*round))
		require.NoError(f.t, f.staking.Jail(f.ctx, f.vals[round].cons))
		f.slash(f.vals[2+round], f.ctx.BlockHeight()-1, "0.05")
		require.NoError(f.t, f.staking.Jail(f.ctx, f.vals[2+round].cons))
		require.NoError(f.t, f.slashing.Tombstone(f.ctx, f.vals[2+round].cons))
		f.undelegate(f.vals[4+round], selfStake)
		for i := range 6 {
			f.addValidator(20+10*round+i, 20_000_000+int64(i))
		}
		_, err := server.Delegate(f.ctx, stakingtypes.NewMsgDelegate(native.String(), f.vals[6+round].operator, sdk.NewInt64Coin(denom, 11_000_000)))
		require.NoError(f.t, err)
		f.want(3_000_000, f.vals...)
	}
	churn(0)
	f.block(time.Second)
	require.Equal(t, f.ctx.BlockHeight(), f.source(1).LastEpoch)
	churn(1)
	f.block(time.Second)
	for _, limit := range []uint32{1, 30, 2, 12} {
		f.setMaxValidators(limit)
		f.epoch(1)
		require.Empty(t, f.source(1).LastFailure)
		require.LessOrEqual(t, f.info(1).Delegated.Int64(), int64(50_000_000))
		bonded, err := f.staking.GetBondedValidatorsByPower(f.ctx)
		require.NoError(t, err)
		require.LessOrEqual(t, len(bonded), 30)
	}
	require.Equal(t, "50000000", f.info(1).Delegated.String())
	for _, i := range []int{0, 1, 2, 3} {
		require.Zero(t, f.delegated(1, f.vals[i]), "validator %d", i)
	}
	f.block(unbondingTime)
	f.block(time.Second)
	for round := range 2 {
		require.Equal(t, control.StatusTombstoned, f.status(f.vals[2+round]))
		require.Equal(t, control.StatusRemoved, f.status(f.vals[4+round]))
	}
	f.end()
}

// Everything that governance can say, said by others and wrongly; nothing of it leaves a trace.
func TestGV01_ParamsBelongToTheAuthorityAndToTheirBounds(t *testing.T) {
	f := newFixture(t, 1)
	f.addSource(1, 500)
	before, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)
	for _, tc := range []struct {
		name      string
		authority string
		change    func(*types.Params)
		err       error
		says      string
	}{
		{"a stranger", rewardAccount(1).String(), func(*types.Params) {}, govtypes.ErrInvalidSigner, "make a governance proposal"},
		{"the virtual account", types.VirtualAccount(1).String(), func(*types.Params) {}, govtypes.ErrInvalidSigner, ""},
		{"no epochs", authority, func(p *types.Params) { p.EpochLength = 0 }, types.ErrInvalidParams, "epoch_length"},
		{"total below the caps", authority, func(p *types.Params) { p.TotalMaxCap = math.NewInt(499) }, types.ErrInvalidParams, "caps of 500 are set: lower these first"},
		{"no sources", authority, func(p *types.Params) { p.MaxSources = 0 }, types.ErrInvalidParams, "max_sources"},
		{"endless silence", authority, func(p *types.Params) { p.MaxSilence = unbondingTime + time.Second }, types.ErrInvalidParams, "max_silence is 1m41s"},
		{"no silence", authority, func(p *types.Params) { p.MaxSilence = 0 }, types.ErrInvalidParams, "max_silence is 0s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			params := before.Params
			tc.change(&params)
			_, err := f.msg.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: tc.authority, Params: params})
			require.ErrorIs(t, err, tc.err)
			require.ErrorContains(t, err, tc.says)
			after, err := f.k.ExportGenesis(f.ctx)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}
