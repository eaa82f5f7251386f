package types_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func record(name string, sequence uint64) types.ValidatorRecord {
	return types.ValidatorRecord{
		Update:   control.ValidatorUpdate{Validator: name, ConsPubkey: bytes.Repeat([]byte{1}, 32), Status: control.StatusActive},
		Sequence: sequence,
	}
}

func validGenesis() types.GenesisState {
	g := *types.DefaultGenesisState()
	g.Params.TotalMaxCap = math.NewInt(100)
	capped := types.NewSource(1, "account1", "reward1")
	capped.MaxCap, capped.NextEpoch = math.NewInt(60), 7
	g.Sources = []types.Source{capped, types.NewSource(2, "account2", "reward2")}
	g.Validators = []types.ValidatorRecord{record("v1", 2), record("v2", 1)}
	g.LastSequence = 2
	g.Dirty = []string{"v1"}
	return g
}

func TestGN02ValidateNamesTheField(t *testing.T) {
	require.NoError(t, types.DefaultGenesisState().Validate())
	require.NoError(t, validGenesis().Validate())
	for _, tc := range []struct {
		field  string
		change func(g *types.GenesisState)
	}{
		{"params", func(g *types.GenesisState) { g.Params.EpochLength = 0 }},
		{"sources[0]: id", func(g *types.GenesisState) { g.Sources[0].ID = 0 }},
		{"sources[1].id", func(g *types.GenesisState) { g.Sources[1].ID = 1 }},
		{"sources[1].account", func(g *types.GenesisState) { g.Sources[1].Account = "account1" }},
		{"sources[0]: account", func(g *types.GenesisState) { g.Sources[0].Account = "" }},
		{"sources[0]: reward_account", func(g *types.GenesisState) { g.Sources[0].RewardAccount = "" }},
		{"sources[0].next_epoch", func(g *types.GenesisState) { g.Sources[0].NextEpoch = 0 }},
		{"sources[0]: next_epoch", func(g *types.GenesisState) { g.Sources[0].NextEpoch = -1 }},
		{"sources[0]: last_epoch", func(g *types.GenesisState) { g.Sources[0].LastEpoch = -1 }},
		{"sources[0]: last_failure", func(g *types.GenesisState) { g.Sources[0].LastFailure = strings.Repeat("x", 257) }},
		{"sources[0]: silent_since", func(g *types.GenesisState) { g.Sources[0].SilentSince = new(time.Time) }},
		{"sources[0].max_cap", func(g *types.GenesisState) { g.Sources[0].MaxCap = math.NewInt(101) }},
		{"sources[0]: minted", func(g *types.GenesisState) { g.Sources[0].Minted = math.NewInt(-1) }},
		{"sources[0]: governance_weight", func(g *types.GenesisState) { g.Sources[0].GovernanceWeight = math.LegacyDec{} }},
		{"sources[0]: governance_weight", func(g *types.GenesisState) { g.Sources[0].GovernanceWeight = math.LegacyNewDec(2) }},
		{"sources[0]: burned", func(g *types.GenesisState) { g.Sources[0].Burned = math.Int{} }},
		{"validators[0]", func(g *types.GenesisState) { g.Validators[0].Update.ConsPubkey = nil }},
		{"validators[0].sequence", func(g *types.GenesisState) { g.Validators[0].Sequence = 3 }},
		{"validators[1].sequence", func(g *types.GenesisState) { g.Validators[1].Sequence = 2 }},
		{"validators[1]", func(g *types.GenesisState) { g.Validators[1].Update.Validator = "v1" }},
		{"dirty[0]", func(g *types.GenesisState) { g.Dirty[0] = "" }},
		{"dirty[1]", func(g *types.GenesisState) { g.Dirty = []string{"v1", "v1"} }},
	} {
		t.Run(tc.field, func(t *testing.T) {
			g := validGenesis()
			tc.change(&g)
			err := g.Validate()
			require.ErrorIs(t, err, types.ErrInvalidGenesis)
			require.ErrorContains(t, err, tc.field)
		})
	}
}

func TestParamsBounds(t *testing.T) {
	huge := math.NewIntFromBigInt(math.OneInt().BigInt().Lsh(math.OneInt().BigInt(), types.MaxCapBits))
	for _, tc := range []struct {
		field  string
		change func(p *types.Params)
	}{
		{"epoch_length", func(p *types.Params) { p.EpochLength = 0 }},
		{"epoch_length", func(p *types.Params) { p.EpochLength = types.MaxEpochLength + 1 }},
		{"total_max_cap", func(p *types.Params) { p.TotalMaxCap = math.Int{} }},
		{"total_max_cap", func(p *types.Params) { p.TotalMaxCap = math.NewInt(-1) }},
		{"total_max_cap", func(p *types.Params) { p.TotalMaxCap = huge }},
		{"max_sources", func(p *types.Params) { p.MaxSources = 0 }},
		{"max_sources", func(p *types.Params) { p.MaxSources = types.MaxSourcesBound + 1 }},
		{"epoch_gas", func(p *types.Params) { p.EpochGas = types.MinEpochGas - 1 }},
		{"epoch_gas", func(p *types.Params) { p.EpochGas = types.MaxEpochGas + 1 }},
		{"max_silence", func(p *types.Params) { p.MaxSilence = 0 }},
		{"max_silence", func(p *types.Params) { p.MaxSilence = -1 }},
		{"max_silence", func(p *types.Params) { p.MaxSilence = types.MaxSilenceBound + 1 }},
	} {
		p := types.DefaultParams()
		tc.change(&p)
		require.ErrorIs(t, p.Validate(), types.ErrInvalidParams, tc.field)
		require.ErrorContains(t, p.Validate(), tc.field)
	}
	p := types.DefaultParams()
	p.TotalMaxCap = huge.SubRaw(1)
	require.NoError(t, p.Validate())
}

func TestReasonIsBoundedAndWithoutPanicValues(t *testing.T) {
	require.Equal(t, "plain", types.Reason(errors.New("plain")))
	require.Equal(t, "while bonding: panic", types.Reason(fmt.Errorf("while bonding: panic: %p", t)))
	require.Len(t, types.Reason(errors.New(strings.Repeat("x", 1000))), types.MaxReasonLength)
}
