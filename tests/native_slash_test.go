package tests

import (
	"testing"

	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// watchBurns counts what is burned of the provider's bond denom from now on.
func (w *world) watchBurns() (burned func() math.Int) {
	sum, before := math.ZeroInt(), w.Provider.Observe
	w.Provider.Observe = func(block *abci.ResponseFinalizeBlock) {
		for _, e := range bankEvents(w.Provider, "burn") {
			sum = sum.Add(e.amount)
		}
		if before != nil {
			before(block)
		}
	}
	return func() math.Int { return sum }
}

// watchX1 checks X1 after every block of both chains, for each of the registrations.
func watchX1(t *testing.T, registrations ...*world) {
	t.Helper()
	for _, c := range []*twochain.Chain{registrations[0].Provider, registrations[0].Consumer} {
		c.Observe = func(*abci.ResponseFinalizeBlock) {
			for _, w := range registrations {
				require.NoError(t, checkX1(w.provider(), w.consumer()))
			}
		}
	}
}

// A slash at home takes collateral, so less of it can be promised elsewhere: the consumer hears of it without anybody
// doing anything.
func TestASlashAtHomeShrinksTheStakeAbroad(t *testing.T) {
	w := newWorld(t)
	watchX1(t, w)
	user, bystander := w.Provider.Users[1], w.Provider.Users[2]
	v, home := w.validator(0), w.Provider.Validators[1]
	const amount = 100_000_000
	w.staked(t, user, v, amount)
	require.NoError(t, w.stakeLocal(user, home.Address, amount))
	w.staked(t, bystander, v, amount)
	require.NoError(t, w.stakeLocal(bystander, w.home(2), amount))
	w.epoch()
	require.Equal(t, "90000000", w.source().Delegated.String())
	burned := w.watchBurns()

	w.homeDoubleSigns(home)
	account := w.account(user)
	require.Equal(t, "95000000", account.Collateral.String())
	require.Equal(t, "95000000", w.lien(user, "local").String())
	require.Equal(t, "95000000", w.lien(user, "external/1").String())
	require.Equal(t, "0", account.Free.String())
	require.Equal(t, "95000000", w.position(user, v).Bonded.String())
	require.Equal(t, []vaulttypes.Loss{{
		Sequence: 0, Holder: vaulttypes.LocalHolder, Amount: math.NewInt(5_000_000), Height: w.losses(user)[0].Height, Time: w.losses(user)[0].Time,
	}}, w.losses(user))
	require.Empty(t, w.sweeps().Sweeps)
	require.Equal(t, "200000000", w.remoteStake()[v].Stake.String(), "the consumer does not know yet")
	require.Equal(t, "0", w.lossTotals().Lost.String())

	w.requireQuiet(t)
	require.Equal(t, "195000000", w.remoteStake()[v].Stake.String())
	require.Equal(t, "100000000", w.account(bystander).Collateral.String(), "others lose nothing")
	require.Empty(t, w.unbondings(user), "what is gone does not unbond")
	w.epoch()
	require.Equal(t, "87750000", w.source().Delegated.String())
	require.Equal(t, "10000000", burned().String(), "5 % of the operator's and of the user's, by x/staking, and nothing twice")
	require.NoError(t, w.check())
}

// What all liens can lose together must stay within the collateral: several consumers lower theirs alike.
func TestASlashAtHomeShrinksEveryStakeAbroadAlike(t *testing.T) {
	w := newWorld(t, func(cfg *twochain.Config) { cfg.SlashFraction = math.LegacyNewDecWithPrec(5, 1) })
	other := &world{w.AddConsumer()}
	watchX1(t, w, other)
	user, v, home := w.Provider.Users[1], w.validator(0), w.Provider.Validators[1]
	// 100 at home of which 5 % can be lost, and half of 100 and of 90 abroad: all of the collateral.
	require.NoError(t, w.deposit(user, 100_000_000))
	require.NoError(t, w.stakeLocal(user, home.Address, 100_000_000))
	require.NoError(t, w.stake(user, v, 100_000_000))
	require.NoError(t, other.stake(user, v, 90_000_000))
	require.NoError(t, w.Relay())
	require.Equal(t, "100000000", w.account(user).Slashable.String())

	w.homeFails(home)
	// 1 % less at home: 99 at stake for 4.95. A clips the first consumer to 99, which makes 49.5 + 45 + 4.95 = 99.45; B takes
	// 0.45 off what half of each can lose, so 0.45 of each stake.
	account := w.account(user)
	require.Equal(t, "99000000", account.Collateral.String())
	require.Equal(t, "99000000", w.lien(user, "local").String())
	require.Equal(t, "98550000", w.lien(user, "external/1").String())
	require.Equal(t, "89550000", w.lien(user, "external/2").String())
	require.Equal(t, "99000000", account.Slashable.String())

	w.requireQuiet(t)
	other.requireQuiet(t)
	require.Equal(t, "98550000", w.remoteStake()[v].Stake.String())
	require.Equal(t, "89550000", other.remoteStake()[v].Stake.String())
	require.NoError(t, w.check())
	require.NoError(t, other.check())
}

// x/staking tells nobody when a slash hits unbonding stake, or stake that was redelegated away: settle finds it.
func TestSL16UnbondingAndRedelegatedStakeIsSlashed(t *testing.T) {
	w := newWorld(t)
	user, home := w.Provider.Users[1], w.Provider.Validators[1]
	const amount = 100_000_000
	w.staked(t, user, w.validator(0), amount)
	require.NoError(t, w.stakeLocal(user, home.Address, amount))
	w.Provider.Blocks(2)
	infraction := w.Provider.App.LastBlockHeight()
	w.Provider.NextBlock()
	require.NoError(t, w.unstakeLocal(user, home.Address, 40_000_000))
	require.NoError(t, w.restakeLocal(user, home.Address, w.home(2), 30_000_000))
	require.NoError(t, w.unstakeLocal(user, home.Address, 30_000_000))
	require.Equal(t, "0", w.delegation(vaulttypes.StakingAccountAddress(user.Address), home.Address).String())

	w.Provider.DoubleSignAt(home, infraction)
	w.Provider.NextBlock()
	require.NoError(t, w.UpdateClient(w.Consumer))
	require.Equal(t, "95000000", w.account(user).Collateral.String())
	// Not only by query: the sweep has written it down.
	stored, err := w.Provider.App.VaultKeeper.Collateral.Get(w.Provider.Ctx(), user.Address)
	require.NoError(t, err)
	require.Equal(t, "95000000", stored.String())
	require.Equal(t, "28500000", w.localStake(user)[w.home(2)].Amount.String())
	w.requireQuiet(t)
	require.Equal(t, "95000000", w.remoteStake()[w.validator(0)].Stake.String())

	require.NoError(t, w.unstake(user, w.validator(0), 95_000_000))
	w.requireQuiet(t)
	require.NoError(t, w.unstakeLocal(user, w.home(2), 28_500_000))
	require.NoError(t, w.Advance(22*day))
	before := w.Provider.Balance(user.Address, w.Provider.Denom)
	require.NoError(t, w.withdraw(user, 95_000_000))
	require.Equal(t, before.AddRaw(95_000_000), w.Provider.Balance(user.Address, w.Provider.Denom))
	require.NoError(t, w.check())
}

// An unstake that is in flight when the collateral goes is as good as the collateral that is left.
func TestASlashAtHomeWithStakeInFlight(t *testing.T) {
	for name, refuse := range map[string]bool{"accepted": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			watchX1(t, w)
			user, v, home := w.Provider.Users[1], w.validator(0), w.Provider.Validators[1]
			w.staked(t, user, v, 60_000_000)
			require.NoError(t, w.deposit(user, 40_000_000))
			require.NoError(t, w.stakeLocal(user, home.Address, 100_000_000))
			w.Provider.Queue(user, w.stakeMsg(user, v, 40_000_000))
			w.Provider.Queue(user, w.unstakeMsg(user, v, 10_000_000))
			w.Provider.NextBlock()
			require.Len(t, w.Provider.Unreceived(), 1)
			w.refuseNext(t, refuse)
			_, err := w.RelayRecv(w.Provider, 0)
			require.NoError(t, err)
			w.refuseNext(t, false)

			w.homeDoubleSigns(home)
			require.Equal(t, "95000000", w.lien(user, "external/1").String())
			_, err = w.RelayAcks(w.Provider, 0)
			require.NoError(t, err)
			require.NoError(t, w.check())
			w.requireQuiet(t)
			position := w.position(user, v)
			require.Len(t, position.Unbondings, 1)
			if refuse {
				// 57 and 38 are left of 60 and 40; the latter rolled back.
				require.Equal(t, "57000000", w.lien(user, "external/1").String())
			} else {
				require.Equal(t, "95000000", w.lien(user, "external/1").String())
			}
			require.Equal(t, w.remoteStake()[v].Stake, position.Bonded)
			require.NoError(t, w.check())
		})
	}
}

