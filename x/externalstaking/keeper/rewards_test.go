package keeper_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand"
	"strings"
	"testing"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/bech32"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	"github.com/mesh-security/mesh/x/externalstaking"
	"github.com/mesh-security/mesh/x/externalstaking/keeper"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// fakeTransfer is the transfer app: it pays the receiver what the denom is called here.
type fakeTransfer struct {
	porttypes.IBCModule
	l     *ledger
	panic any
	fail  bool
	calls int
}

func (f *fakeTransfer) OnRecvPacket(ctx sdk.Context, packet channeltypes.Packet, _ sdk.AccAddress) exported.Acknowledgement {
	f.calls++
	if f.panic != nil {
		panic(f.panic)
	}
	var data transfertypes.FungibleTokenPacketData
	if f.fail || transfertypes.ModuleCdc.UnmarshalJSON(packet.Data, &data) != nil {
		return channeltypes.NewErrorAcknowledgement(fmt.Errorf("transfer"))
	}
	amount, ok := math.NewIntFromString(data.Amount)
	receiver, err := sdk.AccAddressFromBech32(data.Receiver)
	if !ok || err != nil {
		return channeltypes.NewErrorAcknowledgement(fmt.Errorf("transfer"))
	}
	denom := transfertypes.ParseDenomTrace(transfertypes.GetPrefixedDenom(packet.DestinationPort, packet.DestinationChannel, data.Denom)).IBCDenom()
	if transfertypes.ReceiverChainIsSource(packet.SourcePort, packet.SourceChannel, data.Denom) {
		denom = data.Denom[len(transfertypes.GetDenomPrefix(packet.SourcePort, packet.SourceChannel)):]
	}
	coins := sdk.NewCoins(sdk.NewCoin(denom, amount))
	if err := f.l.bank.MintCoins(ctx, "mint", coins); err != nil {
		panic(err)
	}
	if err := f.l.bank.SendCoinsFromModuleToAccount(ctx, "mint", receiver, coins); err != nil {
		panic(err)
	}
	return channeltypes.NewResultAcknowledgement([]byte{1})
}

// rewardPacket is a transfer of consumer 1's bond denom to its reward receiver.
func rewardPacket(amount math.Int, memo string) (channeltypes.Packet, *transfertypes.FungibleTokenPacketData) {
	return channeltypes.Packet{
		SourcePort: "transfer", SourceChannel: "channel-7", DestinationPort: "transfer", DestinationChannel: rewardChannel,
	}, &transfertypes.FungibleTokenPacketData{Denom: "ucon", Amount: amount.String(), Sender: "converter", Receiver: types.RewardReceiver(1).String(), Memo: memo}
}

func rewardMemo(t tester, consumer uint64, entries ...control.RewardEntry) string {
	memo, err := control.EncodeRewardMemo(control.RewardMemo{ConsumerID: consumer, Entries: entries})
	require.NoError(t, err)
	return memo
}

func share(validator string, amount int64) control.RewardEntry {
	return control.RewardEntry{Validator: validator, Amount: math.NewInt(amount)}
}

// deliver does what core IBC does: an error acknowledgement discards everything written.
func (l *ledger) deliver(app *fakeTransfer, packet channeltypes.Packet, data *transfertypes.FungibleTokenPacketData) exported.Acknowledgement {
	l.t.Helper()
	if data != nil {
		packet.Data = data.GetBytes()
	}
	app.l = l
	ctx, write := l.ctx.CacheContext()
	ack := externalstaking.NewRewardMiddleware(app, l.k).OnRecvPacket(ctx, packet, eve)
	if ack.Success() {
		write()
	}
	l.holds()
	return ack
}

// reward delivers a reward transfer that must succeed.
func (l *ledger) reward(entries ...control.RewardEntry) {
	l.t.Helper()
	total := math.ZeroInt()
	for _, e := range entries {
		total = total.Add(e.Amount)
	}
	packet, data := rewardPacket(total, rewardMemo(l.t, 1, entries...))
	require.True(l.t, l.deliver(&fakeTransfer{}, packet, data).Success())
}

func (l *ledger) voucher() string {
	consumer, err := l.k.GetConsumer(l.ctx, 1)
	require.NoError(l.t, err)
	return keeper.BondVoucher(consumer)
}

func (l *ledger) balance(user sdk.AccAddress, denom string) int64 {
	return l.bank.GetBalance(l.ctx, user, denom).Amount.Int64()
}

func (l *ledger) totals() types.RewardTotals {
	l.t.Helper()
	totals, err := l.k.RewardTotals.Get(l.ctx, collections.Join(uint64(1), l.voucher()))
	require.NoError(l.t, err)
	return totals
}

