package keeper_test

import (
	"errors"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/converter/types"
)

func TestCreateConverter(t *testing.T) {
	f := newFixture(t)
	params := types.DefaultParams()
	params.CreationFee = sdk.NewCoins(sdk.NewInt64Coin(bondDenom, 100))
	require.NoError(t, f.k.Params.Set(f.ctx, params))

	msg := newMsg()
	msg.Admin = bob.String()
	res, err := f.msgs.CreateConverter(f.ctx, msg)
	require.NoError(t, err)
	require.Equal(t, &types.MsgCreateConverterResponse{ConverterID: 1, Port: "converter.1"}, res)
	require.Equal(t, types.Converter{
		ID: 1, Admin: bob.String(), ConnectionID: connection, ProviderDenom: "uprov", Discount: msg.Discount,
		PriceFeed: types.GovFeed, TransferChannel: transfer, Status: types.ConverterCreated, TotalStake: math.ZeroInt(),
	}, f.converter(1))
	require.Equal(t, types.ConverterAddress(1), f.virtual.sources[1])
	require.IsType(t, &authtypes.BaseAccount{}, f.accounts.GetAccount(f.ctx, types.ConverterAddress(1)))
	_, owned := f.scoped.GetCapability(f.ctx, host.PortPath("converter.1"))
	require.True(t, owned)
	require.Equal(t, "900", f.bank.GetBalance(f.ctx, alice, bondDenom).Amount.String())
	pool, err := f.distr.FeePool.Get(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "100.000000000000000000ucons", pool.CommunityPool.String())
	require.Equal(t, []*types.EventConverterCreated{{ConverterID: 1, Admin: bob.String(), ConnectionID: connection}},
		events(f, &types.EventConverterCreated{}))

	res, err = f.msgs.CreateConverter(f.ctx, newMsg())
	require.NoError(t, err)
	require.Equal(t, uint64(2), res.ConverterID)
	require.Equal(t, alice.String(), f.converter(2).Admin)
}

func TestCreateConverterReplacesAnAccountMadeByAStranger(t *testing.T) {
	f := newFixture(t)
	base := f.accounts.NewAccountWithAddress(f.ctx, types.ConverterAddress(1)).(*authtypes.BaseAccount)
	vesting, err := vestingtypes.NewDelayedVestingAccount(base, sdk.NewCoins(sdk.NewInt64Coin(bondDenom, 1)), start.AddDate(9, 0, 0).Unix())
	require.NoError(t, err)
	f.accounts.SetAccount(f.ctx, vesting)

	f.create()
	account := f.accounts.GetAccount(f.ctx, types.ConverterAddress(1))
	require.IsType(t, &authtypes.BaseAccount{}, account)
	require.Equal(t, base.GetAccountNumber(), account.GetAccountNumber())
}

