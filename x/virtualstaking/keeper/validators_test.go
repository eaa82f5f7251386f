package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func (f *fixture) changes(after uint64) []types.ValidatorRecord {
	records, err := f.k.ValidatorChanges(f.ctx, after, 1_000)
	require.NoError(f.t, err)
	return records
}

func (f *fixture) status(v validator) control.ValidatorStatus {
	status, err := f.k.ValidatorStatus(f.ctx, v.operator)
	require.NoError(f.t, err)
	return status
}

func (f *fixture) undelegate(v validator, amount int64) {
	_, err := stakingkeeper.NewMsgServerImpl(f.staking.Keeper).Undelegate(f.ctx, stakingtypes.NewMsgUndelegate(
		sdk.AccAddress(v.address).String(), v.operator, sdk.NewInt64Coin(denom, amount)))
	require.NoError(f.t, err)
}

func TestPK12_ValidatorStates(t *testing.T) {
	f := newFixture(t, 4)
	first := f.changes(0)
	require.Len(t, first, 4, "the full list")
	for i, r := range first {
		require.EqualValues(t, i+1, r.Sequence)
		require.Equal(t, control.StatusActive, r.Update.Status)
		require.Len(t, r.Update.ConsPubkey, 32)
	}
	for _, v := range f.vals {
		record, err := f.k.Validators.Get(f.ctx, v.operator)
		require.NoError(t, err)
		require.Equal(t, v.key.Bytes(), record.Update.ConsPubkey)
	}
	last := uint64(4)
	changed := func(v validator, want control.ValidatorStatus) {
		t.Helper()
		f.end()
		require.Equal(t, want, f.status(v))
		records := f.changes(last)
		require.Len(t, records, 1)
		last = records[0].Sequence
		require.Equal(t, v.operator, records[0].Update.Validator)
		require.Equal(t, want, records[0].Update.Status)
		require.Equal(t, []*types.EventValidatorChanged{{Validator: v.operator, Status: want, Sequence: last}}, events[*types.EventValidatorChanged](f))
		require.Len(t, f.changes(0), len(f.vals)-f.neverBonded(), "one record each")
		f.begin(time.Second)
	}

	// Jailed, back, jailed by its own operator, tombstoned for good, removed.
	require.NoError(t, f.staking.Jail(f.ctx, f.vals[0].cons))
	changed(f.vals[0], control.StatusJailed)
	require.NoError(t, f.staking.Unjail(f.ctx, f.vals[0].cons))
	changed(f.vals[0], control.StatusActive)
	val := f.validator(f.vals[1])
	val.MinSelfDelegation = math.NewInt(selfStake)
	require.NoError(t, f.staking.SetValidator(f.ctx, val))
	f.undelegate(f.vals[1], 1_000_000)
	changed(f.vals[1], control.StatusJailed)
	f.slash(f.vals[2], f.ctx.BlockHeight()-1, "0.05")
	require.NoError(t, f.staking.Jail(f.ctx, f.vals[2].cons))
	require.NoError(t, f.slashing.Tombstone(f.ctx, f.vals[2].cons))
	changed(f.vals[2], control.StatusTombstoned)

	// Out of the active set, and removed when everything has left.
	sp, err := f.staking.GetParams(f.ctx)
	require.NoError(t, err)
	sp.MaxValidators = 1
	require.NoError(t, f.staking.SetParams(f.ctx, sp))
	f.undelegate(f.vals[3], 1_000_000)
	changed(f.vals[3], control.StatusInactive)
	f.undelegate(f.vals[3], selfStake-1_000_000)
	f.end()
	f.begin(unbondingTime)
	changed(f.vals[3], control.StatusRemoved)

	// A validator that is not bonded yet is not known; nothing changed for it.
	fresh := f.addValidator(9, 5_000_000)
	f.block(time.Second)
	require.Equal(t, control.StatusUnspecified, f.status(fresh))
	require.Empty(t, f.changes(last))
	sp.MaxValidators = 10
	require.NoError(t, f.staking.SetParams(f.ctx, sp))
	changed(fresh, control.StatusActive)

	// Tombstones are final, also without the validator.
	f.undelegate(f.vals[2], f.validator(f.vals[2]).Tokens.Int64())
	f.block(unbondingTime)
	f.block(time.Second)
	f.block(time.Second)
	_, err = f.staking.GetValidator(f.ctx, f.vals[2].address)
	require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
	require.Equal(t, control.StatusTombstoned, f.status(f.vals[2]))

	// Asked in pieces.
	all := f.changes(0)
	two, err := f.k.ValidatorChanges(f.ctx, 0, 2)
	require.NoError(t, err)
	require.Equal(t, all[:2], two)
	rest, err := f.k.ValidatorChanges(f.ctx, two[1].Sequence, 1_000)
	require.NoError(t, err)
	require.Equal(t, all[2:], rest)
}

