package twochain_test

import (
	"testing"
	"time"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
)

func TestChainsHaveTheirOwnDenomsAndPayRewards(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	require.NotEqual(t, n.Provider.Denom, n.Consumer.Denom)
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		denom, err := c.App.StakingKeeper.BondDenom(c.Ctx())
		require.NoError(t, err)
		require.Equal(t, c.Denom, denom)
		c.Blocks(3)
		v := c.Validators[0]
		rewards, err := c.App.DistrKeeper.GetValidatorOutstandingRewards(c.Ctx(), sdk.ValAddress(v.Operator.Address))
		require.NoError(t, err)
		require.True(t, rewards.Rewards.AmountOf(c.Denom).IsPositive())
		require.EqualValues(t, 100, c.Power(v))
	}
}

func TestRelayMovesTransfersBothWays(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	n.Connect()
	n.OpenTransfer()
	timeout := uint64(n.Coordinator.CurrentTime.Add(time.Hour).UnixNano())
	send := func(from *twochain.Chain, channel string, to string) error {
		_, err := from.Deliver(from.Users[1], transfertypes.NewMsgTransfer(
			"transfer", channel, from.Coin(100), from.Users[1].String(), to, clienttypes.ZeroHeight(), timeout, ""))
		return err
	}
	require.NoError(t, send(n.Provider, n.Transfer.EndpointA.ChannelID, n.Consumer.Users[2].String()))
	require.NoError(t, send(n.Consumer, n.Transfer.EndpointB.ChannelID, n.Provider.Users[2].String()))
	require.Len(t, n.Provider.Unreceived(), 1)

	moved, err := n.RelayRecv(n.Provider, 0)
	require.NoError(t, err)
	require.Equal(t, 1, moved)
	require.Empty(t, n.Provider.Unreceived())
	require.Len(t, n.Provider.Unacknowledged(), 1)
	require.NoError(t, n.Relay())
	require.Empty(t, n.Provider.Unacknowledged())
	voucher := transfertypes.ParseDenomTrace("transfer/" + n.Transfer.EndpointB.ChannelID + "/" + n.Provider.Denom).IBCDenom()
	require.EqualValues(t, 100, n.Consumer.Balance(n.Consumer.Users[2].Address, voucher).Int64())
}

func TestTimeoutIsRelayed(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	n.Connect()
	n.OpenTransfer()
	user := n.Provider.Users[1]
	before := n.Provider.Balance(user.Address, n.Provider.Denom)
	_, err := n.Provider.Deliver(user, transfertypes.NewMsgTransfer("transfer", n.Transfer.EndpointA.ChannelID,
		n.Provider.Coin(100), user.String(), n.Consumer.Users[2].String(), clienttypes.ZeroHeight(),
		uint64(n.Coordinator.CurrentTime.Add(time.Minute).UnixNano()), ""))
	require.NoError(t, err)
	require.NoError(t, n.Advance(time.Hour))
	require.NoError(t, n.Timeout(n.Provider, n.Provider.Unreceived()...))
	require.Empty(t, n.Provider.Unreceived())
	require.Equal(t, before, n.Provider.Balance(user.Address, n.Provider.Denom))
}

func TestAdvanceKeepsClientsAlive(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	n.Connect()
	start := n.Coordinator.CurrentTime
	require.NoError(t, n.Advance(60*24*time.Hour))
	require.GreaterOrEqual(t, n.Coordinator.CurrentTime.Sub(start), 60*24*time.Hour)
	require.NoError(t, n.UpdateClient(n.Provider))
	require.NoError(t, n.UpdateClient(n.Consumer))
}

func TestExecutePassesProposals(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	c := n.Consumer
	params, err := c.App.StakingKeeper.GetParams(c.Ctx())
	require.NoError(t, err)
	params.MaxValidators = 3
	require.NoError(t, c.Execute(&stakingtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params}))
	got, err := c.App.StakingKeeper.MaxValidators(c.Ctx())
	require.NoError(t, err)
	require.EqualValues(t, 3, got)

	params.BondDenom = "!"
	err = c.Execute(&stakingtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params})
	require.Error(t, err)
}

func TestDeliverReturnsRegisteredErrors(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	c := n.Provider
	_, err := c.Deliver(c.Users[0], banktypes.NewMsgSend(c.Users[0].Address, c.Users[1].Address, sdk.NewCoins(sdk.NewInt64Coin("nothing", 1))))
	require.ErrorContains(t, err, "insufficient funds")
	c.Queue(c.Users[0], banktypes.NewMsgSend(c.Users[0].Address, c.Users[1].Address, sdk.NewCoins(c.Coin(1))))
	c.Queue(c.Users[0], banktypes.NewMsgSend(c.Users[0].Address, c.Users[1].Address, sdk.NewCoins(c.Coin(1))))
	c.NextBlock()
	require.Equal(t, []error{nil, nil}, c.Results())
}

func TestFaultsReachTheModules(t *testing.T) {
	cfg := twochain.DefaultConfig()
	cfg.Consumer.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
		twochain.Edit(cdc, genesis, slashingtypes.ModuleName, func(g *slashingtypes.GenesisState) {
			g.Params.SignedBlocksWindow = 10
		})
	}
	n := twochain.New(t, cfg)
	n.Connect()
	c := n.Consumer
	c.SetDown(c.Validators[1], true)
	c.Blocks(20)
	require.True(t, c.StakingValidator(c.Validators[1]).IsJailed())
	require.Zero(t, c.Power(c.Validators[1]))
	require.NoError(t, n.UpdateClient(n.Provider))

	c.DoubleSign(c.Validators[2])
	c.NextBlock()
	require.True(t, c.App.SlashingKeeper.IsTombstoned(c.Ctx(), c.Validators[2].ConsAddress))
	require.NoError(t, n.UpdateClient(n.Provider))

	require.NoError(t, n.Advance(time.Hour))
	c.SetDown(c.Validators[1], false)
	require.NoError(t, c.Unjail(c.Validators[1]))
	require.False(t, c.StakingValidator(c.Validators[1]).IsJailed())
	require.Error(t, c.Unjail(c.Validators[2]))
	require.NoError(t, n.UpdateClient(n.Provider))
}
