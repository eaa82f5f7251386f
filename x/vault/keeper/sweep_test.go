package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

// newCrowd is a chain on which n users have 100 local stake each with every validator.
func newCrowd(t *testing.T, validators, n int) (*chain, []sdk.AccAddress) {
	c := newChain(t, validators)
	var users []sdk.AccAddress
	for i := range n {
		user := sdk.AccAddress(fmt.Sprintf("user%016d", i))
		c.fund(user, coin(1000))
		c.deposit(user, 1000)
		for _, v := range c.vals {
			_, err := c.try(&types.MsgStakeLocal{User: user.String(), Validator: v.name, Amount: coin(100)})
			require.NoError(t, err)
		}
		users = append(users, user)
	}
	return c, users
}

func (c *chain) setBudget(pieces uint32) {
	c.t.Helper()
	params, err := c.k.Params.Get(c.ctx)
	require.NoError(c.t, err)
	params.MaxSettlementsPerBlock = pieces
	require.NoError(c.t, c.k.UpdateParams(c.ctx, params))
}

// hit is how many of the users a slash has reached.
func (c *chain) hit(users []sdk.AccAddress, collateral int64) (n int) {
	for _, user := range users {
		if c.figures(user)[0] < collateral {
			n++
		}
	}
	return n
}

func (c *chain) sweeps() *types.QuerySweepsResponse {
	c.t.Helper()
	res, err := c.query.Sweeps(c.ctx, &types.QuerySweepsRequest{})
	require.NoError(c.t, err)
	return res
}

// endBlock is the vault's part of the end of a block.
func (c *chain) endBlock() sdk.Events {
	c.t.Helper()
	c.ctx = c.ctx.WithEventManager(sdk.NewEventManager())
	c.k.EndBlock(c.ctx)
	c.sound()
	return c.ctx.EventManager().Events()
}

func TestSweepIsBoundedAndGoesOn(t *testing.T) {
	c, users := newCrowd(t, 1, 20)
	v := c.vals[0]
	c.setBudget(10)
	c.block(time.Second)
	c.slash(v, c.ctx.BlockHeight()-1, "0.5")
	c.hasEvent(c.ctx.EventManager().Events(), &types.EventSweepStarted{Validator: v.name})

	// Two pieces each: the lien and the delegation.
	for _, want := range []int{5, 10, 15} {
		c.endBlock()
		require.Equal(t, want, c.hit(users, 1000))
		sweeps := c.sweeps().Sweeps
		require.Len(t, sweeps, 1)
		require.Equal(t, types.Sweep{Validator: v.name, Cursor: users[want-1].String()}, sweeps[0])
		c.ctx = c.ctx.WithBlockHeight(c.ctx.BlockHeight() + 1)
	}
	// Whoever acts is up to date at once, wherever the sweep is.
	c.settle(users[19])
	require.Equal(t, 16, c.hit(users, 1000))
	c.hasEvent(c.endBlock(), &types.EventSweepEnded{Validator: v.name})
	require.Equal(t, 20, c.hit(users, 1000))
	require.Empty(t, c.sweeps().Sweeps)
	require.Empty(t, c.endBlock())
}

func TestSweepGoesOnAfterExportAndImport(t *testing.T) {
	c, users := newCrowd(t, 2, 12)
	c.setBudget(12)
	c.block(time.Second)
	for _, v := range c.vals {
		c.slash(v, c.ctx.BlockHeight()-1, "0.5")
	}
	c.endBlock()
	require.Len(t, c.sweeps().Sweeps, 2)
	require.Less(t, c.hit(users, 1000), 12)

	// The rest of the chain stays as it is; the vault begins with nothing but its genesis.
	gs := c.export()
	bz := c.cdc.MustMarshalJSON(gs)
	var imported types.GenesisState
	c.cdc.MustUnmarshalJSON(bz, &imported)
	require.NoError(t, imported.Validate())
	c.wipe()
	require.NoError(t, c.k.InitGenesis(c.ctx, imported))
	require.Equal(t, string(bz), string(c.cdc.MustMarshalJSON(c.export())))
	for range 5 {
		c.ctx = c.ctx.WithBlockHeight(c.ctx.BlockHeight() + 1)
		c.endBlock()
	}
	require.Empty(t, c.sweeps().Sweeps)
	require.Equal(t, 12, c.hit(users, 950), "both slashes have reached everyone")
}

