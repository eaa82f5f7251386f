package keeper_test

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

// One user has stake through the vault, another one has as much on the same validator past it. Through 50 blocks of random
// fees, slashes and other delegators coming and going, both have the same stake, rewards and vote after every single one.
func TestLocalStakeIsLikeAnyOther(t *testing.T) {
	for seed := range int64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { sideBySide(t, rand.New(rand.NewSource(seed))) })
	}
}

// sideBySide runs 50 blocks and compares after each.
func sideBySide(t *testing.T, random *rand.Rand) {
	between := func(low, high int64) int64 { return low + random.Int63n(high-low+1) }
	c := newChain(t, 2)
	v := c.vals[0]
	stake := []int64{100, 1_000_003, 77_777_777}[random.Intn(3)]
	through, past := sdk.AccAddress("through_the_vault___"), sdk.AccAddress("past_the_vault______")
	for _, user := range []sdk.AccAddress{through, past} {
		c.fund(user, coin(stake))
	}
	if random.Intn(2) == 0 {
		c.delegate(through, v, stake)
		c.depositDelegation(through, v, stake)
	} else {
		c.deposit(through, stake)
		c.stakeLocal(through, v, stake)
	}
	c.delegate(past, v, stake)
	require.Equal(t, c.shares(past, v), c.shares(types.StakingAccountAddress(through), v))
	proposal := c.propose()
	c.vote(proposal, v.operator, all(govv1.OptionAbstain))
	others := make([]sdk.AccAddress, 3)
	for i := range others {
		others[i] = sdk.AccAddress(fmt.Sprintf("other%015d", i))
		c.fund(others[i], coin(100_000_000))
	}

	for block := range 50 {
		c.fees = between(0, 10_000_000)
		switch random.Intn(10) {
		case 0: // now, or for a fault some blocks ago
			height := c.ctx.BlockHeight() - between(0, 3)
			fraction := math.LegacyNewDecWithPrec(between(1, 300_000), 6)
			c.slash(v, height, fraction.String())
		case 1, 2, 3:
			c.delegate(others[random.Intn(3)], v, between(1, 1_000_000))
		case 4, 5:
			other := others[random.Intn(3)]
			if has := c.delegated(other, v); has > 1 {
				amount := between(1, has-1)
				// More than seven at a time are refused.
				_, _ = stakingkeeper.NewMsgServerImpl(c.staking).Undelegate(c.ctx, stakingtypes.NewMsgUndelegate(other.String(), v.name, coin(amount)))
			}
		case 6:
			c.does(&types.MsgWithdrawLocalRewards{User: through.String(), Validator: v.name})
			_, err := c.distr.WithdrawDelegationRewards(c.ctx, past, v.address)
			require.NoError(t, err)
		}
		c.block(time.Minute)

		require.Equal(t, c.shares(past, v), c.shares(types.StakingAccountAddress(through), v), "block %d", block)
		require.Equal(t, c.delegated(past, v), c.local(through, v), "stake after block %d", block)
		require.Equal(t, c.balance(past), c.balance(through), "rewards paid by block %d", block)
		require.Equal(t, c.earned(past, v), c.earned(types.StakingAccountAddress(through), v), "rewards owed after block %d", block)
		require.Equal(t, c.weight(proposal, past), c.weight(proposal, through), "vote after block %d", block)
		// The books agree as well: by the end of the block of a slash, the collateral has fallen by it. What others leave
		// behind by rounding, less than a unit each, makes the shares worth more, and is not booked.
		dust := c.local(through, v) - c.figures(through)[0]
		require.True(t, 0 <= dust && dust <= int64(block), "collateral after block %d: %d of dust", block, dust)
	}
}

// shares are what a delegator has with a validator.
func (c *chain) shares(delegator sdk.AccAddress, v validator) string {
	c.t.Helper()
	d, err := c.staking.GetDelegation(c.ctx, delegator, v.address)
	require.NoError(c.t, err)
	return d.Shares.String()
}

// earned is what a withdrawal of rewards would pay now.
func (c *chain) earned(delegator sdk.AccAddress, v validator) string {
	c.t.Helper()
	ctx, _ := c.ctx.CacheContext()
	coins, err := c.distr.WithdrawDelegationRewards(ctx, delegator, v.address)
	require.NoError(c.t, err)
	return coins.String()
}

// weight is by how much a vote of the voter would change the tally.
func (c *chain) weight(proposal uint64, voter sdk.AccAddress) govv1.TallyResult {
	c.t.Helper()
	before := c.ctx
	defer func() { c.ctx = before }()
	c.ctx, _ = c.ctx.CacheContext()
	c.vote(proposal, voter, all(govv1.OptionYes))
	return c.tally(proposal)
}
