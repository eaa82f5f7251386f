package tests

import (
	"errors"

	"cosmossdk.io/math"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// offence is a double sign of a validator of the consumer.
type offence struct {
	validator *twochain.Validator
	height    int64
}

// doubleSign lets a validator sign two blocks of one height, a while ago. Often the consumer punishes it at once.
func (m *machine) doubleSign() {
	c := m.Consumer
	v := oneOf(m, bonded(c))
	for _, candidate := range bonded(c) {
		if !m.hasStakeOfUsers(c, v) && m.hasStakeOfUsers(c, candidate) {
			v = candidate
		}
	}
	height := c.App.LastBlockHeight()
	for range m.pick(30, "blocks ago") {
		if !c.Signed(v, height-1) {
			break
		}
		height--
	}
	if !c.Signed(v, height) {
		return
	}
	m.notef("%s at height %d of %d", v.Address, height, c.App.LastBlockHeight())
	m.offences = append(m.offences, &offence{validator: v, height: height})
	if m.chance(40, "punished") {
		m.punishFor(m.offences[len(m.offences)-1])
	}
}

// punish lets the consumer hear of a double sign.
func (m *machine) punish() {
	if len(m.offences) > 0 {
		m.punishFor(oneOf(m, m.offences))
	}
}

func (m *machine) punishFor(o *offence) {
	m.follow(m.Consumer)
	if !canSpare(m.Consumer, o.validator) {
		return
	}
	m.notef("%s is punished", o.validator.Address)
	m.Consumer.DoubleSignAt(o.validator, o.height)
	m.Consumer.NextBlock()
	m.follow(m.Consumer)
}

// prove brings the votes of a double sign to the provider, for one registration, whoever has heard of it.
func (m *machine) prove() {
	if len(m.offences) == 0 {
		return
	}
	o := oneOf(m, m.offences)
	if m.chance(50, "the latest") {
		o = m.offences[len(m.offences)-1]
	}
	if m.chance(80, "with an update of the client") {
		m.follow(m.Consumer)
	}
	m.proveOffence(o)
}

// proveOffence reports whether the provider accepts the evidence.
func (m *machine) proveOffence(o *offence) bool {
	m.notef("%s at height %d", o.validator.Address, o.height)
	slashed := m.slashedHeight(o.validator)
	told := m.provider().statusOf(o.validator.Address) == control.StatusTombstoned
	least, most := m.atStake(o.validator.Address, slashed > 0)
	before := m.collaterals()
	err := m.submit(m.Consumer.DoubleVote(o.validator, o.height))
	if err != nil {
		m.notef("refused: %.60s", err)
		m.checkRegistered(err)
		m.expect(err, externalstakingtypes.ErrAlreadySlashed, evidence.ErrAboveClient, evidence.ErrKeyNotYetValid, evidence.ErrUnknownKey)
		if errors.Is(err, externalstakingtypes.ErrAlreadySlashed) {
			m.counts[alreadyProven]++
			if slashed == 0 {
				m.fail("refused as slashed already, but it never was")
			}
		}
		return false
	}
	m.counts[offenceProven]++
	switch {
	case slashed > 0:
		m.counts[earlierProven]++
		if o.height >= slashed {
			m.fail("slashed again for height %d after %d", o.height, slashed)
		}
	case told:
		m.counts[provenAfterTold]++
	default:
		m.counts[provenBeforeTold]++
	}
	if m.provider().statusOf(o.validator.Address) != control.StatusTombstoned {
		m.fail("slashed, but not tombstoned")
	}
	for i, now := range m.collaterals() {
		// What is lost elsewhere as a consequence was lent out of the same collateral.
		limit := most[i]
		if m.slashedAtHome {
			// If the loss is burned out of local stake, units of rounding go with it.
			limit = limit.AddRaw(int64(len(m.localStake(m.users[i]))))
		}
		if lost := before[i].Sub(now); lost.LT(least[i]) || lost.GT(limit) {
			m.fail("user %d lost %s, at least %s and at most %s are due", i, lost, least[i], most[i])
		} else if lost.GT(least[i]) {
			m.counts[entryHit]++
		}
	}
	return true
}

// shield is what an offender tries who has stake of its own: it takes some of it out after an offence, and once that no
// longer counts it proves another offence of its own, before anybody proves the first one.
func (m *machine) shield() {
	c := m.Consumer
	user := oneOf(m, m.users)
	for _, p := range m.positions(user) {
		for _, v := range bonded(c) {
			if v.Address != p.Validator || p.Bonded.Sub(p.PendingUnstake).LT(math.NewInt(2)) {
				continue
			}
			m.notef("%s", v.Address)
			first := &offence{validator: v, height: c.App.LastBlockHeight()}
			if m.deliver(user, m.unstakeMsg(user, v.Address, p.Bonded.Sub(p.PendingUnstake).Int64()/2)) != nil {
				return
			}
			m.relayAll()
			m.epoch()
			c.Blocks(2)
			m.relayAll()
			m.offences = append(m.offences, first)
			if !c.Signed(v, c.App.LastBlockHeight()) {
				return
			}
			m.follow(c)
			m.proveOffence(&offence{validator: v, height: c.App.LastBlockHeight() - 1})
			m.proveOffence(first)
			return
		}
	}
}

// slashedHeight is the lowest proven offence of a validator, 0 if there is none.
func (m *machine) slashedHeight(v *twochain.Validator) int64 {
	height := int64(0)
	for _, s := range m.slashes() {
		if at := int64(s.Slash.Height.RevisionHeight); s.Validator == v.Address && (height == 0 || at < height) {
			height = at
		}
	}
	return height
}

// atStake is what each user loses to a slash of a validator: at least for what is bonded, unless that was hit before, and
// at most for what is unbonding as well.
func (m *machine) atStake(validator string, again bool) (least, most []math.Int) {
	fraction := m.Config().SlashFraction
	lost := func(amount math.Int) math.Int { return fraction.MulInt(amount).Ceil().TruncateInt() }
	for _, user := range m.users {
		sum := math.ZeroInt()
		p := m.position(user, validator)
		if !again {
			sum = lost(p.Bonded)
		}
		least = append(least, sum)
		for _, u := range p.Unbondings {
			sum = sum.Add(lost(u.Amount))
		}
		most = append(most, sum)
	}
	return least, most
}

func (m *machine) collaterals() []math.Int {
	var out []math.Int
	for _, user := range m.users {
		out = append(out, m.account(user).Collateral)
	}
	return out
}

// proveFalsely brings votes that prove nothing: nobody loses anything.
func (m *machine) proveFalsely() {
	c := m.Consumer
	v, height := oneOf(m, c.Validators), c.App.LastBlockHeight()-int64(m.pick(10, "blocks ago"))
	m.follow(c)
	forged := c.DoubleVote(v, height)
	switch m.pick(6, "how") {
	case 0:
		forged.VoteA.Signature[m.pick(64, "byte")] ^= 1
	case 1:
		forged.VoteA, forged.VoteB = forged.VoteB, forged.VoteA
	case 2:
		forged = c.DoubleVote(v, height, func(_, b *cmtproto.Vote) { b.Height-- })
	case 3:
		// Signed by somebody else.
		address := forged.VoteA.ValidatorAddress
		forged = c.DoubleVote(m.Provider.Validators[0], height, func(a, b *cmtproto.Vote) { a.ValidatorAddress, b.ValidatorAddress = address, address })
	case 4:
		forged = c.DoubleVote(v, height, func(a, b *cmtproto.Vote) { b.BlockID = a.BlockID })
	case 5:
		forged = c.DoubleVote(v, height, func(a, b *cmtproto.Vote) { a.Height, b.Height = a.Height+1_000_000, b.Height+1_000_000 })
	}
	m.notef("against %s", v.Address)
	before := m.collaterals()
	err := m.submit(forged)
	if err == nil {
		m.fail("false evidence was accepted")
	}
	m.checkRegistered(err)
	m.counts[falseEvidence]++
	for i, now := range m.collaterals() {
		if !now.Equal(before[i]) {
			m.fail("user %d lost %s to false evidence", i, before[i].Sub(now))
		}
	}
}

// withhold is what a relayer tries who sides with an offender: what a user takes out has reached the consumer, but the provider
// does not hear of it before the offence is proven.
func (m *machine) withhold() {
	c := m.Consumer
	m.relayAll()
	first, _ := m.user()
	for n := range m.users {
		user := m.users[(first+n)%len(m.users)]
		v, amount := m.honestlyStaked(user)
		if v == nil || m.deliver(user, m.unstakeMsg(user, v.Address, amount)) != nil {
			continue
		}
		m.notef("%s", v.Address)
		_, err := m.RelayRecv(m.Provider, 0)
		m.must(err, "receiving")
		if !c.Signed(v, c.App.LastBlockHeight()) {
			return
		}
		o := &offence{validator: v, height: c.App.LastBlockHeight() - 1}
		m.offences = append(m.offences, o)
		m.follow(c)
		if len(m.Provider.Unacknowledged()) > 0 && m.proveOffence(o) {
			m.counts[provenWithheld]++
		}
		return
	}
}

// honestlyStaked is a validator that never offended, with half of the stake that a user can take from it; nil if there is none.
func (m *machine) honestlyStaked(user twochain.Account) (*twochain.Validator, int64) {
	for _, p := range m.positions(user) {
		for _, v := range bonded(m.Consumer) {
			half := p.Bonded.Sub(p.PendingUnstake).QuoRaw(2)
			if v.Address == p.Validator && half.IsPositive() && m.slashedHeight(v) == 0 {
				return v, half.Int64()
			}
		}
	}
	return nil, 0
}
