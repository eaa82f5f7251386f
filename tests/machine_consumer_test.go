package tests

import (
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

func (m *machine) runEpoch() {
	if m.chance(40, "fresh price") {
		m.must(m.setPrice(m.price()), "repeating the price")
	}
	stale := m.priceInfo().Stale
	before := m.source().Delegated
	m.epoch()
	source := m.source()
	m.notef("delegated %s, cap %s, next %d", source.Delegated, source.Source.MaxCap, source.Source.NextEpoch)
	if source.Source.LastFailure != "" {
		m.fail("epoch failed: %s", source.Source.LastFailure)
	}
	if stale && before.IsPositive() {
		m.counts[stalePrice]++
	}
	if stale && source.Delegated.GT(before.AddRaw(int64(len(m.Consumer.Validators)))) {
		m.fail("a stale price let delegations rise from %s to %s", before, source.Delegated)
	}
	if source.Delegated.IsPositive() && source.Delegated.Equal(source.Source.MaxCap) {
		m.counts[scaledToCap]++
	}
}

func (m *machine) priceInfo() *convertertypes.QueryPriceResponse {
	ctx := m.Consumer.Ctx()
	res, err := convertertypes.NewQueryClient(querier(m.Consumer)).Price(ctx, &convertertypes.QueryPriceRequest{ConverterId: m.ConverterID})
	m.must(err, "asking for the price")
	return res
}

func (m *machine) price() math.LegacyDec { return m.priceInfo().Price }

func (m *machine) setPrice(price math.LegacyDec) error {
	admin := m.ConverterAdmin()
	_, err := m.Consumer.Deliver(admin, &convertertypes.MsgSetPrice{Sender: admin.String(), ConverterID: m.ConverterID, Price: price})
	return err
}

func (m *machine) changePrice() {
	price := m.price()
	switch m.pick(6, "how") {
	case 0:
		price = price.MulInt64(10)
	case 1:
		price = oneOf(m, []math.LegacyDec{math.LegacyZeroDec(), math.LegacyNewDec(-1)})
	default:
		price = price.MulInt64(int64(80 + m.pick(45, "percent"))).QuoInt64(100)
	}
	m.notef("%s to %s", m.price(), price)
	before := m.price()
	err := m.setPrice(price)
	if err == nil {
		return
	}
	m.notef("refused: %.60s", err)
	m.checkRegistered(err)
	m.expect(err, convertertypes.ErrInvalidPrice, convertertypes.ErrPriceChange)
	m.counts[refusedPrice]++
	if !m.price().Equal(before) {
		m.fail("a refused price was taken")
	}
}

func (m *machine) changeCap() {
	amount := oneOf(m, []int64{1_000_000_000_000_000, 1_000_000_000_000, 10_000_000_000, 1_000_000_000, 50_000_000, 1_000, 1, 0})
	switch m.pick(8, "how") {
	case 0:
		m.notef("of a user")
		full := math.LegacyOneDec()
		user := m.Consumer.Users[1]
		_, err := m.Consumer.Deliver(user, &virtualstakingtypes.MsgSetMaxCap{
			Authority: user.String(), ConverterID: m.ConverterID, MaxCap: m.Consumer.Coin(amount), GovernanceWeight: &full,
		})
		if err == nil {
			m.fail("a user set the cap")
		}
		m.checkRegistered(err)
		m.counts[refusedCap]++
	case 1:
		m.notef("beyond the total")
		m.expect(m.setMaxCap(totalMaxCap.AddRaw(1), math.LegacyOneDec()), virtualstakingtypes.ErrTotalCap)
		m.counts[refusedCap]++
	default:
		weight := math.LegacyNewDecWithPrec(int64(m.pick(11, "weight")), 1)
		m.notef("%d, weight %s", amount, weight)
		m.must(m.setMaxCap(math.NewInt(amount), weight), "setting the cap to %d", amount)
		m.Consumer.NextBlock()
	}
}

// payFees lets the next block's validators and delegators of the consumer earn more than inflation.
func (m *machine) payFees() {
	user := m.Consumer.Users[2]
	amount := m.between(1, 50_000_000)
	m.notef("%d", amount)
	ctx := m.Consumer.GetContext()
	m.must(m.Consumer.App.BankKeeper.SendCoinsFromAccountToModule(ctx, user.Address, "fee_collector", sdk.NewCoins(m.Consumer.Coin(amount))), "paying fees")
	m.Consumer.NextBlock()
}

func (m *machine) changeMinimum() {
	admin := m.ConsumerAdmin()
	minimum := math.NewInt(oneOf(m, []int64{1, 1, 1_000, 10_000_000}))
	m.notef("%s", minimum)
	_, err := m.Provider.Deliver(admin, &externalstakingtypes.MsgUpdateConsumer{Sender: admin.String(), ConsumerID: m.ConsumerID, MinStake: &minimum})
	m.must(err, "changing the minimum")
}

func (m *machine) nativeDelegation() {
	user := m.Consumer.Users[m.pick(2, "delegator")]
	v := m.Consumer.Validators[m.pick(len(m.Consumer.Validators), "validator")]
	coin := m.Consumer.Coin(m.between(1, 300_000_000))
	var msg sdk.Msg = stakingtypes.NewMsgDelegate(user.String(), v.Address, coin)
	if m.chance(40, "undelegate") {
		msg = stakingtypes.NewMsgUndelegate(user.String(), v.Address, coin)
	}
	_, err := m.Consumer.Deliver(user, msg)
	m.notef("%T %s %s %v", msg, v.Address, coin, err == nil)
	m.follow(m.Consumer)
}
