package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// minting is what x/mint knows and does in the present block.
type minting struct {
	minter       minttypes.Minter
	ratio, mints string
	supply       math.Int
}

func (f *fixture) minting() minting {
	minter, err := f.mint.Minter.Get(f.ctx)
	require.NoError(f.t, err)
	ratio, err := f.mint.BondedRatio(f.ctx)
	require.NoError(f.t, err)
	supply, err := f.mint.StakingTokenSupply(f.ctx)
	require.NoError(f.t, err)
	params, err := f.mint.Params.Get(f.ctx)
	require.NoError(f.t, err)
	return minting{minter: minter, ratio: ratio.String(), mints: minter.BlockProvision(params).String(), supply: supply}
}

// inflating starts a chain with inflation, five validators, an account with 25,000,000, and 14,000,000 of virtual stake on
// each of the first validators.
func inflating(t *testing.T, first int) *fixture {
	f := newFixture(t, 5)
	f.inflation = true
	f.fund(holder, 25_000_000)
	f.addSource(1, 900_000_000)
	f.addSource(2, 0)
	amounts := map[string]int64{}
	for i := range first {
		amounts[f.vals[i].operator] = 14_000_000
	}
	f.hooks.set(1, amounts)
	f.epoch(1)
	return f
}

var holder = sdk.AccAddress("holder--------------")

// The same things happen on a chain with virtual stake and on one without; x/mint cannot tell them apart.
func TestVS12_InflationIsThatOfAChainWithoutVirtualStake(t *testing.T) {
	for _, tc := range []struct {
		share int64 // of all bonded stake, in percent
		total int64
	}{{0, 0}, {30, 21_428_571}, {80, 200_000_000}} {
		t.Run(fmt.Sprintf("%d %%", tc.share), func(t *testing.T) {
			with, without := inflating(t, 0), inflating(t, 0)
			target := func(validators int64) {
				amounts := map[string]int64{}
				for _, v := range with.vals[:validators] {
					amounts[v.operator] = tc.total / validators
				}
				with.hooks.set(1, amounts)
			}
			both := func(step func(f *fixture)) {
				step(with)
				step(without)
			}
			blocks := func(n int) {
				for range n {
					both(func(f *fixture) { f.block(time.Second) })
					require.Equal(t, without.minting(), with.minting(), "height %d", with.ctx.BlockHeight())
				}
			}
			server := func(f *fixture) stakingtypes.MsgServer { return stakingkeeper.NewMsgServerImpl(f.staking.Keeper) }

			target(5)
			blocks(12)
			virtual, all := with.info(1).Delegated, with.totalBonded()
			require.Equal(t, tc.share, virtual.MulRaw(100).Add(all.QuoRaw(2)).Quo(all).Int64())
			before := with.minting()
			both(func(f *fixture) {
				_, err := server(f).Delegate(f.ctx, stakingtypes.NewMsgDelegate(holder.String(), f.vals[1].operator, sdk.NewInt64Coin(denom, 20_000_000)))
				require.NoError(t, err)
			})
			target(4)
			blocks(15)
			require.NotEqual(t, before.ratio, with.minting().ratio)
			both(func(f *fixture) {
				require.NoError(t, f.staking.Jail(f.ctx, f.vals[0].cons))
				_, err := server(f).Undelegate(f.ctx, stakingtypes.NewMsgUndelegate(holder.String(), f.vals[1].operator, sdk.NewInt64Coin(denom, 7_000_001)))
				require.NoError(t, err)
			})
			blocks(15)
			both(func(f *fixture) { require.NoError(t, f.staking.Unjail(f.ctx, f.vals[0].cons)) })
			target(5)
			blocks(15)

			// All of it leaves, waits for its burn, and is burned.
			with.setCap(1, 0)
			blocks(2)
			require.Equal(t, "0", with.info(1).Delegated.String())
			require.Equal(t, tc.share > 0, with.info(1).Unbonding.IsPositive())
			both(func(f *fixture) { f.block(unbondingTime) })
			blocks(2)
			require.Equal(t, "0", with.info(1).Unbonding.String())
			require.Positive(t, with.minting().minter.BlockProvision(minttypes.Params{MintDenom: denom, BlocksPerYear: 10_000}).Amount.Int64())
		})
	}
}

// A slash takes from native and virtual stake alike; what the native stake loses is what it would lose alone, but for
// the unit x/staking rounds to.
func TestVS12_InflationAfterASlash(t *testing.T) {
	with, without := inflating(t, 3), inflating(t, 0)
	for i, fraction := range []string{"0.05", "0.3333333", "1"} {
		for _, f := range []*fixture{with, without} {
			f.slash(f.vals[i], f.ctx.BlockHeight(), fraction)
		}
		for range 11 { // an epoch is in it
			for _, f := range []*fixture{with, without} {
				f.block(time.Second)
			}
			got, want := with.minting(), without.minting()
			require.InDelta(t, want.supply.Int64(), got.supply.Int64(), 3)
			require.InDelta(t, want.minter.Inflation.MustFloat64(), got.minter.Inflation.MustFloat64(), 1e-6)
			require.InDelta(t, math.LegacyMustNewDecFromStr(want.ratio).MustFloat64(), math.LegacyMustNewDecFromStr(got.ratio).MustFloat64(), 1e-6)
		}
	}
}

func (f *fixture) totalBonded() math.Int {
	total, err := f.staking.TotalBondedTokens(f.ctx)
	require.NoError(f.t, err)
	return total
}

func TestSupplyIsTotalVirtualAndNative(t *testing.T) {
	f := inflating(t, 2)
	supply := func() *types.QuerySupplyResponse {
		resp, err := f.query.Supply(f.ctx, &types.QuerySupplyRequest{})
		require.NoError(t, err)
		require.Equal(t, denom, resp.Denom)
		require.Equal(t, f.bank.GetSupply(f.ctx, denom).Amount, resp.Total)
		require.Equal(t, resp.Total, resp.Virtual.Add(resp.Native))
		seen, err := f.mint.StakingTokenSupply(f.ctx)
		require.NoError(t, err)
		require.Equal(t, seen, resp.Native)
		return resp
	}
	require.Equal(t, "28000000", supply().Virtual.String())
	f.setCap(1, 5_000_000)
	f.block(time.Second)
	require.Equal(t, "28000000", supply().Virtual.String(), "unbonding counts until it is burned")
	f.block(unbondingTime)
	f.block(time.Second)
	require.Equal(t, "5000000", supply().Virtual.String())
	f.setCap(1, 0)
	f.block(time.Second)
	f.block(unbondingTime)
	f.block(time.Second)
	require.Equal(t, "0", supply().Virtual.String())
}
