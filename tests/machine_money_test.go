package tests

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// purse is what happened to a user's coins past the vault.
type purse struct {
	// staked was delegated past the vault and has not come back.
	staked math.Int
	// received are rewards and gifts.
	received math.Int
}

func (m *machine) purse(user twochain.Account) *purse { return m.purseOf(user.String()) }

// purseOf is nil for who is no user.
func (m *machine) purseOf(address string) *purse {
	if m.purses == nil {
		m.purses = map[string]*purse{}
		for _, user := range m.users {
			m.purses[user.String()] = &purse{staked: math.ZeroInt(), received: math.ZeroInt()}
		}
	}
	return m.purses[address]
}

// watchMoney follows the users' coins through a block of the provider.
func (m *machine) watchMoney(events blockEvents) {
	for _, e := range bankEvents(m.Provider, "transfer") {
		if p := m.purseOf(e.attributes["recipient"]); p != nil {
			p.received = p.received.Add(e.amount)
		}
	}
	m.watchBurned(events)
	for _, e := range twochain.Events[vaulttypes.EventLost](events) {
		if e.Holder != vaulttypes.LocalHolder {
			m.lostAbroad = m.lostAbroad.Add(intOf(m.r, e.Amount))
		}
	}
	m.watchDelegations(events)
	for _, e := range twochain.Events[vaulttypes.EventDelegationDeposited](events) {
		p := m.purseOf(e.User)
		p.staked = p.staked.Sub(intOf(m.r, e.Amount))
	}
}

// watchBurned demands that the supply falls by what the vault says it has burned, and that nothing else is burned in blocks
// without a slash by x/staking.
func (m *machine) watchBurned(events blockEvents) {
	said, burned := math.ZeroInt(), math.ZeroInt()
	for _, e := range twochain.Events[vaulttypes.EventCollateralBurned](events) {
		said = said.Add(intOf(m.r, e.Amount))
	}
	for _, e := range bankEvents(m.Provider, "burn") {
		// Deposits of proposals that nobody cared about are burned, too.
		if e.attributes["burner"] != twochain.Authority() {
			burned = burned.Add(e.amount)
		}
	}
	slashed := slices.ContainsFunc(events, func(e abci.Event) bool { return e.Type == slashingtypes.EventTypeSlash })
	if burned.LT(said) || (!slashed && !burned.Equal(said)) {
		m.broken = errors.Join(m.broken, fmt.Errorf("E7: %s were burned, the vault says %s", burned, said))
	}
	m.burned = m.burned.Add(said)
}

// watchDelegations follows x/staking's own messages, and what may leave units of rounding with others: any change of stake
// once something was slashed.
func (m *machine) watchDelegations(events blockEvents) {
	for _, e := range events {
		attributes := map[string]string{}
		for _, a := range e.Attributes {
			attributes[a.Key] = a.Value
		}
		amount := func() math.Int {
			coins, err := sdk.ParseCoinsNormalized(attributes[sdk.AttributeKeyAmount])
			require.NoError(m.r, err)
			return coins.AmountOf(m.Provider.Denom)
		}
		p := m.purseOf(attributes[stakingtypes.AttributeKeyDelegator])
		switch {
		case e.Type == slashingtypes.EventTypeSlash:
			m.slashedAtHome = true
		case e.Type == stakingtypes.EventTypeDelegate && p != nil:
			p.staked = p.staked.Add(amount())
		case e.Type == stakingtypes.EventTypeCompleteUnbonding && p != nil:
			p.staked = p.staked.Sub(amount())
		}
		switch {
		case !m.slashedAtHome:
		case e.Type == slashingtypes.EventTypeSlash, e.Type == stakingtypes.EventTypeDelegate, e.Type == stakingtypes.EventTypeUnbond,
			e.Type == stakingtypes.EventTypeRedelegate, strings.HasPrefix(e.Type, "mesh.vault.v1.EventLocal"),
			strings.HasPrefix(e.Type, "mesh.vault.v1.EventDelegation"), e.Type == "mesh.vault.v1.EventCollateralBurned":
			m.dust += 2
		}
	}
}
