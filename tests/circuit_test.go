package tests

import (
	"testing"

	circuittypes "cosmossdk.io/x/circuit/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// trip disables messages of the provider, by a proposal.
func (w *world) trip(t *testing.T, msgs ...sdk.Msg) {
	t.Helper()
	require.NoError(t, w.Provider.Execute(&circuittypes.MsgTripCircuitBreaker{Authority: twochain.Authority(), MsgTypeUrls: urls(msgs)}))
	require.NoError(t, w.UpdateClient(w.Provider))
	require.NoError(t, w.UpdateClient(w.Consumer))
}

func (w *world) reset(t *testing.T, msgs ...sdk.Msg) {
	t.Helper()
	require.NoError(t, w.Provider.Execute(&circuittypes.MsgResetCircuitBreaker{Authority: twochain.Authority(), MsgTypeUrls: urls(msgs)}))
}

func urls(msgs []sdk.Msg) []string {
	out := make([]string, len(msgs))
	for i, msg := range msgs {
		out[i] = sdk.MsgTypeURL(msg)
	}
	return out
}

// Governance stops all new stake in an emergency. Whoever is in gets out, and offences are punished.
func TestGV03TrippedMessagesStopNewStakeOnly(t *testing.T) {
	w := newWorld(t)
	user, leaver := w.Provider.Users[1], w.Provider.Users[2]
	w.staked(t, user, w.validator(0), 1_000_000)
	w.staked(t, leaver, w.validator(1), 1_000_000)
	require.NoError(t, w.stakeLocal(leaver, w.home(0), 400_000))
	stakes := []sdk.Msg{
		&vaulttypes.MsgDeposit{}, &vaulttypes.MsgDepositDelegation{}, &vaulttypes.MsgStakeLocal{},
		&externalstakingtypes.MsgStake{}, &externalstakingtypes.MsgRegisterConsumer{}, &convertertypes.MsgCreateConverter{},
	}
	w.trip(t, stakes...)

	require.ErrorContains(t, w.deposit(user, 1_000), "tx type not allowed")
	require.ErrorContains(t, w.stake(user, w.validator(0), 1_000), "tx type not allowed")
	require.ErrorContains(t, w.stakeLocal(user, w.home(0), 1_000), "tx type not allowed")
	// Nor by way of another account's grant.
	grantee := w.Provider.Users[3]
	wrapped := authz.NewMsgExec(grantee.Address, []sdk.Msg{w.stakeMsg(grantee, w.validator(0), 1_000)})
	_, err := w.Provider.Deliver(grantee, &wrapped)
	require.ErrorContains(t, err, "circuit breaker disables execution of this message")

	require.NoError(t, w.unstake(leaver, w.validator(1), 1_000_000))
	require.NoError(t, w.unstakeLocal(leaver, w.home(0), 400_000))
	require.NoError(t, w.submit(w.doubleVote(w.Consumer.Validators[0])))
	w.earn(t)
	require.NoError(t, w.withdrawRewards(leaver, ""))
	require.NoError(t, w.Advance(22*day))
	w.requireQuiet(t)
	require.NoError(t, w.withdraw(leaver, w.account(leaver).Free.Int64()))
	require.True(t, w.account(leaver).Collateral.IsZero())
	require.True(t, w.lost(user).IsPositive(), "the offence was punished")

	w.reset(t, stakes...)
	require.NoError(t, w.deposit(user, 1_000))
	require.NoError(t, w.stake(user, w.validator(2), 1_000))
	require.NoError(t, w.check())
}

// All messages of the module being disabled, what is under way goes on: packets, unbonding and the vault need none of them.
func TestGV03ATrippedModuleHoldsUpNothingUnderWay(t *testing.T) {
	w := newWorld(t)
	user, other := w.Provider.Users[1], w.Provider.Users[2]
	w.staked(t, user, w.validator(0), 1_000_000)
	require.NoError(t, w.unstake(user, w.validator(0), 1_000_000))
	require.NoError(t, w.deposit(other, 500))
	require.NoError(t, w.stake(other, w.validator(1), 500))
	all := []sdk.Msg{
		&externalstakingtypes.MsgRegisterConsumer{}, &externalstakingtypes.MsgUpdateConsumer{}, &externalstakingtypes.MsgUpdateAdmin{},
		&externalstakingtypes.MsgStake{}, &externalstakingtypes.MsgUnstake{}, &externalstakingtypes.MsgWithdrawRewards{},
		&externalstakingtypes.MsgSubmitDoubleVoting{}, &externalstakingtypes.MsgSubmitMisbehaviour{},
		&externalstakingtypes.MsgCancelStake{}, &externalstakingtypes.MsgPauseConsumer{}, &externalstakingtypes.MsgEndorseConsumer{},
		&externalstakingtypes.MsgRetireConsumer{}, &externalstakingtypes.MsgCloseChannel{}, &externalstakingtypes.MsgUpdateParams{},
	}
	w.trip(t, all...)
	require.ErrorContains(t, w.unstake(other, w.validator(1), 500), "tx type not allowed")

	w.requireQuiet(t)
	w.earn(t)
	require.NoError(t, w.Advance(22*day))
	require.Equal(t, "1000000", w.account(user).Free.String())
	require.NoError(t, w.withdraw(user, 1_000_000))
	require.NoError(t, w.check())
}
