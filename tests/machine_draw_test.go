package tests

import (
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/testutil/twochain"
)

// oneOf draws from all alike.
func oneOf[T any](m *machine, all []T) T { return all[m.pick(len(all), "which")] }

func (m *machine) chance(percent int, label string) bool {
	return m.pick(100, label) < percent
}

// pick draws from 0 to n-1 alike. The label says what for.
func (m *machine) pick(n int, _ string) int { return m.random.IntN(n) }

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
