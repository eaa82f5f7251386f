package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

func (c *chain) depositDelegation(user sdk.AccAddress, v validator, amount int64) sdk.Events {
	c.t.Helper()
	return c.does(&types.MsgDepositDelegation{User: user.String(), Validator: v.name, Amount: coin(amount)})
}

func (c *chain) withdrawDelegation(user sdk.AccAddress, v validator, amount int64) sdk.Events {
	c.t.Helper()
	return c.does(&types.MsgWithdrawDelegation{User: user.String(), Validator: v.name, Amount: coin(amount)})
}

// setStatus brings a bonded validator to a status.
func (c *chain) setStatus(v validator, status stakingtypes.BondStatus) {
	c.t.Helper()
	if status == stakingtypes.Bonded {
		return
	}
	require.NoError(c.t, c.staking.Jail(c.ctx, v.cons))
	c.block(time.Second)
	if status == stakingtypes.Unbonded {
		c.block(unbondingTime)
		c.block(time.Second)
	}
	require.Equal(c.t, status, c.validator(v).Status)
}

// In and out again, in part and in full, never liquid in between: no coins move, nor does the validator's stake.
func TestDelegationMovesInAndOut(t *testing.T) {
	for _, status := range []stakingtypes.BondStatus{stakingtypes.Bonded, stakingtypes.Unbonding, stakingtypes.Unbonded} {
		t.Run(status.String(), func(t *testing.T) {
			c := newChain(t, 2)
			v := c.vals[0]
			c.delegate(alice, v, 1000)
			c.setStatus(v, status)
			balances := func() [4]int64 {
				return [4]int64{
					c.balance(alice), c.balance(c.module), c.balance(c.accounts.GetModuleAddress(stakingtypes.BondedPoolName)),
					c.balance(c.accounts.GetModuleAddress(stakingtypes.NotBondedPoolName)),
				}
			}
			before, tokens := balances(), c.validator(v).Tokens

			events := c.depositDelegation(alice, v, 400)
			c.hasEvent(events, &types.EventDelegationDeposited{User: alice.String(), Validator: v.name, Amount: "400", Collateral: "400"})
			c.hasEvent(events, &types.EventLienAdded{User: alice.String(), Holder: types.LocalHolder, Amount: "400", Lien: "400"})
			require.Equal(t, [3]int64{400, 400, 0}, c.figures(alice))
			require.Equal(t, int64(600), c.delegated(alice, v))
			require.Equal(t, int64(400), c.local(alice, v))

			c.depositDelegation(alice, v, 600)
			require.Equal(t, [3]int64{1000, 1000, 0}, c.figures(alice))
			_, err := c.staking.GetDelegation(c.ctx, alice, v.address)
			require.ErrorIs(t, err, stakingtypes.ErrNoDelegation)
			c.refuses(types.ErrInsufficientStake, &types.MsgDepositDelegation{User: alice.String(), Validator: v.name, Amount: coin(1)})

			events = c.withdrawDelegation(alice, v, 300)
			c.hasEvent(events, &types.EventDelegationWithdrawn{User: alice.String(), Validator: v.name, Amount: "300", Collateral: "700"})
			c.hasEvent(events, &types.EventLienReleased{User: alice.String(), Holder: types.LocalHolder, Amount: "300", Lien: "700"})
			require.Equal(t, int64(300), c.delegated(alice, v))
			c.withdrawDelegation(alice, v, 700)
			require.Equal(t, [3]int64{0, 0, 0}, c.figures(alice))
			require.Equal(t, int64(1000), c.delegated(alice, v))

			require.Equal(t, before, balances(), "no coins have moved")
			require.Equal(t, tokens, c.validator(v).Tokens)
		})
	}
}

func TestResponsesOfDelegationsTellTheAccountAfterwards(t *testing.T) {
	c := newChain(t, 1)
	v := c.vals[0]
	c.delegate(alice, v, 1000)
	c.deposit(alice, 500)
	moved, after, err := c.k.DepositDelegation(c.ctx, alice, v.address, coin(400))
	require.NoError(t, err)
	require.Equal(t, int64(400), moved.Int64())
	require.Equal(t, c.account(alice), after)
	require.Equal(t, int64(500), after.Free.Int64())
	moved, after, err = c.k.WithdrawDelegation(c.ctx, alice, v.address, coin(150))
	require.NoError(t, err)
	require.Equal(t, int64(150), moved.Int64())
	require.Equal(t, c.account(alice), after)
}

