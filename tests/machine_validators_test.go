package tests

import (
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

const (
	// maxMachineValidators bounds how many validators a run creates on each chain.
	maxMachineValidators = 11
	// genesisValidators are there from the start, and their operators stay.
	genesisValidators = 4
)

// bonded are the validators of a chain that sign.
func bonded(c *twochain.Chain) []*twochain.Validator {
	var out []*twochain.Validator
	for _, v := range c.Validators {
		if c.Power(v) > 0 {
			out = append(out, v)
		}
	}
	return out
}

// canSpare is true for a signing validator that a chain can do without: at least two others with half of the power remain,
// so that the light client can follow.
func canSpare(c *twochain.Chain, v *twochain.Validator) bool {
	_, now := c.Vals.GetByAddress(v.ConsAddress.Bytes())
	return now != nil && now.VotingPower*2 <= c.Vals.TotalVotingPower() &&
		c.Power(v) > 0 && c.Power(v)*2 <= c.NextVals.TotalVotingPower() &&
		len(bonded(c)) >= 3 && !jailed(c, v)
}

// spare is a signing validator that the chain can do without, nil if there is none. The other chain's client has followed
// up to now.
func (m *machine) spare(c *twochain.Chain) *twochain.Validator {
	m.follow(c)
	var out []*twochain.Validator
	for _, v := range bonded(c) {
		if canSpare(c, v) {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return nil
	}
	v := oneOf(m, out)
	if m.chance(70, "with stake of users") {
		for _, candidate := range out {
			if m.hasStakeOfUsers(c, candidate) {
				v = candidate
			}
		}
	}
	m.notef("%s", v.Address)
	return v
}

// hasStakeOfUsers tells whether what happens to a validator matters to some user's collateral.
func (m *machine) hasStakeOfUsers(c *twochain.Chain, v *twochain.Validator) bool {
	for _, user := range m.users {
		if c == m.Provider && m.delegation(vaulttypes.StakingAccountAddress(user.Address), v.Address).IsPositive() ||
			c == m.Consumer && m.position(user, v.Address).Bonded.IsPositive() {
			return true
		}
	}
	return false
}

func jailed(c *twochain.Chain, v *twochain.Validator) bool {
	validator, err := c.App.StakingKeeper.GetValidator(c.Ctx(), sdk.ValAddress(v.Operator.Address))
	return err == nil && validator.IsJailed()
}

// follow updates the other chain's client after the validator set changed, if it is active.
func (m *machine) follow(c *twochain.Chain) {
	other := m.Consumer
	if c == m.Consumer {
		other = m.Provider
	}
	if !m.Sees(other) {
		// Whoever recovers it begins with the set of that time.
		c.NextBlock()
		return
	}
	m.must(m.UpdateClient(other), "following the validator set")
}

func (m *machine) downtime(c *twochain.Chain) {
	if v := m.spare(c); v != nil {
		c.SetDown(v, true)
		c.Blocks(14)
		c.SetDown(v, false)
		m.follow(c)
	}
}

func (m *machine) jail(c *twochain.Chain) {
	if v := m.spare(c); v != nil {
		m.must(c.Jail(v), "jailing")
		c.NextBlock()
		m.follow(c)
	}
}

func (m *machine) unjail(c *twochain.Chain) {
	for _, v := range c.Validators {
		if !jailed(c, v) || m.chance(20, "leave jailed") {
			continue
		}
		err := c.Unjail(v)
		m.notef("%s %v", v.Address, err == nil)
		m.follow(c)
	}
}

// doubleSignAtHome tombstones a validator of the provider for a block up to some time ago, which also hits stake that has
// left since.
func (m *machine) doubleSignAtHome() {
	c := m.Provider
	v := m.spare(c)
	if v == nil {
		return
	}
	height := c.App.LastBlockHeight()
	for range m.pick(20, "blocks ago") {
		if !c.Signed(v, height-1) {
			break
		}
		height--
	}
	m.notef("at height %d of %d", height, c.App.LastBlockHeight())
	c.DoubleSignAt(v, height)
	c.NextBlock()
	m.follow(c)
}

// operators are accounts of a chain that may run validators.
func (m *machine) operators(c *twochain.Chain) []twochain.Account {
	if c == m.Provider {
		return c.Users[machineUsers:]
	}
	return c.Users[2:]
}

func (m *machine) newValidator(c *twochain.Chain) {
	if len(c.Validators) >= maxMachineValidators {
		return
	}
	m.created++
	v, err := c.CreateValidator(oneOf(m, m.operators(c)), fmt.Sprintf("created %d", m.created), m.between(1_000_000, 200_000_000))
	if err != nil {
		m.notef("refused: %.60s", err)
		return
	}
	m.notef("%s", v.Address)
	c.NextBlock()
	m.follow(c)
}

// validatorLeaves takes all of an operator's own stake out of a created validator: it is jailed, and removed once it has
// unbonded if nobody else delegates to it.
func (m *machine) validatorLeaves(c *twochain.Chain) {
	created := c.Validators[genesisValidators:]
	if len(created) == 0 {
		return
	}
	m.follow(c)
	v := oneOf(m, created)
	if c.Power(v) > 0 && !canSpare(c, v) {
		return
	}
	delegation, err := c.App.StakingKeeper.GetDelegation(c.Ctx(), v.Operator.Address, sdk.ValAddress(v.Operator.Address))
	if err != nil {
		return
	}
	tokens := c.StakingValidator(v).TokensFromShares(delegation.Shares).TruncateInt()
	_, err = c.Deliver(v.Operator, stakingtypes.NewMsgUndelegate(v.Operator.String(), v.Address, sdk.NewCoin(c.Denom, tokens)))
	m.notef("%s %v", v.Address, err == nil)
	m.follow(c)
}
