package keeper_test

import (
	"strings"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	connectiontypes "github.com/cosmos/ibc-go/v8/modules/core/03-connection/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	solomachine "github.com/cosmos/ibc-go/v8/modules/light-clients/06-solomachine"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestRegisterConsumer(t *testing.T) {
	f := newProvider(t)
	f.setParams(func(p *types.Params) { p.RegistrationFee = sdk.NewCoins(sdk.NewInt64Coin(otherDenom, 10)) })
	events := f.mustSend(f.registration(), nil)
	f.hasEvent(events, &types.EventConsumerRegistered{
		ConsumerID: 1, Admin: alice.String(), ChainID: "consumer-1", ConnectionID: "connection-0", CounterpartyPort: converter,
	})
	require.Equal(t, types.Consumer{
		ID: 1, Name: "other chain", Admin: alice.String(), ConnectionID: "connection-0", ClientID: "07-tendermint-0", ChainID: "consumer-1",
		CounterpartyPort: converter, TransferChannel: "channel-0", UnbondingPeriod: unbonding,
		SlashFraction: math.LegacyMustNewDecFromStr("0.05"), MinStake: math.OneInt(), Status: types.ConsumerRegistered,
	}, f.consumer(1))
	require.Equal(t, int64(1_000_000-10), f.bank.GetBalance(f.ctx, alice, otherDenom).Amount.Int64())
	pool, err := f.distr.FeePool.Get(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "10.000000000000000000photon", pool.CommunityPool.String())
	require.True(t, f.ibc.ports.IsBound(f.ctx, "externalstaking.1"))
	require.IsType(t, &authtypes.BaseAccount{}, f.accounts.GetAccount(f.ctx, types.RewardReceiver(1)))

	// The same converter again: nobody can squat, ids go on.
	second := f.register(func(m *types.MsgRegisterConsumer) { m.Sender, m.Admin = bob.String(), carol.String() })
	require.Equal(t, uint64(2), second.ID)
	require.Equal(t, carol.String(), second.Admin)
	f.holds()
}

func TestARewardReceiverIsAPlainAccountWhateverWasThere(t *testing.T) {
	f := newProvider(t)
	// Somebody locks what arrives at the address that the next consumer's rewards will go to.
	receiver := types.RewardReceiver(1)
	base := f.accounts.NewAccountWithAddress(f.ctx, receiver).(*authtypes.BaseAccount)
	locked, err := vestingtypes.NewPermanentLockedAccount(base, sdk.NewCoins(sdk.NewInt64Coin(denom, 1)))
	require.NoError(t, err)
	f.accounts.SetAccount(f.ctx, locked)
	number := locked.GetAccountNumber()

	f.register(nil)
	account := f.accounts.GetAccount(f.ctx, receiver)
	require.IsType(t, &authtypes.BaseAccount{}, account)
	require.Equal(t, number, account.GetAccountNumber())
}