func TestCreateConverterRefuses(t *testing.T) {
	channel := func(change func(*channeltypes.Channel)) func(*fixture, *types.MsgCreateConverter) {
		return func(f *fixture, _ *types.MsgCreateConverter) {
			c := f.ibc.channel(transfertypes.PortID, transfer)
			change(&c)
			f.ibc.set(transfertypes.PortID, transfer, c)
		}
	}
	dec := math.LegacyMustNewDecFromStr
	for _, tc := range []struct {
		name   string
		change func(*fixture, *types.MsgCreateConverter)
		err    error
	}{
		{"sender", func(_ *fixture, m *types.MsgCreateConverter) { m.Sender = "x" }, types.ErrInvalidAddress},
		{"empty sender", func(_ *fixture, m *types.MsgCreateConverter) { m.Sender = "" }, types.ErrInvalidAddress},
		{"admin", func(_ *fixture, m *types.MsgCreateConverter) { m.Admin = "prov1x" }, types.ErrInvalidAddress},
		{"unknown connection", func(_ *fixture, m *types.MsgCreateConverter) { m.ConnectionID = "connection-9" }, types.ErrInvalidConnection},
		{"expired client", func(f *fixture, _ *types.MsgCreateConverter) { f.ibc.status = exported.Expired }, types.ErrInvalidConnection},
		{"unknown transfer channel", func(_ *fixture, m *types.MsgCreateConverter) { m.TransferChannel = "channel-99" }, types.ErrInvalidTransfer},
		{"empty transfer channel", func(_ *fixture, m *types.MsgCreateConverter) { m.TransferChannel = "" }, types.ErrInvalidTransfer},
		{"closed transfer channel", channel(func(c *channeltypes.Channel) { c.State = channeltypes.CLOSED }), types.ErrInvalidTransfer},
		{"ordered transfer channel", channel(func(c *channeltypes.Channel) { c.Ordering = channeltypes.ORDERED }), types.ErrInvalidTransfer},
		{"transfer over another connection", channel(func(c *channeltypes.Channel) { c.ConnectionHops = []string{"connection-1"} }), types.ErrInvalidTransfer},
		{"multi-hop transfer channel", channel(func(c *channeltypes.Channel) { c.ConnectionHops = append(c.ConnectionHops, "connection-1") }), types.ErrInvalidTransfer},
		{"denom", func(_ *fixture, m *types.MsgCreateConverter) { m.ProviderDenom = "!" }, types.ErrInvalidDenom},
		{"VS-04 no discount", func(_ *fixture, m *types.MsgCreateConverter) { m.Discount = math.LegacyDec{} }, types.ErrInvalidDiscount},
		{"VS-04 negative discount", func(_ *fixture, m *types.MsgCreateConverter) { m.Discount = dec("-0.1") }, types.ErrInvalidDiscount},
		{"VS-04 discount of one", func(_ *fixture, m *types.MsgCreateConverter) { m.Discount = dec("1") }, types.ErrInvalidDiscount},
		{"unknown feed", func(_ *fixture, m *types.MsgCreateConverter) { m.PriceFeed = "oracle" }, types.ErrUnknownFeed},
		{"fee not payable", func(f *fixture, m *types.MsgCreateConverter) {
			params := types.DefaultParams()
			params.CreationFee = sdk.NewCoins(sdk.NewInt64Coin(bondDenom, 1_001))
			require.NoError(t, f.k.Params.Set(f.ctx, params))
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			msg := newMsg()
			tc.change(f, msg)
			before := f.exported()
			_, err := f.msgs.CreateConverter(f.ctx, msg)
			require.Error(t, err)
			if tc.err != nil {
				require.ErrorIs(t, err, tc.err)
			}
			require.Equal(t, before, f.exported())
			require.Empty(t, f.virtual.sources)
		})
	}
}

func TestUpdateConverter(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	f.ibc.set(transfertypes.PortID, "channel-8", f.ibc.channel(transfertypes.PortID, transfer))
	f.k.RegisterPriceFeed("oracle", fixedFeed{})
	discount := math.LegacyMustNewDecFromStr("0.2")
	f.clear()
	_, err := f.msgs.UpdateConverter(f.ctx, &types.MsgUpdateConverter{
		Sender: alice.String(), ConverterID: id, CounterpartyPort: "externalstaking.8", Discount: &discount, PriceFeed: "oracle", TransferChannel: "channel-8",
	})
	require.NoError(t, err)
	c := f.converter(id)
	require.Equal(t, []string{"externalstaking.8", "oracle", "channel-8", discount.String()},
		[]string{c.CounterpartyPort, c.PriceFeed, c.TransferChannel, c.Discount.String()})
	require.Equal(t, []*types.EventConverterUpdated{{ConverterID: id, Converter: c}}, events(f, &types.EventConverterUpdated{}))

	// The authority may do the same, and one field alone leaves the others.
	_, err = f.msgs.UpdateConverter(f.ctx, &types.MsgUpdateConverter{Sender: authority.String(), ConverterID: id, CounterpartyPort: provider})
	require.NoError(t, err)
	c.CounterpartyPort = provider
	require.Equal(t, c, f.converter(id))
}

func TestUpdateConverterRefuses(t *testing.T) {
	bad := math.LegacyOneDec()
	for _, tc := range []struct {
		name string
		msg  types.MsgUpdateConverter
		err  error
	}{
		{"bad sender", types.MsgUpdateConverter{Sender: "x", ConverterID: 1, PriceFeed: "gov"}, types.ErrInvalidAddress},
		{"stranger", types.MsgUpdateConverter{Sender: bob.String(), ConverterID: 1, PriceFeed: "gov"}, types.ErrUnauthorized},
		{"unknown converter", types.MsgUpdateConverter{Sender: alice.String(), ConverterID: 2, PriceFeed: "gov"}, types.ErrConverterNotFound},
		{"nothing", types.MsgUpdateConverter{Sender: alice.String(), ConverterID: 1}, types.ErrNothingToUpdate},
		{"port of another module", types.MsgUpdateConverter{Sender: alice.String(), ConverterID: 1, CounterpartyPort: "transfer"}, types.ErrInvalidPort},
		{"port without id", types.MsgUpdateConverter{Sender: alice.String(), ConverterID: 1, CounterpartyPort: "externalstaking.0"}, types.ErrInvalidPort},
		{"port spelled otherwise", types.MsgUpdateConverter{Sender: alice.String(), ConverterID: 1, CounterpartyPort: "externalstaking.01"}, types.ErrInvalidPort},
		{"VS-04 discount", types.MsgUpdateConverter{Sender: alice.String(), ConverterID: 1, Discount: &bad}, types.ErrInvalidDiscount},
		{"feed", types.MsgUpdateConverter{Sender: alice.String(), ConverterID: 1, PriceFeed: "oracle"}, types.ErrUnknownFeed},
		{"transfer channel", types.MsgUpdateConverter{Sender: alice.String(), ConverterID: 1, TransferChannel: "channel-9"}, types.ErrInvalidTransfer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			f.create()
			before := f.exported()
			_, err := f.msgs.UpdateConverter(f.ctx, &tc.msg)
			require.ErrorIs(t, err, tc.err)
			require.Equal(t, before, f.exported())
		})
	}
}

