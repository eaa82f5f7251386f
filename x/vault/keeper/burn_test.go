package keeper_test

import (
	"context"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

// lose has a holder's slash cost the user an amount.
func (c *chain) lose(user sdk.AccAddress, amount int64) sdk.Events {
	c.t.Helper()
	events, err := c.in(func(ctx context.Context) error {
		if err := c.holder.handle.Add(ctx, user, "lose", math.NewInt(amount), math.LegacyZeroDec()); err != nil {
			return err
		}
		sequence, err := c.holder.handle.NextLossSequence(ctx)
		if err != nil {
			return err
		}
		return c.holder.handle.Lose(ctx, user, "lose", sequence, math.NewInt(amount))
	})
	require.NoError(c.t, err)
	c.sound()
	return events
}

// entries are the balances of what unbonds from the validator.
func (c *chain) entries(user sdk.AccAddress, v validator) (balances []int64) {
	c.t.Helper()
	unbonding, err := c.staking.GetUnbondingDelegation(c.ctx, types.StakingAccountAddress(user), v.address)
	if err != nil {
		require.ErrorIs(c.t, err, stakingtypes.ErrNoUnbondingDelegation)
	}
	for _, e := range unbonding.Entries {
		balances = append(balances, e.Balance.Int64())
	}
	return balances
}

func (c *chain) debt(user sdk.AccAddress) types.Debt {
	c.t.Helper()
	debt, err := c.k.Debts.Get(c.ctx, user)
	require.NoError(c.t, err)
	return debt
}

func TestLossesAreTakenInTheirOrder(t *testing.T) {
	c := newChain(t, 3)
	u, v, w := c.vals[0], c.vals[1], c.vals[2]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, u, 100)
	c.stakeLocal(alice, v, 400)
	c.stakeLocal(alice, w, 400)
	c.unstakeLocal(alice, v, 50)
	c.block(time.Hour)
	c.unstakeLocal(alice, w, 60)
	c.block(time.Hour)
	c.unstakeLocal(alice, v, 70)
	supply := c.supply()
	// Liquid 100; delegations 100, 280, 340; unbonding 50, 60, 70 in this order.
	state := func() [8]int64 {
		a := c.account(alice)
		e := append(c.entries(alice, v), c.entries(alice, w)...)
		return [8]int64{a.Liquid.Int64(), types.Local(a.Liens).Int64(), c.local(alice, u), c.local(alice, v), c.local(alice, w), e[0], e[2], e[1]}
	}
	require.Equal(t, [8]int64{100, 900, 100, 280, 340, 50, 60, 70}, state())
	for _, tc := range []struct {
		loss int64
		want [8]int64
		why  string
	}{
		{60, [8]int64{40, 900, 100, 280, 340, 50, 60, 70}, "liquid first"},
		{50, [8]int64{0, 890, 100, 280, 330, 50, 60, 70}, "then the largest delegation"},
		{330, [8]int64{0, 560, 100, 280, 0, 50, 60, 70}, "all of it"},
		{300, [8]int64{0, 260, 80, 0, 0, 50, 60, 70}, "the next ones"},
		{90, [8]int64{0, 170, 0, 0, 0, 50, 60, 60}, "then what unbonds, the latest first"},
		{100, [8]int64{0, 70, 0, 0, 0, 50, 20, 0}, "and earlier ones"},
		{70, [8]int64{0, 0, 0, 0, 0, 0, 0, 0}, "everything"},
	} {
		c.lose(alice, tc.loss)
		require.Equal(t, tc.want, state(), tc.why)
	}
	require.Equal(t, int64(1000), supply-c.supply())
	lost, burned, pooled := c.totals()
	require.Equal(t, [3]int64{1000, 1000, 0}, [3]int64{lost, burned, pooled})
	c.block(unbondingTime)
	c.block(time.Second)
	require.Empty(t, c.entries(alice, v), "an entry with nothing left ends like any other")
	require.Equal(t, [3]int64{0, 0, 0}, c.figures(alice))
}

func TestRM19AllLocalStakeIsUnbonding(t *testing.T) {
	c := newChain(t, 2)
	v := c.vals[0]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 1000)
	c.unstakeLocal(alice, v, 300)
	c.block(time.Hour)
	c.unstakeLocal(alice, v, 700)
	supply := c.supply()
	c.lose(alice, 800)
	require.Equal(t, []int64{200, 0}, c.entries(alice, v))
	require.Equal(t, int64(800), supply-c.supply())
	c.block(unbondingTime)
	c.block(time.Second)
	require.Equal(t, [3]int64{200, 0, 200}, c.figures(alice))
	require.NoError(t, c.withdraw(alice, 200))
	c.sound()
}

// In unbonding, unbonded and jailed validators the stake is in the other pool.
func TestLossesAreTakenFromThePoolOfTheStatus(t *testing.T) {
	for name, prepare := range map[string]func(c *chain, v validator){
		"bonded":               func(*chain, validator) {},
		"unbonding":            func(c *chain, v validator) { c.jail(v); c.block(time.Second) },
		"jailed in this block": func(c *chain, v validator) { c.jail(v) },
		"unbonded":             func(c *chain, v validator) { c.jail(v); c.block(unbondingTime); c.block(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, 2)
			c.deposit(alice, 1000)
			c.stakeLocal(alice, c.vals[0], 1000)
			prepare(c, c.vals[0])
			supply := c.supply()
			c.lose(alice, 250)
			require.Equal(t, int64(750), c.local(alice, c.vals[0]))
			c.lose(alice, 750)
			require.Zero(t, c.local(alice, c.vals[0]))
			require.Equal(t, int64(1000), supply-c.supply())
			c.block(time.Second)
		})
	}
}

