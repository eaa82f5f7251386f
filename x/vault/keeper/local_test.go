package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

func TestLocalStakeGoesOutAndComesBack(t *testing.T) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	c.deposit(alice, 1000)

	events := c.stakeLocal(alice, v, 600)
	c.hasEvent(events, &types.EventLocalStaked{User: alice.String(), Validator: v.name, Amount: "600", Local: "600"})
	c.hasEvent(events, &types.EventLienAdded{User: alice.String(), Holder: types.LocalHolder, Amount: "600", Lien: "600"})
	require.Equal(t, [3]int64{1000, 600, 400}, c.figures(alice))
	require.Equal(t, int64(600), c.local(alice, v))
	require.Equal(t, int64(400), c.balance(c.module))
	require.Equal(t, int64(selfStake+600), c.validator(v).Tokens.Int64())

	// More of it, and some with another validator.
	c.stakeLocal(alice, v, 100)
	c.stakeLocal(alice, w, 200)
	require.Equal(t, [3]int64{1000, 900, 100}, c.figures(alice))
	c.refuses(types.ErrInsufficientFree, &types.MsgWithdraw{User: alice.String(), Amount: coin(101)})
	c.refuses(types.ErrInsufficientCollateral, &types.MsgStakeLocal{User: alice.String(), Validator: v.name, Amount: coin(101)})

	events = c.restakeLocal(alice, w, v, 50)
	completion := c.ctx.BlockTime().Add(unbondingTime)
	c.hasEvent(events, &types.EventLocalRestaked{User: alice.String(), ValidatorSrc: w.name, ValidatorDst: v.name, Amount: "50", CompletionTime: completion})
	require.Equal(t, int64(750), c.local(alice, v))
	require.Equal(t, int64(150), c.local(alice, w))

	events = c.unstakeLocal(alice, v, 250)
	c.hasEvent(events, &types.EventLocalUnstaked{User: alice.String(), Validator: v.name, Amount: "250", CompletionTime: completion})
	require.Equal(t, [3]int64{1000, 900, 100}, c.figures(alice), "the lien stays until it has come back")
	require.Equal(t, int64(500), c.local(alice, v))

	c.block(unbondingTime - time.Second)
	c.block(time.Second)
	require.Equal(t, [3]int64{1000, 900, 100}, c.figures(alice), "due in this block, paid at its end")
	c.block(time.Second)
	require.Equal(t, [3]int64{1000, 650, 350}, c.figures(alice), "it came back by itself")
	require.Equal(t, int64(350), c.balance(c.module))
	require.Zero(t, c.balance(types.StakingAccountAddress(alice)))
	require.NoError(t, c.withdraw(alice, 350))
	c.sound()
}

func TestMaturityIsReported(t *testing.T) {
	c := newChain(t, 1)
	c.deposit(alice, 100)
	c.stakeLocal(alice, c.vals[0], 100)
	c.unstakeLocal(alice, c.vals[0], 100)
	c.block(unbondingTime)
	_, err := c.staking.EndBlocker(c.ctx)
	require.NoError(t, err)
	require.Equal(t, int64(100), c.balance(types.StakingAccountAddress(alice)))
	ctx := c.ctx.WithEventManager(sdk.NewEventManager())
	c.k.EndBlock(ctx)
	c.hasEvent(ctx.EventManager().Events(), &types.EventLocalMatured{User: alice.String(), Amount: "100"})
	require.Equal(t, [3]int64{100, 0, 100}, c.figures(alice))
}

// What has matured is free at once for whoever does not wait for the end of the block.
func TestMaturedStakeIsFreeForTheNextMessage(t *testing.T) {
	c := newChain(t, 1)
	c.deposit(alice, 100)
	c.stakeLocal(alice, c.vals[0], 100)
	c.unstakeLocal(alice, c.vals[0], 100)
	c.block(unbondingTime)
	_, err := c.staking.EndBlocker(c.ctx)
	require.NoError(t, err)
	require.NoError(t, c.withdraw(alice, 100))
}