func TestCounterpartyPortIsFixedByTheFirstChannel(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	other := &types.MsgUpdateConverter{Sender: alice.String(), ConverterID: id, CounterpartyPort: "externalstaking.8"}
	_, err := f.msgs.UpdateConverter(f.ctx, other)
	require.ErrorIs(t, err, types.ErrChannelInUse)
	f.timeOut(id, channelID)
	_, err = f.msgs.UpdateConverter(f.ctx, other)
	require.ErrorIs(t, err, types.ErrChannelInUse)
	_, err = f.msgs.UpdateConverter(f.ctx, &types.MsgUpdateConverter{Sender: alice.String(), ConverterID: id, CounterpartyPort: provider})
	require.NoError(t, err)
}

func TestUpdateAdmin(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	update := func(sender, admin string) error {
		_, err := f.msgs.UpdateAdmin(f.ctx, &types.MsgUpdateAdmin{Sender: sender, ConverterID: id, NewAdmin: admin})
		return err
	}
	require.ErrorIs(t, update(bob.String(), bob.String()), types.ErrUnauthorized)
	require.ErrorIs(t, update(alice.String(), "nobody"), types.ErrInvalidAddress)
	require.ErrorIs(t, update("", bob.String()), types.ErrInvalidAddress)
	require.Equal(t, alice.String(), f.converter(id).Admin)

	f.clear()
	require.NoError(t, update(alice.String(), bob.String()))
	require.Equal(t, bob.String(), f.converter(id).Admin)
	require.Len(t, events(f, &types.EventConverterUpdated{}), 1)
	require.ErrorIs(t, update(alice.String(), alice.String()), types.ErrUnauthorized)

	require.NoError(t, update(bob.String(), ""))
	require.Empty(t, f.converter(id).Admin)
	require.ErrorIs(t, update(bob.String(), bob.String()), types.ErrUnauthorized)
	require.NoError(t, update(authority.String(), alice.String()))

	_, err := f.msgs.UpdateAdmin(f.ctx, &types.MsgUpdateAdmin{Sender: alice.String(), ConverterID: 9})
	require.ErrorIs(t, err, types.ErrConverterNotFound)
}

func TestGV01ParamsBelongToTheAuthority(t *testing.T) {
	f := newFixture(t)
	params := types.DefaultParams()
	params.MaxPacketsPerBlock = 3
	for _, sender := range []string{alice.String(), "", "x"} {
		_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: sender, Params: params})
		require.ErrorIs(t, err, types.ErrUnauthorized)
	}
	bad := params
	bad.MaxPacketsPerBlock = 0
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority.String(), Params: bad})
	require.ErrorIs(t, err, types.ErrInvalidParams)
	got, err := f.k.Params.Get(f.ctx)
	require.NoError(t, err)
	require.Equal(t, types.DefaultParams(), got)

	_, err = f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority.String(), Params: params})
	require.NoError(t, err)
	got, err = f.k.Params.Get(f.ctx)
	require.NoError(t, err)
	require.Equal(t, params, got)
	updated := events(f, &types.EventParamsUpdated{})
	require.Len(t, updated, 1)
	require.Equal(t, params.String(), updated[0].Params.String())
}

