package twochain

import (
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"
	"github.com/stretchr/testify/require"

	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Setup does everything up to the point where users can stake.
func (n *Network) Setup() {
	n.Helper()
	n.Connect()
	n.OpenTransfer()
	n.register()
}

// AddConsumer registers the consumer chain once more, over the same connection: with another converter, another control
// channel, and virtual stake of its own. changes are to the configuration, as far as it is about a registration. What comes
// back is the network of that registration; both move on together.
func (n *Network) AddConsumer(changes ...func(*Config)) *Network {
	n.Helper()
	other := *n
	for _, change := range changes {
		change(&other.cfg)
	}
	other.register()
	return &other
}

// Reverse registers the provider as a consumer of its consumer, over the same connection: each chain is both then.
// The provider needs a total max cap for that. What comes back is the network of that registration, with the
// chains' parts swapped.
func (n *Network) Reverse() *Network {
	n.Helper()
	swapped := func(path *ibctesting.Path) *ibctesting.Path {
		return &ibctesting.Path{EndpointA: path.EndpointB, EndpointB: path.EndpointA}
	}
	other := *n
	other.Provider, other.Consumer = n.Consumer, n.Provider
	other.cfg.Provider, other.cfg.Consumer = n.cfg.Consumer, n.cfg.Provider
	other.Connection, other.Transfer = swapped(n.Connection), swapped(n.Transfer)
	other.register()
	return &other
}

// register is all of Setup that is about one registration.
func (n *Network) register() {
	n.Helper()
	n.CreateConverter()
	n.RegisterConsumer()
	n.AllowCounterparty()
	n.OpenControl()
	n.SetPrice()
	n.SetMaxCap()
	require.NoError(n, n.Relay())
}

// Connect creates the clients and the connection.
func (n *Network) Connect() {
	n.Helper()
	n.Connection = n.newPath()
	provider, consumer := n.Connection.EndpointA, n.Connection.EndpointB
	n.steps(
		provider.CreateClient, consumer.CreateClient,
		provider.ConnOpenInit, consumer.ConnOpenTry, provider.ConnOpenAck, consumer.ConnOpenConfirm,
		provider.UpdateClient,
	)
}

// steps of a handshake, in order.
func (n *Network) steps(steps ...func() error) {
	n.Helper()
	for _, step := range steps {
		require.NoError(n, step())
	}
}

// newPath has no connection yet. The clients know the true unbonding times.
func (n *Network) newPath() *ibctesting.Path {
	path := ibctesting.NewPath(n.Provider.TestChain, n.Consumer.TestChain)
	for endpoint, counterparty := range map[*ibctesting.Endpoint]*Chain{
		path.EndpointA: n.Consumer, path.EndpointB: n.Provider,
	} {
		config := ibctesting.NewTendermintConfig()
		config.UnbondingPeriod = counterparty.cfg.UnbondingTime
		config.TrustingPeriod = config.UnbondingPeriod * 2 / 3
		endpoint.ClientConfig = config
	}
	return path
}

// NewChannelPath is a path for one more channel on the connection; the caller runs the handshake.
func (n *Network) NewChannelPath(providerPort, consumerPort string, order channeltypes.Order, version string) *ibctesting.Path {
	path := n.newPath()
	for endpoint, like := range map[*ibctesting.Endpoint]*ibctesting.Endpoint{
		path.EndpointA: n.Connection.EndpointA, path.EndpointB: n.Connection.EndpointB,
	} {
		endpoint.ClientID, endpoint.ConnectionID = like.ClientID, like.ConnectionID
		endpoint.ChannelConfig.Order, endpoint.ChannelConfig.Version = order, version
	}
	path.EndpointA.ChannelConfig.PortID, path.EndpointB.ChannelConfig.PortID = providerPort, consumerPort
	return path
}

// OpenTransfer opens an ICS20 channel.
func (n *Network) OpenTransfer() {
	n.Helper()
	n.Transfer = n.NewChannelPath(ibctesting.TransferPort, ibctesting.TransferPort, channeltypes.UNORDERED, "ics20-1")
	provider, consumer := n.Transfer.EndpointA, n.Transfer.EndpointB
	n.steps(
		provider.ChanOpenInit, consumer.ChanOpenTry, provider.ChanOpenAck, consumer.ChanOpenConfirm,
		provider.UpdateClient,
	)
}

// CreateConverter creates the converter on the consumer, with its first user as admin.
func (n *Network) CreateConverter() {
	n.Helper()
	res, err := n.Consumer.Deliver(n.ConverterAdmin(), &convertertypes.MsgCreateConverter{
		Sender:          n.ConverterAdmin().String(),
		ConnectionID:    n.Connection.EndpointB.ConnectionID,
		ProviderDenom:   n.Provider.Denom,
		Discount:        n.cfg.Discount,
		TransferChannel: n.Transfer.EndpointB.ChannelID,
	})
	require.NoError(n, err)
	created := Response[convertertypes.MsgCreateConverterResponse](n.Consumer, res)
	n.ConverterID = created.ConverterID
	n.Control = n.NewChannelPath("", created.Port, channeltypes.ORDERED, "")
}

// RegisterConsumer registers the consumer on the provider, with the provider's first user as admin.
func (n *Network) RegisterConsumer() {
	n.Helper()
	period := n.cfg.UnbondingPeriod
	if period == 0 {
		period = n.cfg.Consumer.UnbondingTime
	}
	res, err := n.Provider.Deliver(n.ConsumerAdmin(), &externaltypes.MsgRegisterConsumer{
		Sender:           n.ConsumerAdmin().String(),
		Name:             "consumer",
		ConnectionID:     n.Connection.EndpointA.ConnectionID,
		CounterpartyPort: n.Control.EndpointB.ChannelConfig.PortID,
		TransferChannel:  n.Transfer.EndpointA.ChannelID,
		UnbondingPeriod:  period,
		SlashFraction:    n.cfg.SlashFraction,
		MinStake:         math.OneInt(),
	})
	require.NoError(n, err)
	registered := Response[externaltypes.MsgRegisterConsumerResponse](n.Provider, res)
	n.ConsumerID = registered.ConsumerID
	n.Control.EndpointA.ChannelConfig.PortID = registered.Port
}

// AllowCounterparty names the provider's end to the converter.
func (n *Network) AllowCounterparty() {
	n.Helper()
	_, err := n.Consumer.Deliver(n.ConverterAdmin(), &convertertypes.MsgUpdateConverter{
		Sender:           n.ConverterAdmin().String(),
		ConverterID:      n.ConverterID,
		CounterpartyPort: n.Control.EndpointA.ChannelConfig.PortID,
	})
	require.NoError(n, err)
}

// OpenControl runs the handshake of the control channel, which the consumer begins.
func (n *Network) OpenControl() {
	n.Helper()
	provider, consumer := n.Control.EndpointA, n.Control.EndpointB
	n.steps(consumer.ChanOpenInit, provider.ChanOpenTry, consumer.ChanOpenAck, provider.ChanOpenConfirm)
}

// SetPrice feeds the configured price.
func (n *Network) SetPrice() {
	n.Helper()
	_, err := n.Consumer.Deliver(n.ConverterAdmin(), &convertertypes.MsgSetPrice{
		Sender: n.ConverterAdmin().String(), ConverterID: n.ConverterID, Price: n.cfg.Price,
	})
	require.NoError(n, err)
}

// SetMaxCap lets the consumer's governance authorise the configured cap.
func (n *Network) SetMaxCap() {
	n.Helper()
	require.NoError(n, n.Consumer.Execute(&virtualtypes.MsgSetMaxCap{
		Authority:        Authority(),
		ConverterID:      n.ConverterID,
		MaxCap:           sdk.NewCoin(n.Consumer.Denom, n.cfg.MaxCap),
		GovernanceWeight: &n.cfg.GovernanceWeight,
	}))
}

// ConsumerAdmin is the admin of the registration, an account of the provider.
func (n *Network) ConsumerAdmin() Account { return n.Provider.Users[0] }

// ConverterAdmin is the admin of the converter, an account of the consumer.
func (n *Network) ConverterAdmin() Account { return n.Consumer.Users[0] }

// Epoch makes blocks on the consumer until the converter's next virtual staking epoch has run.
func (n *Network) Epoch() {
	n.Helper()
	source, err := n.Consumer.App.VirtualStakingKeeper.Sources.Get(n.Consumer.Ctx(), n.ConverterID)
	require.NoError(n, err)
	require.NotZero(n, source.NextEpoch, "the source has no cap and no stake")
	n.Consumer.Blocks(int(source.NextEpoch - n.Consumer.App.LastBlockHeight()))
}
