package tests

import (
	"testing"

	"cosmossdk.io/collections"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// bondedOn is the committed stake of all users on a validator.
func (v providerView) bondedOn(t *testing.T, validator string) string {
	t.Helper()
	pool, err := v.keeper.Pools.Get(v.ctx, collections.Join(v.consumer, validator))
	require.NoError(t, err)
	return pool.Bonded.String()
}

// Whatever the consumer does, everybody who asked is out after forced_unstake_delay and the unbonding period.
func TestRM09ABadConsumerTrapsNobody(t *testing.T) {
	const delay, unbonding = 21, 21
	// Each lets some days pass in which the consumer is bad.
	for name, bad := range map[string]func(*testing.T, *world, int){
		"it never answers": func(t *testing.T, w *world, days int) {
			for range days {
				require.NoError(t, w.Advance(day))
				_, err := w.RelayRecv(w.Provider, 0)
				require.NoError(t, err)
			}
		},
		"it answers every batch with an error": func(t *testing.T, w *world, days int) {
			w.refuseNext(t, true)
			for range days {
				require.NoError(t, w.Advance(day))
				w.Provider.Blocks(10)
				// What it reports of batches it believes to have seen is no part of this.
				_, err := w.RelayRecv(w.Provider, 0)
				require.NoError(t, err)
				_, err = w.RelayAcks(w.Provider, 0)
				require.NoError(t, err)
			}
		},
		"it opens and closes in turn": func(t *testing.T, w *world, days int) {
			for range days {
				require.NoError(t, w.Advance(day))
				require.NoError(t, authority(w.Consumer, &convertertypes.MsgCloseChannel{Authority: twochain.Authority(), ConverterID: w.ConverterID}))
				w.Consumer.NextBlock()
				end := w.Control.EndpointB
				require.NoError(t, w.CloseConfirm(w.Consumer, end.ChannelConfig.PortID, end.ChannelID))
				require.NoError(t, w.ReopenControl())
			}
		},
		"it is dead": func(_ *testing.T, w *world, days int) { w.alone(w.Provider, days) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noEpochs)
			users := w.Provider.Users[1:7]
			for i, user := range users {
				w.staked(t, user, w.validator(i%4), 1_000)
			}
			// One has stake that is on its way, and one wants out of it as well.
			require.NoError(t, w.deposit(users[0], 500))
			require.NoError(t, w.stake(users[0], w.validator(1), 500))
			for i, user := range users {
				require.NoError(t, w.unstake(user, w.validator(i%4), 1_000))
			}
			bad(t, w, delay)
			w.Provider.Blocks(3)
			require.NoError(t, w.CheckInvariants())
			require.NoError(t, checkX1(w.provider(), w.consumer()))
			if left := w.position(users[0], w.validator(1)).Bonded; left.IsPositive() {
				require.NoError(t, w.unstake(users[0], w.validator(1), left.Int64()))
			}
			bad(t, w, unbonding+1)
			w.Provider.Blocks(3)
			require.NoError(t, w.CheckInvariants())
			for i, user := range users {
				account := w.account(user)
				if i > 0 {
					require.Equal(t, "1000", account.Free.String(), "user %d is out", i)
				} else {
					require.GreaterOrEqual(t, account.Free.Int64(), int64(1_000), "what was asked for first is out")
				}
				require.NoError(t, w.withdraw(user, account.Free.Int64()))
			}
			// What was on its way was asked for later, and takes as long from then.
			bad(t, w, unbonding+1)
			w.Provider.Blocks(3)
			require.True(t, w.account(users[0]).Free.Equal(w.account(users[0]).Collateral))
			require.NoError(t, w.CheckInvariants())
		})
	}
}

