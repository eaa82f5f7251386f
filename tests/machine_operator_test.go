package tests

import (
	"errors"

	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/testutil/twochain"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// lateInRun is from which step on a consumer may be retired, so that a run is about more than that.
const lateInRun = stepsPerRun * 3 / 4

// cancelSome takes back stake that was not sent yet.
func (m *machine) cancelSome() {
	i, user := m.likely(m.hasQueuedStake)
	validator := m.someValidator()
	for _, p := range m.positions(user) {
		if p.PendingStake.IsPositive() {
			validator = p.Validator
			if m.chance(60, "this one") {
				break
			}
		}
	}
	before, lien := m.position(user, validator), m.lienAbroad(user)
	m.notef("user %d on %s, pending %s", i, validator, before.PendingStake)
	msg := &externalstakingtypes.MsgCancelStake{User: user.String(), ConsumerID: m.ConsumerID, Validator: validator}
	if err := m.deliver(user, msg); err != nil {
		m.expect(err, externalstakingtypes.ErrNothingToCancel)
		return
	}
	m.counts[stakeCancelled]++
	now := m.lienAbroad(user)
	if cancelled := before.PendingStake.Sub(m.position(user, validator).PendingStake); !cancelled.IsPositive() || now.GT(lien.Sub(cancelled)) {
		m.fail("%s cancelled, but the lien went from %s to %s", cancelled, lien, now)
	}
}

func (m *machine) hasQueuedStake(user twochain.Account) bool {
	for _, p := range m.positions(user) {
		if p.PendingStake.IsPositive() {
			return true
		}
	}
	return false
}

// pause stops new stake, or allows it again.
func (m *machine) pause() {
	paused := m.chance(40, "paused")
	m.notef("%v", paused)
	sender := m.ConsumerAdmin()
	msg := &externalstakingtypes.MsgPauseConsumer{Sender: sender.String(), ConsumerID: m.ConsumerID, Paused: paused}
	if m.chance(30, "by the authority") {
		msg.Sender = twochain.Authority()
		m.must(authority(m.Provider, msg), "pausing")
		m.Provider.NextBlock()
		return
	}
	_, err := m.Provider.Deliver(sender, msg)
	m.must(err, "pausing")
}

// retire leaves the second registration for good, late in a run.
func (m *machine) retire() {
	if m.at < lateInRun {
		return
	}
	m.world = m.registrations[1]
	err := authority(m.Provider, &externalstakingtypes.MsgRetireConsumer{Authority: twochain.Authority(), ConsumerID: m.ConsumerID})
	m.notef("%v", err == nil)
	m.expect(err, nil, externalstakingtypes.ErrRetired)
	if err == nil {
		m.counts[consumerRetired]++
	}
	m.Provider.NextBlock()
}

// refusesStake explains the refusal of new stake by the state of the registration.
func (m *machine) refusesStake(err error) bool {
	info := m.consumerInfo().Consumer
	switch {
	case errors.Is(err, externalstakingtypes.ErrRetired) && info.Retired:
	case errors.Is(err, externalstakingtypes.ErrPaused) && info.Paused:
		m.counts[refusedPaused]++
	case errors.Is(err, externalstakingtypes.ErrChannelNotUsable) && !m.provider().takesStake(m.Sees(m.Provider)):
		m.counts[refusedUnreachable]++
	default:
		return false
	}
	return true
}

// clearRetired claims what a retired consumer still owes, upon which nothing of it may be left.
func (m *machine) clearRetired() {
	for i, user := range m.users {
		if owed := m.rewards(user); !owed.IsZero() {
			m.logf("    user %d claims %s of the retired consumer", i, owed)
			m.must(m.withdrawRewards(user, ""), "claiming from a retired consumer")
		}
	}
	m.Provider.Blocks(5)
	if !m.provider().cleared() {
		m.fail("everybody left the retired consumer, but it is not cleared")
	}
	backings, _, err := m.provider().backings()
	m.must(err, "reading what is left")
	if len(backings) > 0 {
		m.fail("the retired consumer is cleared, but %v is left", backings)
	}
	if balance := m.Provider.Balance(externalstakingtypes.RewardReceiver(m.ConsumerID), m.voucher(m.Consumer.Denom)); balance.GT(math.ZeroInt()) {
		m.fail("the retired consumer is cleared, but has %s of rewards", balance)
	}
	m.counts[retiredCleared]++
}
