package tests

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// A validator of the consumer signs two blocks of one height. The consumer punishes it, somebody brings the votes to the
// provider, in either order: the collateral behind it answers, whatever form the stake had, and nothing else does.
func TestAProvenDoubleSign(t *testing.T) {
	for _, order := range []string{"the consumer reports it first", "the evidence comes first"} {
		t.Run(order, func(t *testing.T) {
			const million = 1_000_000
			w := newWorld(t, vesting(6, 100*million), func(cfg *twochain.Config) { cfg.Provider.Users = 12 })
			other := &world{w.AddConsumer()}
			users := w.Provider.Users
			stays, leftInTime, leftLate, inFlight, everywhere, locked, bystander := users[1], users[2], users[3], users[4], users[5], users[6], users[7]
			v, home := w.Consumer.Validators[0], w.Provider.Validators[1]
			for _, user := range []twochain.Account{stays, leftInTime, leftLate, everywhere, locked} {
				w.staked(t, user, v.Address, 100*million)
			}
			w.staked(t, bystander, w.validator(1), 100*million)
			require.NoError(t, other.stake(everywhere, v.Address, 100*million))
			require.NoError(t, w.stakeLocal(everywhere, home.Address, 100*million))
			require.NoError(t, w.deposit(inFlight, 100*million))
			require.NoError(t, w.unstake(leftInTime, v.Address, 40*million))
			require.NoError(t, w.Relay())
			// The epoch takes the stake out of the votes, and says so.
			w.epoch()
			other.epoch()
			w.Consumer.Blocks(2)
			require.NoError(t, w.Relay())
			w.earn(t)

			evidence := w.doubleVote(v)
			require.NoError(t, w.unstake(leftLate, v.Address, 40*million))
			require.NoError(t, w.Relay())
			require.NoError(t, w.stake(inFlight, v.Address, 60*million))
			_, err := w.RelayRecv(w.Provider, 0)
			require.NoError(t, err)
			watchX1(t, w, other)
			burned := w.watchBurns()
			if order == "the consumer reports it first" {
				w.punished(v, evidence)
				_, err := w.RelayRecv(w.Consumer, 0)
				require.NoError(t, err)
				require.Equal(t, control.StatusTombstoned, w.provider().statusOf(v.Address))
				require.Equal(t, "100000000", w.account(stays).Collateral.String(), "SL-20: a report alone costs nothing")
			}
			rewards, rewardsElsewhere := w.owed(stays), w.owed(bystander)
			require.True(t, rewards.IsPositive())
			require.NoError(t, w.submit(evidence))
			require.Equal(t, control.StatusTombstoned, w.provider().statusOf(v.Address))
			require.Len(t, w.slashes(), 1)
			require.Empty(t, other.slashes(), "each registration for itself")

			// By itself, in the block of the evidence.
			require.Empty(t, w.sweepsAbroad())
			requireCollateral := func(user twochain.Account, want int64) {
				t.Helper()
				require.Equal(t, fmt.Sprint(want*million), w.collateral(user).String())
				require.Equal(t, fmt.Sprint(want*million), w.account(user).Collateral.String())
			}
			requireCollateral(stays, 80)
			requireCollateral(leftInTime, 88)
			requireCollateral(leftLate, 80)
			requireCollateral(inFlight, 100)
			requireCollateral(everywhere, 80)
			requireCollateral(locked, 80)
			requireCollateral(bystander, 100)
			require.Equal(t, rewards, w.owed(stays), "what was earned is earned")
			require.NoError(t, w.check())

			// What was in flight had been accepted, so it was staked when the validator was punished.
			_, err = w.RelayAcks(w.Provider, 0)
			require.NoError(t, err)
			requireCollateral(inFlight, 88)
			if order == "the evidence comes first" {
				w.punished(v, evidence)
			}
			w.requireQuiet(t)
			other.requireQuiet(t)
			require.Equal(t, "104000000", burned().String())
			require.Equal(t, "104000000", w.lossTotals().Lost.String())
			require.Equal(t, "104000000", w.lossTotals().Burned.String())

			requirePieces := func(user twochain.Account, bonded int64, entries ...int64) {
				t.Helper()
				require.Equal(t, fmt.Sprint(bonded*million), w.position(user, v.Address).Bonded.String())
				got := w.position(user, v.Address).Unbondings
				require.Len(t, got, len(entries))
				for i, want := range entries {
					require.Equal(t, fmt.Sprint(want*million), got[i].Amount.String())
				}
			}
			requirePieces(stays, 80)
			requirePieces(leftInTime, 48, 40)
			requirePieces(leftLate, 48, 32)
			requirePieces(inFlight, 48)
			requirePieces(everywhere, 80)
			requirePieces(locked, 80)

			// The collateral is gone for other promises, too: at home it was burned, elsewhere the total shrank.
			require.Equal(t, "80000000", w.lien(everywhere, vaulttypes.LocalHolder).String())
			require.Equal(t, "80000000", w.delegation(vaulttypes.StakingAccountAddress(everywhere.Address), home.Address).String())
			require.Equal(t, "80000000", w.lien(everywhere, "external/2").String())
			require.Equal(t, "80000000", other.position(everywhere, v.Address).Bonded.String())
			w.epoch()
			other.epoch()
			require.Empty(t, w.remoteStake()[v.Address].Stake)
			require.Equal(t, "45000000", w.source().Delegated.String(), "the bystander's")
			w.earn(t)
			require.True(t, w.owed(bystander).GT(rewardsElsewhere))
			require.NoError(t, w.withdrawRewards(stays, ""))
			require.True(t, w.paid(stays).GTE(rewards))

			// The votes again prove nothing new, and everybody who is left walks out with the rest.
			require.ErrorIs(t, w.submit(evidence), externalstakingtypes.ErrAlreadySlashed)
			require.Len(t, w.slashes(), 1)
			w.everybodyLeaves(t, other)
			for _, user := range users[1:8] {
				require.Equal(t, math.NewInt(100*million).Sub(w.lost(user)), w.account(user).Free)
				require.NoError(t, w.withdraw(user, w.account(user).Free.Int64()))
			}
			// 80 of the locked coins are still locked, and the other 20 are gone.
			balance := w.Provider.App.BankKeeper.GetBalance(w.Provider.Ctx(), locked.Address, w.Provider.Denom)
			spendable := w.Provider.App.BankKeeper.SpendableCoin(w.Provider.Ctx(), locked.Address, w.Provider.Denom)
			require.Equal(t, "80000000", balance.Amount.Sub(spendable.Amount).String())
			require.NoError(t, w.check())
			require.NoError(t, other.check())
		})
	}
}

// everybodyLeaves takes all stake of all users out, on all consumers and at home, and waits until it is free.
func (w *world) everybodyLeaves(t *testing.T, others ...*world) {
	t.Helper()
	for _, user := range w.Provider.Users {
		for _, registration := range append([]*world{w}, others...) {
			for _, p := range registration.positions(user) {
				if p.Bonded.IsPositive() {
					require.NoError(t, registration.unstake(user, p.Validator, p.Bonded.Int64()))
				}
			}
		}
		for validator, s := range w.localStake(user) {
			if s.Amount.IsPositive() {
				require.NoError(t, w.unstakeLocal(user, validator, s.Amount.Int64()))
			}
		}
	}
	for _, registration := range append([]*world{w}, others...) {
		registration.requireQuiet(t)
	}
	require.NoError(t, w.Advance(22*day))
}