func TestStakeLocalIsRefused(t *testing.T) {
	c := newChain(t, 2)
	v := c.vals[0]
	c.deposit(alice, 100)
	msg := func(validator string, amount sdk.Coin) sdk.Msg {
		return &types.MsgStakeLocal{User: alice.String(), Validator: validator, Amount: amount}
	}
	nobody := sdk.ValAddress("nobody______________").String()
	for _, tc := range []struct {
		name string
		msg  sdk.Msg
		want error
	}{
		{name: "zero", msg: msg(v.name, coin(0)), want: types.ErrInvalidAmount},
		{name: "negative", msg: msg(v.name, sdk.Coin{Denom: denom, Amount: math.NewInt(-1)}), want: types.ErrInvalidAmount},
		{name: "wrong denom", msg: msg(v.name, sdk.NewInt64Coin(otherDenom, 1)), want: types.ErrWrongDenom},
		{name: "more than liquid", msg: msg(v.name, coin(101)), want: types.ErrInsufficientCollateral},
		{name: "unknown validator", msg: msg(nobody, coin(1)), want: types.ErrInvalidValidator},
		{name: "malformed validator", msg: msg("validator", coin(1)), want: sdkerrors.ErrInvalidAddress},
		{name: "account for validator", msg: msg(v.operator.String(), coin(1)), want: sdkerrors.ErrInvalidAddress},
		{name: "nobody", msg: &types.MsgStakeLocal{Validator: v.name, Amount: coin(1)}, want: sdkerrors.ErrInvalidAddress},
	} {
		t.Run(tc.name, func(t *testing.T) { c.refuses(tc.want, tc.msg) })
	}

	// What other liens may take with a slash is not there to be staked.
	require.NoError(t, c.holder.add(c.fixture, alice, "1", 100, "0.99"))
	c.refuses(types.ErrInsufficientCollateral, msg(v.name, coin(100)))
	c.stakeLocal(alice, v, 20) // 99 and 5 % of 20
}

func TestLocalStakingCanBeSwitchedOff(t *testing.T) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	c.deposit(alice, 200)
	c.stakeLocal(alice, v, 100)
	c.delegate(alice, v, 50)

	params := types.DefaultParams()
	params.LocalStakingEnabled = false
	require.NoError(t, c.k.UpdateParams(c.ctx, params))
	c.refuses(types.ErrLocalStakingRefused, &types.MsgStakeLocal{User: alice.String(), Validator: v.name, Amount: coin(1)})
	c.refuses(types.ErrLocalStakingRefused, &types.MsgDepositDelegation{User: alice.String(), Validator: v.name, Amount: coin(1)})

	c.unstakeLocal(alice, v, 40)
	c.does(&types.MsgWithdrawDelegation{User: alice.String(), Validator: v.name, Amount: coin(30)})
	c.restakeLocal(alice, v, w, 30)
	c.does(&types.MsgWithdrawLocalRewards{User: alice.String()})
	c.block(unbondingTime)
	c.block(time.Second)
	require.Equal(t, [3]int64{170, 30, 140}, c.figures(alice))
}

func TestSL17ValidatorWithoutAnyTokensLeft(t *testing.T) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	c.deposit(alice, 300)
	c.stakeLocal(alice, v, 100)
	c.stakeLocal(alice, w, 100)
	c.delegate(bob, v, 100)
	_, err := c.staking.Slash(c.ctx, v.cons, c.ctx.BlockHeight(), 2*selfStake, math.LegacyOneDec())
	require.NoError(t, err)
	require.True(t, c.validator(v).InvalidExRate())

	c.refuses(types.ErrInvalidValidator, &types.MsgStakeLocal{User: alice.String(), Validator: v.name, Amount: coin(1)})
	c.refuses(types.ErrInvalidValidator, &types.MsgRestakeLocal{User: alice.String(), ValidatorSrc: w.name, ValidatorDst: v.name, Amount: coin(1)})
	c.refuses(types.ErrInsufficientStake, &types.MsgRestakeLocal{User: alice.String(), ValidatorSrc: v.name, ValidatorDst: w.name, Amount: coin(1)})
	c.refuses(types.ErrInsufficientStake, &types.MsgDepositDelegation{User: bob.String(), Validator: v.name, Amount: coin(1)})
	c.refuses(types.ErrInsufficientStake, &types.MsgWithdrawDelegation{User: alice.String(), Validator: v.name, Amount: coin(1)})
	c.does(&types.MsgWithdrawLocalRewards{User: alice.String(), Validator: v.name})

	// What is worth nothing leaves, and frees its place.
	c.hasEvent(c.unstakeLocal(alice, v, 1), &types.EventLocalUnstaked{
		User: alice.String(), Validator: v.name, Amount: "0", CompletionTime: c.ctx.BlockTime().Add(unbondingTime),
	})
	_, err = c.staking.GetDelegation(c.ctx, types.StakingAccountAddress(alice), v.address)
	require.ErrorIs(t, err, stakingtypes.ErrNoDelegation)
	require.Equal(t, [3]int64{200, 100, 100}, c.figures(alice))
	c.block(unbondingTime)
	c.block(time.Second)
	require.Equal(t, [3]int64{200, 100, 100}, c.figures(alice))
}

