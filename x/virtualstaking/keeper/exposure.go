package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// paceBlocks is over how many recent blocks their pace is measured.
const paceBlocks = 1_000

// exposure is how much of the chain, which has total bonded tokens, a source makes up.
func (k *Keeper) exposure(ctx context.Context, source types.Source, total math.Int) (types.SourceExposure, error) {
	holdings, err := k.holdings(ctx, types.VirtualAccount(source.ID))
	if err != nil {
		return types.SourceExposure{}, err
	}
	bonded, earning := math.ZeroInt(), math.LegacyZeroDec()
	for _, h := range holdings {
		if h.validator.IsBonded() {
			kept := math.LegacyOneDec().Sub(h.validator.GetCommission())
			bonded, earning = bonded.Add(h.tokens()), earning.Add(kept.MulInt(h.tokens()))
		}
	}
	return types.SourceExposure{
		Source:           source.ID,
		Bonded:           bonded,
		PowerShare:       types.Share(math.LegacyNewDecFromInt(bonded), total),
		ReachesThird:     types.ReachesThird(bonded, total),
		GovernanceWeight: source.GovernanceWeight,
		RewardShare:      types.Share(earning, total),
	}, nil
}

// epochDuration is what an epoch takes at the pace of recent blocks, by x/staking's historical entries; 0 without these.
func (k *Keeper) epochDuration(ctx context.Context, length int64) (time.Duration, error) {
	entries, err := k.staking.HistoricalEntries(ctx)
	if err != nil {
		return 0, err
	}
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	blocks := min(paceBlocks, int64(entries)-1, sdkCtx.BlockHeight()-1)
	if blocks < 1 {
		return 0, nil
	}
	past, err := k.staking.GetHistoricalInfo(ctx, sdkCtx.BlockHeight()-blocks)
	if errors.Is(err, stakingtypes.ErrNoHistoricalInfo) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return types.EpochDuration(sdkCtx.BlockTime().Sub(past.Header.Time), blocks, length), nil
}

// epochWarning is empty while epochs are close enough.
func epochWarning(length int64, duration time.Duration) string {
	if duration <= types.MaxEpochDuration {
		return ""
	}
	return fmt.Sprintf("an epoch of %d blocks takes about %s at the pace of recent blocks, should be %s at most: lower epoch_length",
		length, duration.Round(time.Minute), types.MaxEpochDuration)
}
