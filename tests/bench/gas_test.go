package bench

import (
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// TestStakeCostsNoMoreGasThanDelegate compares whole transactions on one chain: lending security to another chain is not
// dearer than ordinary staking at home, for users who stake at home through the vault as well.
func TestStakeCostsNoMoreGasThanDelegate(t *testing.T) {
	w := newWorld(t, 4, longEpoch)
	send := func(user twochain.Account, msg sdk.Msg) uint64 {
		gas := deliver(t, w.Provider, user, msg)
		w.relay()
		return gas
	}
	staker, local, delegator := w.newUser(), w.newLocalStaker(), w.newUser()
	for _, tc := range []struct {
		name      string
		validator int
	}{
		{"first", 0},
		{"later", 0},
		{"first on another validator", 1},
	} {
		stake := send(staker, w.stake(staker, w.validator(tc.validator), 1_000))
		withLocal := send(local, w.stake(local, w.validator(tc.validator), 1_000))
		delegate := send(delegator, delegate(w.Provider, delegator, w.Provider.Validators[tc.validator], 1_000))
		t.Logf("%s: stake %d gas, with local stake %d, delegate %d", tc.name, stake, withLocal, delegate)
		require.LessOrEqual(t, stake, delegate, tc.name)
		require.LessOrEqual(t, withLocal, delegate, tc.name)
	}
}

// TestStakeLocalSettlesOnce: staking through the vault is not much dearer than x/staking's own message. The user is settled
// before, but not once more after, and the coins move once.
func TestStakeLocalSettlesOnce(t *testing.T) {
	w := newWorld(t, 4, longEpoch)
	through, past := w.newUser(), w.newUser()
	validator := w.Provider.Validators[0]
	for _, tc := range []struct {
		name string
		// more than MsgDelegate, in percent: the first one also makes the staking account.
		more uint64
	}{
		{"first", 50},
		{"later", 25},
	} {
		local := deliver(t, w.Provider, through, stakeLocal(w.Provider, through, validator, 1_000))
		direct := deliver(t, w.Provider, past, delegate(w.Provider, past, validator, 1_000))
		t.Logf("%s: stake-local %d gas, delegate %d", tc.name, local, direct)
		require.LessOrEqual(t, local, direct*(100+tc.more)/100, tc.name)
	}
}

// halfBlock is half of the block gas that the bounds on packets were chosen for: docs/params.md.
const halfBlock = 100_000_000 / 2

// TestAckOfFullPacketFitsHalfABlock: the ack of the largest packet the default params allow can always be delivered; one
// that cannot would jam the ordered channel for ever.
func TestAckOfFullPacketFitsHalfABlock(t *testing.T) {
	params := externaltypes.DefaultParams()
	entries, operations := int(params.MaxEntriesPerPacket), int(params.MaxOpsPerPacket)
	w := newWorld(t, entries, longEpoch)
	users := w.newUsers(w.Provider, operations)
	validator := func(i int) string { return w.validator(i % entries) }
	unstake := func(i int) sdk.Msg { return w.unstake(users[i], validator(i), 10) }

	for _, tc := range []struct {
		name    string
		prepare func()
		msg     func(i int) sdk.Msg
	}{
		{name: "stakes", msg: func(i int) sdk.Msg { return w.stake(users[i], validator(i), 1_000) }},
		{name: "unstakes", msg: unstake},
		{name: "unstakes that join full lists of earlier ones", msg: unstake, prepare: func() {
			for i, user := range users {
				w.fillUnbonding(user, validator(i), int(params.MaxEntriesPerPosition)-1)
			}
			w.block(w.Provider)
		}},
	} {
		if tc.prepare != nil {
			tc.prepare()
		}
		for i := range users {
			w.Provider.Queue(users[i], tc.msg(i))
		}
		w.block(w.Provider)
		p := only(t, w.Provider.Unreceived())
		sent := twochain.Events[externaltypes.EventBatchSent](w.Provider.LastEvents())
		require.Len(t, sent, 1)
		require.EqualValues(t, entries, sent[0].Entries)
		require.EqualValues(t, operations, sent[0].Operations)

		ctx := w.Provider.Ctx().WithGasMeter(storetypes.NewInfiniteGasMeter())
		w.Provider.App.ExternalStakingKeeper.RefuseBatch(ctx, p.SourceChannel, p.Sequence, "refused")
		refused := ctx.GasMeter().GasConsumed()
		require.NoError(t, w.Receive(w.Provider, p))
		accepted := deliver(t, w.Provider, w.Provider.Relayer, w.acknowledge(w.Provider, w.Consumer, p))
		t.Logf("%s: accepted %d gas, refused %d", tc.name, accepted, refused)
		require.LessOrEqual(t, accepted, uint64(halfBlock), tc.name)
		require.LessOrEqual(t, refused, uint64(halfBlock), tc.name)
		w.relay()
	}
}

// fillUnbonding writes unbonding entries of a position, with amounts longer than any test's user could afford.
func (w *world) fillUnbonding(user twochain.Account, validator string, entries int) {
	w.Helper()
	ctx, keeper := w.Provider.GetContext(), w.Provider.App.ExternalStakingKeeper
	position := collections.Join3(user.Address, w.ConsumerID, validator)
	for i := range entries {
		entry := externaltypes.UnbondingEntry{
			Amount: math.NewIntWithDecimal(1, 38), ReleaseTime: ctx.BlockTime().Add(time.Hour + time.Duration(i)), BatchID: 1,
			CommittedAt: ctx.BlockTime(), UnbondingPeriod: w.Config().Consumer.UnbondingTime,
		}
		require.NoError(w, keeper.Unbondings.Set(ctx, collections.Join(position, entry.ReleaseTime), entry))
	}
}
