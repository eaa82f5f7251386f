package types

import (
	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/x/control"
)

// DefaultGenesisState has no sources; the validators of the chain are recorded in the first blocks.
func DefaultGenesisState() *GenesisState {
	return &GenesisState{Params: DefaultParams()}
}

// Validate checks each field and how they fit together, and names the one that is wrong.
func (g GenesisState) Validate() error {
	if err := g.Params.Validate(); err != nil {
		return ErrInvalidGenesis.Wrapf("params: %s", err)
	}
	if err := g.validateSources(); err != nil {
		return err
	}
	if err := g.validateValidators(); err != nil {
		return err
	}
	dirty := make(map[string]struct{}, len(g.Dirty))
	for i, operator := range g.Dirty {
		if err := control.ValidateName(operator); err != nil {
			return ErrInvalidGenesis.Wrapf("dirty[%d]: %s", i, err)
		}
		if _, dup := dirty[operator]; dup {
			return ErrInvalidGenesis.Wrapf("dirty[%d]: %s is listed twice", i, operator)
		}
		dirty[operator] = struct{}{}
	}
	return nil
}

func (g GenesisState) validateSources() error {
	ids, accounts := make(map[uint64]struct{}, len(g.Sources)), make(map[string]struct{}, len(g.Sources))
	caps, withCap := math.ZeroInt(), uint32(0)
	for i, s := range g.Sources {
		if err := s.Validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("sources[%d]: %s", i, err)
		}
		if _, dup := ids[s.ID]; dup {
			return ErrInvalidGenesis.Wrapf("sources[%d].id: %d is listed twice", i, s.ID)
		}
		if _, dup := accounts[s.Account]; dup {
			return ErrInvalidGenesis.Wrapf("sources[%d].account: %s is listed twice", i, s.Account)
		}
		ids[s.ID], accounts[s.Account] = struct{}{}, struct{}{}
		if s.MaxCap.IsZero() {
			continue
		}
		if s.NextEpoch == 0 {
			return ErrInvalidGenesis.Wrapf("sources[%d].next_epoch: is 0, must be set for a source with a cap", i)
		}
		// One at a time, so that the sum cannot overflow.
		if s.MaxCap.GT(g.Params.TotalMaxCap.Sub(caps)) {
			return ErrInvalidGenesis.Wrapf("sources[%d].max_cap: the sum of caps is above params.total_max_cap %s", i, g.Params.TotalMaxCap)
		}
		caps = caps.Add(s.MaxCap)
		if withCap++; withCap > g.Params.MaxSources {
			return ErrInvalidGenesis.Wrapf("sources: more than params.max_sources %d have a cap", g.Params.MaxSources)
		}
	}
	return nil
}

func (g GenesisState) validateValidators() error {
	operators, sequences := make(map[string]struct{}, len(g.Validators)), make(map[uint64]struct{}, len(g.Validators))
	for i, v := range g.Validators {
		if err := v.Update.Validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("validators[%d]: %s", i, err)
		}
		if v.Sequence == 0 || v.Sequence > g.LastSequence {
			return ErrInvalidGenesis.Wrapf("validators[%d].sequence: is %d, must be 1 to last_sequence %d", i, v.Sequence, g.LastSequence)
		}
		if _, dup := operators[v.Update.Validator]; dup {
			return ErrInvalidGenesis.Wrapf("validators[%d]: %s is listed twice", i, v.Update.Validator)
		}
		if _, dup := sequences[v.Sequence]; dup {
			return ErrInvalidGenesis.Wrapf("validators[%d].sequence: %d is used twice", i, v.Sequence)
		}
		operators[v.Update.Validator], sequences[v.Sequence] = struct{}{}, struct{}{}
	}
	return nil
}
