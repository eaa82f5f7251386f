package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

// sweeping reports whether a validator's users are on the sweep.
func (c *chain) sweeping(v validator) bool {
	c.t.Helper()
	found, err := c.k.Sweeps.Has(c.ctx, v.address)
	require.NoError(c.t, err)
	return found
}

// pending returns who is to be settled alone.
func (c *chain) pending() []string {
	c.t.Helper()
	var users []string
	require.NoError(c.t, c.k.Pending.Walk(c.ctx, nil, func(key collections.Pair[int64, sdk.AccAddress]) (bool, error) {
		users = append(users, key.K2().String())
		return false, nil
	}))
	return users
}

// indexed reports whether a slash of the validator is thought to matter to the user.
func (c *chain) indexed(v validator, user sdk.AccAddress) bool {
	c.t.Helper()
	found, err := c.k.LocalUsers.Has(c.ctx, collections.Join(v.address, user))
	require.NoError(c.t, err)
	return found
}

func TestSlashReachesLocalStakeByItself(t *testing.T) {
	c := newChain(t, 3)
	v, w := c.vals[0], c.vals[1]
	for _, user := range []sdk.AccAddress{alice, bob} {
		c.deposit(user, 1000)
	}
	c.stakeLocal(alice, v, 600)
	c.stakeLocal(bob, w, 1000)
	require.NoError(t, c.holder.add(c.fixture, alice, "1", 1000, "0.1"))
	c.unstakeLocal(alice, v, 100)
	require.False(t, c.sweeping(v))

	c.slash(v, c.ctx.BlockHeight()-1, "0.5")
	require.True(t, c.sweeping(v))
	require.False(t, c.sweeping(w), "nobody there was slashed")
	require.Equal(t, int64(1000), c.figures(alice)[0], "the slash itself touches nobody")
	c.block(time.Second)
	require.False(t, c.sweeping(v))
	require.Equal(t, int64(700), c.figures(alice)[0], "250 of the delegation, 50 of what unbonds")
	require.Equal(t, c.held(alice), c.figures(alice)[1])
	lien, err := c.holder.handle.Lien(c.ctx, alice, "1")
	require.NoError(t, err)
	require.Equal(t, int64(700), lien.Int64(), "no lien exceeds the collateral")
	require.Equal(t, [3]int64{1000, 1000, 0}, c.figures(bob))
}

func TestSL16SlashesOfUnbondingsAndRedelegations(t *testing.T) {
	c := newChain(t, 3)
	v, w := c.vals[0], c.vals[1]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 1000)
	fault := c.ctx.BlockHeight()
	c.block(time.Second)
	c.restakeLocal(alice, v, w, 400)
	c.unstakeLocal(alice, v, 600)
	require.Zero(t, c.local(alice, v))
	c.block(time.Second)
	require.True(t, c.indexed(v, alice))
	require.True(t, c.indexed(w, alice))

	c.slash(v, fault, "0.5")
	require.True(t, c.sweeping(v), "for what has left it")
	require.False(t, c.sweeping(w))
	require.Equal(t, []string{alice.String()}, c.pending(), "for the delegation to another one")
	c.block(time.Second)
	require.Equal(t, [3]int64{500, 500, 0}, c.figures(alice))
	require.Equal(t, int64(200), c.local(alice, w))
	require.Empty(t, c.pending())

	// Redelegated stake that unbonds is slashed as well, and no hook says so but that of the validator it left.
	c.unstakeLocal(alice, w, 200)
	c.block(time.Second)
	c.slash(v, fault, "0.25")
	require.Empty(t, c.pending())
	c.block(time.Second)
	require.Equal(t, c.held(alice), c.figures(alice)[0])
	require.Equal(t, int64(250), c.figures(alice)[0], "a quarter of what was staked at the fault, once more")
}

// The vault's own changes of delegations are none of the sweep's business.
func TestOwnOperationsAreNotSlashes(t *testing.T) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	c.delegate(alice, v, 100)
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 500)
	c.block(time.Second)
	c.stakeLocal(alice, v, 500)
	c.depositDelegation(alice, v, 100)
	c.unstakeLocal(alice, v, 100)
	c.restakeLocal(alice, v, w, 100)
	c.withdrawDelegation(alice, v, 100)
	c.does(&types.MsgWithdrawLocalRewards{User: alice.String()})
	require.Empty(t, c.pending())
	require.False(t, c.sweeping(v))
}

