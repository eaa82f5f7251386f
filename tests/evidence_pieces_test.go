package tests

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// SL-12: stake that moved on answers where it was at the time, and only with its share.
func TestSL12HoppingDoesNotHelp(t *testing.T) {
	w := newWorld(t)
	user, v1, v2 := w.Provider.Users[1], w.Consumer.Validators[0], w.Consumer.Validators[1]
	w.staked(t, user, v1.Address, 1_000)
	w.epoch()
	w.Consumer.Blocks(2)
	require.NoError(t, w.Relay())
	offence := w.doubleVote(v1)
	require.NoError(t, w.unstake(user, v1.Address, 1_000))
	w.earn(t)
	require.NoError(t, w.deposit(user, 500))
	require.NoError(t, w.stake(user, v2.Address, 500))
	require.NoError(t, w.stakeLocal(user, w.home(1), 1_500))
	require.NoError(t, w.Relay())
	require.NoError(t, w.submit(offence))
	require.Equal(t, "1300", w.collateral(user).String(), "a fifth of what was with the offender")
	require.Equal(t, "800", w.position(user, v1.Address).Unbondings[0].Amount.String())
	require.True(t, w.position(user, v1.Address).Unbondings[0].Slashed)
	require.Equal(t, "500", w.position(user, v2.Address).Bonded.String(), "the other one is not touched")
	require.Equal(t, "1300", w.lien(user, vaulttypes.LocalHolder).String(), "the loss is burned out of local stake")
	w.requireQuiet(t)
	require.NoError(t, w.check())
}

// SL-13, PK-07, RM-07, RM-08: what is in flight when the slash comes.
func TestSL13InFlightAtTheSlash(t *testing.T) {
	for name, c := range map[string]struct {
		stake, unstake int64
		refused        bool
		// What is left after the ack: collateral, bonded, unbonding, and what waits to leave.
		collateral, bonded, entry, pending int64
	}{
		"a stake, accepted":            {stake: 500, collateral: 1_200, bonded: 1_200},
		"a stake, refused":             {stake: 500, refused: true, collateral: 1_300, bonded: 800},
		"an unstake of all, accepted":  {unstake: 1_000, collateral: 1_300, entry: 800},
		"an unstake of all, refused":   {unstake: 1_000, refused: true, collateral: 1_300, entry: 800},
		"an unstake of some, accepted": {unstake: 501, collateral: 1_300, bonded: 400, entry: 400},
		"both, accepted":               {stake: 500, unstake: 1_000, collateral: 1_200, bonded: 400, entry: 800},
		"both, refused":                {stake: 500, unstake: 1_000, refused: true, collateral: 1_300, entry: 800},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			watchX1(t, w)
			user, v := w.Provider.Users[1], w.Consumer.Validators[0]
			w.staked(t, user, v.Address, 1_000)
			require.NoError(t, w.deposit(user, 500))
			offence := w.doubleVote(v)
			if c.stake > 0 {
				w.Provider.Queue(user, w.stakeMsg(user, v.Address, c.stake))
			}
			if c.unstake > 0 {
				w.Provider.Queue(user, w.unstakeMsg(user, v.Address, c.unstake))
			}
			w.Provider.NextBlock()
			require.Len(t, w.Provider.Unreceived(), 1)
			w.refuseNext(t, c.refused)
			_, err := w.RelayRecv(w.Provider, 0)
			require.NoError(t, err)
			w.refuseNext(t, false)
			require.NoError(t, w.submit(offence))
			require.NoError(t, w.check())
			_, err = w.RelayAcks(w.Provider, 0)
			require.NoError(t, err)
			require.NoError(t, w.check())
			w.requireOpen(t)
			w.punished(v, offence)
			w.requireQuiet(t)
			position := w.position(user, v.Address)
			require.Equal(t, fmt.Sprint(c.collateral), w.collateral(user).String())
			require.Equal(t, fmt.Sprint(c.bonded), position.Bonded.String())
			sum := math.ZeroInt()
			for _, u := range position.Unbondings {
				sum = sum.Add(u.Amount)
			}
			require.Equal(t, fmt.Sprint(c.entry), sum.String())
			require.Empty(t, w.remoteStake())
			w.everybodyLeaves(t)
			require.Equal(t, fmt.Sprint(c.collateral), w.account(user).Free.String())
		})
	}
}

func TestSL17EverythingIsSlashed(t *testing.T) {
	w := newWorld(t, func(cfg *twochain.Config) { cfg.SlashFraction = math.LegacyOneDec() })
	user, v := w.Provider.Users[1], w.Consumer.Validators[0]
	w.staked(t, user, v.Address, 1_000)
	require.NoError(t, w.deposit(user, 500))
	require.NoError(t, w.unstake(user, v.Address, 300))
	require.NoError(t, w.Relay())
	w.epoch()
	offence := w.doubleVote(v)
	w.punished(v, offence)
	require.NoError(t, w.submit(offence))
	require.Equal(t, "500", w.account(user).Free.String())
	require.True(t, w.lien(user, "external/1").IsZero())
	require.ErrorIs(t, w.stake(user, v.Address, 10), externalstakingtypes.ErrValidatorEnded)
	require.Error(t, w.unstake(user, v.Address, 1))
	w.earn(t)
	w.requireQuiet(t)
	require.NoError(t, w.withdraw(user, 500))
	require.NoError(t, w.check())
}

