package keeper_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Random targets, caps, slashes, jailings, native stake, silences, faults and time. After every block K1–K3, K6 and the invariants
// of x/bank, x/staking and x/distribution hold, and each of our steps leaves the native supply alone.
func TestK2_AnythingLeavesTheNativeSupplyAlone(t *testing.T) {
	steps := 30
	if n, err := strconv.Atoi(os.Getenv("MESH_PROPERTY_STEPS")); err == nil {
		steps = n
	}
	kinds := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		f := start(rt, 4)
		f.setParams(func(p *types.Params) {
			p.EpochLength, p.TotalMaxCap, p.MaxSilence = 3, math.NewInt(40_000_000), 10*time.Second
		})
		f.addSource(1, 0)
		f.addSource(2, 0)
		native := sdk.AccAddress("native--------------")
		f.fund(native, 1_000_000_000)
		server := stakingkeeper.NewMsgServerImpl(f.staking.Keeper)
		source := rapid.Uint64Range(1, 2)
		val := rapid.IntRange(0, 3)
		for range steps {
			kind := rapid.SampledFrom([]string{"targets", "targets", "cap", "slash", "jail", "unjail", "delegate", "undelegate", "time", "long time", "stale", "silent", "heard", "fault", "block", "block"}).Draw(rt, "step")
			kinds[kind]++
			v := f.vals[val.Draw(rt, "validator")]
			present, err := f.staking.GetValidator(f.ctx, v.address)
			gone := err != nil
			switch kind {
			case "targets":
				amounts := map[string]int64{}
				for _, v := range f.vals {
					if rapid.Bool().Draw(rt, "has") {
						amounts[v.operator] = rapid.Int64Range(0, 30_000_000).Draw(rt, "target")
					}
				}
				id := source.Draw(rt, "source")
				f.hooks.set(id, amounts)
				f.hooks.batch[id]++
			case "cap":
				f.setCap(source.Draw(rt, "source"), rapid.SampledFrom([]int64{0, 1, 7, 999_983, 20_000_000}).Draw(rt, "cap"))
			case "slash":
				if !gone && !present.IsUnbonded() && !present.Tokens.IsZero() {
					age := rapid.Int64Range(0, 5).Draw(rt, "age")
					f.slash(v, max(1, f.ctx.BlockHeight()-age), rapid.SampledFrom([]string{"0", "0.0001", "0.05", "0.3333333", "1"}).Draw(rt, "fraction"))
				}
			case "jail":
				if !gone && !present.IsJailed() && present.IsBonded() && f.bonded() > 1 {
					require.NoError(rt, f.staking.Jail(f.ctx, v.cons))
				}
			case "unjail":
				if !gone && present.IsJailed() {
					require.NoError(rt, f.staking.Unjail(f.ctx, v.cons))
				}
			case "delegate":
				_ = f.try(func(ctx sdk.Context) error {
					_, err := server.Delegate(ctx, stakingtypes.NewMsgDelegate(native.String(), v.operator, sdk.NewInt64Coin(denom, rapid.Int64Range(1, 9_999_999).Draw(rt, "native"))))
					return err
				})
			case "undelegate":
				_ = f.try(func(ctx sdk.Context) error {
					_, err := server.Undelegate(ctx, stakingtypes.NewMsgUndelegate(native.String(), v.operator, sdk.NewInt64Coin(denom, rapid.Int64Range(1, 999_999).Draw(rt, "native"))))
					return err
				})
			case "time":
				f.block(20 * time.Second)
			case "long time":
				f.block(unbondingTime)
			case "stale":
				f.hooks.stale = !f.hooks.stale
			case "silent":
				id := source.Draw(rt, "source")
				f.hooks.silent[id] = !f.hooks.silent[id]
			case "heard":
				require.NoError(rt, f.k.Heard(f.ctx, source.Draw(rt, "source")))
			case "fault":
				which := rapid.SampledFrom([]map[string]bool{f.staking.failDelegate, f.staking.failUnbond, f.distr.panicOn}).Draw(rt, "fault")
				which[v.operator] = !which[v.operator]
			case "block":
				f.block(time.Second)
			}
		}

		// From wherever it is: without faults and caps, everything minted is burned or was slashed, and nothing is left.
		clear(f.staking.failDelegate)
		clear(f.staking.failUnbond)
		clear(f.distr.panicOn)
		f.setCap(1, 0)
		f.setCap(2, 0)
		for range 4 {
			f.block(time.Second)
		}
		f.block(unbondingTime)
		f.block(time.Second)
		for id := uint64(1); id <= 2; id++ {
			info := f.info(id)
			require.Equal(rt, "0 0 0", info.Delegated.String()+" "+info.Unbonding.String()+" "+strconv.FormatInt(info.Source.NextEpoch, 10), info.Source.LastFailure)
			f.creditedEqualsPaid(id)
		}
		outstanding, err := f.k.VirtualOutstanding(f.ctx)
		require.NoError(rt, err)
		require.True(rt, outstanding.IsZero())
	})
	for _, kind := range []string{"targets", "cap", "slash", "jail", "unjail", "delegate", "undelegate", "time", "long time", "stale", "silent", "heard", "fault", "block"} {
		require.Positive(t, kinds[kind], kind)
	}
}

// bonded counts the validators that are bonded and not jailed.
func (f *fixture) bonded() (n int) {
	validators, err := f.staking.GetAllValidators(f.ctx)
	require.NoError(f.t, err)
	for _, v := range validators {
		if v.IsBonded() && !v.IsJailed() {
			n++
		}
	}
	return n
}