func TestGV02RefusedRegistrations(t *testing.T) {
	type change = func(*fixture, *types.MsgRegisterConsumer)
	channel := func(edit func(*channeltypes.Channel)) change {
		return func(f *fixture, m *types.MsgRegisterConsumer) {
			c := transferChannel()
			edit(&c)
			f.ibc.channels[channelKey(transfertypes.PortID, "channel-5")] = c
			m.TransferChannel = "channel-5"
		}
	}
	for _, tc := range []struct {
		name   string
		change change
		want   error
	}{
		{"sender", func(_ *fixture, m *types.MsgRegisterConsumer) { m.Sender = "alice" }, sdkerrors.ErrInvalidAddress},
		{"admin", func(_ *fixture, m *types.MsgRegisterConsumer) { m.Admin = "alice" }, sdkerrors.ErrInvalidAddress},
		{"name too long", func(_ *fixture, m *types.MsgRegisterConsumer) { m.Name = strings.Repeat("n", 65) }, types.ErrInvalidConsumer},
		{"name not UTF-8", func(_ *fixture, m *types.MsgRegisterConsumer) { m.Name = "\xff" }, types.ErrInvalidConsumer},
		{"name with a line break", func(_ *fixture, m *types.MsgRegisterConsumer) { m.Name = "a\nb" }, types.ErrInvalidConsumer},
		{"unknown connection", func(_ *fixture, m *types.MsgRegisterConsumer) { m.ConnectionID = "connection-9" }, types.ErrInvalidConnection},
		{"connection not open", func(f *fixture, _ *types.MsgRegisterConsumer) {
			f.ibc.connections["connection-0"] = connectiontypes.ConnectionEnd{ClientId: "07-tendermint-0", State: connectiontypes.TRYOPEN}
		}, types.ErrInvalidConnection},
		{"client gone", func(f *fixture, _ *types.MsgRegisterConsumer) { delete(f.ibc.clients, "07-tendermint-0") }, types.ErrInvalidConnection},
		{"client of another kind", func(f *fixture, _ *types.MsgRegisterConsumer) {
			f.ibc.clients["07-tendermint-0"] = &solomachine.ClientState{}
		}, types.ErrInvalidConnection},
		{"client expired", func(f *fixture, _ *types.MsgRegisterConsumer) { f.ibc.status["07-tendermint-0"] = exported.Expired }, types.ErrInvalidConnection},
		{"client frozen", func(f *fixture, _ *types.MsgRegisterConsumer) { f.ibc.status["07-tendermint-0"] = exported.Frozen }, types.ErrInvalidConnection},
		{"counterparty port", func(_ *fixture, m *types.MsgRegisterConsumer) { m.CounterpartyPort = "transfer" }, types.ErrInvalidConsumer},
		{"counterparty port zero", func(_ *fixture, m *types.MsgRegisterConsumer) { m.CounterpartyPort = "converter.0" }, types.ErrInvalidConsumer},
		{"no transfer channel", func(_ *fixture, m *types.MsgRegisterConsumer) { m.TransferChannel = "" }, types.ErrInvalidTransferChannel},
		{"transfer channel closed", channel(func(c *channeltypes.Channel) { c.State = channeltypes.CLOSED }), types.ErrInvalidTransferChannel},
		{"transfer channel ordered", channel(func(c *channeltypes.Channel) { c.Ordering = channeltypes.ORDERED }), types.ErrInvalidTransferChannel},
		{"transfer channel of another chain", channel(func(c *channeltypes.Channel) { c.ConnectionHops = []string{"connection-1"} }), types.ErrInvalidTransferChannel},
		{"unbonding below the client's", func(_ *fixture, m *types.MsgRegisterConsumer) { m.UnbondingPeriod = unbonding - 1 }, types.ErrInvalidUnbondingPeriod},
		{"unbonding zero", func(_ *fixture, m *types.MsgRegisterConsumer) { m.UnbondingPeriod = 0 }, types.ErrInvalidUnbondingPeriod},
		{"unbonding for ever", func(_ *fixture, m *types.MsgRegisterConsumer) { m.UnbondingPeriod = types.MaxUnbondingPeriod + 1 }, types.ErrInvalidUnbondingPeriod},
		{"slash fraction zero", func(_ *fixture, m *types.MsgRegisterConsumer) { m.SlashFraction = math.LegacyZeroDec() }, types.ErrInvalidConsumer},
		{"slash fraction above one", func(_ *fixture, m *types.MsgRegisterConsumer) {
			m.SlashFraction = math.LegacyMustNewDecFromStr("1.000000000000000001")
		}, types.ErrInvalidConsumer},
		{"slash fraction missing", func(_ *fixture, m *types.MsgRegisterConsumer) { m.SlashFraction = math.LegacyDec{} }, types.ErrInvalidConsumer},
		{"minimum stake zero", func(_ *fixture, m *types.MsgRegisterConsumer) { m.MinStake = math.ZeroInt() }, types.ErrInvalidConsumer},
		{"minimum stake negative", func(_ *fixture, m *types.MsgRegisterConsumer) { m.MinStake = math.NewInt(-1) }, types.ErrInvalidConsumer},
		{"minimum stake missing", func(_ *fixture, m *types.MsgRegisterConsumer) { m.MinStake = math.Int{} }, types.ErrInvalidConsumer},
		{"fee cannot be paid", func(_ *fixture, m *types.MsgRegisterConsumer) { m.Sender = carol.String() }, sdkerrors.ErrInsufficientFunds},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newProvider(t)
			f.setParams(func(p *types.Params) { p.RegistrationFee = sdk.NewCoins(sdk.NewInt64Coin(otherDenom, 10)) })
			msg := f.registration()
			tc.change(f, msg)
			f.refusedMsg(tc.want, msg)
			require.False(t, f.ibc.ports.IsBound(f.ctx, types.Port(1)))
		})
	}
}

