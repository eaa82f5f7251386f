package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/converter/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Targets is what converter id wants delegated now, per validator in rising order, in consumer base units, before any
// cap. The conversion happens here and nowhere else, so a price move re-values all stake. increase is false while the
// price is stale: delegations may only fall then. An error (of the price feed) must leave all delegations as they are.
func (k *Keeper) Targets(ctx context.Context, id uint64) ([]virtualstakingtypes.Target, bool, error) {
	c, err := k.GetConverter(ctx, id)
	if err != nil {
		return nil, false, err
	}
	quote, err := k.Price(ctx, c)
	if err != nil {
		return nil, false, err
	}
	var targets []virtualstakingtypes.Target
	err = k.Stake.Walk(ctx, collections.NewPrefixedPairRange[uint64, string](id), func(key collections.Pair[uint64, string], stake math.Int) (bool, error) {
		if amount := types.Target(stake, quote.Price, c.Discount); amount.IsPositive() {
			targets = append(targets, virtualstakingtypes.Target{Validator: key.K2(), Amount: amount})
		}
		return false, nil
	})
	return targets, !quote.Stale, err
}

// ProviderSilent reports that converter id cannot hear its provider: its control channel is not open, or the light client
// not active. A converter that never had a channel counts nothing that could be out of date.
func (k *Keeper) ProviderSilent(ctx context.Context, id uint64) (bool, error) {
	c, err := k.GetConverter(ctx, id)
	return c.Bound() && !k.connected(sdk.UnwrapSDKContext(ctx), c), err
}

// LastBatchID is the last stake batch that converter id counts.
func (k *Keeper) LastBatchID(ctx context.Context, id uint64) (uint64, error) {
	c, err := k.GetConverter(ctx, id)
	return c.LastBatchID, err
}
