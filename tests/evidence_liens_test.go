package tests

import (
	"bytes"
	"slices"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// SL-18: one validator signs twice on the only chain of two consumers: each lien answers once, for what is left by then.
func TestSL18EachLienAnswersOnce(t *testing.T) {
	w := newWorld(t)
	other := &world{w.AddConsumer()}
	watchX1(t, w, other)
	user, v := w.Provider.Users[1], w.Consumer.Validators[0]
	w.staked(t, user, v.Address, 1_000)
	require.NoError(t, other.stake(user, v.Address, 1_000))
	require.NoError(t, w.Relay())
	offence := w.doubleVote(v)
	require.NoError(t, w.submit(offence))
	require.Equal(t, "800", w.collateral(user).String())
	require.Equal(t, "800", w.lien(user, "external/2").String())
	require.NoError(t, other.submit(offence))
	require.Equal(t, "640", w.collateral(user).String())
	require.Equal(t, "640", w.lien(user, "external/1").String())
	for _, registration := range []*world{w, other} {
		registration.requireRefused(t, func() error { return registration.submit(offence) }, externalstakingtypes.ErrAlreadySlashed)
	}
	w.punished(v, offence)
	w.requireQuiet(t)
	other.requireQuiet(t)
	require.Equal(t, "360", w.lost(user).String())
}

// RM-12: whoever settles between two slashes ends like one who settles after both.
func TestRM12SettlingLateIsSettlingAtOnce(t *testing.T) {
	w := newWorld(t, func(cfg *twochain.Config) { cfg.SlashFraction = math.LegacyNewDecWithPrec(5, 1) })
	other := &world{w.AddConsumer()}
	v := w.Consumer.Validators[0]
	users := slices.Clone(w.Provider.Users[1:9])
	slices.SortFunc(users, func(a, b twochain.Account) int { return bytes.Compare(a.Address, b.Address) })
	// The sweep gets to them in this order, one in a block.
	early, late := users[6], users[7]
	for _, user := range users {
		require.NoError(t, w.deposit(user, 110))
		require.NoError(t, w.stake(user, v.Address, 101))
		require.NoError(t, other.stake(user, v.Address, 101))
		require.NoError(t, w.stakeLocal(user, w.home(1), 77))
	}
	require.NoError(t, w.Relay())
	offence := w.doubleVote(v)
	w.sweepSlowly(t)
	require.NoError(t, w.submit(offence))
	require.NoError(t, w.withdrawRewards(early, ""))
	require.Equal(t, "59", w.collateral(early).String())
	require.Equal(t, "110", w.collateral(late).String(), "not settled yet")
	require.Equal(t, "59", w.account(late).Collateral.String(), "but everybody sees it")
	require.NoError(t, other.submit(offence))
	for _, user := range []twochain.Account{late, early} {
		require.NoError(t, w.withdrawRewards(user, ""))
		account := w.account(user)
		require.Equal(t, "29", w.collateral(user).String())
		require.Equal(t, w.account(early).Liens, account.Liens)
	}
	w.requireQuiet(t)
	other.requireQuiet(t)
}

// A slash at home and a proven offence abroad in one block: one settle, and nothing twice.
func TestSlashesAtHomeAndAbroadTogether(t *testing.T) {
	w := newWorld(t)
	watchX1(t, w)
	user, v, home := w.Provider.Users[1], w.Consumer.Validators[0], w.Provider.Validators[1]
	w.staked(t, user, v.Address, 100_000_000)
	require.NoError(t, w.stakeLocal(user, home.Address, 100_000_000))
	w.Provider.Blocks(2)
	offence := w.doubleVote(v)
	burned := w.watchBurns()
	w.Provider.DoubleSign(home)
	require.NoError(t, w.submit(offence))
	// 5 % of local stake and what follows from it come first: 95 of stake abroad, of which a fifth is 19.
	require.Equal(t, "76000000", w.collateral(user).String())
	require.Equal(t, "76000000", w.lien(user, vaulttypes.LocalHolder).String())
	require.Equal(t, "76000000", w.lien(user, "external/1").String())
	require.Equal(t, "29000000", burned().String(), "5 of the user's and 5 of the operator's by x/staking, 19 by the vault")
	require.NoError(t, w.UpdateClient(w.Consumer))
	w.punished(v, offence)
	w.requireQuiet(t)
	require.Equal(t, []string{"24000000", "19000000"}, []string{w.lost(user).String(), w.lossTotals().Lost.String()})
}
