package tests

import (
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// ballot is a vote under way on one chain.
type ballot struct {
	proposal uint64
	voters   []twochain.Account
	options  map[string]govv1.VoteOption
}

// voteOn lets some vote, or change their votes, and compares x/gov's tally with one by hand.
func (m *machine) voteOn(c *twochain.Chain) {
	for range 1 + m.pick(3, "votes") {
		m.voteOnce(c, m.voter(c))
	}
	m.compareTally(c)
}

// voter is anybody, and more often an operator: on the consumer of a validator that has virtual stake.
func (m *machine) voter(c *twochain.Chain) twochain.Account {
	var backed, operators []twochain.Account
	for _, v := range c.Validators {
		operators = append(operators, v.Operator)
		if c != m.Consumer || !isBonded(c, v) {
			continue
		}
		for _, registration := range m.registrations {
			if amount, found := registration.delegated()[v.Address]; found && amount.IsPositive() {
				backed = append(backed, v.Operator)
				break
			}
		}
	}
	switch {
	case len(backed) > 0 && m.chance(60, "backed by virtual stake"):
		return oneOf(m, backed)
	case m.chance(30, "operator"):
		return oneOf(m, operators)
	}
	return oneOf(m, c.Users)
}

// voteOnce casts a vote in the proposal under way, or in a new one.
func (m *machine) voteOnce(c *twochain.Chain, voter twochain.Account) {
	b := m.ballots[c]
	if b == nil || !m.voting(c, b.proposal) {
		b = &ballot{proposal: propose(c), options: map[string]govv1.VoteOption{}}
		m.ballots[c] = b
	}
	option := oneOf(m, []govv1.VoteOption{govv1.OptionYes, govv1.OptionNo, govv1.OptionAbstain, govv1.OptionNoWithVeto})
	m.notef("%s %s on %d", voter, option, b.proposal)
	if err := vote(c, voter, b.proposal, option); err != nil {
		m.checkRegistered(err)
		return
	}
	if _, again := b.options[voter.String()]; !again {
		b.voters = append(b.voters, voter)
	}
	b.options[voter.String()] = option
}

// changeWeight sets a source's governance weight and leaves its cap. It counts at once, also in the vote under way.
func (m *machine) changeWeight() {
	weight := oneOf(m, []math.LegacyDec{
		math.LegacyZeroDec(), math.LegacyNewDecWithPrec(5, 1), math.LegacyOneDec(), math.LegacyNewDecWithPrec(1, 18),
		math.LegacyNewDecWithPrec(333_333_333_333_333_333, 18),
	})
	source := m.source().Source
	m.notef("%s to %s", source.GovernanceWeight, weight)
	m.voteOnce(m.Consumer, m.voter(m.Consumer))
	m.must(m.setMaxCap(source.MaxCap, weight), "setting the weight to %s", weight)
	m.compareTally(m.Consumer)
	m.Consumer.NextBlock()
}

// compareTally demands that x/gov counts the vote under way as the hand does.
func (m *machine) compareTally(c *twochain.Chain) {
	b := m.ballots[c]
	if b == nil || !m.voting(c, b.proposal) {
		return
	}
	m.counts[voteCounted]++
	if c == m.Consumer {
		m.countWeights(b)
	}
	got, want := tally(c, b.proposal), m.count(c, b)
	for option, result := range map[govv1.VoteOption]string{
		govv1.OptionYes: got.YesCount, govv1.OptionNo: got.NoCount, govv1.OptionAbstain: got.AbstainCount, govv1.OptionNoWithVeto: got.NoWithVetoCount,
	} {
		// x/gov rounds the sum down; a validator with uncounted stake may count a unit less.
		if diff := want[option].Sub(math.LegacyNewDecFromInt(intOf(m.r, result))).Abs(); diff.GT(math.LegacyNewDec(int64(1 + len(c.Validators)))) {
			m.fail("%s has %s votes, by hand %s", option, result, want[option])
		}
	}
}

// countWeights counts the weights under which virtual stake takes part in a vote.
func (m *machine) countWeights(b *ballot) {
	for _, v := range m.Consumer.Validators {
		if _, votes := b.options[v.Operator.String()]; !votes {
			continue
		}
		for _, registration := range m.registrations {
			delegated, found := registration.delegated()[v.Address]
			if !found || !delegated.IsPositive() || !isBonded(m.Consumer, v) {
				continue
			}
			switch weight := registration.source().Source.GovernanceWeight; {
			case weight.IsZero():
				m.counts[votedNothing]++
			case weight.Equal(math.LegacyOneDec()):
				m.counts[votedFull]++
			default:
				m.counts[votedPart]++
			}
		}
	}
}

// isBonded is false as well for a validator that was removed.
func isBonded(c *twochain.Chain, v *twochain.Validator) bool {
	validator, err := c.App.StakingKeeper.GetValidator(c.Ctx(), sdk.ValAddress(v.Operator.Address))
	return err == nil && validator.IsBonded()
}

func (m *machine) voting(c *twochain.Chain, proposal uint64) bool {
	got, err := c.App.GovKeeper.Proposals.Get(c.Ctx(), proposal)
	if errors.Is(err, collections.ErrNotFound) {
		return false
	}
	m.must(err, "reading the proposal")
	return got.Status == govv1.StatusVotingPeriod
}

// count is the tally by hand: everybody's delegations, with the vault and past it, vote as their owner does, or else as
// their bonded validator does; virtual stake votes with the validator, by its weight.
func (m *machine) count(c *twochain.Chain, b *ballot) map[govv1.VoteOption]math.LegacyDec {
	ctx, staking := c.Ctx(), c.App.StakingKeeper
	out := map[govv1.VoteOption]math.LegacyDec{}
	for _, option := range []govv1.VoteOption{govv1.OptionYes, govv1.OptionNo, govv1.OptionAbstain, govv1.OptionNoWithVeto} {
		out[option] = math.LegacyZeroDec()
	}
	var sources []virtualstakingtypes.Source
	if c == m.Consumer {
		for _, registration := range m.registrations {
			sources = append(sources, registration.source().Source)
		}
	}
	seen := map[string]bool{}
	for _, v := range c.Validators {
		operator := sdk.ValAddress(v.Operator.Address)
		validator, err := staking.GetValidator(ctx, operator)
		if err != nil || !validator.IsBonded() || seen[v.Address] {
			continue
		}
		seen[v.Address] = true
		worth := func(delegator sdk.AccAddress) math.LegacyDec {
			delegation, err := staking.GetDelegation(ctx, delegator, operator)
			if err != nil {
				return math.LegacyZeroDec()
			}
			return validator.TokensFromShares(delegation.Shares)
		}
		rest := math.LegacyNewDecFromInt(validator.Tokens)
		for _, source := range sources {
			rest = rest.Sub(worth(virtualstakingtypes.VirtualAccount(source.ID)).Mul(math.LegacyOneDec().Sub(source.GovernanceWeight)))
		}
		for _, voter := range b.voters {
			power := worth(voter.Address).Add(worth(vaulttypes.StakingAccountAddress(voter.Address)))
			option := b.options[voter.String()]
			out[option], rest = out[option].Add(power), rest.Sub(power)
		}
		if option, votes := b.options[v.Operator.String()]; votes {
			out[option] = out[option].Add(rest)
		}
	}
	return out
}
