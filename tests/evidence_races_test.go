package tests

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
)

func halfSlash(cfg *twochain.Config) { cfg.SlashFraction = math.LegacyNewDecWithPrec(5, 1) }

// RM-01: the consumer's report makes an unbonding entry of what waits to leave. That is no way out.
func TestRM01AReportBeforeTheEvidence(t *testing.T) {
	w := newWorld(t, halfSlash)
	watchX1(t, w)
	user, v := w.Provider.Users[1], w.Consumer.Validators[0]
	w.staked(t, user, v.Address, 100)
	offence := w.doubleVote(v)
	// The first unstake is in flight, the second one waits for it.
	require.NoError(t, w.unstake(user, v.Address, 30))
	require.NoError(t, w.unstake(user, v.Address, 20))
	w.punished(v, offence)
	_, err := w.RelayRecv(w.Consumer, 0)
	require.NoError(t, err)
	require.Equal(t, control.StatusTombstoned, w.provider().statusOf(v.Address))
	require.Len(t, w.position(user, v.Address).Unbondings, 1, "what waited has left")
	require.Equal(t, "100", w.account(user).Collateral.String())

	require.NoError(t, w.submit(offence))
	require.Equal(t, "50", w.collateral(user).String())
	require.Equal(t, "10", w.position(user, v.Address).Unbondings[0].Amount.String())
	w.requireQuiet(t)
	w.everybodyLeaves(t)
	require.Equal(t, "50", w.account(user).Free.String())
}

// RM-07: collateral that is lost elsewhere stands behind stake in flight.
func TestRM07ALossElsewhereWithStakeInFlight(t *testing.T) {
	for name, refuse := range map[string]bool{"accepted": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, halfSlash)
			other := &world{w.AddConsumer()}
			watchX1(t, w, other)
			user, v, elsewhere := w.Provider.Users[1], w.validator(0), w.Consumer.Validators[1]
			require.NoError(t, w.deposit(user, 100))
			require.NoError(t, other.stake(user, elsewhere.Address, 100))
			require.NoError(t, w.Relay())
			offence := w.doubleVote(elsewhere)
			require.NoError(t, w.stake(user, v, 100))
			w.refuseNext(t, refuse)
			_, err := w.RelayRecv(w.Provider, 0)
			require.NoError(t, err)
			w.refuseNext(t, false)

			require.NoError(t, other.submit(offence))
			require.Equal(t, "50", w.collateral(user).String())
			require.Equal(t, "50", w.lien(user, "external/1").String())
			require.Equal(t, "50", w.position(user, v).PendingStake.String())
			_, err = w.RelayAcks(w.Provider, 0)
			require.NoError(t, err)
			w.requireOpen(t)
			require.NoError(t, w.check())
			require.NoError(t, other.check())
			w.punished(elsewhere, offence)
			w.requireQuiet(t)
			other.requireQuiet(t)
			want := "50"
			if refuse {
				want = "0"
			}
			require.Equal(t, want, w.position(user, v).Bonded.String())
			require.Equal(t, want, zeroIfNil(w.remoteStake()[v].Stake).String())
			w.everybodyLeaves(t, other)
			require.Equal(t, "50", w.account(user).Free.String())
		})
	}
}

// RM-08, PK-07: all of the stake is on its way out when the slash comes, and the consumer punishes the validator before or
// after it has heard of that.
func TestRM08EverythingOnItsWayOut(t *testing.T) {
	for _, order := range []string{"heard, then punished", "punished, then heard", "punished, then refused"} {
		t.Run(order, func(t *testing.T) {
			w := newWorld(t, halfSlash)
			watchX1(t, w)
			user, v := w.Provider.Users[1], w.Consumer.Validators[0]
			w.staked(t, user, v.Address, 100)
			offence := w.doubleVote(v)
			require.NoError(t, w.unstake(user, v.Address, 100))
			if order == "heard, then punished" {
				_, err := w.RelayRecv(w.Provider, 0)
				require.NoError(t, err)
				w.punished(v, offence)
			} else {
				w.punished(v, offence)
				w.refuseNext(t, order == "punished, then refused")
				_, err := w.RelayRecv(w.Provider, 0)
				require.NoError(t, err)
				w.refuseNext(t, false)
			}
			require.NoError(t, w.submit(offence))
			require.Equal(t, "50", w.collateral(user).String())
			_, err := w.RelayAcks(w.Provider, 0)
			require.NoError(t, err)
			require.NoError(t, w.check())
			w.requireQuiet(t)
			w.requireOpen(t)
			position := w.position(user, v.Address)
			require.True(t, position.Bonded.IsZero())
			require.Len(t, position.Unbondings, 1)
			require.Equal(t, "50", position.Unbondings[0].Amount.String())
			require.Empty(t, w.remoteStake())
			w.everybodyLeaves(t)
			require.Equal(t, "50", w.account(user).Free.String())
		})
	}
}