// A validator that is modified in every block keeps neither its own sweep nor another's from its end.
func TestSweepThatBeginsAgainAllTheTimeStarvesNobody(t *testing.T) {
	c, users := newCrowd(t, 2, 30)
	v, w := c.vals[0], c.vals[1]
	if v.name > w.name {
		v, w = w, v
	}
	c.setBudget(20)
	c.block(time.Second)
	for _, validator := range c.vals {
		c.slash(validator, c.ctx.BlockHeight()-1, "0.5")
	}
	blocks := 0
	for ; c.hit(users, 950) < 30 || c.sweeping(w); blocks++ {
		require.Less(t, blocks, 30)
		require.NoError(t, c.k.Hooks().BeforeValidatorModified(c.ctx, v.address))
		c.endBlock()
		c.ctx = c.ctx.WithBlockHeight(c.ctx.BlockHeight() + 1)
	}
	require.True(t, c.sweeping(v))
	for ; c.sweeping(v); blocks++ {
		require.Less(t, blocks, 60)
		c.endBlock()
	}
}

// Everybody who is on the way when a validator is slashed again is settled once more.
func TestSweepComesBackForThoseItHasBeenTo(t *testing.T) {
	c, users := newCrowd(t, 1, 10)
	c.setBudget(10)
	c.block(time.Second)
	c.slash(c.vals[0], c.ctx.BlockHeight()-1, "0.5")
	c.endBlock()
	require.Equal(t, 5, c.hit(users, 1000))
	c.slash(c.vals[0], c.ctx.BlockHeight()-1, "0.5")
	require.True(t, c.sweeps().Sweeps[0].Again)
	for range 4 {
		c.endBlock()
	}
	require.Equal(t, 10, c.hit(users, 950))
	require.Empty(t, c.sweeps().Sweeps)
}

// The budget is shared: a holder with endless work, many slashed validators and many maturities all get on.
func TestBudgetIsSharedRoundRobin(t *testing.T) {
	for _, budget := range []uint32{1, 3, 7, 40} {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			c, users := newCrowd(t, 2, 8)
			for _, user := range users {
				_, err := c.try(&types.MsgUnstakeLocal{User: user.String(), Validator: c.vals[1].name, Amount: coin(10)})
				require.NoError(t, err)
			}
			c.block(unbondingTime)
			_, err := c.staking.EndBlocker(c.ctx)
			require.NoError(t, err)
			c.setBudget(budget)
			c.slash(c.vals[0], c.ctx.BlockHeight()-1, "0.5")
			var greedy, other int
			c.holder.sweep = func(_ sdk.Context, budget int) int { greedy += budget; return budget }
			c.other.sweep = func(_ sdk.Context, budget int) int { other += budget; return budget }
			matured := func() (n int) {
				for _, user := range users {
					if c.balance(types.StakingAccountAddress(user)) == 0 {
						n++
					}
				}
				return n
			}
			for blocks := 0; matured() < 8 || c.hit(users, 1000) < 8; blocks++ {
				require.Less(t, blocks, 200)
				used := greedy + other
				c.endBlock()
				require.LessOrEqual(t, greedy+other-used, int(budget))
				c.ctx = c.ctx.WithBlockHeight(c.ctx.BlockHeight() + 1)
			}
			require.Positive(t, greedy)
			require.InDelta(t, greedy, other, float64(2*budget))
		})
	}
}

// The budget bounds what a block settles, up to one account of each queue.
func TestBudgetIsUsedUpByWhoeverHasWork(t *testing.T) {
	c := newChain(t, 1)
	c.setBudget(100)
	asked := []int{}
	c.other.sweep = func(_ sdk.Context, budget int) int { asked = append(asked, budget); return min(budget, 5) }
	total := 0
	c.holder.sweep = func(_ sdk.Context, budget int) int { total += budget; return budget }
	c.endBlock()
	require.Equal(t, 95, total, "all that nobody else needs")
	require.Len(t, asked, 1)
}

