package tests

import (
	"testing"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// home is the operator address of one of the provider's first validators.
func (w *world) home(i int) string { return w.Provider.Validators[i].Address }

func (w *world) stakeLocal(user twochain.Account, validator string, amount int64) error {
	_, err := w.Provider.Deliver(user, &vaulttypes.MsgStakeLocal{User: user.String(), Validator: validator, Amount: w.coin(amount)})
	return err
}

func (w *world) unstakeLocal(user twochain.Account, validator string, amount int64) error {
	_, err := w.Provider.Deliver(user, &vaulttypes.MsgUnstakeLocal{User: user.String(), Validator: validator, Amount: w.coin(amount)})
	return err
}

func (w *world) restakeLocal(user twochain.Account, from, to string, amount int64) error {
	_, err := w.Provider.Deliver(user, &vaulttypes.MsgRestakeLocal{
		User: user.String(), ValidatorSrc: from, ValidatorDst: to, Amount: w.coin(amount),
	})
	return err
}

func (w *world) withdrawLocalRewards(user twochain.Account) error {
	_, err := w.Provider.Deliver(user, &vaulttypes.MsgWithdrawLocalRewards{User: user.String()})
	return err
}

func (w *world) depositDelegation(user twochain.Account, validator string, amount int64) error {
	_, err := w.Provider.Deliver(user, &vaulttypes.MsgDepositDelegation{User: user.String(), Validator: validator, Amount: w.coin(amount)})
	return err
}

func (w *world) withdrawDelegation(user twochain.Account, validator string, amount int64) error {
	_, err := w.Provider.Deliver(user, &vaulttypes.MsgWithdrawDelegation{User: user.String(), Validator: validator, Amount: w.coin(amount)})
	return err
}

// delegate is an ordinary delegation on the provider, past the vault.
func (w *world) delegate(user twochain.Account, validator string, amount int64) error {
	_, err := w.Provider.Deliver(user, stakingtypes.NewMsgDelegate(user.String(), validator, w.coin(amount)))
	return err
}

// delegation is what an account has delegated to a validator of the provider.
func (w *world) delegation(delegator sdk.AccAddress, validator string) math.Int {
	ctx, staking := w.Provider.Ctx(), w.Provider.App.StakingKeeper
	addr, err := sdk.ValAddressFromBech32(validator)
	require.NoError(w.T, err)
	delegation, err := staking.GetDelegation(ctx, delegator, addr)
	if err != nil {
		require.ErrorIs(w.T, err, stakingtypes.ErrNoDelegation)
		return math.ZeroInt()
	}
	v, err := staking.GetValidator(ctx, addr)
	require.NoError(w.T, err)
	return v.TokensFromShares(delegation.Shares).TruncateInt()
}

// localStake is a user's local stake by validator.
func (w *world) localStake(user twochain.Account) map[string]vaulttypes.LocalStake {
	res, err := vaulttypes.NewQueryClient(querier(w.Provider)).LocalStake(w.Provider.Ctx(), &vaulttypes.QueryLocalStakeRequest{User: user.String()})
	require.NoError(w.T, err)
	out := map[string]vaulttypes.LocalStake{}
	for _, s := range res.Stakes {
		out[s.Validator] = s
	}
	return out
}

// lien is the amount of one of the user's liens, zero if there is none.
func (w *world) lien(user twochain.Account, holder string) math.Int {
	for _, l := range w.account(user).Liens {
		if l.Holder == holder {
			return l.Amount
		}
	}
	return math.ZeroInt()
}

func (w *world) losses(user twochain.Account) []vaulttypes.Loss {
	res, err := vaulttypes.NewQueryClient(querier(w.Provider)).Losses(w.Provider.Ctx(), &vaulttypes.QueryLossesRequest{User: user.String()})
	require.NoError(w.T, err)
	return res.Losses
}

// lost is the sum of what slashes cost the user.
func (w *world) lost(user twochain.Account) math.Int {
	sum := math.ZeroInt()
	for _, l := range w.losses(user) {
		sum = sum.Add(l.Amount)
	}
	return sum
}

func (w *world) lossTotals() vaulttypes.Totals {
	res, err := vaulttypes.NewQueryClient(querier(w.Provider)).Totals(w.Provider.Ctx(), &vaulttypes.QueryTotalsRequest{})
	require.NoError(w.T, err)
	return res.Totals
}

func (w *world) sweeps() *vaulttypes.QuerySweepsResponse {
	res, err := vaulttypes.NewQueryClient(querier(w.Provider)).Sweeps(w.Provider.Ctx(), &vaulttypes.QuerySweepsRequest{})
	require.NoError(w.T, err)
	return res
}

// sweepSlowly lets one piece be settled in each block.
func (w *world) sweepSlowly(t *testing.T) {
	t.Helper()
	params, err := w.Provider.App.VaultKeeper.Params.Get(w.Provider.Ctx())
	require.NoError(t, err)
	params.MaxSettlementsPerBlock = 1
	require.NoError(t, authority(w.Provider, &vaulttypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params}))
}

// homeFails lets a validator of the provider miss blocks until it is slashed and jailed for it.
func (w *world) homeFails(v *twochain.Validator) {
	w.Provider.SetDown(v, true)
	w.Provider.Blocks(14)
	w.Provider.SetDown(v, false)
	require.True(w.T, w.Provider.StakingValidator(v).IsJailed())
	require.NoError(w.T, w.UpdateClient(w.Consumer))
}

// homeDoubleSigns lets a validator of the provider be punished for a double sign in the last block.
func (w *world) homeDoubleSigns(v *twochain.Validator) {
	w.Provider.DoubleSign(v)
	w.Provider.NextBlock()
	require.NoError(w.T, w.UpdateClient(w.Consumer))
}

// propose begins a vote on nothing in particular.
func propose(c *twochain.Chain) uint64 {
	params, err := c.App.GovKeeper.Params.Get(c.Ctx())
	require.NoError(c.TB, err)
	proposer := c.Validators[0].Operator
	msg, err := govv1.NewMsgSubmitProposal(nil, params.MinDeposit, proposer.String(), "text", "title", "summary", false)
	require.NoError(c.TB, err)
	res, err := c.Deliver(proposer, msg)
	require.NoError(c.TB, err)
	return twochain.Response[govv1.MsgSubmitProposalResponse](c, res).ProposalId
}

func vote(c *twochain.Chain, voter twochain.Account, proposal uint64, option govv1.VoteOption) error {
	_, err := c.Deliver(voter, govv1.NewMsgVote(voter.Address, proposal, option, ""))
	return err
}

// tally is how the vote stands, by x/gov's own query.
func tally(c *twochain.Chain, proposal uint64) govv1.TallyResult {
	res, err := govv1.NewQueryClient(querier(c)).TallyResult(c.Ctx(), &govv1.QueryTallyResultRequest{ProposalId: proposal})
	require.NoError(c.TB, err)
	return *res.Tally
}

// sendAll sends all that a user has in the bank to somebody else.
func (w *world) sendAll(user twochain.Account) error {
	all := sdk.NewCoin(w.Provider.Denom, w.Provider.Balance(user.Address, w.Provider.Denom))
	_, err := w.Provider.Deliver(user, banktypes.NewMsgSend(user.Address, w.Provider.Relayer.Address, sdk.NewCoins(all)))
	return err
}
