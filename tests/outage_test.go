package tests

import (
	"testing"
	"time"

	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// alone lets time pass on one chain while the other one stands still, in days.
func (w *world) alone(c *twochain.Chain, days int) {
	for range days {
		w.Coordinator.IncrementTimeBy(day)
		c.NextBlock()
	}
}

func TestTO04ExpiredClientsKeepEverythingInOrderUntilGovernanceRecoversThem(t *testing.T) {
	w := newWorld(t)
	w.forceAfter(t, patient)
	user := w.Provider.Users[1]
	w.staked(t, user, w.validator(0), 1_000_000)
	require.NoError(t, w.deposit(user, 1_000_000))
	w.earn(t)
	channel := w.consumerInfo().Consumer.ChannelID

	w.Outage(15 * day)
	require.Equal(t, exported.Expired, w.ClientStatus(w.Provider))
	require.Equal(t, exported.Expired, w.ClientStatus(w.Consumer))
	err := w.stake(user, w.validator(0), 1)
	require.ErrorIs(t, err, externalstakingtypes.ErrChannelNotUsable)
	require.ErrorContains(t, err, "Expired")
	require.Error(t, w.UpdateClient(w.Provider), "too late")

	// Everything goes on at home, and what is for the other chain waits there.
	sentByProvider, sentByConsumer := len(w.Provider.Packets()), len(w.controlPackets(w.Consumer.Packets()))
	for range 3 {
		require.NoError(t, w.unstake(user, w.validator(0), 100_000))
		require.NoError(t, w.stakeLocal(user, w.home(0), 10))
	}
	require.NoError(t, w.Consumer.Jail(w.Consumer.Validators[1]))
	for range 4 {
		w.epoch()
	}
	require.NoError(t, w.Consumer.Unjail(w.Consumer.Validators[1]))
	require.NoError(t, w.Consumer.Jail(w.Consumer.Validators[2]))
	w.epoch()
	require.Len(t, w.Provider.Packets(), sentByProvider)
	require.Len(t, w.controlPackets(w.Consumer.Packets()), sentByConsumer)
	require.Equal(t, "300000", w.position(user, w.validator(0)).PendingUnstake.String())
	require.NoError(t, w.check())

	require.NoError(t, w.RecoverClient(w.Provider))
	require.NoError(t, w.RecoverClient(w.Consumer))
	w.requireQuiet(t)
	require.Equal(t, channel, w.consumerInfo().Consumer.ChannelID, "the channel has never closed")
	w.requireOpen(t)
	require.Equal(t, "700000", w.position(user, w.validator(0)).Bonded.String())
	require.Len(t, w.unbondings(user), 1, "three requests travelled as one")
	require.Equal(t, control.StatusActive, w.provider().statusOf(w.validator(1)))
	require.Equal(t, control.StatusJailed, w.provider().statusOf(w.validator(2)))
	require.NoError(t, w.stake(user, w.validator(0), 1))
	owed := w.owed(user)
	w.earn(t)
	require.True(t, w.owed(user).GT(owed), "rewards flow again")
	w.requireQuiet(t)
	w.everybodyWithdraws(t)
}

func TestTO05AFrozenClientStopsStakeButNeitherExitsNorEvidence(t *testing.T) {
	w := newWorld(t)
	user := w.stakedEverywhere(t)
	innocent := w.Consumer.Validators[0]
	require.NoError(t, w.unstake(user, innocent.Address, 30))
	require.NoError(t, w.Relay())
	require.Len(t, w.unbondings(user), 1)
	doubleVote := w.doubleVote(innocent)

	// All but one sign a fork.
	attack := w.Attack(w.Consumer, twochain.Fork{}, twochain.Fork{Data: "other", Signers: w.Consumer.Validators[1:]})
	require.NoError(t, w.submitAttack(attack))
	require.Equal(t, exported.Frozen, w.ClientStatus(w.Provider))
	require.Len(t, w.slashes(), 3)
	require.Equal(t, "940", w.account(user).Collateral.String())
	require.ErrorIs(t, w.stake(user, innocent.Address, 1), externalstakingtypes.ErrChannelNotUsable)

	// What unbonds matures, and what is asked for leaves without the consumer.
	require.NoError(t, w.unstake(user, innocent.Address, 20))
	require.Equal(t, "20", w.position(user, innocent.Address).PendingUnstake.String())
	w.alone(w.Provider, 22)
	require.NoError(t, w.CheckInvariants())
	position := w.position(user, innocent.Address)
	require.True(t, position.PendingUnstake.IsZero(), "ended by force")
	require.Equal(t, "50", position.Bonded.String())
	require.Len(t, position.Unbondings, 1, "the first entry has matured, the forced one has its full time before it")
	require.Equal(t, "20", position.Unbondings[0].Amount.String())

	// The evidence of then counts: what is bonded and what unbonds without a batch answers.
	require.NoError(t, w.submit(doubleVote))
	require.Equal(t, "926", w.account(user).Collateral.String())
	require.NoError(t, w.unstake(user, innocent.Address, 40))
	for _, v := range w.Consumer.Validators[1:] {
		require.NoError(t, w.unstake(user, v.Address, 80))
	}
	w.alone(w.Provider, 22)
	require.Equal(t, "926", w.account(user).Free.String())
	require.NoError(t, w.withdraw(user, 926))
	require.NoError(t, w.CheckInvariants())
}

func TestTO06AConsumerThatStandsStillForAWeekLosesNothing(t *testing.T) {
	w := newWorld(t)
	user := w.Provider.Users[1]
	w.staked(t, user, w.validator(0), 1_000)
	require.NoError(t, w.deposit(user, 500))
	require.NoError(t, w.stake(user, w.validator(0), 500))
	params, err := w.Provider.App.ExternalStakingKeeper.Params.Get(w.Provider.Ctx())
	require.NoError(t, err)
	require.GreaterOrEqual(t, params.PacketTimeout, 4*7*day)
	inFlight := w.controlPackets(w.Provider.Unreceived())
	require.Len(t, inFlight, 1)
	require.Equal(t, w.Provider.Ctx().BlockTime().Add(params.PacketTimeout).Unix()/60, time.Unix(0, int64(inFlight[0].TimeoutTimestamp)).Unix()/60,
		"nanoseconds, counted from the block")

	w.alone(w.Provider, 7)
	late, refused := w.Lost(w.Provider)
	require.Empty(t, late)
	require.Empty(t, refused)
	w.Consumer.NextBlock()
	w.requireQuiet(t)
	w.requireOpen(t)
	require.Equal(t, "1500", w.position(user, w.validator(0)).Bonded.String())
	w.epoch()
	require.Empty(t, w.source().Source.LastFailure)
}

func TestNF04OneChainStandsStillTheOtherGoesOn(t *testing.T) {
	const days = 9
	for _, halted := range []string{"the consumer", "the provider"} {
		t.Run(halted, func(t *testing.T) {
			w := newWorld(t)
			user := w.Provider.Users[1]
			w.staked(t, user, w.validator(0), 1_000_000)
			w.earn(t)
			require.NoError(t, w.stakeLocal(user, w.home(0), 500_000))
			if halted == "the consumer" {
				require.NoError(t, w.unstake(user, w.validator(0), 300_000))
				require.NoError(t, w.deposit(user, 1_000))
				require.NoError(t, w.stake(user, w.validator(1), 1_000))
				w.alone(w.Provider, days)
				require.NoError(t, w.unstakeLocal(user, w.home(0), 500_000))
				require.NoError(t, w.withdrawRewards(user, ""))
				w.Consumer.NextBlock()
				w.requireQuiet(t)
				require.Equal(t, "700000", w.position(user, w.validator(0)).Bonded.String())
				require.Equal(t, "1000", w.position(user, w.validator(1)).Bonded.String())
			} else {
				w.alone(w.Consumer, days)
				before := w.source()
				require.True(t, before.Delegated.IsPositive(), "a provider that stands still for %d days is not silent yet", days)
				require.False(t, before.Source.Unwound)
				w.Provider.NextBlock()
				owed := w.owed(user)
				w.requireQuiet(t)
				require.True(t, w.owed(user).GT(owed), "the rewards of that time have arrived")
			}
			w.requireOpen(t)
			w.epoch()
			require.Empty(t, w.source().Source.LastFailure)
			w.everybodyWithdraws(t)
		})
	}
}

func TestNF06ARelayerCanOnlyDelay(t *testing.T) {
	w := newWorld(t, noEpochs)
	user := w.Provider.Users[1]
	w.staked(t, user, w.validator(0), 1_000)
	require.NoError(t, w.deposit(user, 10))
	require.NoError(t, w.unstake(user, w.validator(0), 100))
	require.NoError(t, w.stake(user, w.validator(1), 10))
	packets := w.controlPackets(w.Provider.Unreceived())
	require.Len(t, packets, 2)

	// Packets and answers that were not sent are not believed.
	before := meshState(t, w.Consumer)
	forged := *packets[0]
	forged.Data = []byte(`{"stake_sync":{"batch_id":"9","entries":[{"validator":"` + w.validator(0) + `","stake":"1000000"}]}}`)
	require.Error(t, w.Receive(w.Provider, &forged))
	require.Error(t, w.Receive(w.Provider, packets[1]), "not before the first")
	require.Error(t, w.Timeout(w.Provider, packets[0]), "there is time left")
	require.Error(t, w.TimeoutOnClose(w.Provider, packets[0]), "the other end is open")
	require.Equal(t, before, meshState(t, w.Consumer))
	require.NoError(t, w.Receive(w.Provider, packets...))
	before = meshState(t, w.Provider)
	forged = *packets[0]
	forged.Ack = channeltypes.NewErrorAcknowledgement(externalstakingtypes.ErrPacketFailed).Acknowledgement()
	require.Error(t, w.Acknowledge(w.Provider, &forged))
	require.Error(t, w.Acknowledge(w.Provider, packets[1]), "not before the first")
	require.Equal(t, before, meshState(t, w.Provider))

	// While it keeps the answers to itself the evidence of a bystander counts all the same, and who copies it gets nothing.
	evidence := w.doubleVote(w.Consumer.Validators[0])
	require.NoError(t, w.submit(evidence))
	lost := w.lost(user)
	require.True(t, lost.IsPositive())
	require.ErrorIs(t, w.submit(evidence), externalstakingtypes.ErrAlreadySlashed)
	require.Equal(t, lost, w.lost(user))
	require.NoError(t, w.check())
	require.NoError(t, w.Acknowledge(w.Provider, packets...))
	w.requireQuiet(t)
	w.requireOpen(t)
	w.everybodyWithdraws(t)
}

func TestNF07Clocks(t *testing.T) {
	t.Run("a jump of 30 days", func(t *testing.T) {
		w := newWorld(t)
		user := w.Provider.Users[1]
		w.staked(t, user, w.validator(0), 1_000)
		require.NoError(t, w.unstake(user, w.validator(0), 100))
		require.NoError(t, w.Relay())
		release := w.unbondings(user)[0].ReleaseTime
		require.NoError(t, w.deposit(user, 50))
		require.NoError(t, w.stake(user, w.validator(1), 50))
		require.NoError(t, w.Advance(release.Sub(w.Coordinator.CurrentTime)-time.Minute))
		require.Len(t, w.unbondings(user), 1, "not before its time")
		require.NoError(t, w.unstake(user, w.validator(0), 200))
		w.Outage(30 * day)
		w.Provider.Blocks(2)
		require.Equal(t, "50", w.position(user, w.validator(1)).PendingStake.Add(w.position(user, w.validator(1)).Bonded).String())
		for _, u := range w.unbondings(user) {
			require.True(t, u.ReleaseTime.After(w.Provider.Ctx().BlockTime().Add(20*day)), "what was ended by force in the jump waits a full period from then on")
		}
		require.NoError(t, w.check())

		// The channel did not survive it, but it heals.
		require.NoError(t, w.RecoverClient(w.Provider))
		require.NoError(t, w.RecoverClient(w.Consumer))
		require.NoError(t, w.Relay())
		require.Equal(t, externalstakingtypes.ConsumerClosed, w.consumerInfo().Consumer.Status)
		require.Equal(t, convertertypes.ConverterClosed, w.converter().Converter.Status, "its reports came too late as well")
		require.NoError(t, w.ReopenControl())
		w.requireQuiet(t)
		require.Equal(t, "700", w.provider().bondedOn(t, w.validator(0)))
		w.everybodyWithdraws(t)
	})
	t.Run("blocks of one time", func(t *testing.T) {
		w := newWorld(t)
		user := w.Provider.Users[1]
		w.staked(t, user, w.validator(0), 1_000)
		w.Coordinator.UpdateTimeForChain(w.Provider.TestChain)
		at := w.Provider.CurrentHeader.Time
		for range 5 {
			w.Provider.Queue(user, w.unstakeMsg(user, w.validator(0), 100))
			w.Provider.TestChain.NextBlock()
			require.Equal(t, []error{nil}, w.Provider.Results())
			require.Equal(t, at, w.Provider.CurrentHeader.Time)
		}
		w.requireQuiet(t)
		require.Equal(t, "500", w.position(user, w.validator(0)).Bonded.String())
		for _, u := range w.unbondings(user) {
			require.False(t, u.ReleaseTime.Before(at.Add(21*day)))
		}
		w.everybodyWithdraws(t)
	})
	for name, skew := range map[string]time.Duration{"the consumer is ten minutes behind": -10 * time.Minute, "the consumer is ten minutes ahead": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			user := w.Provider.Users[1]
			w.staked(t, user, w.validator(0), 1_000)
			w.Consumer.Skew = skew
			require.NoError(t, w.unstake(user, w.validator(0), 100))
			asked := w.Provider.Ctx().BlockTime()
			require.ErrorContains(t, w.Relay(), "future", "a header of the future is not believed")
			require.NoError(t, w.check(), "and nothing is lost")
			// Until the other clock has come there.
			w.Coordinator.IncrementTimeBy(10 * time.Minute)
			w.Consumer.Skew = 0
			w.requireQuiet(t)
			w.requireOpen(t)
			require.Equal(t, "900", w.position(user, w.validator(0)).Bonded.String())
			require.Len(t, w.unbondings(user), 1)
			require.False(t, w.unbondings(user)[0].ReleaseTime.Before(asked.Add(21*day)))
			w.epoch()
			require.Empty(t, w.source().Source.LastFailure)
			w.everybodyWithdraws(t)
		})
	}
}