// x/staking is asked what was really lost, not which fraction its params name.
func TestASlashAtHomeWasTakenAtTheConfiguredRatio(t *testing.T) {
	w := newWorld(t)
	watchX1(t, w)
	user, home := w.Provider.Users[1], w.Provider.Validators[1]
	w.staked(t, user, w.validator(0), 100_000_000)
	require.NoError(t, w.stakeLocal(user, home.Address, 100_000_000))
	w.Provider.Blocks(2)
	ctx, app := w.Provider.GetContext(), w.Provider.App
	params, err := app.SlashingKeeper.GetParams(ctx)
	require.NoError(t, err)
	require.Equal(t, "0.050000000000000000", params.SlashFractionDoubleSign.String())
	// Two faults that the params know nothing of.
	power := w.Provider.Power(home)
	for _, fraction := range []string{"0.07", "0.3"} {
		_, err = app.StakingKeeper.Slash(ctx, home.ConsAddress, w.Provider.App.LastBlockHeight(), power, math.LegacyMustNewDecFromStr(fraction))
		require.NoError(t, err)
	}
	w.Provider.NextBlock()
	held := w.delegation(vaulttypes.StakingAccountAddress(user.Address), home.Address)
	require.Less(t, held.Int64(), int64(70_000_000))
	require.Equal(t, held, w.collateral(user))
	require.Equal(t, held, w.lien(user, vaulttypes.LocalHolder))
	require.Equal(t, held, w.lien(user, "external/1"))
	w.requireQuiet(t)
	require.Equal(t, held, w.remoteStake()[w.validator(0)].Stake)
}
