package twochain_test

import (
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

func TestDoubleVotesAreReallySigned(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	c := n.Consumer
	c.Blocks(5)
	v := c.Validators[1]
	ev, err := cmttypes.DuplicateVoteEvidenceFromProto(c.DoubleVote(v, 3))
	require.NoError(t, err)
	require.NoError(t, ev.ValidateBasic())
	require.EqualValues(t, 3, ev.VoteA.Height)
	require.EqualValues(t, 100, ev.ValidatorPower)
	for _, vote := range []*cmttypes.Vote{ev.VoteA, ev.VoteB} {
		require.NoError(t, vote.Verify(c.ChainID, v.PrivKey().PubKey()))
		require.Error(t, vote.Verify(n.Provider.ChainID, v.PrivKey().PubKey()))
	}

	spoiled := c.DoubleVote(v, 3, func(_, b *cmtproto.Vote) { b.Round = 2 })
	require.ElementsMatch(t, []int32{0, 2}, []int32{spoiled.VoteA.Round, spoiled.VoteB.Round})
}

func TestDoubleSignsOfThePast(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	c := n.Provider
	c.Blocks(5)
	c.DoubleSignAt(c.Validators[1], 2)
	c.NextBlock()
	require.True(t, c.App.SlashingKeeper.IsTombstoned(c.Ctx(), c.Validators[1].ConsAddress))
}

func TestAttacksConvinceTheClient(t *testing.T) {
	for name, forks := range map[string][2]twochain.Fork{
		"equivocation": {{Data: "one"}, {Data: "other"}},
		"lie":          {{}, {AppHash: make([]byte, 32)}},
		"some signers": {{}, {Data: "other"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := twochain.New(t, twochain.DefaultConfig())
			n.Connect()
			c, client := n.Consumer, n.Connection.EndpointA
			if name == "some signers" {
				forks[0].Signers, forks[1].Signers = c.Validators[:3], c.Validators[1:]
			}
			attack := n.Attack(c, forks[0], forks[1])
			require.NoError(t, attack.ValidateBasic())
			msg, err := clienttypes.NewMsgUpdateClient(client.ClientID, attack, n.Provider.Relayer.String())
			require.NoError(t, err)
			_, err = n.Provider.Deliver(n.Provider.Relayer, msg)
			require.NoError(t, err)
			require.Equal(t, exported.Frozen, n.Provider.App.IBCKeeper.ClientKeeper.GetClientStatus(
				n.Provider.Ctx(), client.GetClientState(), client.ClientID))
		})
	}
}

func TestTwoConsumersOfOneChain(t *testing.T) {
	n := twochain.New(t, twochain.DefaultConfig())
	n.Setup()
	other := n.AddConsumer()
	require.Equal(t, n.ConsumerID+1, other.ConsumerID)
	require.Equal(t, n.ConverterID+1, other.ConverterID)
	require.NotEqual(t, n.Control.EndpointA.ChannelConfig.PortID, other.Control.EndpointA.ChannelConfig.PortID)
	for _, path := range []*ibctesting.Path{n.Control, other.Control} {
		require.Equal(t, "STATE_OPEN", path.EndpointA.GetChannel().State.String())
	}
	require.NoError(t, n.CheckInvariants())
}

func TestChainsThatSecureEachOther(t *testing.T) {
	cfg := twochain.DefaultConfig()
	cfg.Provider.Genesis = cfg.Consumer.Genesis
	n := twochain.New(t, cfg)
	n.Setup()
	back := n.Reverse()
	require.Equal(t, n.Consumer, back.Provider)
	user, v := back.Provider.Users[1], back.Consumer.Validators[0]
	_, err := back.Provider.Deliver(user, &vaulttypes.MsgDeposit{User: user.String(), Amount: back.Provider.Coin(1_000)})
	require.NoError(t, err)
	_, err = back.Provider.Deliver(user, &externaltypes.MsgStake{
		User: user.String(), ConsumerID: back.ConsumerID, Validator: v.Address, Amount: back.Provider.Coin(1_000),
	})
	require.NoError(t, err)
	require.NoError(t, back.Relay())
	require.NoError(t, n.CheckInvariants())
}
