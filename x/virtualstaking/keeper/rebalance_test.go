package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func (f *fixture) entries(id uint64, v validator) []stakingtypes.UnbondingDelegationEntry {
	ubd, err := f.staking.GetUnbondingDelegation(f.ctx, types.VirtualAccount(id), v.address)
	if err != nil {
		require.ErrorIs(f.t, err, stakingtypes.ErrNoUnbondingDelegation)
	}
	return ubd.Entries
}

func (f *fixture) supply() int64 { return f.bank.GetSupply(f.ctx, denom).Amount.Int64() }

func (f *fixture) pool(name string) int64 {
	return f.bank.GetBalance(f.ctx, f.account.GetModuleAddress(name), denom).Amount.Int64()
}

// The pools are checked against x/staking's own invariants after every block.
func TestVS06_UnbondFromEveryKindOfValidator(t *testing.T) {
	setup := func(t *testing.T) (*fixture, validator) {
		f := newFixture(t, 3)
		f.fees = 0
		f.addSource(1, 10_000_000)
		f.hooks.set(1, map[string]int64{f.vals[0].operator: 3_000_000, f.vals[1].operator: 2_000_000})
		f.epoch(1)
		f.block(time.Second)
		return f, f.vals[0]
	}
	leaves := func(f *fixture) {
		f.hooks.set(1, map[string]int64{f.vals[1].operator: 2_000_000})
		f.epoch(1)
		require.Empty(f.t, f.source(1).LastFailure)
		require.Zero(f.t, f.delegated(1, f.vals[0]))
		require.EqualValues(f.t, 2_000_000, f.delegated(1, f.vals[1]))
	}
	burned := func(f *fixture, amount int64) {
		f.end()
		require.Equal(f.t, amount, f.source(1).Burned.Int64())
	}

	t.Run("bonded", func(t *testing.T) {
		f, v := setup(t)
		bonded, supply := f.pool(stakingtypes.BondedPoolName), f.supply()
		leaves(f)
		require.Equal(t, bonded-3_000_000, f.pool(stakingtypes.BondedPoolName))
		entries := f.entries(1, v)
		require.Len(t, entries, 1)
		require.Equal(t, f.ctx.BlockTime().Add(unbondingTime), entries[0].CompletionTime)
		require.Equal(t, f.ctx.BlockHeight(), entries[0].CreationHeight)
		require.Equal(t, []*types.EventVirtualUnbonded{{Source: 1, Validator: v.operator, Amount: "3000000"}}, events[*types.EventVirtualUnbonded](f))
		f.block(unbondingTime - time.Second)
		require.Equal(t, supply, f.supply())
		f.block(time.Second)
		burned(f, 3_000_000)
		require.Equal(t, []*types.EventVirtualBurned{{Source: 1, Amount: "3000000"}}, events[*types.EventVirtualBurned](f))
		require.Equal(t, supply-3_000_000, f.supply())
		require.Empty(t, f.entries(1, v))
	})
	t.Run("jailed, so unbonding", func(t *testing.T) {
		f, v := setup(t)
		require.NoError(t, f.staking.Jail(f.ctx, v.cons))
		f.block(time.Second)
		f.block(time.Second)
		require.True(t, f.validator(v).IsUnbonding())
		// The target is still there: the rebalancer drops the validator.
		f.epoch(1)
		require.Zero(t, f.delegated(1, v))
		require.Equal(t, f.validator(v).UnbondingTime, f.entries(1, v)[0].CompletionTime, "ends with the validator's own unbonding")
		f.block(unbondingTime)
		burned(f, 3_000_000)
	})
	t.Run("unbonded", func(t *testing.T) {
		f, v := setup(t)
		require.NoError(t, f.staking.Jail(f.ctx, v.cons))
		// An epoch would come before; hold it off.
		f.setParams(func(p *types.Params) { p.EpochLength = 1000 })
		f.staking.failUnbond[v.operator] = true
		f.block(time.Second)
		f.block(unbondingTime)
		f.block(time.Second)
		require.True(t, f.validator(v).IsUnbonded())
		delete(f.staking.failUnbond, v.operator)
		f.setCap(1, 9_000_000)
		f.block(time.Second)
		require.Zero(t, f.delegated(1, v))
		require.Empty(t, f.entries(1, v))
		burned(f, 3_000_000)
	})
	t.Run("tombstoned", func(t *testing.T) {
		f, v := setup(t)
		fault := f.ctx.BlockHeight() - 1
		f.slash(v, fault, "0.05")
		require.NoError(t, f.staking.Jail(f.ctx, v.cons))
		require.NoError(t, f.slashing.Tombstone(f.ctx, v.cons))
		require.EqualValues(t, 2_850_000, f.delegated(1, v))
		f.epoch(1)
		require.Zero(t, f.delegated(1, v))
		require.EqualValues(t, 2_850_000, f.entries(1, v)[0].Balance.Int64())
		f.block(unbondingTime)
		burned(f, 2_850_000)
	})
	t.Run("lost everything", func(t *testing.T) {
		f, v := setup(t)
		f.slash(v, f.ctx.BlockHeight(), "1")
		require.True(t, f.validator(v).InvalidExRate())
		f.hooks.set(1, map[string]int64{v.operator: 4_000_000, f.vals[1].operator: 2_000_000})
		f.epoch(1)
		require.Empty(t, f.source(1).LastFailure, "not a target any more")
		_, err := f.staking.GetDelegation(f.ctx, types.VirtualAccount(1), v.address)
		require.ErrorIs(t, err, stakingtypes.ErrNoDelegation, "worthless shares are cleared away")
		burned(f, 0)
	})
	t.Run("last delegator, then removed", func(t *testing.T) {
		f, v := setup(t)
		f.setParams(func(p *types.Params) { p.EpochLength = 1000 })
		f.staking.failUnbond[v.operator] = true
		require.NoError(t, f.try(func(ctx sdk.Context) error {
			_, err := stakingkeeper.NewMsgServerImpl(f.staking.Keeper).Undelegate(ctx, stakingtypes.NewMsgUndelegate(
				sdk.AccAddress(v.address).String(), v.operator, sdk.NewInt64Coin(denom, selfStake)))
			return err
		}))
		f.block(time.Second)
		f.block(unbondingTime)
		f.block(time.Second)
		delete(f.staking.failUnbond, v.operator)
		f.setCap(1, 9_000_000)
		f.block(time.Second)
		_, err := f.staking.GetValidator(f.ctx, v.address)
		require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound, "our shares were the last")
		burned(f, 3_000_000)
		status, err := f.k.ValidatorStatus(f.ctx, v.operator)
		require.NoError(t, err)
		require.Equal(t, control.StatusRemoved, status)
		// The target of a removed validator is nothing to do.
		f.epoch(1)
		require.Empty(t, f.source(1).LastFailure)
	})
}