func (c *chain) jail(v validator) { require.NoError(c.t, c.staking.Jail(c.ctx, v.cons)) }

// The last stake of an unbonded validator takes the validator with it.
func TestLossTakesTheLastStakeOfAValidator(t *testing.T) {
	c := newChain(t, 2)
	v := c.vals[0]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 1000)
	c.jail(v)
	c.block(time.Second)
	_, err := c.staking.Unbond(c.ctx, v.operator, v.address, math.LegacyNewDec(selfStake))
	require.NoError(t, err)
	require.NoError(t, c.bank.BurnCoins(c.ctx, stakingtypes.NotBondedPoolName, sdk.NewCoins(coin(selfStake))))
	c.block(unbondingTime)
	c.block(time.Second)
	require.True(t, c.validator(v).IsUnbonded())
	c.lose(alice, 1000)
	_, err = c.staking.GetValidator(c.ctx, v.address)
	require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
}

// Where shares are worth odd fractions of a token, what is taken is still exactly what was lost.
func TestLossesAreExactAtAnySharePrice(t *testing.T) {
	c := newChain(t, 2)
	v := c.vals[0]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 1000)
	c.block(time.Second)
	c.slash(v, c.ctx.BlockHeight()-1, "0.333333333333333333")
	c.settle(alice)
	for c.figures(alice)[0] > 0 {
		before := c.local(alice, v)
		amount := min(7, c.figures(alice)[0])
		c.lose(alice, amount)
		require.InDelta(t, before-amount, c.local(alice, v), 1)
		c.settle(alice)
	}
	lost, burned, _ := c.totals()
	require.Equal(t, lost, burned)
}

func TestLossesCanGoToTheCommunityPool(t *testing.T) {
	c := newChain(t, 2)
	params := types.DefaultParams()
	params.SlashDestination = types.SlashDestinationCommunityPool
	c.deposit(alice, 1000)
	c.stakeLocal(alice, c.vals[0], 800)
	c.unstakeLocal(alice, c.vals[0], 300)
	c.block(time.Second)
	supply, pool := c.supply(), c.communityPool()
	require.NoError(t, c.holder.add(c.fixture, alice, "1", 1000, "0"))
	require.NoError(t, c.k.UpdateParams(c.ctx, params))
	c.holder.slash(c.ctx, t, "1", anyone, "0.9")
	events := c.settle(alice)
	c.hasEvent(events, &types.EventCollateralBurned{User: alice.String(), Amount: "200", Destination: types.SlashDestinationCommunityPool})
	c.sound()
	require.Equal(t, int64(900), c.communityPool()-pool)
	require.Equal(t, supply, c.supply())
	lost, burned, pooled := c.totals()
	require.Equal(t, [3]int64{900, 0, 900}, [3]int64{lost, burned, pooled})
}

// A chain that lets nothing be sent to x/distribution does not keep lost coins from going.
func TestLossesAreBurnedIfTheCommunityPoolRefusesThem(t *testing.T) {
	c := newChain(t, 2)
	params := types.DefaultParams()
	params.SlashDestination = types.SlashDestinationCommunityPool
	c.deposit(alice, 1000)
	c.stakeLocal(alice, c.vals[0], 500)
	require.NoError(t, c.holder.add(c.fixture, alice, "1", 1000, "0"))
	require.NoError(t, c.k.UpdateParams(c.ctx, params))
	c.bank.AppendSendRestriction(refuseTo(authtypes.NewModuleAddress(distrtypes.ModuleName)))
	c.holder.slash(c.ctx, t, "1", anyone, "0.9")
	c.settle(alice)
	c.sound()
	lost, burned, pooled := c.totals()
	require.Equal(t, [3]int64{900, 900, 0}, [3]int64{lost, burned, pooled})
}

func (c *chain) communityPool() int64 {
	c.t.Helper()
	pool, err := c.distr.FeePool.Get(c.ctx)
	require.NoError(c.t, err)
	return pool.CommunityPool.AmountOf(denom).TruncateInt64()
}

func refuseTo(receiver sdk.AccAddress) func(context.Context, sdk.AccAddress, sdk.AccAddress, sdk.Coins) (sdk.AccAddress, error) {
	return func(_ context.Context, _, to sdk.AccAddress, _ sdk.Coins) (sdk.AccAddress, error) {
		if to.Equals(receiver) {
			return nil, sdkerrors.ErrUnauthorized.Wrap("refused by the chain")
		}
		return to, nil
	}
}

// Taking stake pays its rewards out. Whoever cannot be paid cannot hold a loss up by that.
func TestLossIsTakenFromAUserWhoCannotBePaid(t *testing.T) {
	c := newChain(t, 2)
	c.deposit(alice, 1000)
	c.stakeLocal(alice, c.vals[0], 1000)
	c.fees = 1_000_000_000
	c.block(time.Second)
	c.block(time.Second)
	c.bank.AppendSendRestriction(refuseTo(alice))
	balance, fees := c.balance(alice), c.balance(authtypes.NewModuleAddress(authtypes.FeeCollectorName))
	c.lose(alice, 600)
	require.Equal(t, int64(400), c.local(alice, c.vals[0]))
	require.Equal(t, balance, c.balance(alice))
	require.Greater(t, c.balance(authtypes.NewModuleAddress(authtypes.FeeCollectorName)), fees, "the rewards go to everyone")
}
