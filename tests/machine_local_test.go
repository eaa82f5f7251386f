package tests

import (
	"errors"
	"maps"
	"slices"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// someHome is mostly an existing validator of the provider.
func (m *machine) someHome() string {
	if m.chance(4, "unknown validator") {
		unknown := sdk.ValAddress(m.Consumer.Users[1].Address).String()
		return oneOf(m, []string{"", "x", unknown})
	}
	return oneOf(m, m.Provider.Validators).Address
}

// locally is one of the validators that the user has stake with through the vault.
func (m *machine) locally(user twochain.Account) (validator string, amount math.Int, found bool) {
	return m.oneWith(func(v string) math.Int { return m.delegation(vaulttypes.StakingAccountAddress(user.Address), v) })
}

// directly is one of the validators that the user has delegated to past the vault.
func (m *machine) directly(user twochain.Account) (validator string, amount math.Int, found bool) {
	return m.oneWith(func(v string) math.Int { return m.delegation(user.Address, v) })
}

// oneWith is one of the provider's validators with a positive amount.
func (m *machine) oneWith(amountAt func(validator string) math.Int) (validator string, amount math.Int, found bool) {
	amounts := map[string]math.Int{}
	for _, v := range m.Provider.Validators {
		if amount := amountAt(v.Address); amount.IsPositive() {
			amounts[v.Address] = amount
		}
	}
	if len(amounts) == 0 {
		return "", math.ZeroInt(), false
	}
	validator = oneOf(m, slices.Sorted(maps.Keys(amounts)))
	return validator, amounts[validator], true
}

func (m *machine) stakeSomeLocally() {
	i, user := m.likely(func(u twochain.Account) bool { return m.account(u).Liquid.IsPositive() })
	msg := &vaulttypes.MsgStakeLocal{User: user.String(), Validator: m.someHome()}
	if m.chance(6, "bad") {
		msg.Amount = m.badCoin()
		m.notef("user %d bad %s", i, msg)
		m.expect(m.deliver(user, msg), vaulttypes.ErrInvalidAmount, vaulttypes.ErrWrongDenom, vaulttypes.ErrInvalidValidator,
			vaulttypes.ErrInsufficientCollateral, vaulttypes.ErrDebt, sdkerrors.ErrInvalidAddress)
		m.counts[refusedInput]++
		return
	}
	account := m.account(user)
	limit := account.Liquid
	if m.chance(60, "an ordinary amount") {
		limit = math.MinInt(limit, math.NewInt(m.amount()))
	}
	msg.Amount = m.coin(m.upTo(limit))
	m.notef("user %d %s with %s, liquid %s", i, msg.Amount, msg.Validator, account.Liquid)
	switch err := m.deliver(user, msg); {
	case err == nil:
	case errors.Is(err, vaulttypes.ErrInsufficientCollateral):
		m.counts[refusedLimit]++
		if msg.Amount.Amount.LTE(account.Free) {
			m.fail("%s was refused with %s free", msg.Amount, account.Free)
		}
	default:
		m.expect(err, vaulttypes.ErrInvalidValidator, vaulttypes.ErrDebt, sdkerrors.ErrInvalidAddress)
	}
}

func (m *machine) unstakeSomeLocally() {
	i, user := m.likely(func(u twochain.Account) bool { return m.lien(u, vaulttypes.LocalHolder).IsPositive() })
	validator, has, found := m.locally(user)
	if !found {
		validator = m.someHome()
	}
	msg := &vaulttypes.MsgUnstakeLocal{User: user.String(), Validator: validator, Amount: m.coin(m.upTo(has))}
	m.notef("user %d %s of %s from %s", i, msg.Amount, has, validator)
	switch err := m.deliver(user, msg); {
	case !found:
		m.expect(err, vaulttypes.ErrInsufficientStake, vaulttypes.ErrInvalidValidator, sdkerrors.ErrInvalidAddress)
	case msg.Amount.Amount.GT(has):
		m.expect(err, vaulttypes.ErrInsufficientStake)
		m.counts[refusedLimit]++
	case err != nil:
		m.expect(err, vaulttypes.ErrTooManyUnbondings)
	}
}

// unstakeLocallyTooOften unbonds a unit at a time until x/staking has no room for more entries.
func (m *machine) unstakeLocallyTooOften() {
	i, user := m.likely(func(u twochain.Account) bool { return m.lien(u, vaulttypes.LocalHolder).IsPositive() })
	validator, has, _ := m.locally(user)
	m.notef("user %d of %s from %s", i, has, validator)
	for n := int64(0); n < has.Int64() && n < 10; n++ {
		err := m.deliver(user, &vaulttypes.MsgUnstakeLocal{User: user.String(), Validator: validator, Amount: m.coin(1)})
		// The last unit takes the fraction of one along that a slash has left.
		m.expect(err, nil, vaulttypes.ErrTooManyUnbondings, vaulttypes.ErrInsufficientStake)
		if errors.Is(err, vaulttypes.ErrTooManyUnbondings) {
			m.counts[refusedUnbondings]++
		}
		if err != nil {
			return
		}
	}
}

func (m *machine) restakeSomeLocally() {
	i, user := m.likely(func(u twochain.Account) bool { return m.lien(u, vaulttypes.LocalHolder).IsPositive() })
	validator, has, found := m.locally(user)
	if !found {
		return
	}
	msg := &vaulttypes.MsgRestakeLocal{User: user.String(), ValidatorSrc: validator, ValidatorDst: m.someHome(), Amount: m.coin(m.upTo(has))}
	m.notef("user %d %s of %s from %s to %s", i, msg.Amount, has, validator, msg.ValidatorDst)
	err := m.deliver(user, msg)
	m.expect(err, nil, vaulttypes.ErrInsufficientStake, vaulttypes.ErrInvalidValidator, vaulttypes.ErrImmatureRedelegation,
		sdkerrors.ErrInvalidAddress, stakingtypes.ErrSelfRedelegation, stakingtypes.ErrMaxRedelegationEntries, stakingtypes.ErrTinyRedelegationAmount)
	if errors.Is(err, vaulttypes.ErrImmatureRedelegation) {
		m.counts[refusedImmature]++
	}
}

func (m *machine) withdrawSomeLocalRewards() {
	i, user := m.likely(func(u twochain.Account) bool { return m.lien(u, vaulttypes.LocalHolder).IsPositive() })
	msg := &vaulttypes.MsgWithdrawLocalRewards{User: user.String()}
	if m.chance(50, "one validator") {
		msg.Validator, _, _ = m.locally(user)
	}
	m.notef("user %d from %q", i, msg.Validator)
	m.expect(m.deliver(user, msg), nil, vaulttypes.ErrInsufficientStake)
}

// delegateAtHome delegates or redelegates past the vault, as any account does.
func (m *machine) delegateAtHome() {
	i, user := m.user()
	validator, has, found := m.directly(user)
	var msg sdk.Msg = stakingtypes.NewMsgDelegate(user.String(), m.someHome(), m.coin(m.between(1, 300_000_000)))
	if found && m.chance(40, "redelegate") {
		msg = stakingtypes.NewMsgBeginRedelegate(user.String(), validator, m.someHome(), m.coin(m.upTo(has)))
	}
	m.notef("user %d %s", i, msg)
	_ = m.deliver(user, msg)
}

func (m *machine) leaveDelegationAtHome() {
	i, user := m.likely(func(u twochain.Account) bool { return m.purse(u).staked.IsPositive() })
	validator, has, found := m.directly(user)
	if !found {
		return
	}
	m.notef("user %d from %s", i, validator)
	_ = m.deliver(user, stakingtypes.NewMsgUndelegate(user.String(), validator, m.coin(m.upTo(has))))
}

func (m *machine) depositSomeDelegation() {
	i, user := m.likely(func(u twochain.Account) bool { return m.purse(u).staked.IsPositive() })
	validator, has, found := m.directly(user)
	if !found {
		validator = m.someHome()
	}
	msg := &vaulttypes.MsgDepositDelegation{User: user.String(), Validator: validator, Amount: m.coin(m.upTo(has))}
	m.notef("user %d %s of %s with %s", i, msg.Amount, has, validator)
	switch err := m.deliver(user, msg); {
	case err == nil && !found, err == nil && msg.Amount.Amount.GT(has):
		m.fail("a delegation of %s was deposited, there are %s", msg.Amount, has)
	case err == nil:
	case errors.Is(err, vaulttypes.ErrImmatureRedelegation):
		m.counts[refusedImmature]++
	default:
		m.expect(err, vaulttypes.ErrInsufficientStake, vaulttypes.ErrInvalidValidator, vaulttypes.ErrDelegationStays, vaulttypes.ErrInvalidAmount,
			vaulttypes.ErrDebt, sdkerrors.ErrInvalidAddress)
	}
}

func (m *machine) withdrawSomeDelegation() {
	i, user := m.likely(func(u twochain.Account) bool { return m.lien(u, vaulttypes.LocalHolder).IsPositive() })
	validator, has, found := m.locally(user)
	if !found {
		return
	}
	// The local lien goes with it; what stays must do for the others.
	external := math.ZeroInt()
	account := m.account(user)
	for _, l := range account.Liens {
		if l.Holder != vaulttypes.LocalHolder {
			external = math.MaxInt(external, l.Amount)
		}
	}
	possible := math.MinInt(has, account.Collateral.Sub(external))
	msg := &vaulttypes.MsgWithdrawDelegation{User: user.String(), Validator: validator, Amount: m.coin(m.upTo(has))}
	if m.chance(60, "what is possible") {
		msg.Amount = m.coin(m.upTo(possible))
	}
	m.notef("user %d %s of %s with %s, possible %s", i, msg.Amount, has, validator, possible)
	switch err := m.deliver(user, msg); {
	case err == nil && msg.Amount.Amount.GT(possible):
		m.fail("more left than possible")
	case err == nil:
		// The delegation can be worth a unit less than the collateral that it was: x/staking rounds shares down.
		p := m.purse(user)
		p.staked = p.staked.Add(msg.Amount.Amount)
	case errors.Is(err, vaulttypes.ErrInsufficientFree):
		m.counts[refusedLimit]++
	case errors.Is(err, vaulttypes.ErrImmatureRedelegation):
		m.counts[refusedImmature]++
	default:
		m.expect(err, nil, vaulttypes.ErrInsufficientStake, vaulttypes.ErrDelegationStays, vaulttypes.ErrInvalidAmount, vaulttypes.ErrDebt)
	}
}

// donate sends coins of a stranger to somebody's staking account, whether it exists or not.
func (m *machine) donate() {
	i, user := m.user()
	stranger := m.Provider.Users[machineUsers]
	coin := m.coin(m.between(1, 1_000_000))
	m.notef("%s for user %d", coin, i)
	_, err := m.Provider.Deliver(stranger, banktypes.NewMsgSend(stranger.Address, vaulttypes.StakingAccountAddress(user.Address), sdk.NewCoins(coin)))
	m.must(err, "donating")
}