// Virtual stake that left answers for faults from before, so native delegators do not pay its share.
func TestUnbondingStakeIsSlashedForPastFaults(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 10_000_000)
	v := f.vals[0]
	f.hooks.set(1, map[string]int64{v.operator: 10_000_000})
	f.epoch(1)
	f.block(time.Second)
	fault, power := f.ctx.BlockHeight(), f.validator(v).GetConsensusPower(f.staking.PowerReduction(f.ctx))
	f.hooks.set(1, nil)
	f.epoch(1)
	require.EqualValues(t, selfStake, f.validator(v).Tokens.Int64())
	f.block(time.Second)
	_, err := f.staking.Slash(f.ctx, v.cons, fault, power, math.LegacyMustNewDecFromStr("0.1"))
	require.NoError(t, err)
	require.EqualValues(t, selfStake*9/10, f.validator(v).Tokens.Int64(), "native stake pays its own share only")
	require.EqualValues(t, 9_000_000, f.entries(1, v)[0].Balance.Int64())
	f.block(unbondingTime)
	f.block(time.Second)
	require.EqualValues(t, 9_000_000, f.source(1).Burned.Int64())
}

func TestDowntimeSlashIsToppedUp(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 10_000_000)
	v := f.vals[0]
	f.hooks.set(1, map[string]int64{v.operator: 2_000_001})
	f.epoch(1)
	f.block(time.Second)
	f.slash(v, f.ctx.BlockHeight()-1, "0.013")
	require.Less(t, f.delegated(1, v), int64(2_000_001))
	f.hooks.stale = true
	f.epoch(1)
	require.Less(t, f.delegated(1, v), int64(2_000_001), "not while the price is stale")
	f.hooks.stale = false
	f.epoch(1)
	require.EqualValues(t, 2_000_001, f.delegated(1, v))
	f.epoch(1)
	require.Equal(t, "0", events[*types.EventEpoch](f)[0].Bonded, "and stays there")
	f.end()
}

// Entries beyond x/staking's limit, one per epoch.
func TestUnbondsBeyondTheEntryLimit(t *testing.T) {
	f := newFixture(t, 2)
	f.setParams(func(p *types.Params) { p.EpochLength = 1 })
	f.addSource(1, 10_000_000)
	v := f.vals[0]
	f.hooks.set(1, map[string]int64{v.operator: 1_000})
	f.epoch(1)
	for i := range int64(20) {
		f.hooks.set(1, map[string]int64{v.operator: 1_000 - 10*(i+1)})
		f.epoch(1)
		require.Empty(t, f.source(1).LastFailure)
	}
	require.Len(t, f.entries(1, v), 20)
	f.hooks.set(1, map[string]int64{v.operator: 800})
	f.block(unbondingTime)
	f.block(time.Second)
	require.EqualValues(t, 200, f.source(1).Burned.Int64())
}

func TestVS08_AFailedDelegateRevertsTheMint(t *testing.T) {
	f := newFixture(t, 2)
	f.fees = 0
	f.addSource(1, 10_000_000)
	bad, good := f.vals[0], f.vals[1]
	f.staking.failDelegate[bad.operator] = true
	f.hooks.set(1, map[string]int64{bad.operator: 3_000_000, good.operator: 2_000_000})
	supply := f.supply()
	f.epoch(1)
	require.Equal(t, supply+2_000_000, f.supply())
	require.Equal(t, "2000000", f.source(1).Minted.String())
	require.Zero(t, f.delegated(1, bad))
	require.Equal(t, bad.operator+": injected failure", f.source(1).LastFailure)
	require.Equal(t, []*types.EventValidatorFailed{{Source: 1, Validator: bad.operator, Reason: "injected failure"}}, events[*types.EventValidatorFailed](f))
	require.Zero(t, f.pool(types.ModuleName))
	require.Len(t, events[*types.EventVirtualBonded](f), 1)

	delete(f.staking.failDelegate, bad.operator)
	f.epoch(1)
	require.Equal(t, supply+5_000_000, f.supply())
	f.end()
}

func TestTargetsOfUnknownValidatorsAreDropped(t *testing.T) {
	f := newFixture(t, 1)
	f.addSource(1, 1_000)
	f.hooks.set(1, map[string]int64{
		"nonsense": 5, sdk.ValAddress("nobody--------------").String(): 10_000, f.vals[0].operator: 700,
	})
	f.epoch(1)
	require.Equal(t, "700", f.info(1).Delegated.String(), "and take nothing of the cap")
	require.Empty(t, f.source(1).LastFailure)
	f.end()
}
