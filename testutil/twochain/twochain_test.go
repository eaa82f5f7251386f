package twochain_test

import (
	"context"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// A stake crosses two chains: deposit, stake, ack, epoch, voting power, rewards, and the way back.
func TestAStakeCrossesTwoChains(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	n.Setup()
	require.NoError(t, n.CheckInvariants())

	user, v := n.Provider.Users[1], n.Consumer.Validators[0]
	known, err := externaltypes.NewQueryClient(n.Provider.Query()).Validators(context.Background(), &externaltypes.QueryValidatorsRequest{ConsumerId: n.ConsumerID})
	require.NoError(t, err)
	require.Len(t, known.Validators, len(n.Consumer.Validators))
	for _, info := range known.Validators {
		require.Equal(t, control.StatusActive, info.Validator.Status)
	}

	_, err = n.Provider.Deliver(user, &vaulttypes.MsgDeposit{User: user.String(), Amount: n.Provider.Coin(100_000_000)})
	require.NoError(t, err)
	_, err = n.Provider.Deliver(user, &externaltypes.MsgStake{
		User: user.String(), ConsumerID: n.ConsumerID, Validator: v.Address, Amount: n.Provider.Coin(80_000_000),
	})
	require.NoError(t, err)
	require.NoError(t, n.Relay())
	require.NoError(t, n.CheckInvariants())

	position := func() externaltypes.PositionInfo {
		res, err := externaltypes.NewQueryClient(n.Provider.Query()).Position(context.Background(), &externaltypes.QueryPositionRequest{
			User: user.String(), ConsumerId: n.ConsumerID, Validator: v.Address,
		})
		require.NoError(t, err)
		return res.Position
	}
	require.Equal(t, math.NewInt(80_000_000), position().Bonded)

	require.EqualValues(t, 100, n.Consumer.Power(v))
	n.Epoch()
	source := func() virtualtypes.SourceInfo {
		res, err := virtualtypes.NewQueryClient(n.Consumer.Query()).Source(
			context.Background(), &virtualtypes.QuerySourceRequest{ConverterId: n.ConverterID})
		require.NoError(t, err)
		return res.Source
	}
	require.Empty(t, source().Source.LastFailure)
	require.Equal(t, math.NewInt(36_000_000), source().Delegated)
	require.EqualValues(t, 136, n.Consumer.Power(v))
	require.NoError(t, n.CheckInvariants())

	n.Epoch()
	require.NoError(t, n.Relay())
	require.NoError(t, n.CheckInvariants())
	rewards := position().Rewards
	require.Len(t, rewards, 1)
	require.True(t, rewards[0].Amount.IsPositive())
	_, err = n.Provider.Deliver(user, &externaltypes.MsgWithdrawRewards{User: user.String(), ConsumerID: n.ConsumerID})
	require.NoError(t, err)
	require.Equal(t, rewards[0].Amount, n.Provider.Balance(user.Address, rewards[0].Denom))

	_, err = n.Provider.Deliver(user, &externaltypes.MsgUnstake{
		User: user.String(), ConsumerID: n.ConsumerID, Validator: v.Address, Amount: n.Provider.Coin(80_000_000),
	})
	require.NoError(t, err)
	require.NoError(t, n.Relay())
	n.Epoch()
	require.NoError(t, n.Relay())
	require.True(t, source().Delegated.IsZero())
	require.EqualValues(t, 100, n.Consumer.Power(v))
	require.NoError(t, n.CheckInvariants())

	require.NoError(t, n.Advance(n.Config().Consumer.UnbondingTime+time.Hour))
	require.NoError(t, n.Relay())
	_, err = n.Provider.Deliver(user, &vaulttypes.MsgWithdraw{User: user.String(), Amount: n.Provider.Coin(100_000_000)})
	require.NoError(t, err)
	require.True(t, source().Unbonding.IsZero())
	require.NoError(t, n.CheckInvariants())
}
