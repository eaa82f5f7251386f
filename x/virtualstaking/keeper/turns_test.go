package keeper_test

import (
	"fmt"
	"testing"
	"time"

	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// depositJunk adds n worthless denoms to the rewards of a validator, as anyone can.
func (f *fixture) depositJunk(v validator, n int) {
	coins := make(sdk.Coins, n)
	for i := range coins {
		coins[i] = sdk.NewInt64Coin(fmt.Sprintf("ibc/%064d", i), 1_000_000_000)
	}
	stranger := sdk.AccAddress("stranger------------")
	require.NoError(f.t, f.bank.MintCoins(f.ctx, minttypes.ModuleName, coins))
	require.NoError(f.t, f.bank.SendCoinsFromModuleToAccount(f.ctx, minttypes.ModuleName, stranger, coins))
	_, err := distrkeeper.NewMsgServerImpl(f.distr.Keeper).DepositValidatorRewardsPool(f.ctx,
		distrtypes.NewMsgDepositValidatorRewardsPool(stranger.String(), v.operator, coins))
	require.NoError(f.t, err)
}

// epochGas runs the source's next epoch and returns the gas of its block.
func (f *fixture) epochGas(id uint64) storetypes.Gas {
	for f.ctx.BlockHeight() < f.source(id).NextEpoch-1 {
		f.block(time.Second)
	}
	f.end()
	f.upstream(time.Second)
	before := f.ctx.GasMeter().GasConsumed()
	f.conserved(func() { require.NoError(f.t, f.k.BeginBlock(f.ctx)) })
	return f.ctx.GasMeter().GasConsumed() - before
}

func TestEP07_JunkDenomsFrozeTheStakeOfAValidator(t *testing.T) {
	for _, n := range []int{100, 500} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f := newFixture(t, 3)
			f.unchecked = true
			f.setParams(func(p *types.Params) { p.EpochLength = 2 })
			f.addSource(1, 30_000_000)
			bad := f.vals[0]
			f.hooks.set(1, map[string]int64{bad.operator: 9_000_000, f.vals[1].operator: 9_000_000})
			f.epoch(1)

			params, err := f.k.Params.Get(f.ctx)
			require.NoError(t, err)
			for round := range 3 {
				f.depositJunk(bad, n)
				f.hooks.set(1, map[string]int64{bad.operator: int64(1_000_000 - round), f.vals[1].operator: int64(2_000_000 + round)})
				for epoch := 0; ; epoch++ {
					require.Less(t, epoch, 4, "a few epochs at most: %s", f.source(1).LastFailure)
					retries := f.source(1).Retries
					limit := params.EpochGas
					if len(retries) > 0 {
						limit += 2 * types.TurnGas(params.EpochGas, retries[0].OutOfGas)
					}
					require.LessOrEqual(t, f.epochGas(1), limit+params.EpochGas/20)
					require.EqualValues(t, 2_000_000+round, f.delegated(1, f.vals[1]), "the others go on in the same block: %s", f.source(1).LastFailure)
					if f.delegated(1, bad) == int64(1_000_000-round) {
						break
					}
				}
			}
			// Rewards that travel stay attributed, junk or not.
			require.True(t, f.hooks.rewards[1][bad.operator].AmountOf(denom).IsPositive())
			f.creditedEqualsPaid(1)

			// More junk, and no cap any more: everything leaves.
			f.depositJunk(bad, n)
			f.setCap(1, 0)
			for range 3 {
				f.epoch(1)
			}
			require.Equal(t, "0", f.info(1).Delegated.String())
			require.Empty(t, f.source(1).LastFailure)
			f.creditedEqualsPaid(1)
			f.unchecked = false
			f.block(unbondingTime)
			f.block(time.Second)
			require.Empty(t, f.source(1).Retries)
			require.Zero(t, f.source(1).NextEpoch)
			f.end()
		})
	}
}

// Nobody waits for ever behind another validator with junk.
func TestEP07_ValidatorsWithJunkTakeTurns(t *testing.T) {
	f := newFixture(t, 6)
	f.unchecked = true
	f.setParams(func(p *types.Params) { p.EpochGas, p.EpochLength = types.MinEpochGas, 2 })
	f.addSource(1, 60_000_000)
	want := map[string]int64{}
	for _, v := range f.vals {
		want[v.operator] = 9_000_000
	}
	f.hooks.set(1, want)
	for f.info(1).Delegated.Int64() < 54_000_000 {
		f.epoch(1)
	}
	for _, v := range f.vals[:4] {
		f.depositJunk(v, 150)
	}
	f.setCap(1, 0)
	for epochs := 0; f.info(1).Delegated.IsPositive(); epochs++ {
		require.Less(t, epochs, 12, f.source(1).LastFailure)
		f.epoch(1)
	}
	f.creditedEqualsPaid(1)
	f.end()
}

// An owner that refuses rewards cannot hold the stake back.
func TestRefusedRewardsFrozeTheStakeOfAValidator(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 30_000_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 9_000_000})
	f.epoch(1)
	f.hooks.refuseRewards = true
	f.setCap(1, 0)
	f.epoch(1)
	require.EqualValues(t, 9_000_000, f.delegated(1, f.vals[0]), "tried again, so that the rewards can be attributed")
	require.Equal(t, []types.Retry{{Validator: f.vals[0].operator}}, f.source(1).Retries)
	f.epoch(1)
	require.Zero(t, f.delegated(1, f.vals[0]))
	lost := events[*types.EventRewardsNotAttributed](f)
	require.Len(t, lost, 1)
	require.Equal(t, f.bank.GetBalance(f.ctx, rewardAccount(1), denom).String(), lost[0].Amount)
	require.Equal(t, errInjected.Error(), lost[0].Reason)
	f.end()
}

func TestTurnGasIsBounded(t *testing.T) {
	require.EqualValues(t, types.MinEpochGas, types.TurnGas(types.MinEpochGas, 0))
	require.EqualValues(t, 8*types.MinEpochGas, types.TurnGas(types.MinEpochGas, 3))
	require.EqualValues(t, types.MaxEpochGas, types.TurnGas(types.MaxEpochGas, 1<<31))
	require.EqualValues(t, types.MaxEpochGas, types.TurnGas(types.MinEpochGas, types.MaxOutOfGas))
}
