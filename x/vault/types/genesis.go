package types

import (
	"cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// DefaultGenesis returns the genesis of a new chain: no accounts, and the staking module's bond denom.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams()}
}

// Validate returns ErrInvalidGenesis naming the first bad field. Who holds a lien and what the module account holds is
// checked when the state is loaded.
func (gs GenesisState) Validate() error {
	if err := gs.Params.Validate(); err != nil {
		return errors.Wrapf(ErrInvalidGenesis, "params: %s", err)
	}
	if gs.Denom != "" {
		if err := sdk.ValidateDenom(gs.Denom); err != nil {
			return errors.Wrapf(ErrInvalidGenesis, "denom: %s", err)
		}
	}
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
		if err := a.validate(); err != nil {
			return errors.Wrapf(ErrInvalidGenesis, "accounts[%d].%s", i, err)
		}
	}
	return nil
}

// validate checks everything but the address. Its error starts with the field's name.
func (a GenesisAccount) validate() error {
	if err := ValidateAmount(a.Collateral); err != nil {
		return errors.Wrap(err, "collateral")
	}
	if len(a.Liens) > MaxLiensPerUser {
		return errors.Wrapf(ErrTooManyLiens, "liens: %d, at most %d", len(a.Liens), MaxLiensPerUser)
	}
	seen := make(map[string]bool, len(a.Liens))
	for i, l := range a.Liens {
		if err := l.Validate(); err != nil {
			return errors.Wrapf(err, "liens[%d]", i)
		}
		if seen[l.Holder] {
			return errors.Wrapf(ErrInvalidHolder, "liens[%d].holder: duplicate %s", i, l.Holder)
		}
		seen[l.Holder] = true
	}
	if err := CheckCovered(a.Collateral, a.Liens); err != nil {
		return errors.Wrap(err, "liens")
	}
	return nil
}
