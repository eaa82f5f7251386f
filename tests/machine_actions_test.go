package tests

import (
	"errors"
	"fmt"
	"time"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

const userBalance = 1_000_000_000_000_000

// action is one kind of step.
type action struct {
	name   string
	weight int
	do     func(*machine)
}

// actions are all kinds of steps; a test that ends without one of them fails.
var actions = []action{
	{"wait", 2, (*machine).wait},
	{"deposit", 8, (*machine).depositSome},
	{"withdraw", 6, (*machine).withdrawSome},
	{"stake", 16, (*machine).stakeSome},
	{"unstake", 12, (*machine).unstakeSome},
	{"many operations in one block", 4, (*machine).manyOperations},
	{"withdraw rewards", 5, (*machine).withdrawSomeRewards},
	{"epoch", 8, (*machine).runEpoch},
	{"receive on consumer", 9, func(m *machine) { m.receive(m.Provider, controlPort) }},
	{"refuse on consumer", 3, (*machine).refuse},
	{"acknowledge on provider", 9, func(m *machine) { m.acknowledge(m.Provider, controlPort) }},
	{"receive on provider", 7, func(m *machine) { m.receive(m.Consumer, controlPort) }},
	{"acknowledge on consumer", 7, func(m *machine) { m.acknowledge(m.Consumer, controlPort) }},
	{"receive rewards", 6, func(m *machine) { m.receive(m.Consumer, transferPort) }},
	{"acknowledge rewards", 6, func(m *machine) { m.acknowledge(m.Consumer, transferPort) }},
	{"relay everything", 4, (*machine).relayAll},
	{"settle", 1, (*machine).drain},
	{"price", 5, (*machine).changePrice},
	{"cap", 5, (*machine).changeCap},
	{"fees", 4, (*machine).payFees},
	{"downtime", 2, (*machine).downtime},
	{"jail", 2, (*machine).jail},
	{"unjail", 5, (*machine).unjail},
	{"double sign", 1, (*machine).doubleSign},
	{"new validator", 2, (*machine).newValidator},
	{"validator leaves", 2, (*machine).validatorLeaves},
	{"native delegation", 3, (*machine).nativeDelegation},
	{"minimum stake", 1, (*machine).changeMinimum},
	{"time passes", 5, (*machine).timePasses},
	{"rewards time out", 1, (*machine).rewardsTimeOut},
}

// weighted lists each action as often as its weight.
var weighted = func() []action {
	var out []action
	for _, a := range actions {
		for range a.weight {
			out = append(out, a)
		}
	}
	return out
}()

// Outcomes that the steps must reach.
const (
	refusedInput   = "refused: invalid input"
	refusedLimit   = "refused: limit"
	stakeCommitted = "stake committed"
	stakeRejected  = "stake rejected and rolled back"
	batchRefused   = "batch refused"
	entryRejected  = "entry rejected by the consumer"
	unstakeEntry   = "unbonding entry made"
	unstakeDone    = "unbonding entry released"
	rewardsPaid    = "rewards paid"
	rewardTimeout  = "reward transfer timed out"
	removedSeen    = "validator removed on the provider"
	tombstoneSeen  = "validator tombstoned on the provider"
	jailedSeen     = "validator jailed on the provider"
	scaledToCap    = "targets scaled to the cap"
	stalePrice     = "epoch with a stale price"
	refusedPrice   = "refused: price"
	refusedCap     = "refused: cap"
)

var outcomes = []string{
	refusedInput, refusedLimit, stakeCommitted, stakeRejected, batchRefused, entryRejected, unstakeEntry, unstakeDone, rewardsPaid, rewardTimeout,
	removedSeen, tombstoneSeen, jailedSeen, scaledToCap, stalePrice, refusedPrice, refusedCap,
}

// watchOutcomes counts what the provider's blocks report.
func (m *machine) watchOutcomes() {
	m.Provider.Observe = func(*abci.ResponseFinalizeBlock) {
		events := m.Provider.LastEvents()
		m.watchReleases(events)
		m.counts[stakeCommitted] += len(twochain.Events[externalstakingtypes.EventStakeCommitted](events))
		m.counts[stakeRejected] += len(twochain.Events[externalstakingtypes.EventStakeRolledBack](events))
		for _, e := range twochain.Events[externalstakingtypes.EventBatchResolved](events) {
			m.counts[entryRejected] += int(e.Rejected)
		}
		m.counts[unstakeEntry] += len(twochain.Events[externalstakingtypes.EventUnstakeCommitted](events))
		m.counts[unstakeDone] += len(twochain.Events[externalstakingtypes.EventUnbondingReleased](events))
		m.counts[rewardsPaid] += len(twochain.Events[externalstakingtypes.EventRewardsWithdrawn](events))
		for _, e := range twochain.Events[externalstakingtypes.EventValidatorUpdated](events) {
			switch e.Status {
			case control.StatusRemoved:
				m.counts[removedSeen]++
			case control.StatusTombstoned:
				m.counts[tombstoneSeen]++
			case control.StatusJailed:
				m.counts[jailedSeen]++
			}
		}
	}
}

// entry is an unbonding entry that the machine saw being made.
type entry struct {
	release time.Time
	amount  math.Int
}

// watchReleases checks E6 from outside: an entry waits a full unbonding period from its commitment, or, on a tombstoned
// validator, from when the tombstone was learned; and no more is released than was due.
func (m *machine) watchReleases(events blockEvents) {
	now := m.Provider.Ctx().BlockTime()
	period := m.consumerInfo().Consumer.UnbondingPeriod
	for _, e := range twochain.Events[externalstakingtypes.EventUnstakeCommitted](events) {
		start := now
		validator, err := m.Provider.App.ExternalStakingKeeper.Validators.Get(m.Provider.Ctx(), collections.Join(m.ConsumerID, e.Validator))
		require.NoError(m.r, err)
		if validator.Status == control.StatusTombstoned && validator.EndedAt != nil {
			start = *validator.EndedAt
		}
		if e.ReleaseTime.Before(start.Add(period)) {
			m.broken = errors.Join(m.broken, fmt.Errorf("E6: %s made at %s is released at %s", e.Amount, now, e.ReleaseTime))
		}
		key := e.User + "/" + e.Validator
		m.entries[key] = append(m.entries[key], entry{e.ReleaseTime, intOf(m.r, e.Amount)})
	}
	for _, e := range twochain.Events[externalstakingtypes.EventUnbondingReleased](events) {
		key := e.User + "/" + e.Validator
		left := intOf(m.r, e.Amount)
		var kept []entry
		for _, known := range m.entries[key] {
			if !known.release.After(now) && left.IsPositive() {
				taken := math.MinInt(left, known.amount)
				left, known.amount = left.Sub(taken), known.amount.Sub(taken)
			}
			if known.amount.IsPositive() {
				kept = append(kept, known)
			}
		}
		m.entries[key] = kept
		if left.IsPositive() {
			m.broken = errors.Join(m.broken, fmt.Errorf("E6: %s of %s released before its time", e.Amount, key))
		}
	}
}

func intOf(t require.TestingT, amount string) math.Int {
	n, ok := math.NewIntFromString(amount)
	require.True(t, ok, amount)
	return n
}

// oneOf draws from all alike.
func oneOf[T any](m *machine, all []T) T { return all[m.pick(len(all), "which")] }

func (m *machine) chance(percent int, label string) bool {
	return uniform(100).Draw(m.r, label) >= 100-percent
}

func (m *machine) pick(n int, label string) int { return uniform(n).Draw(m.r, label) }

func (m *machine) user() (int, twochain.Account) {
	i := m.pick(len(m.users), "user")
	return i, m.users[i]
}

// likely is mostly the first user from a random one on who has something, so that steps seldom come to nothing.
func (m *machine) likely(has func(twochain.Account) bool) (int, twochain.Account) {
	first, user := m.user()
	if m.chance(10, "anyone") {
		return first, user
	}
	for n := range m.users {
		if i := (first + n) % len(m.users); has(m.users[i]) {
			return i, m.users[i]
		}
	}
	return first, user
}

// amount is small, ordinary or huge.
func (m *machine) amount() int64 {
	switch m.pick(5, "size") {
	case 0:
		return m.between(1, 9)
	case 1:
		return m.between(1, userBalance/4)
	default:
		return m.between(1_000_000, 500_000_000)
	}
}

func (m *machine) between(low, high int64) int64 {
	return low + int64(m.pick(int(high-low+1), "amount"))
}

// upTo is an amount of at most limit, often all of it; sometimes one more, which must be refused.
func (m *machine) upTo(limit math.Int) int64 {
	n := limit.Int64()
	switch m.pick(6, "share") {
	case 0:
		return n + 1
	case 1, 2:
		return max(n, 1)
	default:
		return m.between(1, max(n, 1))
	}
}

// someValidator is mostly an existing validator of the consumer.
func (m *machine) someValidator() string {
	if m.chance(4, "unknown validator") {
		return oneOf(m, []string{"", "x", m.Provider.Validators[0].Address + "x", "consvaloper1unknown"})
	}
	vals := m.Consumer.Validators
	return vals[m.pick(len(vals), "validator")].Address
}

// badCoin is something no message may accept.
func (m *machine) badCoin() sdk.Coin {
	denom := m.Provider.Denom
	return oneOf(m, []sdk.Coin{
		{Denom: denom, Amount: math.ZeroInt()},
		{Denom: denom, Amount: math.NewInt(-5)},
		{Denom: m.Consumer.Denom, Amount: math.OneInt()},
		{Denom: "", Amount: math.OneInt()},
		{Denom: denom, Amount: math.NewInt(userBalance).MulRaw(userBalance)},
	})
}

// footprint is what a refused message must leave alone.
func (m *machine) footprint(user twochain.Account) string {
	out := m.account(user).Collateral.String() + "/" + m.Provider.Balance(user.Address, m.Provider.Denom).String()
	for _, p := range m.positions(user) {
		out += fmt.Sprintf(" %s:%s+%s-%s", p.Validator, p.Bonded, p.PendingStake, p.PendingUnstake)
	}
	return out
}

// deliver sends a message of a provider user. A refusal must have a registered error and leave no trace.
func (m *machine) deliver(user twochain.Account, msg sdk.Msg) error {
	before := m.footprint(user)
	_, err := m.Provider.Deliver(user, msg)
	if err == nil {
		return nil
	}
	m.notef("refused: %.60s", err)
	m.checkRegistered(err)
	if after := m.footprint(user); after != before {
		m.fail("refused message changed the user: %s, was %s", after, before)
	}
	return err
}

// checkRegistered refuses errors nobody registered, and recovered panics.
func (m *machine) checkRegistered(err error) {
	codespace, code, _ := errorsmod.ABCIInfo(err, false)
	if code == 1 || codespace == errorsmod.UndefinedCodespace || errors.Is(err, errorsmod.ErrPanic) {
		m.fail("unregistered error %s/%d: %s", codespace, code, err)
	}
}

// expect fails unless the message's outcome is one of the wanted: nil for success.
func (m *machine) expect(err error, wanted ...error) {
	for _, want := range wanted {
		if errors.Is(err, want) || (err == nil && want == nil) {
			return
		}
	}
	m.fail("unexpected outcome: %v, wanted one of %v", err, wanted)
}

func (m *machine) wait() {
	[]*twochain.Chain{m.Provider, m.Consumer}[m.pick(2, "chain")].Blocks(1 + m.pick(3, "blocks"))
}

func (m *machine) depositSome() {
	i, user := m.user()
	if m.chance(6, "bad") {
		coin := m.badCoin()
		m.notef("user %d bad %s", i, coin)
		m.expect(m.deliver(user, &vaulttypes.MsgDeposit{User: user.String(), Amount: coin}),
			vaulttypes.ErrInvalidAmount, vaulttypes.ErrWrongDenom, sdkerrors.ErrInsufficientFunds)
		m.counts[refusedInput]++
		return
	}
	has := m.Provider.Balance(user.Address, m.Provider.Denom)
	amount := m.amount()
	m.notef("user %d %d", i, amount)
	err := m.deliver(user, &vaulttypes.MsgDeposit{User: user.String(), Amount: m.coin(amount)})
	if has.LT(math.NewInt(amount)) {
		m.expect(err, sdkerrors.ErrInsufficientFunds)
		m.counts[refusedLimit]++
		return
	}
	m.must(err, "deposit of %d with %s in the bank", amount, has)
}

func (m *machine) withdrawSome() {
	i, user := m.user()
	if m.chance(6, "bad") {
		coin := m.badCoin()
		m.notef("user %d bad %s", i, coin)
		m.expect(m.deliver(user, &vaulttypes.MsgWithdraw{User: user.String(), Amount: coin}),
			vaulttypes.ErrInvalidAmount, vaulttypes.ErrWrongDenom, vaulttypes.ErrInsufficientFree)
		m.counts[refusedInput]++
		return
	}
	free := m.account(user).Free
	amount := m.upTo(free)
	m.notef("user %d %d of %s", i, amount, free)
	err := m.deliver(user, &vaulttypes.MsgWithdraw{User: user.String(), Amount: m.coin(amount)})
	if free.LT(math.NewInt(amount)) {
		// An entry may have matured in the block of the message.
		m.expect(err, vaulttypes.ErrInsufficientFree, nil)
		m.counts[refusedLimit]++
		return
	}
	m.must(err, "withdrawal of %d of %s", amount, free)
}

func (m *machine) stakeSome() {
	i, user := m.likely(func(u twochain.Account) bool { return m.account(u).Free.IsPositive() })
	msg := m.stakeMsg(user, m.someValidator(), 1)
	if m.chance(6, "bad") {
		if m.chance(30, "consumer") {
			msg.ConsumerID = 1_000
		} else {
			msg.Amount = m.badCoin()
		}
		m.notef("user %d bad %s", i, msg)
		m.expect(m.deliver(user, msg), externalstakingtypes.ErrInvalidAmount, externalstakingtypes.ErrUnknownConsumer,
			externalstakingtypes.ErrUnknownValidator, externalstakingtypes.ErrValidatorEnded, vaulttypes.ErrInsufficientCollateral)
		m.counts[refusedInput]++
		return
	}
	room := m.account(user).Free
	msg.Amount = m.coin(m.upTo(room))
	m.notef("user %d %s on %s, free %s", i, msg.Amount, msg.Validator, room)
	err := m.deliver(user, msg)
	status := m.provider().statusOf(msg.Validator)
	switch {
	case err == nil:
	case status == control.StatusUnspecified:
		m.expect(err, externalstakingtypes.ErrUnknownValidator)
	case errors.Is(err, vaulttypes.ErrInsufficientCollateral):
		m.counts[refusedLimit]++
	default:
		m.expect(err, externalstakingtypes.ErrValidatorEnded, externalstakingtypes.ErrBelowMinimum)
	}
}

func (m *machine) unstakeSome() {
	i, user := m.likely(func(u twochain.Account) bool { return len(m.positions(u)) > 0 })
	positions := m.positions(user)
	if len(positions) == 0 || m.chance(5, "anywhere") {
		msg := m.unstakeMsg(user, m.someValidator(), m.amount())
		m.notef("user %d %s on %s", i, msg.Amount, msg.Validator)
		_ = m.deliver(user, msg)
		return
	}
	p := positions[m.pick(len(positions), "position")]
	possible := p.Bonded.Sub(p.PendingUnstake)
	msg := m.unstakeMsg(user, p.Validator, m.upTo(possible))
	m.notef("user %d %s of %s on %s", i, msg.Amount, possible, p.Validator)
	err := m.deliver(user, msg)
	switch {
	case msg.Amount.Amount.GT(possible):
		m.expect(err, externalstakingtypes.ErrInsufficientStake, externalstakingtypes.ErrUnknownPosition)
		m.counts[refusedLimit]++
	case msg.Amount.Amount.Equal(possible):
		m.must(err, "leaving entirely")
	default:
		m.expect(err, nil, externalstakingtypes.ErrBelowMinimum)
	}
}

// manyOperations puts several users' operations into one block: they travel as one entry per validator.
func (m *machine) manyOperations() {
	validator := m.Consumer.Validators[m.pick(len(m.Consumer.Validators), "validator")].Address
	for _, user := range m.users {
		if m.chance(50, "stakes") {
			m.Provider.Queue(user, m.stakeMsg(user, validator, m.amount()))
		}
		if bonded := m.position(user, validator).Bonded; bonded.IsPositive() && m.chance(50, "unstakes") {
			m.Provider.Queue(user, m.unstakeMsg(user, validator, m.upTo(bonded)))
		}
	}
	m.Provider.NextBlock()
	for _, err := range m.Provider.Results() {
		if err != nil {
			m.checkRegistered(err)
		}
	}
	m.notef("%d on %s", len(m.Provider.Results()), validator)
}

func (m *machine) withdrawSomeRewards() {
	i, user := m.likely(func(u twochain.Account) bool { return !m.rewards(u).IsZero() })
	validator := ""
	if m.chance(50, "one validator") {
		validator = m.someValidator()
	}
	owed, before := m.rewards(user), m.vouchers(user)
	m.notef("user %d from %q, owed %s", i, validator, owed)
	msg := &externalstakingtypes.MsgWithdrawRewards{User: user.String(), ConsumerID: m.ConsumerID, Validator: validator}
	if err := m.deliver(user, msg); err != nil {
		m.expect(err, externalstakingtypes.ErrUnknownPosition)
		return
	}
	paid := m.vouchers(user).Sub(before)
	if voucher := owed.AmountOf(m.voucher(m.Consumer.Denom)); paid.GT(voucher) || (validator == "" && !paid.Equal(voucher)) {
		m.fail("%s paid, %s owed", paid, owed)
	}
}

func (m *machine) vouchers(user twochain.Account) math.Int {
	return m.Provider.Balance(user.Address, m.voucher(m.Consumer.Denom))
}

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

const (
	controlPort  = "control"
	transferPort = "transfer"
)

// some are the first packets of one kind; of transfers, whose channel has no order, any.
func (m *machine) some(packets []*twochain.Packet, kind string) []*twochain.Packet {
	var out []*twochain.Packet
	for _, p := range packets {
		if (p.SourcePort == transferPort) == (kind == transferPort) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil
	}
	if kind == transferPort {
		i := m.pick(len(out), "which")
		return out[i : i+1]
	}
	return out[:1+m.pick(len(out), "how many")]
}

func (m *machine) receive(from *twochain.Chain, kind string) {
	packets := m.some(from.Unreceived(), kind)
	m.notef("%d", len(packets))
	if kind == transferPort && len(packets) > 0 && m.timedOut(packets[0]) {
		m.must(m.UpdateClient(from), "updating the client")
		m.must(m.Timeout(from, packets...), "timing a transfer out")
		m.counts[rewardTimeout]++
		return
	}
	m.must(m.Receive(from, packets...), "receiving")
}

// refuse lets a faulty consumer answer batches with an error. Not next to an epoch, which would report what it believes to
// have seen.
func (m *machine) refuse() {
	packets := m.some(m.Provider.Unreceived(), controlPort)
	m.notef("%d", len(packets))
	if len(packets) == 0 || m.source().Source.NextEpoch <= m.Consumer.App.LastBlockHeight()+5 {
		return
	}
	m.refuseNext(m.r, true)
	m.must(m.Receive(m.Provider, packets[:1]...), "receiving")
	m.refuseNext(m.r, false)
	if _, refused, err := control.ParseStakeSyncAck(packets[0].Ack); err != nil || refused == "" {
		m.fail("batch was not refused: %s", packets[0].Ack)
	}
	m.counts[batchRefused]++
}

func (m *machine) acknowledge(from *twochain.Chain, kind string) {
	packets := m.some(from.Unacknowledged(), kind)
	m.notef("%d", len(packets))
	m.must(m.Acknowledge(from, packets...), "acknowledging")
}

// timedOut is true if a packet can no longer be received.
func (m *machine) timedOut(p *twochain.Packet) bool {
	return !m.Coordinator.CurrentTime.Before(time.Unix(0, int64(p.TimeoutTimestamp)))
}

func (m *machine) relayAll() {
	m.timeoutTransfers()
	m.must(m.Relay(), "relaying")
}

// timeoutTransfers returns what can no longer be received to the consumer.
func (m *machine) timeoutTransfers() {
	for _, p := range m.Consumer.Unreceived() {
		if p.SourcePort == transferPort && m.timedOut(p) {
			m.must(m.Timeout(m.Consumer, p), "timing a transfer out")
			m.counts[rewardTimeout]++
		}
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
		user := m.Consumer.Users[1]
		_, err := m.Consumer.Deliver(user, &virtualstakingtypes.MsgSetMaxCap{
			Authority: user.String(), ConverterID: m.ConverterID, MaxCap: m.Consumer.Coin(amount),
		})
		if err == nil {
			m.fail("a user set the cap")
		}
		m.checkRegistered(err)
		m.counts[refusedCap]++
	case 1:
		m.notef("beyond the total")
		m.expect(m.setMaxCap(totalMaxCap.AddRaw(1)), virtualstakingtypes.ErrTotalCap)
		m.counts[refusedCap]++
	default:
		m.notef("%d", amount)
		m.must(m.setMaxCap(math.NewInt(amount)), "setting the cap to %d", amount)
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

// bondedValidators are those that sign.
func (m *machine) bondedValidators() []*twochain.Validator {
	var out []*twochain.Validator
	for _, v := range m.Consumer.Validators {
		if m.Consumer.Power(v) > 0 {
			out = append(out, v)
		}
	}
	return out
}

// spare is a signing validator the consumer can do without: at least two others with a third of the power remain, so
// that the light client can follow.
func (m *machine) spare() *twochain.Validator {
	bonded := m.bondedValidators()
	if len(bonded) < 3 {
		return nil
	}
	if v := bonded[m.pick(len(bonded), "validator")]; m.canSpare(v) {
		return v
	}
	return nil
}

func (m *machine) canSpare(v *twochain.Validator) bool {
	return len(m.bondedValidators()) >= 3 && m.Consumer.Power(v)*2 <= m.Consumer.NextVals.TotalVotingPower()
}

// follow updates the provider's client after the validator set changed.
func (m *machine) follow() { m.must(m.UpdateClient(m.Provider), "following the validator set") }

func (m *machine) downtime() {
	v := m.spare()
	if v == nil {
		return
	}
	m.notef("%s", v.Address)
	m.Consumer.SetDown(v, true)
	m.Consumer.Blocks(14)
	m.Consumer.SetDown(v, false)
	m.follow()
}

func (m *machine) jail() {
	v := m.spare()
	if v == nil || m.jailed(v) {
		return
	}
	m.notef("%s", v.Address)
	m.must(m.Consumer.Jail(v), "jailing")
	m.Consumer.NextBlock()
	m.follow()
}

func (m *machine) jailed(v *twochain.Validator) bool {
	validator, err := m.Consumer.App.StakingKeeper.GetValidator(m.Consumer.Ctx(), sdk.ValAddress(v.Operator.Address))
	return err == nil && validator.IsJailed()
}

func (m *machine) unjail() {
	for _, v := range m.Consumer.Validators {
		if !m.jailed(v) || m.chance(20, "leave jailed") {
			continue
		}
		err := m.Consumer.Unjail(v)
		m.notef("%s %v", v.Address, err == nil)
		m.follow()
	}
}

// doubleSign tombstones a validator, where possible one with stake on its way.
func (m *machine) doubleSign() {
	v := m.spare()
	backings, _, err := m.provider().backings()
	m.must(err, "reading what is in flight")
	for _, candidate := range m.bondedValidators() {
		if backings[candidate.Address].sent != nil && m.canSpare(candidate) {
			v = candidate
		}
	}
	if v == nil || !m.signedLast(v) || m.jailed(v) {
		return
	}
	m.notef("%s", v.Address)
	m.Consumer.DoubleSign(v)
	m.Consumer.NextBlock()
	m.follow()
}

func (m *machine) signedLast(v *twochain.Validator) bool {
	_, val := m.Consumer.Vals.GetByAddress(v.ConsAddress.Bytes())
	return val != nil
}

// maxMachineValidators bounds how many validators a run creates.
const maxMachineValidators = 8

func (m *machine) newValidator() {
	if len(m.Consumer.Validators) >= maxMachineValidators {
		return
	}
	operator := m.Consumer.Users[2+m.pick(len(m.Consumer.Users)-2, "operator")]
	m.created++
	v, err := m.Consumer.CreateValidator(operator, fmt.Sprintf("created %d", m.created), m.between(1_000_000, 200_000_000))
	if err != nil {
		m.notef("refused: %.60s", err)
		return
	}
	m.notef("%s", v.Address)
	m.Consumer.NextBlock()
	m.follow()
}

// validatorLeaves takes all of an operator's own stake out of a created validator: it is jailed, and removed once it has
// unbonded if nobody else delegates to it.
func (m *machine) validatorLeaves() {
	created := m.Consumer.Validators[4:]
	if len(created) == 0 {
		return
	}
	v := created[m.pick(len(created), "validator")]
	delegation, err := m.Consumer.App.StakingKeeper.GetDelegation(m.Consumer.Ctx(), v.Operator.Address, sdk.ValAddress(v.Operator.Address))
	if err != nil {
		return
	}
	validator := m.Consumer.StakingValidator(v)
	_, err = m.Consumer.Deliver(v.Operator, stakingtypes.NewMsgUndelegate(v.Operator.String(), v.Address,
		sdk.NewCoin(m.Consumer.Denom, validator.TokensFromShares(delegation.Shares).TruncateInt())))
	m.notef("%s %v", v.Address, err == nil)
	m.follow()
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
	m.follow()
}

func (m *machine) changeMinimum() {
	admin := m.ConsumerAdmin()
	minimum := math.NewInt(oneOf(m, []int64{1, 1, 1_000, 10_000_000}))
	m.notef("%s", minimum)
	_, err := m.Provider.Deliver(admin, &externalstakingtypes.MsgUpdateConsumer{Sender: admin.String(), ConsumerID: m.ConsumerID, MinStake: &minimum})
	m.must(err, "changing the minimum")
}

// timePasses lets hours or weeks pass.
func (m *machine) timePasses() {
	d := time.Duration(oneOf(m, []int{1, 12, 24, 72, 170, 22 * 24})) * time.Hour
	m.notef("%s", d)
	m.advance(d)
}

// advance relays control packets that would time out meanwhile: that would close the channel.
func (m *machine) advance(d time.Duration) {
	deadline := m.Coordinator.CurrentTime.Add(d + 2*day)
	for _, c := range []*twochain.Chain{m.Provider, m.Consumer} {
		var due []*twochain.Packet
		for _, p := range c.Unreceived() {
			if p.SourcePort != transferPort && time.Unix(0, int64(p.TimeoutTimestamp)).Before(deadline) {
				due = append(due, p)
			}
		}
		m.must(m.Receive(c, due...), "receiving what is about to time out")
	}
	m.must(m.Advance(d), "advancing")
}

// rewardsTimeOut lets reward transfers in flight time out: the rewards come back and are sent again.
func (m *machine) rewardsTimeOut() {
	waiting := false
	for _, p := range m.Consumer.Unreceived() {
		waiting = waiting || p.SourcePort == transferPort
	}
	if !waiting {
		return
	}
	for range 5 {
		m.advance(6 * day)
	}
	m.timeoutTransfers()
}