// neverBonded counts validators of the fixture that have no record.
func (f *fixture) neverBonded() (n int) {
	for _, v := range f.vals {
		if f.status(v) == control.StatusUnspecified {
			n++
		}
	}
	return n
}

// An unjail into the inactive set fires no hook.
func TestInactiveValidatorsAreReviewed(t *testing.T) {
	f := newFixture(t, 3)
	require.NoError(t, f.staking.Jail(f.ctx, f.vals[0].cons))
	f.block(time.Second)
	require.Equal(t, control.StatusJailed, f.status(f.vals[0]))
	sp, err := f.staking.GetParams(f.ctx)
	require.NoError(t, err)
	sp.MaxValidators = 2
	require.NoError(t, f.staking.SetParams(f.ctx, sp))
	f.undelegate(f.vals[0], 1_000_000)
	f.block(time.Second)
	require.NoError(t, f.staking.Unjail(f.ctx, f.vals[0].cons))
	f.block(time.Second)
	require.Equal(t, control.StatusJailed, f.status(f.vals[0]), "not seen yet")
	for range 10 {
		f.block(time.Second)
	}
	require.Equal(t, control.StatusInactive, f.status(f.vals[0]))
}

func TestReviewAndReadsAreBoundedPerBlock(t *testing.T) {
	f := newChain(t)
	params := types.DefaultParams()
	params.EpochLength = 10
	state := types.GenesisState{Params: params}
	for i := range 450 {
		key := ed25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "%d", i)).PubKey()
		state.LastSequence++
		state.Validators = append(state.Validators, types.ValidatorRecord{Sequence: state.LastSequence, Update: control.ValidatorUpdate{
			Validator: sdk.ValAddress(fmt.Sprintf("v%019d", i)).String(), ConsPubkey: key.Bytes(), Status: control.StatusJailed,
		}})
	}
	require.NoError(t, f.k.InitGenesis(f.ctx, state))
	f.fees = 0
	removed := func() (n int) {
		for _, r := range f.changes(0) {
			if r.Update.Status == control.StatusRemoved {
				n++
			}
		}
		return n
	}
	for f.ctx.BlockHeight() < 10 {
		f.block(time.Second)
	}
	for _, want := range []int{200, 400, 450} {
		f.block(time.Second)
		require.Equal(t, want, removed())
	}
	for _, r := range state.Validators {
		require.NoError(t, f.k.Dirty.Set(f.ctx, r.Update.Validator))
	}
	for _, want := range []int{250, 50, 0} {
		f.block(time.Second)
		state, err := f.k.ExportGenesis(f.ctx)
		require.NoError(t, err)
		require.Len(t, state.Dirty, want)
	}
}

func TestOnlyEd25519KeysAreReported(t *testing.T) {
	f := newFixture(t, 1)
	v := f.addValidatorWithKey(5, selfStake, secp256k1.GenPrivKeyFromSecret([]byte("s")).PubKey())
	f.block(time.Second)
	require.True(t, f.validator(v).IsBonded())
	require.Equal(t, control.StatusUnspecified, f.status(v))
	require.Len(t, f.changes(0), 1)
}

