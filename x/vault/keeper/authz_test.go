package keeper_test

import (
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

func TestAnotherCanActByAuthz(t *testing.T) {
	f := newVault(t)
	deposit := &types.MsgDeposit{User: alice.String(), Amount: sdk.NewInt64Coin(denom, 100)}
	withdraw := &types.MsgWithdraw{User: alice.String(), Amount: sdk.NewInt64Coin(denom, 40)}
	f.refused(authz.ErrNoAuthorizationFound, func() error {
		_, err := f.authz.DispatchActions(f.ctx, bob, []sdk.Msg{deposit})
		return err
	})
	expires := start.Add(time.Hour)
	for _, msg := range []sdk.Msg{deposit, withdraw} {
		require.NoError(t, f.authz.SaveGrant(f.ctx, bob, alice, authz.NewGenericAuthorization(sdk.MsgTypeURL(msg)), &expires))
	}
	_, err := f.authz.DispatchActions(f.ctx, bob, []sdk.Msg{deposit, withdraw})
	require.NoError(t, err)
	require.Equal(t, int64(60), f.account(alice).Collateral.Int64())
	require.Equal(t, int64(940), f.balance(alice))
	require.Equal(t, int64(1000), f.balance(bob))
	f.holds()
}

// Everything about local stake as well, each with a grant of its own, and nothing with a grant for another message.
func TestAnotherCanStakeLocallyByAuthz(t *testing.T) {
	c := newChain(t, 2)
	v, w := c.vals[0], c.vals[1]
	c.fees = 1_000_000
	c.deposit(alice, 500_000)
	c.delegate(alice, v, 100_000)
	c.block(time.Second)
	expires := c.ctx.BlockTime().Add(time.Hour)
	for _, msg := range []sdk.Msg{
		&types.MsgStakeLocal{User: alice.String(), Validator: v.name, Amount: coin(300_000)},
		&types.MsgDepositDelegation{User: alice.String(), Validator: v.name, Amount: coin(100_000)},
		&types.MsgRestakeLocal{User: alice.String(), ValidatorSrc: v.name, ValidatorDst: w.name, Amount: coin(50_000)},
		&types.MsgUnstakeLocal{User: alice.String(), Validator: v.name, Amount: coin(20_000)},
		&types.MsgWithdrawLocalRewards{User: alice.String()},
		&types.MsgWithdrawDelegation{User: alice.String(), Validator: v.name, Amount: coin(30_000)},
	} {
		c.refused(authz.ErrNoAuthorizationFound, func() error {
			_, err := c.authz.DispatchActions(c.ctx, bob, []sdk.Msg{msg})
			return err
		})
		require.NoError(t, c.authz.SaveGrant(c.ctx, bob, alice, authz.NewGenericAuthorization(sdk.MsgTypeURL(msg)), &expires))
		_, err := c.authz.DispatchActions(c.ctx, bob, []sdk.Msg{msg})
		require.NoError(t, err, "%T", msg)
		c.block(time.Second)
	}
	require.Equal(t, [3]int64{570_000, 370_000, 200_000}, c.figures(alice))
	require.Equal(t, int64(30_000), c.delegated(alice, v))
	require.Zero(t, c.account(bob).Collateral.Int64())
	require.Equal(t, int64(1_000_000), c.balance(bob), "rewards are alice's")
}