func TestDepositDelegationIsRefused(t *testing.T) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	c.delegate(alice, v, 1000)
	msg := func(v validator, amount int64) sdk.Msg {
		return &types.MsgDepositDelegation{User: alice.String(), Validator: v.name, Amount: coin(amount)}
	}
	c.refuses(types.ErrInsufficientStake, msg(v, 1001))
	c.refuses(types.ErrInsufficientStake, msg(w, 1))
	c.refuses(types.ErrInvalidAmount, msg(v, 0))
	c.refuses(types.ErrWrongDenom, &types.MsgDepositDelegation{User: alice.String(), Validator: v.name, Amount: sdk.NewInt64Coin(otherDenom, 1)})

	// With a max_collateral_use below 1 local stake needs other collateral besides itself.
	params := types.DefaultParams()
	params.MaxCollateralUse = math.LegacyNewDecWithPrec(5, 1)
	require.NoError(t, c.k.UpdateParams(c.ctx, params))
	c.refuses(types.ErrInsufficientCollateral, msg(v, 100))
	c.deposit(alice, 100)
	c.depositDelegation(alice, v, 100)
}

// x/staking looks for stake that was redelegated with its delegator, so it could not be slashed for what it left.
func TestDelegationStaysWhileItCanBeSlashedForAnotherValidator(t *testing.T) {
	c := newChain(t, 3)
	v, w := c.vals[0], c.vals[1]
	c.delegate(alice, v, 1000)
	_, err := stakingkeeper.NewMsgServerImpl(c.staking).BeginRedelegate(c.ctx, stakingtypes.NewMsgBeginRedelegate(alice.String(), v.name, w.name, coin(600)))
	require.NoError(t, err)
	in := &types.MsgDepositDelegation{User: alice.String(), Validator: w.name, Amount: coin(600)}
	c.refuses(types.ErrImmatureRedelegation, in)
	c.depositDelegation(alice, v, 400) // what stayed there may

	c.restakeLocal(alice, v, c.vals[2], 400)
	out := &types.MsgWithdrawDelegation{User: alice.String(), Validator: c.vals[2].name, Amount: coin(400)}
	c.refuses(types.ErrImmatureRedelegation, out)

	c.block(unbondingTime)
	c.block(time.Second)
	c.does(in)
	c.does(out)
	require.Equal(t, int64(600), c.local(alice, w))
	require.Equal(t, int64(400), c.delegated(alice, c.vals[2]))
}

func TestOperatorKeepsItsMinimumSelfDelegation(t *testing.T) {
	c := newChain(t, 2)
	v := c.vals[0]
	val := c.validator(v)
	val.MinSelfDelegation = math.NewInt(1_000_000)
	require.NoError(t, c.staking.SetValidator(c.ctx, val))
	msg := func(amount int64) sdk.Msg {
		return &types.MsgDepositDelegation{User: v.operator.String(), Validator: v.name, Amount: coin(amount)}
	}
	c.refuses(types.ErrDelegationStays, msg(selfStake))
	c.refuses(types.ErrDelegationStays, msg(selfStake-999_999))
	c.does(msg(selfStake - 1_000_000))
	require.False(t, c.validator(v).Jailed)
	require.Equal(t, int64(selfStake-1_000_000), c.local(v.operator, v))
	c.refuses(types.ErrDelegationStays, msg(1))

	// What it stakes through the vault is no self-delegation.
	c.fund(v.operator, coin(100))
	c.delegate(v.operator, v, 100)
	c.does(msg(100))
	c.does(&types.MsgWithdrawDelegation{User: v.operator.String(), Validator: v.name, Amount: coin(selfStake - 1_000_000 + 100)})
	require.Equal(t, int64(selfStake+100), c.delegated(v.operator, v))
}

