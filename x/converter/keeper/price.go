package keeper

import (
	"context"
	"errors"
	"time"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/converter/types"
)

// RegisterPriceFeed adds a feed that converters can name. For wiring time only; it panics on a malformed or taken name.
func (k *Keeper) RegisterPriceFeed(name string, feed types.PriceFeed) {
	if err := types.ValidateFeedName(name); err != nil {
		panic(err)
	}
	if _, taken := k.feeds[name]; taken || feed == nil {
		panic("converter: price feed " + name + " is nil or registered twice")
	}
	k.feeds[name] = feed
}

func (k *Keeper) feed(name string) (types.PriceFeed, error) {
	feed, found := k.feeds[name]
	if !found {
		return nil, errorsmod.Wrapf(types.ErrUnknownFeed, "%q; the built-in one is %q", name, types.GovFeed)
	}
	return feed, nil
}

// SetPrice sets a converter's price in the built-in feed, for its admin or the authority. It may be set while another
// feed is in use, so that switching to it does not unwind anything.
func (k *Keeper) SetPrice(ctx sdk.Context, sender sdk.AccAddress, id uint64, price math.LegacyDec) error {
	if _, err := k.administered(ctx, sender, id); err != nil {
		return err
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	var prev *types.Price
	switch p, err := k.Prices.Get(ctx, id); {
	case err == nil:
		prev = &p
	case !errors.Is(err, collections.ErrNotFound):
		return err
	}
	next, err := types.NextPrice(prev, price, ctx.BlockTime(), params.MaxPriceChange, params.PriceInterval)
	if err != nil {
		return err
	}
	if err := k.Prices.Set(ctx, id, next); err != nil {
		return err
	}
	return emit(ctx, &types.EventPriceSet{ConverterID: id, Price: price.String()})
}

// Quote is the price a converter uses now.
type Quote struct {
	// Price is consumer base units per provider base unit, zero while the feed has none.
	Price     math.LegacyDec
	UpdatedAt time.Time
	// Stale means that the price is too old for increases.
	Stale bool
}

// Price asks the converter's feed. An error means that there is no usable price, and nothing must change.
func (k *Keeper) Price(ctx context.Context, c types.Converter) (Quote, error) {
	feed, err := k.feed(c.PriceFeed)
	if err != nil {
		return Quote{}, err
	}
	price, updatedAt, err := feed.Price(ctx, c.ID, c.ProviderDenom)
	if err != nil {
		return Quote{}, errorsmod.Wrapf(err, "price feed %s", c.PriceFeed)
	}
	if !price.IsNil() && price.IsZero() {
		return Quote{Price: price, Stale: true}, nil
	}
	if err := types.ValidatePrice(price); err != nil {
		return Quote{}, errorsmod.Wrapf(err, "price feed %s", c.PriceFeed)
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return Quote{}, err
	}
	now := sdk.UnwrapSDKContext(ctx).BlockTime()
	return Quote{Price: price, UpdatedAt: updatedAt, Stale: types.Stale(updatedAt, now, params.MaxPriceAge)}, nil
}

// govFeed is the built-in feed.
type govFeed struct{ k *Keeper }

// Price implements types.PriceFeed.
func (f govFeed) Price(ctx context.Context, id uint64, _ string) (math.LegacyDec, time.Time, error) {
	p, err := f.k.Prices.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return math.LegacyZeroDec(), time.Time{}, nil
	}
	return p.Price, p.UpdatedAt, err
}