func TestRewardsArriveAndAreWithdrawn(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 300)
	l.bond(ben, "val1", 100)
	l.bond(ann, "val2", 50)
	l.reward(share("val1", 1_000), share("val2", 7))
	res, err := l.query.Rewards(l.ctx, &types.QueryRewardsRequest{User: ann.String()})
	require.NoError(t, err)
	require.Len(t, res.Rewards, 2)
	paid, err := l.withdrawRewards(ann, "val1")
	require.NoError(t, err)
	require.Equal(t, sdk.NewCoins(sdk.NewInt64Coin(l.voucher(), 750)), paid)
	events, err := l.tx(func(ctx context.Context) error {
		_, err := l.msgs.WithdrawRewards(ctx, &types.MsgWithdrawRewards{User: ann.String(), ConsumerID: 1})
		return err
	})
	require.NoError(t, err)
	l.hasTyped(events, &types.EventRewardsWithdrawn{User: ann.String(), ConsumerID: 1, Validator: "val2", Amount: "7" + l.voucher()})
	require.Equal(t, int64(757), l.balance(ann, l.voucher()))
	l.holds()
}

func TestRW01ManyEpochsOfRandomRewards(t *testing.T) {
	l := newOpenLedger(t)
	users := []sdk.AccAddress{ann, ben, eve}
	random := rand.New(rand.NewSource(1))
	for range 100 {
		for _, user := range users {
			validator := fmt.Sprintf("val%d", random.Intn(2)+1)
			if p, found := l.position(user, validator); found && random.Intn(3) == 0 && p.Bonded.IsPositive() {
				require.NoError(t, l.unstake(user, validator, p.Bonded.Int64()))
			} else {
				require.NoError(t, l.stake(user, validator, int64(random.Intn(1_000)+10)))
			}
		}
		l.endBlock()
		l.ack(l.accept())
		l.reward(share("val1", int64(random.Intn(10_000)+1)), share("val2", int64(random.Intn(10)+1)))
		if random.Intn(2) == 0 {
			_, err := l.withdrawRewards(users[random.Intn(3)], "")
			require.NoError(t, err)
		}
	}
	var claimed int64
	for _, user := range users {
		_, err := l.withdrawRewards(user, "")
		require.NoError(t, err)
		claimed += l.balance(user, l.voucher())
	}
	totals := l.totals()
	require.Equal(t, totals.Paid.Int64(), claimed)
	held := l.pool("val1").HeldOver().Add(l.pool("val2").HeldOver()...).AmountOf(l.voucher()).Int64()
	require.Less(t, totals.Received.Int64()-claimed-held, int64(1_000), "dust")
	require.GreaterOrEqual(t, totals.Received.Int64()-claimed-held, int64(0))
}

func TestRW04ForeignTransfersAreNotCredited(t *testing.T) {
	memo := func(l *ledger) string { return rewardMemo(l.t, 1, share("val1", 100)) }
	for _, tc := range []struct {
		name   string
		change func(l *ledger, p *channeltypes.Packet, d *transfertypes.FungibleTokenPacketData)
	}{
		{"other channel", func(_ *ledger, p *channeltypes.Packet, _ *transfertypes.FungibleTokenPacketData) {
			p.DestinationChannel = "channel-9"
		}},
		{"other port", func(_ *ledger, p *channeltypes.Packet, _ *transfertypes.FungibleTokenPacketData) {
			p.DestinationPort = "transfer2"
		}},
		{"no memo", func(_ *ledger, _ *channeltypes.Packet, d *transfertypes.FungibleTokenPacketData) { d.Memo = "" }},
		{"memo of another consumer", func(l *ledger, _ *channeltypes.Packet, d *transfertypes.FungibleTokenPacketData) {
			d.Memo = rewardMemo(l.t, 2, share("val1", 100))
		}},
		{"another consumer's receiver", func(l *ledger, _ *channeltypes.Packet, d *transfertypes.FungibleTokenPacketData) {
			l.addConsumer(2)
			d.Receiver = types.RewardReceiver(2).String()
		}},
		{"receiver in capitals", func(_ *ledger, p *channeltypes.Packet, d *transfertypes.FungibleTokenPacketData) {
			d.Receiver, p.DestinationChannel = strings.ToUpper(d.Receiver), "channel-9"
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newOpenLedger(t)
			l.bond(ann, "val1", 100)
			packet, data := rewardPacket(math.NewInt(100), memo(l))
			tc.change(l, &packet, data)
			require.False(t, l.deliver(&fakeTransfer{}, packet, data).Success())
			require.Empty(t, l.bank.GetAllBalances(l.ctx, types.RewardReceiver(1)))
			require.Empty(t, l.bank.GetAllBalances(l.ctx, types.RewardReceiver(2)))
			p, _ := l.position(ann, "val1")
			require.Empty(t, p.Rewards)
		})
	}
}

