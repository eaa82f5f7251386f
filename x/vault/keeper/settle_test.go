package keeper_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

// settle touches the user as a message would.
func (f *fixture) settle(user sdk.AccAddress) sdk.Events {
	f.t.Helper()
	events, err := f.in(func(ctx context.Context) error { return f.holder.handle.Settle(ctx, user) })
	require.NoError(f.t, err)
	f.holds()
	return events
}

// lien is the amount of the user's lien, which is what its holder keeps behind it.
func (f *fixture) lien(h *fakeHolder, user sdk.AccAddress, id string) int64 {
	f.t.Helper()
	amount, err := h.handle.Lien(f.ctx, user, id)
	require.NoError(f.t, err)
	require.Equal(f.t, h.total(f.ctx, user, id).String(), amount.String(), "the pieces behind the lien")
	return amount.Int64()
}

func (f *fixture) losses(user sdk.AccAddress) []types.Loss {
	f.t.Helper()
	res, err := f.query.Losses(f.ctx, &types.QueryLossesRequest{User: user.String()})
	require.NoError(f.t, err)
	return res.Losses
}

func (f *fixture) totals() (lost, burned, pooled int64) {
	f.t.Helper()
	res, err := f.query.Totals(f.ctx, &types.QueryTotalsRequest{})
	require.NoError(f.t, err)
	return res.Totals.Lost.Int64(), res.Totals.Burned.Int64(), res.Totals.Pooled.Int64()
}

func (f *fixture) supply() int64 { return f.bank.GetSupply(f.ctx, denom).Amount.Int64() }

// setLocalFraction makes new local stake count as slashable by a fraction.
func (f *fixture) setLocalFraction(fraction string) {
	params, err := f.slashing.GetParams(f.ctx)
	require.NoError(f.t, err)
	params.SlashFractionDoubleSign = math.LegacyMustNewDecFromStr(fraction)
	require.NoError(f.t, f.slashing.SetParams(f.ctx, params))
}