// A validator's new commission fires the same hook as a slash. It costs a bounded sweep and changes nothing.
func TestEditedValidatorIsSweptInVain(t *testing.T) {
	c := newChain(t, 2)
	v := c.vals[0]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 500)
	c.block(24 * time.Hour)
	before, commission := c.account(alice), math.LegacyNewDecWithPrec(5, 2)
	edit := func(v validator) {
		_, err := stakingkeeper.NewMsgServerImpl(c.staking).EditValidator(c.ctx, stakingtypes.NewMsgEditValidator(v.name, stakingtypes.Description{Moniker: "new"}, &commission, nil))
		require.NoError(t, err)
	}
	edit(v)
	require.True(t, c.sweeping(v))
	c.block(time.Second)
	require.False(t, c.sweeping(v))
	require.Equal(t, before, c.account(alice))
	// Nor does one without anyone's local stake get on it.
	edit(c.vals[1])
	require.False(t, c.sweeping(c.vals[1]))
}

// Users stay in a validator's index as long as a slash of it can cost them anything, and leave it with a sweep.
func TestIndexForgetsWhoHasLeft(t *testing.T) {
	c := newChain(t, 3)
	v, w := c.vals[0], c.vals[1]
	c.deposit(alice, 1000)
	c.deposit(bob, 1000)
	c.stakeLocal(alice, v, 500)
	c.stakeLocal(bob, v, 500)
	sweep := func() {
		c.slash(v, c.ctx.BlockHeight(), "0")
		c.block(time.Second)
	}
	c.unstakeLocal(alice, v, 500)
	c.restakeLocal(bob, v, w, 500)
	sweep()
	require.True(t, c.indexed(v, alice), "unbonding")
	require.True(t, c.indexed(v, bob), "redelegated a moment ago")
	c.block(unbondingTime)
	c.block(time.Second)
	sweep()
	require.False(t, c.indexed(v, alice))
	require.False(t, c.indexed(v, bob))
	require.True(t, c.indexed(w, bob))
	c.slash(v, c.ctx.BlockHeight(), "0")
	require.False(t, c.sweeping(v))
}

// Hooks are part of x/staking's steps: they never fail and leave its validators alone.
func TestHooksNeverFail(t *testing.T) {
	c := newChain(t, 1)
	v := c.vals[0]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 500)
	hooks := c.k.Hooks()
	ctx, nobody := c.ctx, sdk.ValAddress("nobody")
	before, err := c.staking.GetAllValidators(ctx)
	require.NoError(t, err)
	for _, addr := range []sdk.ValAddress{v.address, nobody, nil} {
		for _, user := range []sdk.AccAddress{alice, types.StakingAccountAddress(alice), types.StakingAccountAddress(bob), nil} {
			require.NoError(t, hooks.AfterValidatorCreated(ctx, addr))
			require.NoError(t, hooks.BeforeValidatorModified(ctx, addr))
			require.NoError(t, hooks.AfterValidatorRemoved(ctx, v.cons, addr))
			require.NoError(t, hooks.AfterValidatorBonded(ctx, v.cons, addr))
			require.NoError(t, hooks.AfterValidatorBeginUnbonding(ctx, v.cons, addr))
			require.NoError(t, hooks.BeforeDelegationCreated(ctx, user, addr))
			require.NoError(t, hooks.BeforeDelegationSharesModified(ctx, user, addr))
			require.NoError(t, hooks.BeforeDelegationRemoved(ctx, user, addr))
			require.NoError(t, hooks.AfterDelegationModified(ctx, user, addr))
			require.NoError(t, hooks.BeforeValidatorSlashed(ctx, addr, math.LegacyOneDec()))
			require.NoError(t, hooks.AfterUnbondingInitiated(ctx, 1))
		}
	}
	after, err := c.staking.GetAllValidators(ctx)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Equal(t, []string{alice.String()}, c.pending())
}
