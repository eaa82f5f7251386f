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