func TestUnstakeAndRestakeAreRefused(t *testing.T) {
	c := newChain(t, 3)
	v, w, x := c.vals[0], c.vals[1], c.vals[2]
	c.deposit(alice, 100)
	c.refuses(types.ErrInsufficientStake, &types.MsgUnstakeLocal{User: alice.String(), Validator: v.name, Amount: coin(1)})
	c.stakeLocal(alice, v, 100)
	c.refuses(types.ErrInsufficientStake, &types.MsgUnstakeLocal{User: alice.String(), Validator: v.name, Amount: coin(101)})
	c.refuses(types.ErrInsufficientStake, &types.MsgUnstakeLocal{User: alice.String(), Validator: w.name, Amount: coin(1)})
	c.refuses(types.ErrInsufficientStake, &types.MsgUnstakeLocal{User: bob.String(), Validator: v.name, Amount: coin(1)})
	c.refuses(types.ErrInvalidAmount, &types.MsgUnstakeLocal{User: alice.String(), Validator: v.name, Amount: coin(0)})
	c.refuses(types.ErrWrongDenom, &types.MsgUnstakeLocal{User: alice.String(), Validator: v.name, Amount: sdk.NewInt64Coin(otherDenom, 1)})

	restake := func(from, to validator, amount int64) sdk.Msg {
		return &types.MsgRestakeLocal{User: alice.String(), ValidatorSrc: from.name, ValidatorDst: to.name, Amount: coin(amount)}
	}
	c.refuses(types.ErrInsufficientStake, restake(v, w, 101))
	c.refuses(types.ErrInsufficientStake, restake(w, v, 1))
	c.refuses(stakingtypes.ErrSelfRedelegation, restake(v, v, 1))
	c.refuses(types.ErrInvalidAmount, restake(v, w, 0))
	c.refuses(types.ErrInvalidValidator, restake(v, validator{name: sdk.ValAddress("nobody______________").String()}, 1))
	c.restakeLocal(alice, v, w, 10)
	c.refuses(types.ErrImmatureRedelegation, restake(w, x, 1))
	for range 6 {
		c.block(time.Second)
		c.restakeLocal(alice, v, w, 10)
	}
	c.refuses(stakingtypes.ErrMaxRedelegationEntries, restake(v, w, 10))
	c.restakeLocal(alice, v, x, 10)
}

func TestVA10EntryLimitIsTheUsersOwn(t *testing.T) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	for _, user := range []sdk.AccAddress{alice, bob} {
		c.deposit(user, 1000)
		c.stakeLocal(user, v, 500)
		c.stakeLocal(user, w, 500)
	}
	first := c.ctx.BlockTime().Add(unbondingTime)
	for i := range 7 {
		c.unstakeLocal(alice, v, 10)
		if i < 6 {
			c.unstakeLocal(alice, v, 10) // entries of one block merge
			c.block(time.Hour)
		}
	}
	c.block(time.Hour)
	msg := &types.MsgUnstakeLocal{User: alice.String(), Validator: v.name, Amount: coin(10)}
	c.refuses(types.ErrTooManyUnbondings, msg)
	_, err := c.try(msg)
	require.ErrorContains(t, err, "7 unbond from "+v.name)
	require.ErrorContains(t, err, "the next one ends at "+first.Format(time.RFC3339))

	// Others, and the user with another validator or past the vault, are not affected.
	c.unstakeLocal(bob, v, 10)
	c.unstakeLocal(alice, w, 10)
	c.delegate(alice, v, 10)
	_, err = stakingkeeper.NewMsgServerImpl(c.staking).Undelegate(c.ctx, stakingtypes.NewMsgUndelegate(alice.String(), v.name, coin(10)))
	require.NoError(t, err)
	c.restakeLocal(alice, v, w, 10)

	c.block(unbondingTime - 7*time.Hour)
	c.block(time.Second)
	require.Equal(t, [3]int64{1000, 980, 20}, c.figures(alice))
	c.unstakeLocal(alice, v, 10)
}