func TestHooksNeverReturnAnError(t *testing.T) {
	f := newFixture(t, 1)
	h := f.k.Hooks()
	for _, addr := range []sdk.ValAddress{nil, {}, make([]byte, 300), f.vals[0].address} {
		for i, err := range []error{
			h.AfterValidatorCreated(f.ctx, addr), h.BeforeValidatorModified(f.ctx, addr), h.AfterValidatorRemoved(f.ctx, nil, addr),
			h.AfterValidatorBonded(f.ctx, nil, addr), h.AfterValidatorBeginUnbonding(f.ctx, nil, addr),
			h.BeforeValidatorSlashed(f.ctx, addr, math.LegacyDec{}), h.AfterDelegationModified(f.ctx, sdk.AccAddress(addr), addr),
			h.BeforeDelegationRemoved(f.ctx, sdk.AccAddress(addr), addr), h.BeforeDelegationCreated(f.ctx, nil, addr),
			h.BeforeDelegationSharesModified(f.ctx, nil, addr), h.AfterUnbondingInitiated(f.ctx, 0),
		} {
			require.NoError(t, err, i)
		}
	}
	f.block(time.Second)
}

// Real downtime, through x/slashing.
func TestDowntimeJailIsReported(t *testing.T) {
	f := newFixture(t, 2)
	sp := slashingtypes.DefaultParams()
	sp.SignedBlocksWindow = 4
	require.NoError(t, f.slashing.SetParams(f.ctx, sp))
	f.absent = map[string]bool{f.vals[1].operator: true}
	for range 8 {
		f.block(time.Second)
	}
	require.Equal(t, control.StatusJailed, f.status(f.vals[1]))
	require.Equal(t, control.StatusActive, f.status(f.vals[0]))
}

// A tombstone that was not read before its validator was removed was reported as an ordinary leave: the provider would
// have kept its stake for an operator who comes back.
func TestTO08_TombstoneOfARemovedValidatorWasLost(t *testing.T) {
	for name, comeBack := range map[string]bool{"removed": false, "back with another key": true} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 3)
			v := f.vals[2]
			f.slash(v, f.ctx.BlockHeight()-1, "0.05")
			require.NoError(t, f.staking.Jail(f.ctx, v.cons))
			require.NoError(t, f.slashing.Tombstone(f.ctx, v.cons))
			f.undelegate(v, f.validator(v).Tokens.Int64())
			// Reading it fails for as long as it is there.
			for range 3 {
				_, err := f.staking.EndBlocker(f.ctx)
				require.NoError(t, err)
				f.begin(unbondingTime)
			}
			_, err := f.staking.GetValidator(f.ctx, v.address)
			require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
			if comeBack {
				f.vals = f.vals[:2]
				f.addValidatorWithKey(2, selfStake, ed25519.GenPrivKeyFromSecret([]byte("another")).PubKey())
			}
			f.block(time.Second)
			require.Equal(t, control.StatusTombstoned, f.status(v))
			record, err := f.k.Validators.Get(f.ctx, v.operator)
			require.NoError(t, err)
			require.Equal(t, v.key.Bytes(), record.Update.ConsPubkey)
			f.end()
		})
	}
}

// However often validators change while nobody can be told, there is one record of each, and it says what is true now.
func TestTO08_TenThousandChangesCoalescePerValidator(t *testing.T) {
	const flapping, changes = 20, 10_000
	f := newFixture(t, flapping+1)
	last := f.changes(0)[flapping].Sequence
	require.NoError(t, f.slashing.Tombstone(f.ctx, f.vals[flapping].cons))
	require.NoError(t, f.staking.Jail(f.ctx, f.vals[flapping].cons))
	for n := range changes / flapping {
		for _, v := range f.vals[:flapping] {
			if n%2 == 0 {
				require.NoError(t, f.staking.Jail(f.ctx, v.cons))
			} else {
				require.NoError(t, f.staking.Unjail(f.ctx, v.cons))
			}
		}
		_, err := f.staking.EndBlocker(f.ctx)
		require.NoError(t, err)
		require.NoError(t, f.k.EndBlock(f.ctx))
	}
	f.end()
	records := f.changes(last)
	require.Len(t, records, flapping+1)
	require.Equal(t, control.StatusTombstoned, records[0].Update.Status)
	for _, r := range records[1:] {
		require.Equal(t, control.StatusActive, r.Update.Status)
		require.Greater(t, r.Sequence, uint64(changes-2*flapping))
	}
	state, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Len(t, state.Validators, flapping+1)
	require.Empty(t, state.Dirty)
}
