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

// voteOn lets somebody vote, or change a vote, and compares x/gov's tally with one by hand.
func (m *machine) voteOn(c *twochain.Chain) {
	b := m.ballots[c]
	if b == nil || !m.voting(c, b.proposal) {
		b = &ballot{proposal: propose(c), options: map[string]govv1.VoteOption{}}
		m.ballots[c] = b
	}
	voters := append([]twochain.Account{}, c.Users...)
	for _, v := range c.Validators {
		voters = append(voters, v.Operator)
	}
	voter := oneOf(m, voters)
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
	if !m.voting(c, b.proposal) {
		return
	}
	m.counts[voteCounted]++
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