func TestValidatorsOfOneStakingAccountAreBounded(t *testing.T) {
	c := newChain(t, 4)
	c.deposit(alice, 1000)
	c.delegate(alice, c.vals[2], 10)
	params := types.DefaultParams()
	params.MaxValidatorsPerStakingAccount = 2
	require.NoError(t, c.k.UpdateParams(c.ctx, params))
	v, w, x := c.vals[0], c.vals[1], c.vals[2]

	c.stakeLocal(alice, v, 100)
	c.stakeLocal(alice, w, 100)
	c.refuses(types.ErrTooManyValidators, &types.MsgStakeLocal{User: alice.String(), Validator: x.name, Amount: coin(1)})
	c.refuses(types.ErrTooManyValidators, &types.MsgDepositDelegation{User: alice.String(), Validator: x.name, Amount: coin(1)})
	c.refuses(types.ErrTooManyValidators, &types.MsgRestakeLocal{User: alice.String(), ValidatorSrc: v.name, ValidatorDst: x.name, Amount: coin(99)})
	c.stakeLocal(alice, w, 1)

	// Leaving entirely makes room, but not while some of it unbonds.
	c.restakeLocal(alice, v, x, 100)
	c.unstakeLocal(alice, w, 101)
	c.refuses(types.ErrTooManyValidators, &types.MsgStakeLocal{User: alice.String(), Validator: v.name, Amount: coin(1)})
	c.block(unbondingTime)
	c.block(time.Second)
	c.stakeLocal(alice, v, 1)

	// A lower bound touches nothing that is there.
	params.MaxValidatorsPerStakingAccount = 1
	require.NoError(t, c.k.UpdateParams(c.ctx, params))
	c.stakeLocal(alice, v, 1)
	c.refuses(types.ErrTooManyValidators, &types.MsgStakeLocal{User: alice.String(), Validator: w.name, Amount: coin(1)})
	c.unstakeLocal(alice, v, 2)
	c.unstakeLocal(alice, x, 100)
}

// Stake with a validator that is not in the active set unbonds as long as any other.
func TestValidatorsOfEveryStatus(t *testing.T) {
	c := newChain(t, 3)
	v, w := c.vals[0], c.vals[1]
	c.deposit(alice, 1000)
	c.stakeLocal(alice, v, 100)

	require.NoError(t, c.staking.Jail(c.ctx, v.cons))
	c.block(time.Second)
	require.True(t, c.validator(v).IsUnbonding())
	c.stakeLocal(alice, v, 100)
	c.unstakeLocal(alice, v, 50)
	require.Equal(t, int64(150), c.local(alice, v))

	c.block(unbondingTime)
	c.block(time.Second)
	require.True(t, c.validator(v).IsUnbonded())
	require.Equal(t, [3]int64{1000, 150, 850}, c.figures(alice))
	c.stakeLocal(alice, v, 100)
	c.unstakeLocal(alice, v, 50)
	// Nothing waits for a redelegation from an unbonded validator.
	events := c.restakeLocal(alice, v, w, 100)
	c.hasEvent(events, &types.EventLocalRestaked{User: alice.String(), ValidatorSrc: v.name, ValidatorDst: w.name, Amount: "100", CompletionTime: c.ctx.BlockTime()})
	c.restakeLocal(alice, w, c.vals[2], 100)
	c.block(unbondingTime)
	c.block(time.Second)
	require.Equal(t, [3]int64{1000, 200, 800}, c.figures(alice))
}

// What a message answers with is what a settle would find: also at a validator where a unit is lost by rounding, and between
// liens whose holders' names come before and after "local".
func TestResponsesOfLocalStakingTellTheAccountAfterwards(t *testing.T) {
	lost := int64(0)
	for _, fraction := range []string{"0.01", "0.3", "0.333333333333333333"} {
		c := newChain(t, 2)
		v, slashed := c.vals[0], c.vals[1]
		c.delegate(bob, slashed, 333_333)
		c.slash(slashed, c.ctx.BlockHeight(), fraction)
		c.delegate(alice, slashed, 1000)
		c.deposit(alice, 100_000)
		require.NoError(t, c.other.add(c.fixture, alice, "1", 700, "0.1"))
		require.NoError(t, c.holder.add(c.fixture, alice, "1", 900, "0.2"))
		same := func(after types.Account, err error) {
			require.NoError(t, err)
			require.Equal(t, c.account(alice), after)
			require.NoError(t, c.holder.handle.Settle(c.ctx, alice))
			require.Equal(t, c.account(alice), after, "nothing was left to settle")
			c.sound()
		}
		for i := range int64(20) {
			for _, to := range []validator{v, slashed} {
				before := c.figures(alice)[0]
				same(c.k.StakeLocal(c.ctx, alice, to.address, coin(1+i)))
				lost += before - c.figures(alice)[0]
			}
			_, after, err := c.k.DepositDelegation(c.ctx, alice, slashed.address, coin(20+i))
			same(after, err)
			_, after, err = c.k.WithdrawDelegation(c.ctx, alice, slashed.address, coin(10+i))
			same(after, err)
		}
		require.Len(t, c.account(alice).Liens, 3)
	}
	require.Positive(t, lost, "no unit was ever lost to rounding")
}