func TestUpdateConsumer(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	f.ibc.channels[channelKey(transfertypes.PortID, "channel-5")] = transferChannel()
	longer, stake := unbonding+time.Hour, math.NewInt(7)
	for _, sender := range []string{alice.String(), f.authority} {
		events := f.mustSend(&types.MsgUpdateConsumer{
			Sender: sender, ConsumerID: 1, Name: "new name", TransferChannel: "channel-5", MinStake: &stake, UnbondingPeriod: &longer,
		}, nil)
		consumer := f.consumer(1)
		f.hasEvent(events, &types.EventConsumerUpdated{ConsumerID: 1, Consumer: consumer})
		require.Equal(t, "new name", consumer.Name)
		require.Equal(t, "channel-5", consumer.TransferChannel)
		require.Equal(t, stake, consumer.MinStake)
		require.Equal(t, longer, consumer.UnbondingPeriod)
	}
	// Only what is named changes.
	f.mustSend(&types.MsgUpdateConsumer{Sender: alice.String(), ConsumerID: 1, Name: "third"}, nil)
	require.Equal(t, longer, f.consumer(1).UnbondingPeriod)

	zero, shorter, endless := math.ZeroInt(), longer-1, types.MaxUnbondingPeriod+1
	for name, tc := range map[string]struct {
		msg  types.MsgUpdateConsumer
		want error
	}{
		"stranger":           {types.MsgUpdateConsumer{Sender: bob.String(), ConsumerID: 1, Name: "x"}, types.ErrUnauthorized},
		"unknown consumer":   {types.MsgUpdateConsumer{Sender: alice.String(), ConsumerID: 9, Name: "x"}, types.ErrUnknownConsumer},
		"bad sender":         {types.MsgUpdateConsumer{Sender: "x", ConsumerID: 1, Name: "x"}, sdkerrors.ErrInvalidAddress},
		"nothing":            {types.MsgUpdateConsumer{Sender: alice.String(), ConsumerID: 1}, types.ErrInvalidRequest},
		"bad name":           {types.MsgUpdateConsumer{Sender: alice.String(), ConsumerID: 1, Name: "\x00"}, types.ErrInvalidConsumer},
		"bad channel":        {types.MsgUpdateConsumer{Sender: alice.String(), ConsumerID: 1, TransferChannel: "channel-77"}, types.ErrInvalidTransferChannel},
		"zero minimum stake": {types.MsgUpdateConsumer{Sender: alice.String(), ConsumerID: 1, MinStake: &zero}, types.ErrInvalidConsumer},
		"lower unbonding":    {types.MsgUpdateConsumer{Sender: alice.String(), ConsumerID: 1, UnbondingPeriod: &shorter}, types.ErrInvalidUnbondingPeriod},
		"endless unbonding":  {types.MsgUpdateConsumer{Sender: alice.String(), ConsumerID: 1, UnbondingPeriod: &endless}, types.ErrInvalidUnbondingPeriod},
	} {
		t.Run(name, func(t *testing.T) { f.refusedMsg(tc.want, &tc.msg) })
	}
}

func TestUpdateAdminAndRenounce(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	f.refusedMsg(types.ErrUnauthorized, &types.MsgUpdateAdmin{Sender: bob.String(), ConsumerID: 1, NewAdmin: bob.String()})
	f.refusedMsg(sdkerrors.ErrInvalidAddress, &types.MsgUpdateAdmin{Sender: alice.String(), ConsumerID: 1, NewAdmin: "bob"})
	f.mustSend(&types.MsgUpdateAdmin{Sender: alice.String(), ConsumerID: 1, NewAdmin: bob.String()}, nil)
	f.refusedMsg(types.ErrUnauthorized, &types.MsgUpdateAdmin{Sender: alice.String(), ConsumerID: 1})

	f.mustSend(&types.MsgUpdateAdmin{Sender: bob.String(), ConsumerID: 1}, nil)
	require.Empty(t, f.consumer(1).Admin)
	for _, former := range []sdk.AccAddress{alice, bob} {
		f.refusedMsg(types.ErrUnauthorized, &types.MsgUpdateConsumer{Sender: former.String(), ConsumerID: 1, Name: "mine"})
	}
	f.mustSend(&types.MsgUpdateConsumer{Sender: f.authority, ConsumerID: 1, Name: "governed"}, nil)
	f.mustSend(&types.MsgUpdateAdmin{Sender: f.authority, ConsumerID: 1, NewAdmin: carol.String()}, nil)
	require.Equal(t, carol.String(), f.consumer(1).Admin)
}

func TestGV01OnlyTheAuthorityChangesParams(t *testing.T) {
	f := newProvider(t)
	params := types.DefaultParams()
	params.MaxRewardDenoms = 5
	f.refusedMsg(types.ErrUnauthorized, &types.MsgUpdateParams{Authority: alice.String(), Params: params})
	f.refusedMsg(types.ErrInvalidParams, &types.MsgUpdateParams{Authority: f.authority})
	events := f.mustSend(&types.MsgUpdateParams{Authority: f.authority, Params: params}, nil)
	f.hasEvent(events, &types.EventParamsUpdated{Params: params})
	stored, err := f.k.Params.Get(f.ctx)
	require.NoError(t, err)
	require.Equal(t, params.MaxRewardDenoms, stored.MaxRewardDenoms)
}