// SL-20: whatever a consumer says of its validators, without evidence nobody loses anything.
func TestSL20AConsumersWordCostsNothing(t *testing.T) {
	w := newWorld(t, noEpochs)
	user := w.stakedEverywhere(t)
	for i, status := range []string{"VALIDATOR_STATUS_TOMBSTONED", "VALIDATOR_STATUS_JAILED", "VALIDATOR_STATUS_REMOVED"} {
		v := w.Consumer.Validators[i]
		key, err := codecJSON(v.PrivKey().PubKey().Bytes())
		require.NoError(t, err)
		p, err := w.Inject(w.Control.EndpointB, []byte(fmt.Sprintf(
			`{"validator_sync":{"height":{"revision_number":"1","revision_height":"%d"},"unbonding_period":"60s","validators":[{"validator":%q,"cons_pubkey":%s,"status":%q,"slashed":"1.0"}],"slashes":[{"validator":%q,"fraction":"1.0"}]}}`,
			w.Consumer.App.LastBlockHeight(), v.Address, key, status, v.Address)))
		require.NoError(t, err)
		require.NoError(t, w.Receive(w.Consumer, p))
		require.Empty(t, control.AckRefused(p.Ack))
		require.NotEqual(t, control.StatusActive, w.provider().statusOf(v.Address))
	}
	account := w.account(user)
	require.Equal(t, "1000", account.Collateral.String())
	require.Equal(t, "600", account.Free.String())
	require.Empty(t, w.slashes())
	require.Empty(t, w.losses(user))
	require.NoError(t, w.CheckInvariants())
}

// VA-06: locked coins answer like others, and stay locked as far as they come back.
func TestVA06LockedCoinsAnswerAndStayLocked(t *testing.T) {
	w := newWorld(t, vesting(1, 100_000_000), func(cfg *twochain.Config) { cfg.Provider.UserBalance = math.NewInt(100_000_000) })
	user, v, home := w.Provider.Users[1], w.Consumer.Validators[0], w.Provider.Validators[1]
	require.Error(t, w.sendAll(user), "all of it is locked")
	w.staked(t, user, v.Address, 100_000_000)
	require.NoError(t, w.stakeLocal(user, home.Address, 60_000_000))
	w.Provider.Blocks(2)
	w.homeDoubleSigns(home)
	require.NoError(t, w.submit(w.doubleVote(v)))
	account := w.account(user)
	require.Equal(t, w.lost(user), math.NewInt(100_000_000).Sub(account.Collateral))
	require.Len(t, w.losses(user), 2)
	require.NoError(t, w.check())

	w.requireQuiet(t)
	w.everybodyLeaves(t)
	require.NoError(t, w.withdraw(user, account.Collateral.Int64()))
	// The rewards are free, the rest is not: the bank takes the lost coins for delegated ones.
	balance := w.Provider.Balance(user.Address, w.Provider.Denom)
	spendable := w.Provider.App.BankKeeper.SpendableCoin(w.Provider.Ctx(), user.Address, w.Provider.Denom).Amount
	require.Equal(t, account.Collateral, balance.Sub(spendable))
	require.Error(t, w.sendAll(user))
	// A year later everything that is left is the user's.
	require.NoError(t, w.Advance(366*day))
	require.NoError(t, w.sendAll(user))
}
