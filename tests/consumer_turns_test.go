package tests

import (
	"testing"

	"cosmossdk.io/math"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// setMaxValidators has the consumer's governance bound its validators.
func (w *world) setMaxValidators(t require.TestingT, n uint32) {
	params, err := w.Consumer.App.StakingKeeper.GetParams(w.Consumer.Ctx())
	require.NoError(t, err)
	params.MaxValidators = n
	// By a proposal: x/staking panics when it finds more of them in BeginBlock, before its EndBlock could make them fewer.
	require.NoError(t, w.Consumer.Execute(&stakingtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params}))
}

// Governance and the validators of the consumer turn every way, while users of the provider go on: every packet is
// answered, no epoch fails, the virtual stake keeps to its cap, and all invariants hold after each turn.
func TestVS02ConsumerTurnsWhileStakeGoesOn(t *testing.T) {
	w := newWorld(t)
	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 100_000_000))
	for i := range 4 {
		require.NoError(t, w.stake(user, w.validator(i), 1_000_000))
	}
	w.requireQuiet(t)
	half := math.LegacyNewDecWithPrec(5, 1)
	limit := w.Config().MaxCap
	setCap := func(amount int64, weight math.LegacyDec) func() {
		return func() {
			limit = math.NewInt(amount)
			require.NoError(t, w.setMaxCap(limit, weight))
		}
	}
	returning := w.removed(t)
	for _, turn := range []struct {
		name string
		do   func()
		// delegated is all virtual stake after it; 0.45 per unit of the user's stake, which grows by 10,000 before each turn.
		delegated int64
	}{
		{"nothing", func() {}, 1_804_500},
		{"cap lowered", setCap(900_001, half), 900_001},
		{"cap to zero", setCap(0, half), 0},
		{"cap of one unit", setCap(1, half), 1},
		{"cap raised", setCap(1_000_000_000, half), 1_822_500},
		{"weight to zero", setCap(1_000_000_000, math.LegacyZeroDec()), 1_827_000},
		{"weight to one", setCap(1_000_000_000, math.LegacyOneDec()), 1_831_500},
		{"total cap below the sum of caps", func() {
			params, err := w.Consumer.App.VirtualStakingKeeper.Params.Get(w.Consumer.Ctx())
			require.NoError(t, err)
			params.TotalMaxCap = math.NewInt(999_999_999)
			err = authority(w.Consumer, &virtualstakingtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params})
			require.ErrorIs(t, err, virtualstakingtypes.ErrInvalidParams)
			require.ErrorContains(t, err, "caps of 1000000000 are set: lower these first")
		}, 1_836_000},
		{"price stale", func() { require.NoError(t, w.Advance(8*day)) }, 1_836_000},
		{"price set", w.SetPrice, 1_845_000},
		{"validator jailed", func() { require.NoError(t, w.Consumer.Jail(w.Consumer.Validators[1])) }, 1_399_500},
		{"unjailed", func() { require.NoError(t, w.Consumer.Unjail(w.Consumer.Validators[1])) }, 1_854_000},
		{"two active validators", func() { w.setMaxValidators(t, 2) }, 1_858_500},
		{"all again", func() { w.setMaxValidators(t, 100) }, 1_863_000},
		{"validator removed", func() {
			w.operatorLeaves(t, returning)
			require.NoError(t, w.Advance(22*day))
			require.NoError(t, w.Relay())
			require.Equal(t, control.StatusRemoved, w.provider().statusOf(returning.Address))
			w.SetPrice()
		}, 1_867_500},
		{"and created again", func() {
			again, err := w.Consumer.CreateValidator(returning.Operator, "another key", 5_000_000)
			require.NoError(t, err)
			require.Equal(t, returning.Address, again.Address)
			w.Consumer.NextBlock()
			require.NoError(t, w.UpdateClient(w.Provider))
			require.NoError(t, w.Relay())
			require.Equal(t, control.StatusActive, w.provider().statusOf(again.Address))
			require.NoError(t, w.stake(user, again.Address, 1_000_000))
		}, 2_322_000},
		// All that was staked with it by then, 1,000,000 and 170,000, is gone for good.
		{"validator tombstoned", func() { w.Consumer.DoubleSign(w.Consumer.Validators[2]); w.Consumer.NextBlock() }, 1_876_500},
	} {
		t.Logf("turn: %s", turn.name)
		require.NoError(t, w.stake(user, w.validator(0), 10_000), turn.name)
		turn.do()
		require.NoError(t, w.check(), turn.name)
		w.requireQuiet(t)
		w.epoch()
		source := w.source()
		require.Empty(t, source.Source.LastFailure, turn.name)
		require.True(t, source.Delegated.LTE(limit), turn.name)
		require.InDelta(t, turn.delegated, source.Delegated.Int64(), 3, turn.name)
		require.False(t, source.Source.Unwound)
		w.requireQuiet(t)
		w.requireOpen(t)
		require.NoError(t, w.check(), turn.name)
	}
	w.everybodyWithdraws(t)
}