func TestGV02ARaisedPeriodAppliesToNewEntriesOnly(t *testing.T) {
	f, _ := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	f.unstake(alice, 1, valA, 40)
	f.accept(1)
	longer := unbonding + 24*time.Hour
	first := f.ctx.BlockTime().Add(unbonding)
	f.mustSend(&types.MsgUpdateConsumer{Sender: alice.String(), ConsumerID: 1, UnbondingPeriod: &longer}, nil)
	f.unstake(alice, 1, valA, 60)
	f.accept(1)
	res, err := f.query.Unbondings(f.ctx, &types.QueryUnbondingsRequest{User: alice.String()})
	require.NoError(t, err)
	require.Len(t, res.Unbondings, 2)
	require.Equal(t, first, res.Unbondings[0].ReleaseTime)
	require.Equal(t, f.ctx.BlockTime().Add(longer), res.Unbondings[1].ReleaseTime)
}

func TestQueryConsumerShowsBothSides(t *testing.T) {
	f, consumer := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.accept(1)
	f.stake(bob, 1, valB, 50)
	f.nextBlock(0)
	res, err := f.query.Consumer(f.ctx, &types.QueryConsumerRequest{ConsumerId: 1})
	require.NoError(t, err)
	require.Equal(t, consumer, res.Consumer)
	require.Equal(t, "externalstaking.1", res.Port)
	require.Equal(t, types.RewardReceiver(1).String(), res.RewardReceiver)
	require.Equal(t, "Active", res.ClientStatus)
	require.Equal(t, "consumer-1", res.ClientChainID)
	require.Equal(t, unbonding, res.ClientUnbondingPeriod)
	require.Equal(t, clienttypes.NewHeight(1, 100), res.ClientHeight)
	require.Equal(t, "STATE_OPEN", res.ChannelState)
	require.Equal(t, uint64(2), res.Validators)
	require.Equal(t, uint64(1), res.InFlight)
	require.Equal(t, int64(100), res.TotalBonded.Int64())
	require.Equal(t, int64(100), res.TotalSynced.Int64())
	require.True(t, res.SyncComplete)

	batches, err := f.query.InFlight(f.ctx, &types.QueryInFlightRequest{ConsumerId: 1})
	require.NoError(t, err)
	require.Len(t, batches.Batches, 1)
	validators, err := f.query.Validators(f.ctx, &types.QueryValidatorsRequest{ConsumerId: 1})
	require.NoError(t, err)
	require.Len(t, validators.Validators, 2)
	require.Equal(t, int64(100), validators.Validators[0].Pool.Bonded.Int64())
}

func TestQueryListsArePaged(t *testing.T) {
	f := newProvider(t)
	for range 3 {
		f.register(nil)
	}
	params, err := f.query.Params(f.ctx, &types.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, types.DefaultParams().PacketTimeout, params.Params.PacketTimeout)
	page, err := f.query.Consumers(f.ctx, &types.QueryConsumersRequest{Pagination: &query.PageRequest{Limit: 2}})
	require.NoError(t, err)
	require.Len(t, page.Consumers, 2)
	rest, err := f.query.Consumers(f.ctx, &types.QueryConsumersRequest{Pagination: &query.PageRequest{Key: page.Pagination.NextKey}})
	require.NoError(t, err)
	require.Len(t, rest.Consumers, 1)
	require.Equal(t, uint64(3), rest.Consumers[0].ID)
}

func TestQueriesRefuseWhatDoesNotExist(t *testing.T) {
	f, _ := newConnected(t)
	_, err := f.query.Consumer(f.ctx, &types.QueryConsumerRequest{ConsumerId: 9})
	require.ErrorIs(t, err, types.ErrUnknownConsumer)
	_, err = f.query.Validators(f.ctx, &types.QueryValidatorsRequest{ConsumerId: 9})
	require.ErrorIs(t, err, types.ErrUnknownConsumer)
	_, err = f.query.Validator(f.ctx, &types.QueryValidatorRequest{ConsumerId: 9, Validator: valA})
	require.ErrorIs(t, err, types.ErrUnknownConsumer)
	_, err = f.query.Validator(f.ctx, &types.QueryValidatorRequest{ConsumerId: 1, Validator: "nobody"})
	require.ErrorIs(t, err, types.ErrUnknownValidator)
	_, err = f.query.InFlight(f.ctx, &types.QueryInFlightRequest{ConsumerId: 9})
	require.ErrorIs(t, err, types.ErrUnknownConsumer)
	_, err = f.query.Consumers(f.ctx, nil)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidRequest)
}