// RM-02: the offender proves a later offence of its own, so that its slash dates from after the stake had left; the real one
// still reaches that stake.
func TestRM02ALaterOffenceIsNoShield(t *testing.T) {
	w := newWorld(t)
	user, v := w.Provider.Users[1], w.Consumer.Validators[0]
	w.staked(t, user, v.Address, 100)
	w.epoch()
	real := w.doubleVote(v)
	require.NoError(t, w.unstake(user, v.Address, 50))
	require.NoError(t, w.Relay())
	w.epoch()
	w.Consumer.Blocks(3)
	require.NoError(t, w.Relay())
	later := w.doubleVote(v)
	require.NoError(t, w.submit(later))
	require.Equal(t, "90", w.collateral(user).String(), "a fifth of what is bonded")
	require.Equal(t, "50", w.position(user, v.Address).Unbondings[0].Amount.String())
	require.NoError(t, w.submit(real))
	require.Equal(t, "80", w.collateral(user).String(), "and of what had left since the real one")
	require.Equal(t, "40", w.position(user, v.Address).Bonded.String(), "once")
	require.Equal(t, "40", w.position(user, v.Address).Unbondings[0].Amount.String())
	for _, again := range []*cmtproto.DuplicateVoteEvidence{real, later} {
		w.requireRefused(t, func() error { return w.submit(again) }, externalstakingtypes.ErrAlreadySlashed)
	}
	w.punished(v, later)
	w.requireQuiet(t)
	w.everybodyLeaves(t)
	require.Equal(t, "80", w.account(user).Free.String())
}

// RM-16: an entry that was due, but that nobody had got round to, is not hit.
func TestRM16DueIsDue(t *testing.T) {
	w := newWorld(t, func(cfg *twochain.Config) {
		short := cfg.Provider.Genesis
		cfg.Provider.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
			short(cdc, genesis)
			twochain.Edit(cdc, genesis, externalstakingtypes.ModuleName, func(g *externalstakingtypes.GenesisState) { g.Params.MaxReleasesPerBlock = 1 })
		}
	})
	v, users := w.Consumer.Validators[0], w.Provider.Users[1:7]
	for _, user := range users {
		w.staked(t, user, v.Address, 1_000)
		w.Provider.Queue(user, w.unstakeMsg(user, v.Address, 1_000))
	}
	offence := w.doubleVote(v)
	require.NoError(t, w.Relay())
	require.NoError(t, w.Advance(20*day))
	w.Coordinator.IncrementTimeBy(2 * day)
	require.NoError(t, w.submit(offence))
	w.Provider.Blocks(len(users))
	for _, user := range users {
		require.Equal(t, "1000", w.account(user).Free.String())
	}
	require.NoError(t, w.CheckInvariants())
}

// RM-19: all local stake is unbonding when a loss must be burned.
func TestRM19BurnedOutOfUnbondingStake(t *testing.T) {
	w := newWorld(t)
	user, v := w.Provider.Users[1], w.Consumer.Validators[0]
	w.staked(t, user, v.Address, 1_000)
	require.NoError(t, w.stakeLocal(user, w.home(1), 600))
	require.NoError(t, w.stakeLocal(user, w.home(2), 400))
	require.NoError(t, w.unstakeLocal(user, w.home(1), 600))
	w.Provider.Blocks(3)
	require.NoError(t, w.unstakeLocal(user, w.home(2), 150))
	w.Provider.Blocks(3)
	require.NoError(t, w.unstakeLocal(user, w.home(2), 250))
	burned := w.watchBurns()
	require.NoError(t, w.submit(w.doubleVote(v)))
	require.Equal(t, "200", burned().String())
	require.Equal(t, "800", w.lien(user, vaulttypes.LocalHolder).String())
	left := map[string]int64{}
	for validator, s := range w.localStake(user) {
		for _, u := range s.Unbonding {
			left[validator] += u.Amount.Int64()
		}
	}
	require.Equal(t, map[string]int64{w.home(1): 600, w.home(2): 200}, left, "the latest first")
	require.NoError(t, (&machine{world: w}).checkSDK())
	w.everybodyLeaves(t)
	require.Equal(t, "800", w.account(user).Free.String())
	require.NoError(t, w.withdraw(user, 800))
	require.NoError(t, (&machine{world: w}).checkSDK())
}

// A loss is burned out of local stake without unbonding it, so x/staking's limit of unbonding entries is not in the way.
func TestALossNeededAnEighthUnbondingEntry(t *testing.T) {
	w := newWorld(t)
	user, v := w.Provider.Users[1], w.Consumer.Validators[0]
	w.staked(t, user, v.Address, 1_000)
	require.NoError(t, w.stakeLocal(user, w.home(1), 1_000))
	for range 7 {
		require.NoError(t, w.unstakeLocal(user, w.home(1), 10))
		w.Provider.NextBlock()
	}
	require.ErrorIs(t, w.unstakeLocal(user, w.home(1), 10), vaulttypes.ErrTooManyUnbondings)
	burned := w.watchBurns()
	require.NoError(t, w.submit(w.doubleVote(v)))
	require.Equal(t, "200", burned().String())
	account := w.account(user)
	require.Equal(t, "800", account.Collateral.String())
	require.True(t, account.Debt.IsZero())
	local := w.localStake(user)[w.home(1)]
	require.Equal(t, "730", local.Amount.String())
	require.Len(t, local.Unbonding, 7)
	for _, u := range local.Unbonding {
		require.Equal(t, "10", u.Amount.String())
	}
	require.NoError(t, w.check())
	require.NoError(t, (&machine{world: w}).checkSDK())
}
