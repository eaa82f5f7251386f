package types

import (
	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/x/control"
)

// NewSource returns a source without a cap and without stake, none of which would count in votes.
func NewSource(id uint64, account, rewardAccount string) Source {
	return Source{
		ID: id, MaxCap: math.ZeroInt(), Account: account, RewardAccount: rewardAccount,
		Minted: math.ZeroInt(), Burned: math.ZeroInt(), EffectiveCap: math.ZeroInt(), Slashed: math.ZeroInt(),
		GovernanceWeight: math.LegacyZeroDec(),
	}
}

// Validate checks what can be checked without the chain's address codec.
func (s Source) Validate() error {
	switch {
	case s.ID == 0:
		return ErrInvalidGenesis.Wrap("id is 0, must be 1 or more")
	case s.Account == "":
		return ErrInvalidGenesis.Wrap("account is empty")
	case s.RewardAccount == "":
		return ErrInvalidGenesis.Wrap("reward_account is empty")
	case s.NextEpoch < 0:
		return ErrInvalidGenesis.Wrapf("next_epoch is %d, must be 0 or more", s.NextEpoch)
	case s.LastEpoch < 0:
		return ErrInvalidGenesis.Wrapf("last_epoch is %d, must be 0 or more", s.LastEpoch)
	case s.SilentSince != nil && s.SilentSince.IsZero():
		return ErrInvalidGenesis.Wrap("silent_since is the year 1, must be a block's time, or none while the provider can be reached")
	case len(s.LastFailure) > MaxReasonLength:
		return ErrInvalidGenesis.Wrapf("last_failure has %d bytes, at most %d are possible", len(s.LastFailure), MaxReasonLength)
	}
	for _, f := range []struct {
		name  string
		value math.Int
	}{{"max_cap", s.MaxCap}, {"minted", s.Minted}, {"burned", s.Burned}, {"effective_cap", s.EffectiveCap}, {"slashed", s.Slashed}} {
		if f.value.IsNil() || f.value.IsNegative() {
			return ErrInvalidGenesis.Wrapf("%s is %s, must be 0 or more", f.name, f.value)
		}
	}
	if err := ValidateWeight(s.GovernanceWeight); err != nil {
		return ErrInvalidGenesis.Wrap(err.Error())
	}
	waiting := make(map[string]struct{}, len(s.Retries))
	for i, r := range s.Retries {
		if err := control.ValidateName(r.Validator); err != nil {
			return ErrInvalidGenesis.Wrapf("retries[%d].validator: %s", i, err)
		}
		if _, twice := waiting[r.Validator]; twice {
			return ErrInvalidGenesis.Wrapf("retries[%d].validator: %s is listed twice", i, r.Validator)
		}
		waiting[r.Validator] = struct{}{}
		if r.OutOfGas > MaxOutOfGas {
			return ErrInvalidGenesis.Wrapf("retries[%d].out_of_gas: is %d, at most %d are possible", i, r.OutOfGas, MaxOutOfGas)
		}
	}
	return nil
}