func TestVS04SetPrice(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	dec := math.LegacyMustNewDecFromStr
	set := func(sender sdk.AccAddress, price math.LegacyDec) error {
		_, err := f.msgs.SetPrice(f.ctx, &types.MsgSetPrice{Sender: sender.String(), ConverterID: id, Price: price})
		return err
	}
	before := f.exported()
	require.ErrorIs(t, set(bob, dec("1")), types.ErrUnauthorized)
	require.ErrorIs(t, set(alice, math.LegacyDec{}), types.ErrInvalidPrice)
	require.ErrorIs(t, set(alice, dec("0")), types.ErrInvalidPrice)
	require.ErrorIs(t, set(alice, dec("-1")), types.ErrInvalidPrice)
	require.ErrorIs(t, set(alice, types.MaxPrice.Add(math.LegacySmallestDec())), types.ErrInvalidPrice)
	_, err := f.msgs.SetPrice(f.ctx, &types.MsgSetPrice{Sender: alice.String(), ConverterID: 5, Price: dec("1")})
	require.ErrorIs(t, err, types.ErrConverterNotFound)
	_, err = f.msgs.SetPrice(f.ctx, &types.MsgSetPrice{Sender: "x", ConverterID: id, Price: dec("1")})
	require.ErrorIs(t, err, types.ErrInvalidAddress)
	require.Equal(t, before, f.exported())

	// The first price is free; later ones stay within all that held in the last interval.
	f.clear()
	require.NoError(t, set(alice, dec("0.5")))
	require.Equal(t, []*types.EventPriceSet{{ConverterID: id, Price: dec("0.5").String()}}, events(f, &types.EventPriceSet{}))
	require.ErrorIs(t, set(alice, dec("0.76")), types.ErrPriceChange)
	require.NoError(t, set(alice, dec("0.75")))
	require.ErrorIs(t, set(alice, dec("0.8")), types.ErrPriceChange)
	require.ErrorIs(t, set(alice, dec("0.49")), types.ErrPriceChange)
	require.NoError(t, set(alice, dec("0.5")))
	f.pass(1, 23*time.Hour)
	require.NoError(t, set(alice, dec("0.6")))
	// Two steps on either side of an interval's end are no way around it.
	f.pass(1, time.Hour)
	require.ErrorIs(t, set(authority, dec("0.9")), types.ErrPriceChange)
	require.ErrorIs(t, set(authority, dec("0.34")), types.ErrPriceChange)
	f.pass(1, 23*time.Hour)
	require.NoError(t, set(authority, dec("0.9")))
}

func TestVS04BrokenFeedKeepsTargets(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	f.virtual.change(val1, 1)
	_, refused := f.sync(id, channelID, syncOf(1, stake(val1, 1_000)))
	require.Empty(t, refused)

	// Unset: nothing counts, and nothing may rise.
	targets, increase, err := f.k.Targets(f.ctx, id)
	require.NoError(t, err)
	require.Empty(t, targets)
	require.False(t, increase)

	_, err = f.msgs.SetPrice(f.ctx, &types.MsgSetPrice{Sender: alice.String(), ConverterID: id, Price: math.LegacyMustNewDecFromStr("0.5")})
	require.NoError(t, err)
	targets, increase, err = f.k.Targets(f.ctx, id)
	require.NoError(t, err)
	require.Len(t, targets, 1)
	require.Equal(t, val1, targets[0].Validator)
	require.Equal(t, "450", targets[0].Amount.String())
	require.True(t, increase)

	// Stale: targets are told, increases are not allowed.
	f.pass(1, 7*24*time.Hour)
	_, increase, err = f.k.Targets(f.ctx, id)
	require.NoError(t, err)
	require.True(t, increase)
	f.pass(1, time.Nanosecond)
	targets, increase, err = f.k.Targets(f.ctx, id)
	require.NoError(t, err)
	require.Len(t, targets, 1)
	require.False(t, increase)

	// A feed that fails, or answers nonsense, is an error: whoever asks must leave things as they are.
	for name, feed := range map[string]fixedFeed{
		"failing":  {err: errors.New("no oracle")},
		"negative": {price: math.LegacyNewDec(-1)},
		"missing":  {price: math.LegacyDec{}},
		"huge":     {price: types.MaxPrice.MulInt64(2)},
	} {
		f.k.RegisterPriceFeed(name, feed)
		_, err := f.msgs.UpdateConverter(f.ctx, &types.MsgUpdateConverter{Sender: alice.String(), ConverterID: id, PriceFeed: name})
		require.NoError(t, err)
		_, _, err = f.k.Targets(f.ctx, id)
		require.Error(t, err, name)
		_, err = f.queries.Price(f.ctx, &types.QueryPriceRequest{ConverterId: id})
		require.Error(t, err, name)
	}
	_, _, err = f.k.Targets(f.ctx, 9)
	require.ErrorIs(t, err, types.ErrConverterNotFound)
}

func TestRegisterPriceFeedPanicsOnWiringMistakes(t *testing.T) {
	f := newFixture(t)
	require.Panics(t, func() { f.k.RegisterPriceFeed(types.GovFeed, fixedFeed{}) })
	require.Panics(t, func() { f.k.RegisterPriceFeed("Bad Name", fixedFeed{}) })
	require.Panics(t, func() { f.k.RegisterPriceFeed("none", nil) })
}