func TestSL14SlashScenarios(t *testing.T) {
	bz, err := os.ReadFile("testdata/slash-scenarios.json")
	require.NoError(t, err)
	var vectors struct {
		Cases []struct {
			Name       string `json:"name"`
			Collateral int64  `json:"collateral,string"`
			Local      int64  `json:"local,string"`
			// External is by consumer the slash fraction and the stake with each validator.
			External map[string]map[string]math.LegacyDec `json:"external"`
			Before   struct {
				MaxLien   int64 `json:"max_lien,string"`
				Slashable int64 `json:"slashable,string"`
				Free      int64 `json:"free,string"`
			} `json:"before"`
			Slash [2]string `json:"slash"`
			After struct {
				Collateral int64               `json:"collateral,string"`
				Local      int64               `json:"local,string"`
				Slashable  int64               `json:"slashable,string"`
				Free       int64               `json:"free,string"`
				C1         map[string]math.Int `json:"c1"`
				C2         map[string]math.Int `json:"c2"`
				C3         map[string]math.Int `json:"c3"`
			} `json:"after"`
		} `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(bz, &vectors))
	require.NotEmpty(t, vectors.Cases)
	for _, tc := range vectors.Cases {
		t.Run(tc.Name, func(t *testing.T) {
			c := newChain(t, 1)
			c.setLocalFraction("0.1")
			c.fund(alice, coin(tc.Collateral))
			c.deposit(alice, tc.Collateral)
			c.stakeLocal(alice, c.vals[0], tc.Local)
			for _, id := range slices.Sorted(maps.Keys(tc.External)) {
				fraction := tc.External[id]["fraction"]
				delete(tc.External[id], "fraction")
				for _, v := range slices.Sorted(maps.Keys(tc.External[id])) {
					require.NoError(t, c.holder.stake(c.ctx, alice, id, v, tc.External[id][v].TruncateInt(), fraction))
				}
			}
			a, supply := c.account(alice), c.supply()
			require.Equal(t, tc.Before.MaxLien, a.MaxLien.Int64())
			require.Equal(t, tc.Before.Slashable, a.Slashable.Int64())
			require.Equal(t, tc.Before.Free, a.Free.Int64())

			for _, l := range a.Liens {
				if l.Holder == prefix+"/"+tc.Slash[0] {
					c.holder.slash(c.ctx, t, tc.Slash[0], tc.Slash[1], l.SlashFraction.String())
				}
			}
			c.settle(alice)
			c.sound()
			a = c.account(alice)
			require.Equal(t, tc.After.Collateral, a.Collateral.Int64())
			require.Equal(t, tc.After.Local, types.Local(a.Liens).Int64())
			require.Equal(t, tc.After.Slashable, a.Slashable.Int64())
			require.Equal(t, tc.After.Free, a.Free.Int64())
			for id, bonded := range map[string]map[string]math.Int{"c1": tc.After.C1, "c2": tc.After.C2, "c3": tc.After.C3} {
				sum := int64(0)
				for v, amount := range bonded {
					require.Equal(t, amount.Int64(), c.holder.bonded(c.ctx, alice, id, v), "%s %s", id, v)
					sum += amount.Int64()
				}
				require.Equal(t, sum, c.lien(c.holder, alice, id))
			}
			require.Equal(t, tc.After.Local, c.local(alice, c.vals[0]), "what local stake is clipped by is burned")
			require.Equal(t, tc.Collateral-tc.After.Collateral, supply-c.supply())
		})
	}
}

func TestLossReachesAccountAndLien(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 60, "0.5"))
	require.NoError(t, f.other.add(f, alice, "2", 100, "0.1"))
	supply := f.supply()
	sequence := f.holder.slash(f.ctx, t, "1", anyone, "0.5")

	events := f.settle(alice)
	f.hasEvent(events, &types.EventLost{User: alice.String(), Holder: "external/1", Sequence: sequence, Amount: "30", Collateral: "70"})
	f.hasEvent(events, &types.EventLienReduced{User: alice.String(), Holder: "dao/2", Amount: "30", Lien: "70"})
	f.hasEvent(events, &types.EventCollateralBurned{User: alice.String(), Amount: "30", Destination: types.SlashDestinationBurn})
	require.Equal(t, int64(30), f.lien(f.holder, alice, "1"))
	require.Equal(t, int64(70), f.lien(f.other, alice, "2"))
	require.Equal(t, int64(70), f.account(alice).Collateral.Int64())
	require.Equal(t, int64(70), f.balance(f.module))
	require.Equal(t, int64(30), supply-f.supply())
	require.Equal(t, []types.Loss{{Sequence: sequence, Holder: "external/1", Amount: math.NewInt(30), Height: 10, Time: start}}, f.losses(alice))
	lost, burned, pooled := f.totals()
	require.Equal(t, [3]int64{30, 30, 0}, [3]int64{lost, burned, pooled})

	before := f.state()
	require.Empty(t, f.settle(alice), "a slash reaches a lien once")
	require.Equal(t, before, f.state())

	require.NoError(t, f.holder.add(f, alice, "1", 20, "0.5"))
	require.Empty(t, f.settle(alice), "stake added after a slash is not hit by it")
	require.Equal(t, int64(50), f.lien(f.holder, alice, "1"))
	require.Empty(t, f.losses(bob))
}

func TestRM11ThreeSlashesBeforeSettle(t *testing.T) {
	result := func(settleEach bool) (int64, int64, int64) {
		f := newVault(t)
		f.deposit(alice, 2)
		require.NoError(t, f.holder.add(f, alice, "1", 1, "0.8"))
		for _, v := range []string{"a", "b"} {
			require.NoError(t, f.holder.stake(f.ctx, alice, "2", v, math.OneInt(), math.LegacyNewDecWithPrec(5, 2)))
		}
		for _, s := range [][3]string{{"1", anyone, "0.8"}, {"2", "a", "0.05"}, {"2", "b", "0.05"}} {
			f.holder.slash(f.ctx, t, s[0], s[1], s[2])
			if settleEach {
				f.settle(alice)
			}
		}
		f.settle(alice)
		require.False(t, f.account(alice).Collateral.IsNegative())
		return f.account(alice).Collateral.Int64(), f.lien(f.holder, alice, "1"), f.lien(f.holder, alice, "2")
	}
	late, late1, late2 := result(false)
	once, once1, once2 := result(true)
	require.Equal(t, [3]int64{once, once1, once2}, [3]int64{late, late1, late2})
}

func TestRM12SettlingBetweenSlashesChangesNothing(t *testing.T) {
	f := newVault(t)
	for _, user := range []sdk.AccAddress{alice, bob} {
		f.deposit(user, 100)
		require.NoError(t, f.holder.add(f, user, "1", 100, "0.5"))
		require.NoError(t, f.holder.add(f, user, "2", 100, "0.5"))
	}
	f.holder.slash(f.ctx, t, "1", anyone, "0.5")
	f.settle(alice)
	f.holder.slash(f.ctx, t, "2", anyone, "0.5")
	f.settle(alice)
	f.settle(bob)
	for _, user := range []sdk.AccAddress{alice, bob} {
		require.Equal(t, int64(25), f.account(user).Collateral.Int64())
		// Two of 25 could lose 13 each.
		require.Equal(t, int64(24), f.lien(f.holder, user, "1"))
		require.Equal(t, int64(24), f.lien(f.holder, user, "2"))
	}
}

func TestVA07SlashesAtTheMostLiens(t *testing.T) {
	f := newVault(t)
	n := int(types.DefaultParams().MaxConsumersPerUser)
	f.deposit(alice, 1000)
	for i := range n {
		h := []*fakeHolder{f.holder, f.other}[i%2]
		require.NoError(t, h.add(f, alice, strconv.Itoa(i), 1000, "0.03"))
	}
	for i := range n {
		[]*fakeHolder{f.holder, f.other}[i%2].slash(f.ctx, t, strconv.Itoa(i), anyone, "0.03")
	}
	pieces, err := f.holder.handle.TrySettle(f.ctx, alice)
	require.NoError(t, err)
	require.Equal(t, 2*n, pieces, "each lien, and each loss")
	f.holds()
	require.Len(t, f.losses(alice), n)
}

func TestVA07GasOfSettlingTheMostLiens(t *testing.T) {
	gas := func(n int) uint64 {
		f := newVault(t)
		f.deposit(alice, 1000)
		for i := range n {
			require.NoError(t, f.holder.add(f, alice, strconv.Itoa(i), 100, "0.03"))
		}
		for i := range n {
			f.holder.slash(f.ctx, t, strconv.Itoa(i), anyone, "0.03")
		}
		ctx := f.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()).WithKVGasConfig(storetypes.KVGasConfig())
		require.NoError(t, f.holder.handle.Settle(ctx, alice))
		f.holds()
		return ctx.GasMeter().GasConsumed()
	}
	one, most := gas(1), gas(int(types.DefaultParams().MaxConsumersPerUser))
	t.Logf("gas of settling a loss on one lien: %d; on each of %d liens: %d", one, types.DefaultParams().MaxConsumersPerUser, most)
	require.Less(t, most, uint64(10_000_000))
}

// What was due when the slash came is not hit, whoever touches the account first.
func TestRM16DueEntriesAreNotHit(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 100, "0.5"))
	require.NoError(t, f.other.add(f, alice, "2", 100, "0.5"))
	f.holder.unstake(f.ctx, alice, "1", anyone, math.NewInt(40), start.Add(time.Hour))
	f.holder.unstake(f.ctx, alice, "1", anyone, math.NewInt(20), start.Add(3*time.Hour))
	f.other.unstake(f.ctx, alice, "2", anyone, math.NewInt(70), start.Add(time.Hour))

	f.ctx = f.ctx.WithBlockTime(start.Add(time.Hour))
	f.holder.slash(f.ctx, t, "1", anyone, "0.5")
	f.ctx = f.ctx.WithBlockTime(start.Add(5 * time.Hour))
	f.settle(alice)
	require.Equal(t, int64(70), f.account(alice).Collateral.Int64(), "half of the 60 that were not due")
	require.Equal(t, int64(20), f.lien(f.holder, alice, "1"), "what was hit while it unbonded is due by now")
	require.Equal(t, int64(30), f.lien(f.other, alice, "2"), "70 were released before the slash, so nothing was clipped")
}

func TestLoseOutsideOfASettle(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 100)
	require.NoError(t, f.holder.add(f, alice, "1", 100, "0.5"))
	require.NoError(t, f.other.add(f, alice, "2", 100, "0.5"))
	sequence, err := f.holder.handle.NextLossSequence(f.ctx)
	require.NoError(t, err)
	lose := func(id string, amount int64) error {
		return f.holder.handle.Lose(f.ctx, alice, id, sequence, math.NewInt(amount))
	}
	f.refused(types.ErrLienTooSmall, func() error { return lose("1", 101) })
	f.refused(types.ErrLienTooSmall, func() error { return lose("2", 1) })
	f.refused(types.ErrInvalidAmount, func() error { return lose("1", -1) })
	f.refused(types.ErrInvalidHolder, func() error { return lose("", 1) })

	f.holder.change(f.ctx, alice, "1", anyone, math.NewInt(-30)) // as the holder does, before it tells
	require.NoError(t, lose("1", 30))
	f.holder.change(f.ctx, alice, "1", anyone, math.NewInt(-10))
	require.NoError(t, lose("1", 10), "in two parts, as stake arrives")
	require.NoError(t, lose("1", 0), "nothing is hit by that much")
	require.Equal(t, int64(60), f.account(alice).Collateral.Int64())
	require.Equal(t, int64(60), f.lien(f.holder, alice, "1"))
	require.Equal(t, int64(60), f.lien(f.other, alice, "2"))
	require.Equal(t, []types.Loss{{Sequence: sequence, Holder: "external/1", Amount: math.NewInt(40), Height: 10, Time: start}}, f.losses(alice))
	f.holds()
}

func TestHolderThatAnswersNonsenseFailsTheSettle(t *testing.T) {
	for name, tc := range map[string]struct {
		want  error
		spoil func(f *fixture)
	}{
		"a sequence nobody has given out": {types.ErrInvalidSequence, func(f *fixture) {
			slashes := f.holder.slashes(f.ctx, "1")
			slashes[0].Sequence = 2
			f.holder.write(f.ctx, slashKey("1"), slashes)
		}},
		"more than the lien": {types.ErrLienTooSmall, func(f *fixture) { f.holder.change(f.ctx, alice, "1", anyone, math.NewInt(1000)) }},
		"more matured than the lien": {types.ErrLienTooSmall, func(f *fixture) {
			f.holder.unstake(f.ctx, alice, "1", "other", math.NewInt(200), start)
		}},
		"an error": {sdkerrors.ErrLogic, func(f *fixture) { f.holder.err = sdkerrors.ErrLogic }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newVault(t)
			f.deposit(alice, 100)
			require.NoError(t, f.holder.add(f, alice, "1", 100, "0.5"))
			f.holder.slash(f.ctx, t, "1", anyone, "0.5")
			tc.spoil(f)
			// As a message, which leaves nothing behind when it fails.
			ctx, _ := f.ctx.CacheContext()
			require.ErrorIs(t, f.holder.handle.Settle(ctx, alice), tc.want)
			before := f.account(alice)
			pieces, err := f.holder.handle.TrySettle(f.ctx, alice)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, 1, pieces)
			require.Equal(t, before, f.account(alice))
		})
	}
}

func TestLatestLossesAreKept(t *testing.T) {
	f := newVault(t)
	f.deposit(alice, 1000)
	require.NoError(t, f.holder.add(f, alice, "1", 1000, "1"))
	var last uint64
	for range types.MaxLosses + 3 {
		last = f.holder.slash(f.ctx, t, "1", anyone, "0.01")
	}
	f.settle(alice)
	losses := f.losses(alice)
	require.Len(t, losses, types.MaxLosses)
	require.Equal(t, last, losses[types.MaxLosses-1].Sequence)
	require.Equal(t, last-types.MaxLosses+1, losses[0].Sequence)
}