func TestOtherTransfersPassUntouched(t *testing.T) {
	l := newOpenLedger(t)
	for name, change := range map[string]func(p *channeltypes.Packet, d *transfertypes.FungibleTokenPacketData){
		"other receiver": func(_ *channeltypes.Packet, d *transfertypes.FungibleTokenPacketData) { d.Receiver = ben.String() },
		"long receiver": func(_ *channeltypes.Packet, d *transfertypes.FungibleTokenPacketData) {
			d.Receiver = strings.Repeat("x", 1<<20)
		},
	} {
		packet, data := rewardPacket(math.NewInt(100), rewardMemo(t, 1, share("val1", 100)))
		change(&packet, data)
		app := &fakeTransfer{}
		l.deliver(app, packet, data)
		require.Equal(t, 1, app.calls, name)
	}
	packet, _ := rewardPacket(math.NewInt(1), "")
	packet.Data = []byte("not a transfer")
	app := &fakeTransfer{}
	require.False(t, l.deliver(app, packet, nil).Success())
	require.Equal(t, 1, app.calls)
	_, err := l.k.RewardTotals.Get(l.ctx, collections.Join(uint64(1), l.voucher()))
	require.ErrorIs(t, err, collections.ErrNotFound)
	// A panic of the app below in somebody else's transfer is not this middleware's.
	packet, data := rewardPacket(math.NewInt(1), "")
	data.Receiver = ben.String()
	require.Panics(t, func() { l.deliver(&fakeTransfer{panic: "boom"}, packet, data) })
}

