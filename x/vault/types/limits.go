package types

import (
	"math/big"

	"cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// MaxCollateralBits bounds one user's collateral, and with it every lien: amounts stay below 2^192 base units. The sum
// of two such amounts over the smallest max_collateral_use, 10^-18, is then below 2^253, so nothing computed here can
// overflow a math.Int.
const MaxCollateralBits = 192

// precision is one in the representation of math.LegacyDec.
var precision = math.LegacyOneDec().BigInt()

// MaxLien returns the largest lien's amount; zero without liens.
func MaxLien(liens []Lien) math.Int {
	largest := math.ZeroInt()
	for _, l := range liens {
		largest = math.MaxInt(largest, l.Amount)
	}
	return largest
}

// Slashable returns what is lost if every holder slashes once: the sum of amount × slash fraction over the liens, each
// rounded up.
func Slashable(liens []Lien) math.Int {
	sum := math.ZeroInt()
	for _, l := range liens {
		sum = sum.Add(mulCeil(l.Amount, l.SlashFraction))
	}
	return sum
}

// Used returns the collateral the liens need: one coin may back many liens, but never less than the largest of them nor
// than what all of them could lose together.
func Used(liens []Lien) math.Int {
	return math.MaxInt(MaxLien(liens), Slashable(liens))
}

// Needed returns the collateral that must be there when a lien is added: Used / maxUse, rounded up. maxUse is in (0, 1].
func Needed(liens []Lien, maxUse math.LegacyDec) math.Int {
	return quoCeil(Used(liens), maxUse)
}

// Free returns what of the collateral can be withdrawn: what Needed leaves, never below zero. It can be nothing
// although the liens are covered, when maxUse was lowered after they were made.
func Free(collateral math.Int, liens []Lien, maxUse math.LegacyDec) math.Int {
	return math.MaxInt(math.ZeroInt(), collateral.Sub(Needed(liens, maxUse)))
}

// Liquid returns the part of the collateral that sits in the vault's module account: all but what is staked locally.
func Liquid(collateral math.Int, liens []Lien) math.Int {
	return collateral.Sub(Local(liens))
}

// Local returns what is staked locally, unbonding stake included.
func Local(liens []Lien) math.Int {
	for _, l := range liens {
		if l.Holder == LocalHolder {
			return l.Amount
		}
	}
	return math.ZeroInt()
}

// CheckCovered returns ErrInsufficientCollateral if a lien or the sum of what could be slashed exceeds the collateral.
// Unlike Needed it ignores max_collateral_use, which only binds when a lien is added.
func CheckCovered(collateral math.Int, liens []Lien) error {
	if largest := MaxLien(liens); largest.GT(collateral) {
		return errors.Wrapf(ErrInsufficientCollateral, "the largest lien is %s, the collateral %s", largest, collateral)
	}
	if slashable := Slashable(liens); slashable.GT(collateral) {
		return errors.Wrapf(ErrInsufficientCollateral, "the liens can lose %s, the collateral is %s", slashable, collateral)
	}
	return nil
}

// MergeFraction returns the slash fraction of a lien made of two parts: their amount-weighted mean, rounded up to 18
// decimals so that the whole can lose at least what its parts could. Amounts are not negative and not both zero.
func MergeFraction(amountA math.Int, fractionA math.LegacyDec, amountB math.Int, fractionB math.LegacyDec) math.LegacyDec {
	if fractionA.Equal(fractionB) {
		return fractionA
	}
	weighted := new(big.Int).Mul(amountA.BigInt(), fractionA.BigInt())
	weighted.Add(weighted, new(big.Int).Mul(amountB.BigInt(), fractionB.BigInt()))
	return math.LegacyNewDecFromBigIntWithPrec(ceilDiv(weighted, amountA.Add(amountB).BigInt()), math.LegacyPrecision)
}

// mulCeil returns a × f rounded up. It is done on integers because a large amount does not fit a LegacyDec.
func mulCeil(a math.Int, f math.LegacyDec) math.Int {
	return math.NewIntFromBigInt(ceilDiv(new(big.Int).Mul(a.BigInt(), f.BigInt()), precision))
}

// quoCeil returns a / f rounded up; f is positive.
func quoCeil(a math.Int, f math.LegacyDec) math.Int {
	return math.NewIntFromBigInt(ceilDiv(new(big.Int).Mul(a.BigInt(), precision), f.BigInt()))
}

// ceilDiv returns n / d rounded up, for n not negative and d positive.
func ceilDiv(n, d *big.Int) *big.Int {
	quotient, rest := new(big.Int).QuoRem(n, d, new(big.Int))
	if rest.Sign() > 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient
}