// A consumer is left for good, by a vote: a bystander registration over the same chains notices nothing.
func TestTO09ARetiredConsumerFreesItsLiensAndIsForgotten(t *testing.T) {
	w := newWorld(t)
	other := &world{w.AddConsumer()}
	users := w.Provider.Users[1:5]
	for i, user := range users {
		w.staked(t, user, w.validator(i%2), 1_000_000)
		require.NoError(t, other.stake(user, w.validator(2), 400_000))
	}
	w.requireQuiet(t)
	other.requireQuiet(t)
	w.earn(t)
	w.earn(t)
	require.NoError(t, w.unstake(users[3], w.validator(1), 250_000))
	w.requireQuiet(t)
	require.True(t, w.source().Delegated.IsPositive())
	offence := w.doubleVote(w.Consumer.Validators[0])

	retire := &externalstakingtypes.MsgRetireConsumer{Authority: users[0].String(), ConsumerID: w.ConsumerID}
	_, err := w.Provider.Deliver(users[0], retire)
	require.ErrorIs(t, err, externalstakingtypes.ErrUnauthorized)
	retire.Authority = twochain.Authority()
	require.NoError(t, w.Provider.Execute(retire))
	w.Provider.Blocks(2)
	require.ErrorIs(t, w.stake(users[0], w.validator(1), 1), externalstakingtypes.ErrRetired)
	for i, user := range users {
		p := w.position(user, w.validator(i%2))
		require.True(t, p.Bonded.IsZero(), "all of it unbonds")
		require.Equal(t, "1000000", w.lienAbroad(user).String(), "and is locked for a full period")
	}
	require.NoError(t, w.check())

	// The consumer is told, so that nothing counts there any more.
	require.NoError(t, w.Relay())
	w.epoch()
	require.True(t, w.source().Delegated.IsZero())
	counted, err := w.consumer().counted()
	require.NoError(t, err)
	require.Empty(t, counted)

	// It can still be slashed meanwhile.
	require.NoError(t, w.Advance(10*day))
	require.NoError(t, w.submit(offence))
	require.Equal(t, "200000", w.lost(users[0]).String())
	require.Equal(t, "0", w.lost(users[1]).String())
	require.NoError(t, w.Advance(12*day))
	w.Provider.Blocks(2)
	for _, user := range users {
		require.True(t, w.lienAbroad(user).IsZero(), "the lien is free")
		require.Equal(t, "400000", other.lienAbroad(user).String(), "the others' is not")
	}

	// It is forgotten once nothing is owed any more.
	require.False(t, w.provider().cleared())
	for _, user := range users {
		owed, before := w.owed(user), w.paid(user)
		require.True(t, owed.IsPositive())
		require.NoError(t, w.withdrawRewards(user, ""))
		require.Equal(t, owed, w.paid(user).Sub(before))
	}
	require.NoError(t, w.Relay())
	w.Provider.Blocks(5)
	require.True(t, w.provider().cleared())
	backings, _, err := w.provider().backings()
	require.NoError(t, err)
	require.Empty(t, backings)
	require.True(t, w.Provider.Balance(externalstakingtypes.RewardReceiver(w.ConsumerID), w.voucher(w.Consumer.Denom)).IsZero())
	require.True(t, w.consumerInfo().Consumer.Retired, "the registration stays: ids and ports are not used again")
	require.NoError(t, w.check())

	other.requireQuiet(t)
	require.NoError(t, other.stake(users[1], w.validator(3), 1_000))
	other.requireQuiet(t)
	require.Equal(t, "1000", other.position(users[1], w.validator(3)).Bonded.String())
	other.everybodyWithdraws(t)
}

// A consumer that refuses whatever it is told is left: what users have there is free after the unbonding period and answers until
// then, and what they have elsewhere is not touched.
func TestGV04ARetiredByzantineConsumer(t *testing.T) {
	w := newWorld(t, noEpochs)
	other := &world{w.AddConsumer()}
	guilty, innocent := w.Provider.Users[1], w.Provider.Users[2]
	for i, user := range []twochain.Account{guilty, innocent} {
		w.staked(t, user, w.validator(i), 1_000)
		require.NoError(t, other.stake(user, w.validator(2), 900))
	}
	w.requireQuiet(t)
	other.requireQuiet(t)
	offence := w.doubleVote(w.Consumer.Validators[0])
	w.refuseNext(t, true)
	require.NoError(t, authority(w.Provider, &externalstakingtypes.MsgRetireConsumer{Authority: twochain.Authority(), ConsumerID: w.ConsumerID}))
	w.Provider.NextBlock()
	require.NoError(t, w.Advance(20*day))
	require.NoError(t, w.Relay())
	require.NoError(t, w.check())
	require.NoError(t, w.submit(offence))
	require.Equal(t, "200", w.lost(guilty).String(), "it answers until the last day")
	require.True(t, w.lost(innocent).IsZero())
	require.Equal(t, "1000", w.lienAbroad(innocent).String())
	require.NoError(t, w.Advance(2*day))
	w.Provider.Blocks(2)
	for _, user := range []twochain.Account{guilty, innocent} {
		require.True(t, w.lienAbroad(user).IsZero())
	}
	require.Equal(t, "800", other.lienAbroad(guilty).String(), "no more than the collateral that is left")
	require.Equal(t, "900", other.lienAbroad(innocent).String())

	// As long as the channel is open it is told to count nothing.
	require.NoError(t, w.Relay())
	require.False(t, w.provider().cleared())
	require.NoError(t, authority(w.Provider, &externalstakingtypes.MsgCloseChannel{Authority: twochain.Authority(), ConsumerID: w.ConsumerID}))
	w.Provider.Blocks(5)
	require.True(t, w.provider().cleared())
	require.NoError(t, w.check())
	other.everybodyWithdraws(t)
}
