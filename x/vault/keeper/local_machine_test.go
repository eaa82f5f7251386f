package keeper_test

import (
	"errors"
	"testing"
	"time"

	sdkerrors "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/vault/types"
)

// wealth is everything the user has, to fractions of a unit: in the wallet, liquid in the vault, and, of the user and of the
// staking account, what is delegated, unbonding and paid out.
func (c *chain) wealth(user sdk.AccAddress) math.LegacyDec {
	c.t.Helper()
	sum := c.bank.GetBalance(c.ctx, user, denom).Amount.Add(c.account(user).Liquid).ToLegacyDec()
	sum = sum.Add(c.bank.GetBalance(c.ctx, types.StakingAccountAddress(user), denom).Amount.ToLegacyDec())
	for _, delegator := range []sdk.AccAddress{user, types.StakingAccountAddress(user)} {
		unbonding, err := c.staking.GetDelegatorUnbonding(c.ctx, delegator)
		require.NoError(c.t, err)
		sum = sum.Add(unbonding.ToLegacyDec())
		require.NoError(c.t, c.staking.IterateDelegatorDelegations(c.ctx, delegator, func(d stakingtypes.Delegation) bool {
			addr, err := c.staking.ValidatorAddressCodec().StringToBytes(d.ValidatorAddress)
			require.NoError(c.t, err)
			v, err := c.staking.GetValidator(c.ctx, addr)
			require.NoError(c.t, err)
			sum = sum.Add(v.TokensFromShares(d.Shares))
			return false
		}))
	}
	return sum
}

// All messages of local staking in random order, between blocks, slashes, jailings and a lien that comes and goes. Without
// rewards nobody gets richer by any of it, a message costs two units of rounding at most, nothing is refused without one of
// the errors that say why, and the books of all modules balance after every step.
func TestPropertyLocalStakingCreatesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newChain(t, 4)
		users := []sdk.AccAddress{alice, bob}
		for _, user := range users {
			c.delegate(user, c.vals[0], 100_000)
			c.deposit(user, 100_000)
		}
		user := func() sdk.AccAddress { return rapid.SampledFrom(users).Draw(rt, "user") }
		val := func() validator { return rapid.SampledFrom(c.vals).Draw(rt, "validator") }
		amount := func() sdk.Coin {
			return coin(rapid.OneOf(rapid.Int64Range(1, 5), rapid.Int64Range(1, 120_000)).Draw(rt, "amount"))
		}
		attempt := func(u sdk.AccAddress, msg sdk.Msg) {
			before := c.wealth(u)
			if _, err := c.try(msg); err != nil {
				var registered *sdkerrors.Error
				require.True(rt, errors.As(err, &registered), "%T: %s", msg, err)
				require.Contains(rt, []string{types.ModuleName, stakingtypes.ModuleName}, registered.Codespace(), "%T: %s", msg, err)
				require.Equal(rt, before, c.wealth(u))
				return
			}
			after := c.wealth(u)
			// x/staking keeps 18 decimals of shares.
			require.True(rt, after.LTE(before.Add(math.LegacyNewDecWithPrec(1, 9))), "%T: %s to %s", msg, before, after)
			require.True(rt, before.Sub(after).LTE(math.LegacyNewDec(2)), "%T: %s to %s", msg, before, after)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { c.sound() },
			"stake": func(*rapid.T) {
				u := user()
				attempt(u, &types.MsgStakeLocal{User: u.String(), Validator: val().name, Amount: amount()})
			},
			"unstake": func(*rapid.T) {
				u := user()
				attempt(u, &types.MsgUnstakeLocal{User: u.String(), Validator: val().name, Amount: amount()})
			},
			"restake": func(*rapid.T) {
				u := user()
				attempt(u, &types.MsgRestakeLocal{User: u.String(), ValidatorSrc: val().name, ValidatorDst: val().name, Amount: amount()})
			},
			"deposit delegation": func(*rapid.T) {
				u := user()
				attempt(u, &types.MsgDepositDelegation{User: u.String(), Validator: val().name, Amount: amount()})
			},
			"withdraw delegation": func(*rapid.T) {
				u := user()
				attempt(u, &types.MsgWithdrawDelegation{User: u.String(), Validator: val().name, Amount: amount()})
			},
			"deposit": func(*rapid.T) {
				u := user()
				attempt(u, &types.MsgDeposit{User: u.String(), Amount: amount()})
			},
			"withdraw": func(*rapid.T) {
				u := user()
				attempt(u, &types.MsgWithdraw{User: u.String(), Amount: amount()})
			},
			"rewards": func(*rapid.T) {
				u := user()
				attempt(u, &types.MsgWithdrawLocalRewards{User: u.String()})
			},
			"lien": func(*rapid.T) {
				u := user()
				lien, err := c.holder.handle.Lien(c.ctx, u, "1")
				require.NoError(rt, err)
				if lien.IsPositive() {
					require.NoError(rt, c.holder.release(c.fixture, u, "1", lien.Int64()))
				} else if err := c.holder.add(c.fixture, u, "1", amount().Amount.Int64(), "0.5"); err != nil {
					require.ErrorIs(rt, err, types.ErrInsufficientCollateral)
				}
			},
			"slash": func(*rapid.T) {
				v := val()
				if !c.validator(v).IsUnbonded() {
					height := c.ctx.BlockHeight() - rapid.Int64Range(0, 2).Draw(rt, "blocks ago")
					c.slash(v, height, rapid.SampledFrom([]string{"0.01", "0.333333333333333333", "0.9"}).Draw(rt, "fraction"))
				}
			},
			"jail": func(*rapid.T) {
				v := rapid.SampledFrom(c.vals[1:]).Draw(rt, "validator") // one stays bonded
				if val := c.validator(v); val.Jailed {
					require.NoError(rt, c.staking.Unjail(c.ctx, v.cons))
				} else {
					require.NoError(rt, c.staking.Jail(c.ctx, v.cons))
				}
			},
			"others": func(*rapid.T) {
				v := val()
				_, err := stakingkeeper.NewMsgServerImpl(c.staking).Undelegate(c.ctx, stakingtypes.NewMsgUndelegate(v.operator.String(), v.name, coin(rapid.Int64Range(1, 10).Draw(rt, "amount"))))
				if err != nil {
					require.ErrorIs(rt, err, stakingtypes.ErrMaxUnbondingDelegationEntries)
				}
			},
			"block": func(*rapid.T) {
				c.block(rapid.SampledFrom([]time.Duration{time.Second, unbondingTime / 3, unbondingTime}).Draw(rt, "time"))
				for _, u := range users {
					require.GreaterOrEqual(rt, c.held(u), c.figures(u)[1], "all that was slashed has reached the user")
				}
			},
		})
	})
}
