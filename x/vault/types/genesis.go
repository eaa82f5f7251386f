package types

import (
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// DefaultGenesis returns the genesis of a new chain: no accounts, and the staking module's bond denom.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams(), Totals: NewTotals()}
}

// Validate returns ErrInvalidGenesis naming the first bad field. Who holds a lien and what other modules hold is checked
// when the state is loaded.
func (gs GenesisState) Validate() error {
	if err := gs.Params.Validate(); err != nil {
		return errors.Wrapf(ErrInvalidGenesis, "params: %s", err)
	}
	if gs.Denom != "" {
		if err := sdk.ValidateDenom(gs.Denom); err != nil {
			return errors.Wrapf(ErrInvalidGenesis, "denom: %s", err)
		}
	}
	if err := gs.Totals.Validate(); err != nil {
		return errors.Wrapf(ErrInvalidGenesis, "totals.%s", err)
	}
	debts := math.ZeroInt()
	seen := make(map[string]bool, len(gs.Accounts))
	for i, a := range gs.Accounts {
		addr, err := sdk.AccAddressFromBech32(a.User)
		if err != nil {
			return errors.Wrapf(ErrInvalidGenesis, "accounts[%d].user %q: %s", i, a.User, err)
		}
		if seen[string(addr)] {
			return errors.Wrapf(ErrInvalidGenesis, "accounts[%d].user %s: duplicate", i, a.User)
		}
		seen[string(addr)] = true
		if err := a.validate(gs.LastLoss); err != nil {
			return errors.Wrapf(ErrInvalidGenesis, "accounts[%d].%s", i, err)
		}
		if a.Debt != nil {
			if debts, err = debts.SafeAdd(a.Debt.Amount); err != nil {
				return errors.Wrapf(ErrInvalidGenesis, "accounts[%d].debt: the sum of all overflows", i)
			}
		}
	}
	if owed := gs.Totals.Owed(); !owed.Equal(debts) {
		return errors.Wrapf(ErrInvalidGenesis, "totals: %s is lost and not taken, but all debts are %s", owed, debts)
	}
	return gs.validateSweep()
}

// validateSweep checks what is left of sweeps.
func (gs GenesisState) validateSweep() error {
	seen := make(map[string]bool, len(gs.Sweeps))
	for i, s := range gs.Sweeps {
		validator, err := sdk.ValAddressFromBech32(s.Validator)
		if err != nil {
			return errors.Wrapf(ErrInvalidGenesis, "sweeps[%d].validator %q: %s", i, s.Validator, err)
		}
		if seen[string(validator)] {
			return errors.Wrapf(ErrInvalidGenesis, "sweeps[%d].validator %s: duplicate", i, s.Validator)
		}
		seen[string(validator)] = true
		if s.Cursor != "" {
			if _, err := sdk.AccAddressFromBech32(s.Cursor); err != nil {
				return errors.Wrapf(ErrInvalidGenesis, "sweeps[%d].cursor %q: %s", i, s.Cursor, err)
			}
		}
	}
	if gs.LastSwept != "" {
		if _, err := sdk.ValAddressFromBech32(gs.LastSwept); err != nil {
			return errors.Wrapf(ErrInvalidGenesis, "last_swept %q: %s", gs.LastSwept, err)
		}
	}
	waiting := make(map[PendingSettle]bool, len(gs.Pending))
	for i, p := range gs.Pending {
		if _, err := sdk.AccAddressFromBech32(p.User); err != nil {
			return errors.Wrapf(ErrInvalidGenesis, "pending[%d].user %q: %s", i, p.User, err)
		}
		if waiting[p] {
			return errors.Wrapf(ErrInvalidGenesis, "pending[%d]: duplicate %s at %d", i, p.User, p.Height)
		}
		waiting[p] = true
	}
	return nil
}