// At a validator whose shares are not worth a unit each, x/staking rounds down with every step. The unit is booked when it
// happens, is at most one for each step, and stays with the other delegators.
func TestRoundingOfSharesIsBooked(t *testing.T) {
	c := newChain(t, 2)
	v := c.vals[0]
	c.delegate(bob, v, 333_333)
	c.slash(v, c.ctx.BlockHeight(), "0.3")
	c.deposit(alice, 100_000)
	for i := range 200 {
		before := c.figures(alice)
		c.stakeLocal(alice, v, int64(1+i*7%13))
		after := c.figures(alice)
		require.LessOrEqual(t, before[0]-after[0], int64(1), "step %d", i)
		if i%3 == 0 {
			c.unstakeLocal(alice, v, 1)
			require.LessOrEqual(t, after[0]-c.figures(alice)[0], int64(1), "step %d", i)
		}
		require.Equal(t, c.figures(alice)[1], c.held(alice), "holdings are the lien: nothing more, nothing less")
		if i%15 == 0 {
			c.block(unbondingTime)
			c.block(time.Second)
		}
	}
	c.block(unbondingTime)
	c.block(time.Second)
	c.unstakeLocal(alice, v, c.local(alice, v))
	c.block(unbondingTime)
	c.block(time.Second)
	require.Zero(t, c.figures(alice)[1])
	require.LessOrEqual(t, c.figures(alice)[0], int64(100_000))
	require.NoError(t, c.withdraw(alice, c.figures(alice)[0]))
}

// held is what the user's staking account holds.
func (c *chain) held(user sdk.AccAddress) int64 {
	c.t.Helper()
	account := types.StakingAccountAddress(user)
	sum := c.balance(account)
	for _, v := range c.vals {
		sum += c.delegated(account, v)
	}
	unbonding, err := c.staking.GetDelegatorUnbonding(c.ctx, account)
	require.NoError(c.t, err)
	return sum + unbonding.Int64()
}

func TestRewardsGoToTheUser(t *testing.T) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	c.fees = 1_000_000
	c.deposit(alice, 900_000)
	c.stakeLocal(alice, v, 400_000)
	c.stakeLocal(alice, w, 400_000)
	c.block(time.Second)
	c.block(time.Second)

	before := c.balance(alice)
	events := c.does(&types.MsgWithdrawLocalRewards{User: alice.String(), Validator: v.name})
	paid := c.balance(alice) - before
	require.Positive(t, paid)
	c.hasEvent(events, &types.EventLocalRewardsWithdrawn{User: alice.String(), Validator: v.name, Amount: coin(paid).String(), Receiver: alice.String()})
	require.Zero(t, c.balance(types.StakingAccountAddress(alice)))

	// To wherever the user wants them, from that moment on, with all validators at once.
	require.NoError(t, c.distr.SetWithdrawAddr(c.ctx, alice, carol))
	c.block(time.Second)
	before = c.balance(carol)
	events = c.does(&types.MsgWithdrawLocalRewards{User: alice.String()})
	paid = c.balance(carol) - before
	require.Positive(t, paid)
	var sum int64
	for _, e := range events {
		if typed, err := sdk.ParseTypedEvent(abci.Event(e)); err == nil {
			if withdrawn, ok := typed.(*types.EventLocalRewardsWithdrawn); ok {
				require.Equal(t, carol.String(), withdrawn.Receiver)
				amount, err := sdk.ParseCoinNormalized(withdrawn.Amount)
				require.NoError(t, err)
				sum += amount.Amount.Int64()
			}
		}
	}
	require.Equal(t, paid, sum)

	// Every change of a delegation pays it out as well.
	for _, msg := range []sdk.Msg{
		&types.MsgStakeLocal{User: alice.String(), Validator: v.name, Amount: coin(10)},
		&types.MsgUnstakeLocal{User: alice.String(), Validator: v.name, Amount: coin(10)},
		&types.MsgRestakeLocal{User: alice.String(), ValidatorSrc: v.name, ValidatorDst: w.name, Amount: coin(10)},
		&types.MsgWithdrawDelegation{User: alice.String(), Validator: v.name, Amount: coin(10)},
	} {
		c.block(time.Second)
		before := c.balance(carol)
		c.does(msg)
		require.Positive(t, c.balance(carol)-before, "%T", msg)
	}
	require.Zero(t, c.balance(types.StakingAccountAddress(alice)))

	c.refuses(types.ErrInsufficientStake, &types.MsgWithdrawLocalRewards{User: bob.String()})
	c.refuses(types.ErrInsufficientStake, &types.MsgWithdrawLocalRewards{User: bob.String(), Validator: v.name})
	c.refuses(sdkerrors.ErrInvalidAddress, &types.MsgWithdrawLocalRewards{User: alice.String(), Validator: "v"})
	c.refuses(sdkerrors.ErrInvalidAddress, &types.MsgWithdrawLocalRewards{User: "alice"})
}

