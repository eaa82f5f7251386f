package tests

import (
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/testutil/twochain"
)

// leave ends a run: everything is relayed, both chains agree, the next epoch brings the delegations to their targets;
// then every user takes everything back that is left.
func (m *machine) leave() {
	m.settleAll()
	// A source that was unwound asks for a snapshot in its next epoch, and bonds in the one after.
	m.each(m.epoch)
	m.drain()
	m.logf("    targets")
	m.each(func() {
		if !m.retired() {
			m.checkTargets()
		}
	})
	m.must(m.Advance(m.Config().Provider.UnbondingTime+day), "making room for unbondings")
	for i, user := range m.users {
		m.each(func() {
			for _, p := range m.positions(user) {
				if p.Bonded.IsPositive() {
					m.logf("    user %d leaves %s", i, p.Validator)
					m.must(m.unstake(user, p.Validator, p.Bonded.Int64()), "leaving")
				}
			}
		})
		for validator, s := range m.localStake(user) {
			if s.Amount.IsPositive() {
				m.logf("    user %d leaves %s at home", i, validator)
				m.must(m.unstakeLocal(user, validator, s.Amount.Int64()), "leaving at home")
			}
		}
	}
	m.drain()
	m.must(m.Advance(m.consumerInfo().Consumer.UnbondingPeriod+day), "letting the unbonding period pass")
	m.Provider.Blocks(2)
	m.each(func() {
		if m.retired() {
			m.clearRetired()
			m.healRetired()
		}
	})
	for i, user := range m.users {
		account := m.account(user)
		if !account.Free.Equal(account.Collateral) {
			m.fail("user %d has %s free of %s after leaving, liens %v", i, account.Free, account.Collateral, account.Liens)
		}
		if account.Free.IsPositive() {
			m.must(m.withdraw(user, account.Free.Int64()), "withdrawing everything")
			m.counts[userLeft]++
		}
	}
	m.drain()
	m.must(m.Advance(8*day), "letting max_silence pass")
	m.each(func() {
		m.epoch()
		m.epoch()
		if delegated := m.source().Delegated; !delegated.IsZero() {
			m.fail("everybody left, but %s are delegated", delegated)
		}
	})
	m.must(m.checkAll(), "at the end")
}

// each does something for every registration.
func (m *machine) each(do func()) {
	before := m.world
	for _, registration := range m.registrations {
		m.world = registration
		do()
	}
	m.world = before
}

// settleAll heals what is broken and relays everything.
func (m *machine) settleAll() {
	m.logf("    heal")
	m.heal()
	m.drain()
}

func (m *machine) drain() {
	m.tellLost()
	m.each(func() {
		if m.retired() {
			m.must(m.Relay(), "relaying")
			return
		}
		quiet, err := m.settle()
		m.must(err, "settling")
		if !quiet {
			m.fail("packets are still waiting")
		}
	})
	m.must(m.checkAll(), "after settling")
}

// checkTargets runs an epoch with a fresh price and compares the delegations with the converted stake.
func (m *machine) checkTargets() {
	price := m.price()
	m.must(m.setPrice(price), "repeating the price")
	m.epoch()
	source := m.source()
	if source.Source.LastFailure != "" {
		m.fail("epoch failed: %s", source.Source.LastFailure)
	}
	remote, delegated := m.remoteStake(), m.delegated()
	sum, want := math.ZeroInt(), map[string]math.Int{}
	for _, v := range m.Consumer.Validators {
		// An operator who left and came back is listed twice.
		if _, again := want[v.Address]; again {
			continue
		}
		if stake, ok := remote[v.Address]; ok && m.takesVirtualStake(v) {
			want[v.Address] = stake.Target
			sum = sum.Add(stake.Target)
		}
	}
	limit := source.Source.MaxCap
	for _, validator := range names(want, delegated) {
		expected := zeroIfNil(want[validator])
		if sum.GT(limit) {
			expected = expected.Mul(limit).Quo(sum)
		}
		// One unit of scaling by largest remainder, one of share rounding.
		if got := zeroIfNil(delegated[validator]); got.Sub(expected).Abs().GT(math.NewInt(2)) {
			m.fail("%s has %s delegated, %s wanted: targets %v add up to %s, cap %s, all delegations %v",
				validator, got, expected, want, sum, limit, delegated)
		}
	}
}

// takesVirtualStake is false for validators an epoch leaves out.
func (m *machine) takesVirtualStake(v *twochain.Validator) bool {
	ctx := m.Consumer.Ctx()
	validator, err := m.Consumer.App.StakingKeeper.GetValidator(ctx, sdk.ValAddress(v.Operator.Address))
	return err == nil && !validator.IsJailed() && !validator.InvalidExRate()
}
