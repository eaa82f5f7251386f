package tests

import (
	"errors"
	"fmt"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// checkAll is every invariant of this design, K2 block by block, those of the SDK's own modules, and that nobody's money
// went anywhere.
func (m *machine) checkAll() error {
	err := errors.Join(m.CheckInvariants(), m.broken, m.checkMoney(), m.checkLosses(), m.checkMint(), m.checkSDK())
	for _, registration := range m.registrations {
		err = errors.Join(err, registration.checkBetween())
	}
	return err
}

// checkMoney: what a user does not have in the bank is collateral, or staked past the vault, or was lost to a slash.
func (m *machine) checkMoney() error {
	for i, user := range m.users {
		has := m.Provider.Balance(user.Address, m.Provider.Denom)
		account, lost, p := m.account(user), m.lost(user), m.purse(user)
		sum := has.Add(account.Collateral).Add(p.staked).Add(lost)
		if began := math.NewInt(userBalance).Add(p.received); !sum.Equal(began) {
			return fmt.Errorf("user %d began with %d, got %s, has %s, collateral %s and %s staked, lost %s: %s is missing",
				i, userBalance, p.received, has, account.Collateral, p.staked, lost, began.Sub(sum))
		}
		if account.Free.GT(account.Collateral) || account.Free.IsNegative() {
			return fmt.Errorf("user %d has %s free of %s", i, account.Free, account.Collateral)
		}
		if err := m.checkHoldings(i, user, account); err != nil {
			return err
		}
	}
	return nil
}

// checkHoldings: the local lien is what the staking account really holds, so that a user has lost what x/staking took
// and no more. Only units of rounding, which x/staking leaves to whoever stays, are nobody's.
func (m *machine) checkHoldings(i int, user twochain.Account, account vaulttypes.Account) error {
	for _, loss := range m.losses(user) {
		if !m.slashedAtHome && loss.Holder == vaulttypes.LocalHolder {
			return fmt.Errorf("user %d lost %s at home though nobody was slashed there", i, loss.Amount)
		}
	}
	spare := m.holdings(user).Sub(m.lien(user, vaulttypes.LocalHolder)).Sub(account.Debt)
	if spare.IsNegative() || spare.GT(math.NewInt(m.dust)) {
		return fmt.Errorf("user %d holds %s more locally than the lien and the debt say, rounding explains %d", i, spare, m.dust)
	}
	return nil
}

// checkLosses is E7 from outside: what users lost abroad was taken from the supply, and nothing else was.
func (m *machine) checkLosses() error {
	totals := m.lossTotals()
	if !m.lostAbroad.Equal(totals.Lost) || !m.burned.Equal(totals.Burned) {
		return fmt.Errorf("E7: users lost %s abroad and %s were burned for it, the totals are %v", m.lostAbroad, m.burned, totals)
	}
	return nil
}

// holdings is all that a user's staking account has, by x/staking and x/bank alone. What was sent to its address before the
// first local stake waits there to be passed on.
func (m *machine) holdings(user twochain.Account) math.Int {
	ctx, staking := m.Provider.Ctx(), m.Provider.App.StakingKeeper
	account := vaulttypes.StakingAccountAddress(user.Address)
	if exists, err := m.Provider.App.VaultKeeper.StakingAccounts.Has(ctx, account); err != nil || !exists {
		m.must(err, "looking for a staking account")
		return math.ZeroInt()
	}
	sum := m.Provider.Balance(account, m.Provider.Denom)
	delegations, err := staking.GetDelegatorDelegations(ctx, account, 1_000)
	m.must(err, "reading delegations")
	for _, d := range delegations {
		operator, err := sdk.ValAddressFromBech32(d.ValidatorAddress)
		m.must(err, "reading delegations")
		validator, err := staking.GetValidator(ctx, operator)
		m.must(err, "reading delegations")
		sum = sum.Add(validator.TokensFromShares(d.Shares).TruncateInt())
	}
	unbonding, err := staking.GetDelegatorUnbonding(ctx, account)
	m.must(err, "reading unbondings")
	return sum.Add(unbonding)
}

// checkMint: x/mint sees the stake and the supply that there would be without virtual stake, by x/staking and x/bank alone.
func (m *machine) checkMint() error {
	ctx, staking := m.Consumer.Ctx(), m.Consumer.App.StakingKeeper
	virtual, bonded := math.ZeroInt(), math.ZeroInt()
	for _, registration := range m.registrations {
		account := virtualstakingtypes.VirtualAccount(registration.ConverterID)
		delegations, err := staking.GetDelegatorDelegations(ctx, account, 1_000)
		m.must(err, "reading delegations")
		for _, d := range delegations {
			operator, err := sdk.ValAddressFromBech32(d.ValidatorAddress)
			m.must(err, "reading delegations")
			validator, err := staking.GetValidator(ctx, operator)
			m.must(err, "reading delegations")
			tokens := validator.TokensFromShares(d.Shares).RoundInt()
			virtual = virtual.Add(tokens)
			if validator.IsBonded() {
				bonded = bonded.Add(tokens)
			}
		}
		unbonding, err := staking.GetDelegatorUnbonding(ctx, account)
		m.must(err, "reading unbondings")
		virtual = virtual.Add(unbonding)
	}
	total, err := staking.TotalBondedTokens(ctx)
	m.must(err, "reading the bonded total")
	supply := m.Consumer.App.BankKeeper.GetSupply(ctx, m.Consumer.Denom).Amount.Sub(virtual)
	seen, err := m.Consumer.App.MintKeeper.StakingTokenSupply(ctx)
	m.must(err, "reading the supply")
	ratio, err := m.Consumer.App.MintKeeper.BondedRatio(ctx)
	m.must(err, "reading the bonded ratio")
	// All virtual stake with a validator is rounded together there, that of each source alone here.
	dust := math.NewInt(int64(len(m.Consumer.Validators) * len(m.registrations)))
	want := math.LegacyNewDecFromInt(total.Sub(bonded)).QuoInt(supply)
	if seen.Sub(supply).Abs().GT(dust) || ratio.Sub(want).Abs().GT(math.LegacyNewDecFromInt(dust.MulRaw(2)).QuoInt(supply)) {
		return fmt.Errorf("VS-12: x/mint sees a supply of %s with %s bonded, without virtual stake they are %s and %s", seen, ratio, supply, want)
	}
	return nil
}

// checkSDK is K5: what the SDK's own modules demand.
func (m *machine) checkSDK() error {
	for _, c := range []*twochain.Chain{m.Provider, m.Consumer} {
		for name, invariant := range map[string]sdk.Invariant{
			"bank":         bankkeeper.AllInvariants(c.App.BankKeeper),
			"staking":      stakingkeeper.AllInvariants(c.App.StakingKeeper),
			"distribution": distrkeeper.AllInvariants(c.App.DistrKeeper),
		} {
			if msg, broken := invariant(c.Ctx()); broken {
				return fmt.Errorf("K5: %s of %s: %s", name, c.ChainID, msg)
			}
		}
	}
	return nil
}