// x/distribution reports a withdrawal of nothing as a coin of zero; that is no coin.
func TestNoRewardsAreNoCoins(t *testing.T) {
	c := newChain(t, 1)
	c.deposit(alice, 100)
	c.stakeLocal(alice, c.vals[0], 100)
	coins, err := c.k.WithdrawLocalRewards(c.ctx, alice, nil)
	require.NoError(t, err)
	require.Empty(t, coins)
}

func TestQueryLocalStake(t *testing.T) {
	c := newChain(t, 3)
	v, w, x := c.vals[0], c.vals[1], c.vals[2]
	c.fees = 1_000_000
	c.deposit(alice, 900_000)
	c.stakeLocal(alice, v, 400_000)
	c.stakeLocal(alice, w, 100)
	c.stakeLocal(alice, x, 50)
	c.block(time.Second)
	c.unstakeLocal(alice, v, 1000)
	c.unstakeLocal(alice, x, 50)
	completion := c.ctx.BlockTime().Add(unbondingTime)
	require.NoError(t, c.staking.Jail(c.ctx, w.cons))
	c.block(time.Second)

	before := c.state()
	res, err := c.query.LocalStake(c.ctx, &types.QueryLocalStakeRequest{User: alice.String()})
	require.NoError(t, err)
	require.Equal(t, before, c.state(), "a query writes nothing")
	require.Len(t, res.Stakes, 3)
	byName := map[string]types.LocalStake{}
	for _, s := range res.Stakes {
		byName[s.Validator] = s
	}
	unbonding := func(amount int64) []types.LocalUnbonding {
		return []types.LocalUnbonding{{Amount: math.NewInt(amount), CompletionTime: completion}}
	}
	s := byName[v.name]
	require.Equal(t, "BOND_STATUS_BONDED", s.Status)
	require.Equal(t, int64(399_000), s.Amount.Int64())
	require.Equal(t, unbonding(1000), s.Unbonding)
	paid, err := c.k.WithdrawLocalRewards(c.ctx, alice, v.address)
	require.NoError(t, err)
	require.Equal(t, paid, s.Rewards)
	require.True(t, s.Rewards.AmountOf(denom).IsPositive())
	s = byName[w.name]
	require.Equal(t, "BOND_STATUS_UNBONDING", s.Status)
	require.True(t, s.Jailed)
	s = byName[x.name]
	require.True(t, s.Amount.IsZero())
	require.Equal(t, unbonding(50), s.Unbonding)
	require.Empty(t, s.Rewards)

	var names []string
	page := &types.QueryLocalStakeRequest{User: alice.String(), Pagination: &query.PageRequest{Limit: 2}}
	for {
		res, err := c.query.LocalStake(c.ctx, page)
		require.NoError(t, err)
		for _, s := range res.Stakes {
			names = append(names, s.Validator)
		}
		if res.Pagination.NextKey == nil {
			break
		}
		page.Pagination.Key = res.Pagination.NextKey
	}
	require.Equal(t, []string{res.Stakes[0].Validator, res.Stakes[1].Validator, res.Stakes[2].Validator}, names)

	res, err = c.query.LocalStake(c.ctx, &types.QueryLocalStakeRequest{User: bob.String()})
	require.NoError(t, err)
	require.Empty(t, res.Stakes)
	_, err = c.query.LocalStake(c.ctx, nil)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidRequest)
	_, err = c.query.LocalStake(c.ctx, &types.QueryLocalStakeRequest{User: "alice"})
	require.ErrorIs(t, err, sdkerrors.ErrInvalidAddress)
}
