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

// NextPrice is the price record after price was set at now. prev is nil for the first price, which is free. Every
// later one stays within base / maxChange and base x maxChange, where base is the price at the start of the interval
// that now lies in; an interval starts with the first change after the last one ended.
func NextPrice(prev *Price, price math.LegacyDec, now time.Time, maxChange math.LegacyDec, interval time.Duration) (Price, error) {
	if err := ValidatePrice(price); err != nil {
		return Price{}, err
	}
	next := Price{Price: price, UpdatedAt: now, Base: price, BaseAt: now}
	if prev == nil {
		return next, nil
	}
	if now.Before(prev.BaseAt.Add(interval)) {
		next.Base, next.BaseAt = prev.Base, prev.BaseAt
	} else {
		next.Base = prev.Price
	}
	if !within(next.Base, price, maxChange) || !within(price, next.Base, maxChange) {
		return Price{}, errorsmod.Wrapf(ErrPriceChange, "%s from %s; a factor of at most %s either way is possible until %s",
			price, next.Base, maxChange, next.BaseAt.Add(interval).UTC().Format(time.RFC3339))
	}
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
	if err := ValidatePrice(p.Base); err != nil {
		return errorsmod.Wrap(err, "base")
	}
	if p.UpdatedAt.Before(p.BaseAt) {
		return errorsmod.Wrapf(ErrInvalidPrice, "updated_at %s is before base_at %s", p.UpdatedAt, p.BaseAt)
	}
	return nil
}
