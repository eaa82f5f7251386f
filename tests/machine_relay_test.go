package tests

import (
	"slices"
	"time"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
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
	packets := slices.DeleteFunc(m.Provider.Unreceived(), func(p *twochain.Packet) bool {
		return p.SourcePort != m.Control.EndpointA.ChannelConfig.PortID
	})
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