// x/staking removes an unbonded validator with its last share, so that share can go nowhere.
func TestLastStakeOfAnUnbondedValidatorStays(t *testing.T) {
	c := newChain(t, 3)
	v := c.vals[0]
	c.delegate(alice, v, 1000)
	c.setStatus(v, stakingtypes.Unbonded)
	_, err := stakingkeeper.NewMsgServerImpl(c.staking).Undelegate(c.ctx, stakingtypes.NewMsgUndelegate(v.operator.String(), v.name, coin(selfStake)))
	require.NoError(t, err)
	in := &types.MsgDepositDelegation{User: alice.String(), Validator: v.name, Amount: coin(1000)}
	c.refuses(types.ErrDelegationStays, in)
	c.depositDelegation(alice, v, 999)
	c.depositDelegation(alice, v, 1) // the vault has the rest
	out := &types.MsgWithdrawDelegation{User: alice.String(), Validator: v.name, Amount: coin(1000)}
	c.refuses(types.ErrDelegationStays, out)
	c.unstakeLocal(alice, v, 1000) // and this removes the validator
	_, err = c.staking.GetValidator(c.ctx, v.address)
	require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)

	res, err := c.query.LocalStake(c.ctx, &types.QueryLocalStakeRequest{User: alice.String()})
	require.NoError(t, err)
	require.Len(t, res.Stakes, 1)
	require.Equal(t, "BOND_STATUS_UNSPECIFIED", res.Stakes[0].Status)
	require.True(t, res.Stakes[0].Amount.IsZero())
	require.Equal(t, int64(1000), res.Stakes[0].Unbonding[0].Amount.Int64())
	c.block(unbondingTime)
	c.block(time.Second)
	require.Equal(t, [3]int64{1000, 0, 1000}, c.figures(alice))
}

// The last stake of a validator that is bonded or unbonding may move: it is there again in the same step.
func TestLastStakeOfABondedValidatorMoves(t *testing.T) {
	c := newChain(t, 3)
	v := c.vals[0]
	c.fund(alice, coin(selfStake))
	c.delegate(alice, v, selfStake)
	_, err := stakingkeeper.NewMsgServerImpl(c.staking).Undelegate(c.ctx, stakingtypes.NewMsgUndelegate(v.operator.String(), v.name, coin(selfStake)))
	require.NoError(t, err)
	require.NoError(t, c.staking.Unjail(c.ctx, v.cons)) // x/staking jails who leaves entirely
	c.fees = 1000
	c.block(time.Second)
	require.True(t, c.validator(v).IsBonded())
	c.depositDelegation(alice, v, selfStake)
	c.block(time.Second)
	require.True(t, c.validator(v).IsBonded())
	c.withdrawDelegation(alice, v, selfStake)
	c.block(time.Second)
	require.Equal(t, int64(selfStake), c.delegated(alice, v))
}

func TestWithdrawDelegationTakesOnlyWhatIsFree(t *testing.T) {
	c := newChain(t, 1)
	v := c.vals[0]
	c.delegate(alice, v, 1000)
	c.depositDelegation(alice, v, 1000)
	msg := func(amount int64) sdk.Msg {
		return &types.MsgWithdrawDelegation{User: alice.String(), Validator: v.name, Amount: coin(amount)}
	}
	c.refuses(types.ErrInsufficientStake, msg(1001))
	c.refuses(types.ErrInvalidAmount, msg(0))
	c.refuses(types.ErrInsufficientStake, &types.MsgWithdrawDelegation{User: bob.String(), Validator: v.name, Amount: coin(1)})

	require.NoError(t, c.holder.add(c.fixture, alice, "1", 700, "0.1"))
	c.refuses(types.ErrInsufficientFree, msg(301))
	c.withdrawDelegation(alice, v, 300)
	require.Equal(t, [3]int64{700, 700, 0}, c.figures(alice))
	c.refuses(types.ErrInsufficientFree, msg(1))

	// Liquid collateral behind the lien frees the delegation.
	c.deposit(alice, 500)
	c.withdrawDelegation(alice, v, 500)
	require.Equal(t, [3]int64{700, 200, 0}, c.figures(alice))
	// Delegations leave as far as local stake goes, whatever else is free.
	require.NoError(t, c.holder.release(c.fixture, alice, "1", 700))
	c.refuses(types.ErrInsufficientStake, msg(201))
	c.withdrawDelegation(alice, v, 200)
	require.Equal(t, [3]int64{500, 0, 500}, c.figures(alice))
}

