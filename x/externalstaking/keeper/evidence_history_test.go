package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Who has left the consumer's validators answers for what was signed before, as long as anything is left: its keys are kept,
// and its stakers wait as others do.
func TestEvidenceAgainstAValidatorThatWasRemovedWasIgnored(t *testing.T) {
	l := newSlashLedger(t, 1)
	params := types.DefaultParams()
	params.MaxValidatorsPerConsumer = 4
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 20))
	l.endBlock()
	l.acceptAll(1)

	l.pass(time.Hour)
	l.report(1, control.StatusRemoved, "val1")
	require.NoError(t, l.unstake(ann, "val1", 60))
	l.endBlock()
	require.Equal(t, int64(100), l.lien(ann), "nobody is out at once")
	// Many validators come and go meanwhile.
	for i := range 20 {
		name := fmt.Sprintf("shortlived%d", i)
		l.report(1, control.StatusActive, name)
		l.report(1, control.StatusRemoved, name)
		l.pass(24 * time.Hour)
		l.endBlock()
	}
	require.Equal(t, int64(100), l.lien(ann))
	_, err := l.query.Validator(l.ctx, &types.QueryValidatorRequest{ConsumerId: 1, Validator: "val1"})
	require.NoError(t, err)

	l.slash("val1", 100)
	l.settle(ann)
	p, _ := l.position(ann, "val1")
	require.Equal(t, "10", p.Bonded.String())
	require.Len(t, p.Unbondings, 2)
	for i, left := range []string{"10", "30"} {
		require.Equal(t, left, p.Unbondings[i].Amount.String())
		require.True(t, p.Unbondings[i].Slashed)
	}
	require.Equal(t, int64(1_000_000-50), l.collateral(ann))
}

// Whoever keeps a little stake on its way in, or out, holds up no slash of anybody.
func TestALittleStakeOnItsWayShieldedAValidator(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	l.bond(eve, "val1", 2)
	require.NoError(t, l.stake(eve, "val1", 1))
	require.NoError(t, l.unstake(eve, "val1", 1))
	l.endBlock()
	require.Len(t, l.packets(1), 1, "in flight")
	require.NoError(t, l.stake(eve, "val1", 1))
	l.slash("val1", 100)
	settled, _ := l.sweep(100)
	require.NotZero(t, settled)
	l.want(ann, "val1", 50, 0, 0, 50)
	require.Equal(t, int64(1_000_000-50), l.collateral(ann))
	require.Equal(t, int64(1_000_000-1), l.collateral(eve))
	l.acceptAll(1)
	l.want(ann, "val1", 50, 0, 0, 50)
	require.Equal(t, int64(1_000_000-2), l.collateral(eve), "and it is slashed when it arrives")
}

// Params that nobody has set cannot be there when the first slash comes; and if they were lost nothing would panic.
func TestEmptyParamsPanickedAtTheFirstSlash(t *testing.T) {
	require.ErrorIs(t, types.Params{}.Validate(), types.ErrInvalidParams)
	genesis := types.DefaultGenesis()
	genesis.Params = types.Params{}
	require.ErrorIs(t, genesis.Validate(), types.ErrInvalidGenesis)
	f := newProvider(t)
	f.refusedMsg(types.ErrInvalidParams, &types.MsgUpdateParams{Authority: f.authority})

	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 40))
	l.endBlock()
	l.acceptAll(1)
	require.NoError(t, l.k.Params.Remove(l.ctx))
	require.NotPanics(t, func() {
		l.slash("val1", 100)
		l.sweep(100)
		l.endBlock()
	})
	require.Equal(t, int64(1_000_000-50), l.collateral(ann), "a slash needs none")
}

// The largest amounts the vault takes are slashed exactly.
func TestSlashesOfHugeStakesDoNotOverflow(t *testing.T) {
	l := newSlashLedger(t, 1)
	huge := sdk.NewCoin(stakeDenom, math.NewIntWithDecimal(1, 30).AddRaw(1))
	for _, user := range []sdk.AccAddress{ann, ben} {
		l.fund(user, huge)
		_, err := l.vault.Deposit(l.ctx, user, huge)
		require.NoError(t, err)
		_, err = l.msgs.Stake(l.ctx, &types.MsgStake{User: user.String(), ConsumerID: 1, Validator: "val1", Amount: huge})
		require.NoError(t, err)
	}
	l.endBlock()
	l.acceptAll(1)
	l.slash("val1", 100)
	l.settle(ann, ben)
	p, _ := l.position(ann, "val1")
	require.Equal(t, "500000000000000000000000000000", p.Bonded.String())
	require.Equal(t, "1000000000000000000000000000000", l.pool("val1").Bonded.String())
}

// Entries that join later ones, or that a slash or a reduction takes all of, leave no trace of their batch for ever.
func TestBatchesOfEntriesThatJoinedOthersWereNeverForgotten(t *testing.T) {
	l := newSlashLedger(t, 1)
	params := types.DefaultParams()
	params.MaxEntriesPerPosition = 1
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	l.bond(ann, "val1", 1_000)
	noted := func() (batches []uint64) {
		require.NoError(t, l.k.UnbondedBatches.Walk(l.ctx, nil, func(key collections.Triple[uint64, string, uint64], _ time.Time) (bool, error) {
			batches = append(batches, key.K3())
			return false, nil
		}))
		return batches
	}
	leave := func() {
		require.NoError(t, l.unstake(ann, "val1", 10))
		l.endBlock()
		l.acceptAll(1)
		l.pass(time.Hour)
	}
	for range 8 {
		leave()
	}
	require.Len(t, noted(), 8, "any of them may still be hit")
	l.pass(ledgerUnbonding)
	l.endBlock()
	for range 8 {
		leave()
	}
	require.Len(t, noted(), 8, "the former ones are due")
	l.slash("val1", 100)
	l.settle(ann)
	l.pass(ledgerUnbonding)
	l.endBlock()
	require.Equal(t, int64(420), l.lien(ann))
}
