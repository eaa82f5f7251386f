package types

import (
	"math/big"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/x/control"
)

// MaxRewardAmount is the most one entry of a transfer can carry; what is above waits for the next transfer.
var MaxRewardAmount = math.NewIntFromBigInt(
	new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), control.MaxAmountBits), big.NewInt(1)))

// Total is the sum of all entries of a transfer.
func (t RewardTransfer) Total() math.Int {
	total := math.ZeroInt()
	for _, e := range t.Entries {
		total = total.Add(e.Amount)
	}
	return total
}

// Add counts withdrawn and arrived rewards of denom; a denom not seen before is appended.
func (s *RewardState) Add(denom string, withdrawn, arrived math.Int) {
	for i := range s.Totals {
		if s.Totals[i].Denom == denom {
			s.Totals[i].Withdrawn = s.Totals[i].Withdrawn.Add(withdrawn)
			s.Totals[i].Arrived = s.Totals[i].Arrived.Add(arrived)
			return
		}
	}
	s.Totals = append(s.Totals, RewardTotals{Denom: denom, Withdrawn: withdrawn, Arrived: arrived})
}

// Failed counts one failure and sets the block of the next try.
func (s *RewardState) Failed(height int64) {
	if s.Failures < maxFailures {
		s.Failures++
	}
	s.RetryHeight = height + Backoff(s.Failures)
}

// Succeeded forgets earlier failures.
func (s *RewardState) Succeeded() { s.Failures, s.RetryHeight = 0, 0 }

// maxFailures is where counting stops: the back-off has long reached its bound.
const maxFailures = 1_000

// Validate checks a stored transfer.
func (t RewardTransfer) Validate() error {
	if t.ConverterID == 0 || t.ChannelID == "" || t.Sequence == 0 || t.Denom == "" {
		return errorsmod.Wrap(ErrInvalidRewards, "converter_id, channel_id, sequence and denom are needed")
	}
	if _, err := (control.RewardMemo{ConsumerID: 1, Entries: t.Entries}).Total(); err != nil {
		return errorsmod.Wrap(ErrInvalidRewards, err.Error())
	}
	return nil
}
