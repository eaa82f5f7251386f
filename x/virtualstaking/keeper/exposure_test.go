package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/types/query"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func (f *fixture) exposure(page *query.PageRequest) *types.QueryExposureResponse {
	resp, err := f.query.Exposure(f.ctx, &types.QueryExposureRequest{Pagination: page})
	require.NoError(f.t, err)
	return resp
}

func TestExposure(t *testing.T) {
	f := newFixture(t, 4)
	f.addSource(1, 100_000_000)
	f.addSource(2, 100_000_000)
	f.addSource(3, 0)
	f.setWeight(2, "0.5")
	require.Len(t, f.exposure(nil).Sources, 2, "those with a cap")
	require.Equal(t, "0.000000000000000000", f.exposure(nil).Sources[0].PowerShare.String())

	// A validator's commission is its own.
	v := f.validator(f.vals[0])
	v.Commission = stakingtypes.NewCommission(math.LegacyNewDecWithPrec(2, 1), math.LegacyOneDec(), math.LegacyOneDec())
	require.NoError(t, f.staking.SetValidator(f.ctx, v))
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 20_000_000, f.vals[1].operator: 9_999_999})
	f.hooks.set(2, map[string]int64{f.vals[2].operator: 10_000_000})
	f.epoch(1)
	f.epoch(2)
	got := f.exposure(nil)
	require.Equal(t, "79999999", got.Bonded.String())
	dec := math.LegacyMustNewDecFromStr
	require.Equal(t, []types.SourceExposure{
		{
			Source: 1, Bonded: math.NewInt(29_999_999), PowerShare: dec("0.374999992187499902"), ReachesThird: true,
			GovernanceWeight: dec("0"), RewardShare: dec("0.324999991562499894"), // (16 + 9.999999) / 79.999999
		},
		{
			Source: 2, Bonded: math.NewInt(10_000_000), PowerShare: dec("0.125000001562500019"),
			GovernanceWeight: dec("0.5"), RewardShare: dec("0.125000001562500019"),
		},
	}, got.Sources)

	page := f.exposure(&query.PageRequest{Limit: 1})
	require.Equal(t, got.Sources[:1], page.Sources)
	page = f.exposure(&query.PageRequest{Limit: 1, Key: page.Pagination.NextKey})
	require.Equal(t, got.Sources[1:], page.Sources)
	require.Nil(t, page.Pagination.NextKey)
	require.Equal(t, got.Sources[1:], f.exposure(&query.PageRequest{Limit: 1, Reverse: true}).Sources)
	require.Empty(t, f.exposure(&query.PageRequest{Key: []byte("gone")}).Sources)

	// What is not bonded has no power and earns nothing, but the source is still shown while it unwinds.
	f.setCap(2, 0)
	require.NoError(t, f.staking.Jail(f.ctx, f.vals[0].cons))
	f.block(time.Second)
	got = f.exposure(nil)
	require.Equal(t, "9999999", got.Sources[0].Bonded.String())
	require.False(t, got.Sources[0].ReachesThird)
	require.Equal(t, "0", got.Sources[1].Bonded.String())
	require.Equal(t, "0.000000000000000000", got.Sources[1].RewardShare.String())
	f.end()
}

func TestExposureWarnsOfEpochsLongerThanADay(t *testing.T) {
	f := newFixture(t, 1)
	remember := func(entries uint32) {
		sp, err := f.staking.GetParams(f.ctx)
		require.NoError(t, err)
		sp.HistoricalEntries = entries
		require.NoError(t, f.staking.SetParams(f.ctx, sp))
	}
	require.Zero(t, f.exposure(nil).EpochDuration, "x/staking does not know the first block")
	f.block(time.Second)
	remember(2)
	require.Equal(t, 10*time.Second, f.exposure(nil).EpochDuration)
	f.setParams(func(p *types.Params) { p.EpochLength = types.MaxEpochLength })
	require.Equal(t, types.MaxEpochLength*time.Second, f.exposure(nil).EpochDuration)
	require.Empty(t, f.exposure(nil).Warning)
	remember(3)
	f.block(3 * time.Second)
	require.Equal(t, types.MaxEpochLength*2*time.Second, f.exposure(nil).EpochDuration, "4 seconds for 2 blocks")
	require.Equal(t, "an epoch of 50000 blocks takes about 27h47m0s at the pace of recent blocks, should be 24h0m0s at most: lower epoch_length",
		f.exposure(nil).Warning)
	for _, entries := range []uint32{0, 1} {
		remember(entries)
		require.Zero(t, f.exposure(nil).EpochDuration, "not known")
		require.Empty(t, f.exposure(nil).Warning)
	}
}