// A delegation cannot leave before a slash of its validator, or one on a consumer, has reached the account.
func TestWithdrawDelegationEvadesNoSlash(t *testing.T) {
	c := newChain(t, 1)
	v := c.vals[0]
	c.delegate(alice, v, 1000)
	c.depositDelegation(alice, v, 1000)
	require.NoError(t, c.holder.add(c.fixture, alice, "1", 600, "0.5"))
	c.slash(v, c.ctx.BlockHeight(), "0.1")
	require.Equal(t, int64(1000), c.figures(alice)[0], "not settled yet")
	c.refuses(types.ErrInsufficientFree, &types.MsgWithdrawDelegation{User: alice.String(), Validator: v.name, Amount: coin(301)})
	c.withdrawDelegation(alice, v, 300)
	require.Equal(t, [3]int64{600, 600, 0}, c.figures(alice))
}

// Moving in or out does not spare the delegation a slash for a fault before.
func TestMovedDelegationsAnswerForEarlierFaults(t *testing.T) {
	c := newChain(t, 1)
	v := c.vals[0]
	for _, user := range []sdk.AccAddress{alice, bob} {
		c.delegate(user, v, 100_000)
	}
	fault := c.ctx.BlockHeight()
	c.block(time.Second)
	c.depositDelegation(alice, v, 100_000)
	c.slash(v, fault, "0.5")
	require.NoError(t, c.holder.handle.Settle(c.ctx, alice))
	require.Equal(t, c.delegated(bob, v), c.local(alice, v))
	require.Equal(t, c.delegated(bob, v), c.figures(alice)[0])

	fault = c.ctx.BlockHeight()
	c.block(time.Second)
	c.withdrawDelegation(alice, v, c.local(alice, v))
	c.slash(v, fault, "0.5")
	require.Equal(t, c.delegated(bob, v), c.delegated(alice, v))
}

// At a rate of the shares other than one, what is moved is worth a unit less at times, never more.
func TestRoundingOfMovedDelegations(t *testing.T) {
	c := newChain(t, 1)
	v := c.vals[0]
	c.delegate(bob, v, 333_333)
	c.delegate(alice, v, 100_003)
	c.slash(v, c.ctx.BlockHeight(), "0.3")
	c.delegate(alice, v, 7)
	total := func() int64 { return c.delegated(alice, v) + c.held(alice) }
	for i := range 100 {
		before, had := total(), c.figures(alice)[0]
		amount := int64(1 + i*31%97)
		moved, after, err := c.k.DepositDelegation(c.ctx, alice, v.address, coin(amount))
		require.NoError(t, err)
		require.LessOrEqual(t, moved.Int64(), amount)
		require.Equal(t, had+moved.Int64(), after.Collateral.Int64())
		require.LessOrEqual(t, total(), before)
		require.LessOrEqual(t, before-total(), int64(2))
		if i%2 == 0 {
			before, had := total(), c.figures(alice)[0]
			moved, after, err := c.k.WithdrawDelegation(c.ctx, alice, v.address, coin(amount/2+1))
			require.NoError(t, err)
			require.LessOrEqual(t, moved.Int64(), amount/2+1)
			require.LessOrEqual(t, after.Collateral.Int64(), had-amount/2-1)
			require.LessOrEqual(t, total(), before)
			require.LessOrEqual(t, before-total(), int64(2))
		}
		c.sound()
	}
}

func TestDelegationTooSmallForTheRateIsRefused(t *testing.T) {
	c := newChain(t, 1)
	v := c.vals[0]
	c.delegate(bob, v, 333_333)
	c.delegate(alice, v, 1000)
	c.slash(v, c.ctx.BlockHeight(), "0.3")
	var refused int
	for range 20 {
		_, err := c.try(&types.MsgDepositDelegation{User: alice.String(), Validator: v.name, Amount: coin(1)})
		if err != nil {
			require.ErrorIs(t, err, types.ErrInvalidAmount)
			require.ErrorContains(t, err, "1 is too little")
			refused++
		}
	}
	t.Log("refused", refused)
}
