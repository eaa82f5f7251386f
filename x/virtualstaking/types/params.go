package types

import (
	"time"

	"cosmossdk.io/math"
)

// Bounds of the params; docs/params.md explains them.
const (
	// MaxEpochLength in blocks.
	MaxEpochLength = 50_000
	// MaxSourcesBound is the most sources that may ever have a cap.
	MaxSourcesBound = 1_000
	// MinEpochGas and MaxEpochGas bound the work of one source's epoch.
	MinEpochGas = 10_000_000
	MaxEpochGas = 1_000_000_000
	// MaxOutOfGas is how often the gas of a turn can be doubled: MaxEpochGas bounds it long before.
	MaxOutOfGas = 10
	// MaxCapBits bounds the total cap, so that no sum of caps and stake can overflow.
	MaxCapBits = 128
	// MaxSilenceBound is the longest silence that can be set, as long as the unbonding period is no shorter.
	MaxSilenceBound = 366 * 24 * time.Hour
)

// DefaultParams authorise nothing: governance raises the total cap first.
func DefaultParams() Params {
	return Params{
		EpochLength: 600, TotalMaxCap: math.ZeroInt(), MaxSources: 16, EpochGas: 50_000_000, MaxSilence: 7 * 24 * time.Hour,
	}
}

// Validate checks each param against its bounds and names the one that is wrong. That max_silence is at most the unbonding
// period is checked when it is set.
func (p Params) Validate() error {
	if p.EpochLength < 1 || p.EpochLength > MaxEpochLength {
		return ErrInvalidParams.Wrapf("epoch_length is %d blocks, must be 1 to %d", p.EpochLength, MaxEpochLength)
	}
	if p.TotalMaxCap.IsNil() || p.TotalMaxCap.IsNegative() {
		return ErrInvalidParams.Wrapf("total_max_cap is %s, must be 0 or more", p.TotalMaxCap)
	}
	if bits := p.TotalMaxCap.BigInt().BitLen(); bits > MaxCapBits {
		return ErrInvalidParams.Wrapf("total_max_cap has %d bits, at most %d are possible", bits, MaxCapBits)
	}
	if p.MaxSources < 1 || p.MaxSources > MaxSourcesBound {
		return ErrInvalidParams.Wrapf("max_sources is %d, must be 1 to %d", p.MaxSources, MaxSourcesBound)
	}
	if p.EpochGas < MinEpochGas || p.EpochGas > MaxEpochGas {
		return ErrInvalidParams.Wrapf("epoch_gas is %d, must be %d to %d", p.EpochGas, MinEpochGas, MaxEpochGas)
	}
	if p.MaxSilence <= 0 || p.MaxSilence > MaxSilenceBound {
		return ErrInvalidParams.Wrapf("max_silence is %s, must be above 0 and at most the unbonding period or %s", p.MaxSilence, MaxSilenceBound)
	}
	return nil
}

// TurnGas is the gas of a turn that outOfGas earlier ones were not enough for: the epoch's, doubled each time, at most
// MaxEpochGas.
func TurnGas(epochGas uint64, outOfGas uint32) uint64 {
	return min(epochGas<<min(outOfGas, MaxOutOfGas), MaxEpochGas)
}
