package tests

import (
	"errors"
	"fmt"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

const userBalance = 1_000_000_000_000_000

// footprint is what a refused message must leave alone.
func (m *machine) footprint(user twochain.Account) string {
	out := m.account(user).Collateral.String() + "/" + m.Provider.Balance(user.Address, m.Provider.Denom).String() +
		"/" + m.holdings(user).String() + "/" + m.purse(user).staked.String()
	m.each(func() {
		for _, p := range m.positions(user) {
			out += fmt.Sprintf(" %s:%s+%s-%s", p.Validator, p.Bonded, p.PendingStake, p.PendingUnstake)
		}
	})
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
			externalstakingtypes.ErrUnknownValidator, externalstakingtypes.ErrValidatorEnded, vaulttypes.ErrInsufficientCollateral,
			externalstakingtypes.ErrChannelNotUsable, externalstakingtypes.ErrPaused, externalstakingtypes.ErrRetired)
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
	case m.refusesStake(err):
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