func TestRW06MalformedMemosAreRefunded(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	entry := `{"validator":"val1","amount":"100"}`
	for name, memo := range map[string]string{
		"32 KiB":         `{"mesh_rewards":{"consumer_id":"1","entries":[` + entry + `]},"pad":"` + strings.Repeat("x", 32*1024) + `"}`,
		"1 MiB":          strings.Repeat("[", 1<<20),
		"deep":           `{"mesh_rewards":` + strings.Repeat("[", 1_000) + strings.Repeat("]", 1_000) + `}`,
		"duplicate key":  `{"mesh_rewards":{"consumer_id":"2"},"mesh_rewards":{"consumer_id":"1","entries":[` + entry + `]}}`,
		"invalid UTF-8":  "{\"mesh_rewards\":{\"consumer_id\":\"1\",\"entries\":[{\"validator\":\"\xff\",\"amount\":\"100\"}]}}",
		"sum below":      rewardMemo(t, 1, share("val1", 99)),
		"sum above":      rewardMemo(t, 1, share("val1", 101)),
		"same validator": `{"mesh_rewards":{"consumer_id":"1","entries":[{"validator":"val1","amount":"50"},{"validator":"val1","amount":"50"}]}}`,
		"negative":       `{"mesh_rewards":{"consumer_id":"1","entries":[{"validator":"val1","amount":"150"},{"validator":"val2","amount":"-50"}]}}`,
		"nothing in it":  `{"mesh_rewards":{"consumer_id":"1","entries":[]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			packet, data := rewardPacket(math.NewInt(100), memo)
			// Not GetBytes: it would repair the text.
			bz, err := json.Marshal(map[string]string{"denom": data.Denom, "amount": data.Amount, "sender": data.Sender, "receiver": data.Receiver, "memo": memo})
			require.NoError(t, err)
			packet.Data = bz
			require.False(t, l.deliver(&fakeTransfer{}, packet, nil).Success())
			require.Empty(t, l.bank.GetAllBalances(l.ctx, types.RewardReceiver(1)))
		})
	}
}

func TestRW06ShareOfAnUnknownValidatorGoesToTheCommunityPoolLater(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.reward(share("val1", 60), share("nobody", 40))
	p, _ := l.position(ann, "val1")
	require.Equal(t, "60", p.Rewards.AmountOf(l.voucher()).String())
	require.Equal(t, "40", l.totals().Unassigned.String())
	require.Zero(t, l.balance(communityPool, l.voucher()))
	l.reward(share("nobody", 5))
	require.Equal(t, int64(40), l.balance(communityPool, l.voucher()))
	totals := l.totals()
	require.Equal(t, []string{"105", "40", "5"}, []string{totals.Received.String(), totals.Paid.String(), totals.Unassigned.String()})
}

func TestRW08RewardsWithoutStakeAreHeldOver(t *testing.T) {
	l := newOpenLedger(t)
	l.reward(share("val1", 100))
	require.Equal(t, "100", l.pool("val1").HeldOver().AmountOf(l.voucher()).String())
	require.NoError(t, l.stake(ann, "val1", 30))
	require.NoError(t, l.stake(ben, "val1", 10))
	l.endBlock()
	l.ack(l.accept())
	require.True(t, l.pool("val1").HeldOver().IsZero())
	a, _ := l.position(ann, "val1")
	b, _ := l.position(ben, "val1")
	require.Equal(t, "75", a.Rewards.AmountOf(l.voucher()).String())
	require.Equal(t, "25", b.Rewards.AmountOf(l.voucher()).String())
}

func TestHeldOverRewardsOfATombstonedValidatorGoToTheCommunityPool(t *testing.T) {
	l := newOpenLedger(t)
	l.reward(share("val1", 100))
	l.report(1, control.StatusTombstoned, "val1")
	l.endBlock()
	require.Equal(t, "100", l.totals().Unassigned.String())
	l.reward(share("val1", 7))
	require.Equal(t, int64(100), l.balance(communityPool, l.voucher()))
	require.Equal(t, "7", l.totals().Unassigned.String())
}

func TestRW10RewardsArePaidOnce(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.reward(share("val1", 100))
	require.NoError(t, l.unstake(ann, "val1", 100))
	l.endBlock()
	l.ack(l.accept())
	_, err := l.tx(func(ctx context.Context) error {
		for range 2 {
			if _, err := l.msgs.WithdrawRewards(ctx, &types.MsgWithdrawRewards{User: ann.String(), ConsumerID: 1, Validator: "val1"}); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, int64(100), l.balance(ann, l.voucher()))
	l.holds()
	l.pass(ledgerUnbonding)
	l.endBlock()
	_, found := l.position(ann, "val1")
	require.False(t, found)
}

func TestAPositionWithRewardsOutlivesItsStake(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.reward(share("val1", 100))
	require.NoError(t, l.unstake(ann, "val1", 100))
	l.endBlock()
	l.ack(l.accept())
	l.pass(ledgerUnbonding)
	l.endBlock()
	p, found := l.position(ann, "val1")
	require.True(t, found)
	require.Equal(t, types.PositionRewards, p.Status)
	_, err := l.withdrawRewards(ann, "")
	require.NoError(t, err)
	_, found = l.position(ann, "val1")
	require.False(t, found)
	require.Zero(t, l.pool("val1").Positions)
	l.holds()
}

func TestRW13OnlyCommittedStakeEarns(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.stake(ben, "val1", 300))
	require.NoError(t, l.unstake(ann, "val1", 50))
	l.endBlock()
	l.reward(share("val1", 100))
	l.ack(l.accept())
	a, _ := l.position(ann, "val1")
	b, _ := l.position(ben, "val1")
	require.Equal(t, "100", a.Rewards.AmountOf(l.voucher()).String())
	require.True(t, b.Rewards.IsZero())
}

func TestRM13RewardsBeyondTheCap(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 10)
	l.reward(share("val1", 1))
	huge := math.NewIntFromBigInt(new(big.Int).Lsh(big.NewInt(1), 128)).SubRaw(1)
	packet, data := rewardPacket(huge, rewardMemo(t, 1, control.RewardEntry{Validator: "val1", Amount: huge}))
	require.False(t, l.deliver(&fakeTransfer{}, packet, data).Success(), "one above what all rewards together may be")
	packet, data = rewardPacket(huge, fmt.Sprintf(`{"mesh_rewards":{"consumer_id":"1","entries":[{"validator":"val1","amount":"%s"}]}}`, new(big.Int).Lsh(big.NewInt(1), 255)))
	require.False(t, l.deliver(&fakeTransfer{}, packet, data).Success())
	rest := huge.SubRaw(1)
	packet, data = rewardPacket(rest, rewardMemo(t, 1, control.RewardEntry{Validator: "val1", Amount: rest}))
	require.True(t, l.deliver(&fakeTransfer{}, packet, data).Success())
	require.NoError(t, l.unstake(ann, "val1", 10))
	l.endBlock()
	l.ack(l.accept())
	paid, err := l.withdrawRewards(ann, "")
	require.NoError(t, err)
	require.Equal(t, huge, paid.AmountOf(l.voucher()))
	l.holds()
}

// fromConverter is the converter's account in the consumer's prefix.
func fromConverter(t tester) string {
	sender, err := bech32.ConvertAndEncode("other", convertertypes.ConverterAddress(1))
	require.NoError(t, err)
	return sender
}

func TestRewardDenomsAreBoundedWithAPlaceForTheBondDenom(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 10)
	send := func(denom string) bool {
		packet, data := rewardPacket(math.NewInt(10), rewardMemo(t, 1, share("val1", 10)))
		data.Denom, data.Sender = denom, fromConverter(t)
		return l.deliver(&fakeTransfer{}, packet, data).Success()
	}
	require.True(t, send("fees1"))
	require.True(t, send("transfer/channel-7/stake"), "a token that comes home")
	require.False(t, send("fees2"))
	require.True(t, send("ucon"))
	require.True(t, send("fees1"))
	require.False(t, send("fees2"))
	paid, err := l.withdrawRewards(ann, "")
	require.NoError(t, err)
	require.Len(t, paid, 3)
	require.Equal(t, "10", paid.AmountOf(stakeDenom).String())
	l.holds()
}

func TestJunkOfStrangersTakesNoPlaceOfARewardDenom(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 10)
	stranger, err := bech32.ConvertAndEncode("other", eve)
	require.NoError(t, err)
	other, err := bech32.ConvertAndEncode("other", convertertypes.ConverterAddress(2))
	require.NoError(t, err)
	send := func(denom, sender string) bool {
		packet, data := rewardPacket(math.NewInt(10), rewardMemo(t, 1, share("val1", 10)))
		data.Denom, data.Sender = denom, sender
		return l.deliver(&fakeTransfer{}, packet, data).Success()
	}
	for _, sender := range []string{stranger, other, "", "converter.1", strings.Repeat("x", 1_000)} {
		require.False(t, send("junk", sender), sender)
	}
	require.True(t, send("ucon", stranger), "the bond denom may come from anybody")
	require.True(t, send("fees1", fromConverter(t)))
	require.True(t, send("fees2", fromConverter(t)))
	require.True(t, send("fees1", stranger), "it has its place already")
}

func TestRewardsGoOnOverANewTransferChannel(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 10)
	send := func(channel, denom string) bool {
		packet, data := rewardPacket(math.NewInt(10), rewardMemo(t, 1, share("val1", 10)))
		packet.DestinationChannel, data.Denom, data.Sender = channel, denom, fromConverter(t)
		return l.deliver(&fakeTransfer{}, packet, data).Success()
	}
	over := func(channel string) error {
		consumer, err := l.k.GetConsumer(l.ctx, 1)
		require.NoError(t, err)
		admin, err := sdk.AccAddressFromBech32(consumer.Admin)
		require.NoError(t, err)
		_, err = l.k.UpdateConsumer(l.ctx, admin, 1, keeper.ConsumerUpdate{TransferChannel: &channel})
		return err
	}
	consumer, err := l.k.GetConsumer(l.ctx, 1)
	require.NoError(t, err)
	consumer.Admin = ann.String()
	require.NoError(t, l.k.Consumers.Set(l.ctx, 1, consumer))
	l.ibc.transferChannels = true
	for i := range types.MaxRewardChannels {
		channel := fmt.Sprintf("channel-%d", 20+i)
		require.NoError(t, over(channel))
		for _, denom := range []string{"fees1", "fees2", "ucon"} {
			require.True(t, send(channel, denom), channel)
		}
		require.False(t, send(channel, "fees3"))
	}
	require.ErrorIs(t, over("channel-30"), types.ErrInvalidTransferChannel)
	require.NoError(t, over("channel-20"))
	require.True(t, send("channel-20", "ucon"))
}

func TestRewardMiddlewarePassesOutOfGasOnAndRefundsPanics(t *testing.T) {
	l := newOpenLedger(t)
	packet, data := rewardPacket(math.NewInt(100), rewardMemo(t, 1, share("val1", 100)))
	require.PanicsWithValue(t, storetypes.ErrorOutOfGas{Descriptor: "gas"}, func() {
		l.deliver(&fakeTransfer{panic: storetypes.ErrorOutOfGas{Descriptor: "gas"}}, packet, data)
	})
	ack := l.deliver(&fakeTransfer{panic: "boom"}, packet, data)
	require.Equal(t, control.ErrorAck(types.ErrRewardRefused), ack)
	require.False(t, l.deliver(&fakeTransfer{fail: true}, packet, data).Success())
	require.Empty(t, l.bank.GetAllBalances(l.ctx, types.RewardReceiver(1)))
}
