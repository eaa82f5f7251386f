package types

import (
	"math/big"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// MaxTarget bounds the target of one validator. It is far above any stake CometBFT can express, and small enough that
// sums over validators and their products with a cap fit math.Int.
var MaxTarget = math.NewIntFromBigInt(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 120), big.NewInt(1)))

// Target is floor(stake x price x (1 - discount)) in consumer base units, in one exact division, at most MaxTarget.
// stake is in provider base units and price in consumer per provider base unit. Anything out of range (a negative stake
// or price, a discount outside [0, 1)) counts as nothing. It cannot overflow or panic.
func Target(stake math.Int, price, discount math.LegacyDec) math.Int {
	if stake.IsNil() || !stake.IsPositive() || price.IsNil() || !price.IsPositive() || ValidateDiscount(discount) != nil {
		return math.ZeroInt()
	}
	one := math.LegacyOneDec().BigInt()
	kept := new(big.Int).Sub(one, discount.BigInt())
	target := new(big.Int).Mul(stake.BigInt(), price.BigInt())
	target.Mul(target, kept)
	target.Quo(target, new(big.Int).Mul(one, one))
	if target.Cmp(MaxTarget.BigInt()) > 0 {
		return MaxTarget
	}
	return math.NewIntFromBigInt(target)
}

// EffectivePrice is price x (1 - discount), rounded down to 18 decimals, for people; Target does not go through it.
func EffectivePrice(price, discount math.LegacyDec) math.LegacyDec {
	return price.MulTruncate(math.LegacyOneDec().Sub(discount))
}

// ValidateDiscount accepts 0 <= discount < 1.
func ValidateDiscount(discount math.LegacyDec) error {
	switch {
	case discount.IsNil():
		return errorsmod.Wrap(ErrInvalidDiscount, "no discount given; 0 or more and below 1 is possible")
	case discount.IsNegative() || discount.GTE(math.LegacyOneDec()):
		return errorsmod.Wrapf(ErrInvalidDiscount, "%s; 0 or more and below 1 is possible", discount)
	}
	return nil
}