func TestHolderWhoseSweepPanicsStopsNobody(t *testing.T) {
	c, users := newCrowd(t, 1, 4)
	c.block(time.Second)
	c.slash(c.vals[0], c.ctx.BlockHeight()-1, "0.5")
	c.holder.sweep = func(ctx sdk.Context, _ int) int {
		require.NoError(t, c.k.Pending.Set(ctx, collections.Join(int64(1), alice)))
		panic("a holder's mistake")
	}
	for range 5 {
		c.endBlock()
		c.ctx = c.ctx.WithBlockHeight(c.ctx.BlockHeight() + 1)
	}
	require.Equal(t, 4, c.hit(users, 1000))
	require.Empty(t, c.pending(), "nothing is left of what panicked")
}

func TestFailingSettleStopsNobodyElseAndIsRetried(t *testing.T) {
	c, users := newCrowd(t, 1, 6)
	poisoned := users[2]
	require.NoError(t, c.holder.add(c.fixture, poisoned, "1", 100, "0.1"))
	c.block(time.Second)
	c.slash(c.vals[0], c.ctx.BlockHeight()-1, "0.5")
	c.holder.err, c.holder.poisoned = sdkerrors.ErrLogic.Wrap("injected"), poisoned
	c.ctx = c.ctx.WithBlockHeight(150)
	events := c.endBlock()
	require.Equal(t, 5, c.hit(users, 1000))
	c.hasEvent(events, &types.EventSettleFailed{
		User: poisoned.String(), Reason: "mature lien external/1: injected: internal logic error", RetryHeight: 200,
	})
	require.Equal(t, []types.PendingSettle{{Height: 200, User: poisoned.String()}}, c.sweeps().Pending)
	require.Empty(t, c.sweeps().Sweeps)

	for _, height := range []int64{199, 200} {
		c.ctx = c.ctx.WithBlockHeight(height)
		c.endBlock()
	}
	require.Equal(t, []types.PendingSettle{{Height: 300, User: poisoned.String()}}, c.sweeps().Pending)
	c.holder.err = nil
	c.ctx = c.ctx.WithBlockHeight(300)
	c.endBlock()
	require.Equal(t, 6, c.hit(users, 1000))
	require.Empty(t, c.sweeps().Pending)
}

// A settle that would need more gas than a whole block has fails for that user only.
func TestSettleThatRunsOutOfGasIsAFailure(t *testing.T) {
	c, users := newCrowd(t, 1, 2)
	c.block(time.Second)
	c.slash(c.vals[0], c.ctx.BlockHeight()-1, "0.5")
	require.NoError(t, c.holder.add(c.fixture, users[0], "1", 10, "0"))
	c.holder.burns = users[0]
	events := c.endBlock()
	c.holder.burns = nil
	require.Equal(t, 2, c.hit(users, 1000), "one settled when it staked, the other by the sweep")
	c.hasEvent(events, &types.EventSettleFailed{
		User: users[0].String(), Reason: "out of gas: limit 500000000", RetryHeight: 100,
	})
}

func TestSweepsQueryIsPaged(t *testing.T) {
	c := newChain(t, 1)
	for i := range 120 {
		require.NoError(t, c.k.Pending.Set(c.ctx, collections.Join(int64(1000+i), alice)))
		require.NoError(t, c.k.Sweeps.Set(c.ctx, fmt.Appendf(nil, "validator%011d", i), types.SweepRecord{}))
	}
	res := c.sweeps()
	require.Len(t, res.Sweeps, 100)
	require.Len(t, res.Pending, 100)
	next, err := c.query.Sweeps(c.ctx, &types.QuerySweepsRequest{Pagination: &query.PageRequest{Key: res.Pagination.NextKey}})
	require.NoError(t, err)
	require.Len(t, next.Pending, 20)
	_, err = c.query.Sweeps(c.ctx, nil)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidRequest)
}
