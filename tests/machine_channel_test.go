package tests

import (
	"slices"
	"time"

	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"

	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

func (m *machine) chains() []*twochain.Chain { return []*twochain.Chain{m.Provider, m.Consumer} }

// ends are the ends of the registration's control channel that each chain has bound.
func (m *machine) ends() (provider, consumer channeltypes.Channel) {
	info, converter := m.consumerInfo().Consumer, m.converter().Converter
	return m.Provider.End(externalstakingtypes.Port(info.ID), info.ChannelID), m.Consumer.End(converter.Port(), converter.ChannelID)
}

// connected is true while packets of the registration can pass both ways.
func (m *machine) connected() bool {
	provider, consumer := m.ends()
	return m.Sees(m.Provider) && m.Sees(m.Consumer) && provider.State == channeltypes.OPEN && consumer.State == channeltypes.OPEN
}

// retired is true once the provider has left the consumer for good.
func (m *machine) retired() bool { return m.consumerInfo().Consumer.Retired }

// handshake is the one under way for the registration, a new one if there is none.
func (m *machine) handshake() *twochain.Handshake {
	h := m.handshakes[m.world]
	if h == nil {
		h = m.NewHandshake()
		m.handshakes[m.world] = h
	}
	return h
}

// relayerDown lets time pass with nobody to bring packets or to update clients, which expire by it in the longest case.
func (m *machine) relayerDown() {
	d := oneOf(m, []time.Duration{day, 6 * day, 6 * day, 15 * day})
	m.notef("%s", d)
	m.Outage(d)
	for _, c := range m.chains() {
		if !m.Sees(c) {
			m.counts[clientExpired]++
		}
	}
}

// controlTimesOut lets what is in flight on the control channel become too late, while the clients live on.
func (m *machine) controlTimesOut() {
	for _, c := range m.chains() {
		if len(m.controlPackets(c.Unreceived())) == 0 {
			continue
		}
		for range 6 {
			m.must(m.Advance(5*day), "advancing")
		}
		m.tellLost()
		return
	}
}

// tellLost proves to both chains what can no longer be received.
func (m *machine) tellLost() {
	for _, c := range m.chains() {
		late, refused := m.Lost(c)
		if c == m.Provider && len(late)+len(refused) > 0 {
			m.hearRefusals()
		}
		for _, p := range late {
			if p.SourcePort == transferPort {
				m.counts[rewardTimeout]++
			} else {
				m.counts[controlTimeout]++
			}
		}
		m.counts[refusedByClosed] += len(refused)
		m.must(m.Timeout(c, late...), "timing out")
		m.must(m.TimeoutOnClose(c, refused...), "timing out on a closed channel")
		m.notef("%d late, %d refused", len(late), len(refused))
	}
}

// hearRefusals brings errors of the faulty consumer to the provider before its channel closes. Otherwise it would believe a
// later batch that the refused one counts, too.
func (m *machine) hearRefusals() {
	acks := m.Acknowledgeable(m.Provider)
	if slices.ContainsFunc(acks, func(p *twochain.Packet) bool { return m.refused[p] }) {
		m.must(m.Acknowledge(m.Provider, acks...), "bringing refusals")
	}
}

func (m *machine) closeOnProvider() {
	m.hearRefusals()
	err := authority(m.Provider, &externalstakingtypes.MsgCloseChannel{Authority: twochain.Authority(), ConsumerID: m.ConsumerID})
	m.closed(err, externalstakingtypes.ErrChannelNotUsable)
}

func (m *machine) closeOnConsumer() {
	err := authority(m.Consumer, &convertertypes.MsgCloseChannel{Authority: twochain.Authority(), ConverterID: m.ConverterID})
	m.closed(err, convertertypes.ErrWrongChannel)
}

// closed counts a closure by an authority. Core IBC closes no channel whose client is not active.
func (m *machine) closed(err, notOpen error) {
	m.notef("%v", err == nil)
	if err == nil {
		m.counts[closedByAuthority]++
		if h := m.handshakes[m.world]; h != nil && h.Done > 0 {
			m.counts[closedAgain]++
		}
	} else {
		m.checkRegistered(err)
		if m.Sees(m.Provider) && m.Sees(m.Consumer) {
			m.expect(err, notOpen)
		}
	}
	for _, c := range m.chains() {
		c.NextBlock()
	}
}

// confirmClosure tells one end that the other one has closed.
func (m *machine) confirmClosure() {
	info, converter := m.consumerInfo().Consumer, m.converter().Converter
	m.confirm(m.Provider, externalstakingtypes.Port(info.ID), info.ChannelID)
	m.confirm(m.Consumer, converter.Port(), converter.ChannelID)
}

func (m *machine) confirm(from *twochain.Chain, port, channel string) {
	end := from.End(port, channel)
	to := m.Provider
	if from == m.Provider {
		to = m.Consumer
	}
	if end.State != channeltypes.CLOSED || !m.Sees(to) || to.End(end.Counterparty.PortId, end.Counterparty.ChannelId).State != channeltypes.OPEN {
		return
	}
	m.hearRefusals()
	m.notef("of %s", from.ChainID)
	m.must(m.CloseConfirm(from, port, channel), "confirming a closure")
	m.counts[closureConfirmed]++
}

// reopen takes some steps of a handshake for another control channel, of the one under way or of another one.
func (m *machine) reopen() {
	if h := m.handshakes[m.world]; h != nil && h.Done > 0 && !h.Acknowledged() && m.chance(20, "another one") {
		m.notef("one left at %d;", h.Done)
		delete(m.handshakes, m.world)
		m.counts[halfOpen]++
	}
	for range 1 + m.pick(4, "steps") {
		if !m.reopenStep() {
			return
		}
	}
}

// reopenStep takes the next step of the handshake under way; false if it ends with it.
func (m *machine) reopenStep() bool {
	h := m.handshake()
	if c := h.Chain(); !m.Sees(c) {
		m.notef("%s sees nothing", c.ChainID)
		return false
	}
	err := h.Step()
	m.notef("step %d %v", h.Done, err == nil)
	if err != nil {
		m.checkRegistered(err)
		m.counts[handshakeRefused]++
	}
	if err != nil || h.Finished() {
		delete(m.handshakes, m.world)
	}
	if err == nil && h.Finished() {
		m.counts[reopened]++
	}
	return err == nil && !h.Finished()
}

func (m *machine) freeze() {
	c := oneOf(m, m.chains())
	m.follow(m.Provider)
	m.follow(m.Consumer)
	if !m.Sees(c) {
		return
	}
	m.notef("%s", c.ChainID)
	m.must(m.Freeze(c), "freezing a client")
	if m.Sees(c) {
		m.fail("two headers of one height did not freeze the client")
	}
	m.counts[clientFrozen]++
}

// recoverClients has governance replace a client that is not active.
func (m *machine) recoverClients() {
	for _, c := range m.chains() {
		if m.Sees(c) {
			continue
		}
		m.notef("%s", c.ChainID)
		msg, err := m.Recovery(c)
		m.must(err, "making another client")
		m.must(authority(c, msg), "recovering a client")
		c.NextBlock()
		m.counts[clientRecovered]++
	}
}

// heal is what operators do about what is broken: clients are recovered, closures are confirmed, channels open again.
func (m *machine) heal() {
	m.recoverClients()
	m.each(m.healChannel)
}

func (m *machine) healChannel() {
	for range 20 {
		m.tellLost()
		m.confirmClosure()
		if m.retired() {
			m.healRetired()
			return
		}
		if m.connected() {
			return
		}
		provider, consumer := m.ends()
		// One end has gone on to another channel, which must be completed or closed, too.
		if h := m.handshakes[m.world]; consumer.State == channeltypes.OPEN && (h == nil || !h.Acknowledged()) {
			m.closeOnConsumer()
		}
		if provider.State == channeltypes.OPEN && consumer.State == channeltypes.OPEN {
			m.closeOnProvider()
		}
		for m.reopenStep() {
		}
	}
	provider, consumer := m.ends()
	m.fail("the control channel does not open again: %s on the provider, %s on the consumer", provider.State, consumer.State)
}

// healRetired closes what is left of the channel of a retired consumer that was not told everything: the virtual stake is taken
// away when its provider was silent for long enough.
func (m *machine) healRetired() {
	counted, err := m.consumer().counted()
	m.must(err, "reading what counts")
	if _, consumer := m.ends(); len(counted) > 0 && m.provider().cleared() && consumer.State == channeltypes.OPEN {
		m.closeOnConsumer()
	}
}
