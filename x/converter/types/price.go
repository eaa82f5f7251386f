package types

import (
	"context"
	"math/big"
	"time"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// GovFeed is the name of the built-in feed, which the converter's admin or the chain's authority sets.
const GovFeed = "gov"

// MaxPrice is the highest price any feed may answer: 10^24 consumer base units per provider base unit covers eighteen
// decimals of difference between the two tokens and a million of value.
var MaxPrice = math.LegacyNewDecFromBigInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(24), nil))

// PriceFeed answers consumer base units per provider base unit, and when that was true.
type PriceFeed interface {
	// Price returns zero while there is no price yet: such a converter counts nothing. An error leaves every delegation
	// of the converter as it is. It must be deterministic and bounded; it is called once per epoch.
	Price(ctx context.Context, converterID uint64, providerDenom string) (price math.LegacyDec, updatedAt time.Time, err error)
}

// ValidateFeedName accepts 1 to MaxFeedNameBytes of a-z, 0-9 and '-', starting with a letter.
func ValidateFeedName(name string) error {
	ok := len(name) > 0 && len(name) <= MaxFeedNameBytes && name[0] >= 'a' && name[0] <= 'z'
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-'
	}
	if !ok {
		return errorsmod.Wrapf(ErrUnknownFeed, "%q is not a possible name: 1 to %d of a-z, 0-9 and '-'", name, MaxFeedNameBytes)
	}
	return nil
}

// ValidatePrice accepts 0 < price <= MaxPrice.
func ValidatePrice(price math.LegacyDec) error {
	switch {
	case price.IsNil():
		return errorsmod.Wrap(ErrInvalidPrice, "no price given; above 0 is possible")
	case !price.IsPositive():
		return errorsmod.Wrapf(ErrInvalidPrice, "%s; above 0 is possible", price)
	case price.GT(MaxPrice):
		return errorsmod.Wrapf(ErrInvalidPrice, "above %s, the highest possible", MaxPrice)
	}
	return nil
}

// NextPrice is the price record after price was set at now. prev is nil for the first price, which is free. Every later
// one stays within a factor of maxChange of all prices that held less than an interval ago. For that the record keeps the
// extremes of two intervals, the present one and the one before; after a whole interval without a change only the price
// itself counts.
func NextPrice(prev *Price, price math.LegacyDec, now time.Time, maxChange math.LegacyDec, interval time.Duration) (Price, error) {
	if err := ValidatePrice(price); err != nil {
		return Price{}, err
	}
	if prev == nil {
		return Price{Price: price, UpdatedAt: now, StartedAt: now, Low: price, High: price, LastLow: price, LastHigh: price}, nil
	}
	next := *prev
	switch end := prev.StartedAt.Add(interval); {
	case !now.Before(prev.UpdatedAt.Add(interval)):
		next.StartedAt, next.LastLow, next.LastHigh = now, prev.Price, prev.Price
		next.Low, next.High = prev.Price, prev.Price
	case !now.Before(end):
		next.StartedAt, next.LastLow, next.LastHigh = end, prev.Low, prev.High
		next.Low, next.High = prev.Price, prev.Price
	}
	low, high := math.LegacyMinDec(next.Low, next.LastLow), math.LegacyMaxDec(next.High, next.LastHigh)
	if !within(price, low, maxChange) || !within(high, price, maxChange) {
		return Price{}, errorsmod.Wrapf(ErrPriceChange, "%s; prices of late were %s to %s, and a factor of at most %s between any two of them is possible; at the latest %s after the last change only that one counts",
			price, low, high, maxChange, interval)
	}
	next.Price, next.UpdatedAt = price, now
	next.Low, next.High = math.LegacyMinDec(next.Low, price), math.LegacyMaxDec(next.High, price)
	return next, nil
}

// within reports a <= b x factor, exactly.
func within(a, b, factor math.LegacyDec) bool {
	left := new(big.Int).Mul(a.BigInt(), math.LegacyOneDec().BigInt())
	right := new(big.Int).Mul(b.BigInt(), factor.BigInt())
	return left.Cmp(right) <= 0
}

// Stale reports whether a price of updatedAt is too old at now to allow increases.
func Stale(updatedAt, now time.Time, maxAge time.Duration) bool {
	return now.After(updatedAt.Add(maxAge))
}

// Validate checks a stored price.
func (p Price) Validate() error {
	if err := ValidatePrice(p.Price); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		value math.LegacyDec
	}{{"low", p.Low}, {"high", p.High}, {"last_low", p.LastLow}, {"last_high", p.LastHigh}} {
		if err := ValidatePrice(f.value); err != nil {
			return errorsmod.Wrap(err, f.name)
		}
	}
	if p.Price.LT(p.Low) || p.Price.GT(p.High) || p.LastLow.GT(p.LastHigh) {
		return errorsmod.Wrapf(ErrInvalidPrice, "%s is not within low %s and high %s, or last_low %s is above last_high %s", p.Price, p.Low, p.High, p.LastLow, p.LastHigh)
	}
	if p.UpdatedAt.Before(p.StartedAt) {
		return errorsmod.Wrapf(ErrInvalidPrice, "updated_at %s is before started_at %s", p.UpdatedAt, p.StartedAt)
	}
	return nil
}
