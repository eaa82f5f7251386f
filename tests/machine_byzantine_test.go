package tests

import (
	"strings"

	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/x/control"
)

// byzantine lets the consumer send what no honest one would, past its own module. Lies about who it has as validators hurt
// only those who rely on it; stake that it counts without telling would break X1 by definition, and is not among them.
func (m *machine) byzantine() {
	if !m.connected() || m.Control.EndpointB.GetChannel().State.String() != "STATE_OPEN" {
		return
	}
	v := oneOf(m, m.Consumer.Validators)
	sync := control.ValidatorSync{
		Height: clienttypes.GetSelfHeight(m.Consumer.Ctx()), UnbondingPeriod: m.Config().Consumer.UnbondingTime,
	}
	sync.Height.RevisionHeight--
	report := func(name string, key []byte, status control.ValidatorStatus) {
		sync.Validators = append(sync.Validators, control.ValidatorUpdate{Validator: name, ConsPubkey: key, Status: status})
	}
	var data []byte
	kind := m.pick(9, "kind")
	switch kind {
	case 0:
		data = []byte(oneOf(m, []string{
			"x", "{}", "garbage", `{"validator_sync":`, `{"stake_sync":{"batch_id":"1"}}`, `{"validator_sync":{"height":{}}}`,
			strings.Repeat(" ", 1<<17), strings.Repeat(`{"validator_sync":`, 2_000) + strings.Repeat("}", 2_000),
		}))
	case 1:
		// Keys that are none, a name twice, no name.
		report("nobody", bytesOf(7, 31), control.StatusActive)
		report("nobody", bytesOf(7, 33), control.StatusActive)
		report("", bytesOf(7, 32), control.StatusActive)
		report(v.Address, nil, control.StatusActive)
	case 2:
		// The key of another validator.
		report("thief", v.PrivKey().PubKey().Bytes(), control.StatusActive)
	case 3:
		sync.Height.RevisionHeight += 1_000_000
	case 4:
		sync.Reset_ = &control.Reset{Chunk: 7, Last: true}
	case 5, 6:
		sync.NeedReset = true
		m.counts[resetSpam]++
	case 7:
		// It can come back by a full report only.
		report(v.Address, v.PrivKey().PubKey().Bytes(), control.StatusRemoved)
	case 8:
		// A key that nobody on the consumer has: it must not slash anybody who staked with the true one.
		report(v.Address, bytesOf(byte(m.at), 32), control.StatusActive)
	}
	if kind > 0 {
		var err error
		data, err = control.EncodeValidatorSync(sync)
		m.must(err, "encoding")
	}
	_, err := m.Inject(m.Control.EndpointB, data)
	m.must(err, "sending a packet past the module")
	m.notef("kind %d", kind)
	m.counts[injected]++
}
