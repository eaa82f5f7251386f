package tests

import (
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
	packets := m.some(m.Receivable(from), kind)
	m.notef("%d", len(packets))
	m.must(m.Receive(from, packets...), "receiving")
}

// refuse lets a faulty consumer answer batches with an error. Not next to an epoch, which would report what it believes to
// have seen.
func (m *machine) refuse() {
	packets := m.controlPackets(m.Receivable(m.Provider))
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
	m.refused[packets[0]] = true
	m.counts[batchRefused]++
}

func (m *machine) acknowledge(from *twochain.Chain, kind string) {
	packets := m.some(m.Acknowledgeable(from), kind)
	m.notef("%d", len(packets))
	m.must(m.Acknowledge(from, packets...), "acknowledging")
}

func (m *machine) relayAll() {
	m.tellLost()
	m.must(m.Relay(), "relaying")
}

// timePasses lets hours or weeks pass.
func (m *machine) timePasses() {
	d := time.Duration(oneOf(m, []int{1, 12, 24, 72, 170, 22 * 24})) * time.Hour
	m.notef("%s", d)
	m.advance(d)
}

// advance relays control packets that would time out meanwhile, mostly: that closes the channel.
func (m *machine) advance(d time.Duration) {
	deadline := m.Coordinator.CurrentTime.Add(d + 2*day)
	careful := m.chance(80, "careful")
	for _, c := range m.chains() {
		if !careful {
			break
		}
		var due []*twochain.Packet
		for _, p := range m.Receivable(c) {
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
	m.tellLost()
}
