package tests

import (
	"testing"

	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// A loss that x/staking does not give out stays recorded, keeps its owner from acting on lost coins, and is taken once it
// can be. Nobody else notices.
func TestALossThatCannotBeTakenIsADebt(t *testing.T) {
	w := newWorld(t)
	odd, other := w.Provider.Users[1], w.Provider.Users[2]
	v, home := w.Consumer.Validators[0], w.Provider.Validators[1]
	for _, user := range []twochain.Account{odd, other} {
		w.staked(t, user, v.Address, 1_000)
		require.NoError(t, w.stakeLocal(user, home.Address, 1_000))
	}
	// x/distribution forgets a delegation: nothing can be taken from it.
	account := vaulttypes.StakingAccountAddress(odd.Address)
	operator := sdk.ValAddress(home.Operator.Address)
	distribution := w.Provider.App.DistrKeeper
	info, err := distribution.GetDelegatorStartingInfo(w.Provider.Ctx(), operator, account)
	require.NoError(t, err)
	require.NoError(t, distribution.DeleteDelegatorStartingInfo(w.Provider.GetContext(), operator, account))

	offence := w.doubleVote(v)
	burned := w.watchBurns()
	require.NoError(t, w.submit(offence))
	for _, user := range []twochain.Account{odd, other} {
		require.Equal(t, "800", w.collateral(user).String())
		require.Equal(t, "800", w.lien(user, vaulttypes.LocalHolder).String())
	}
	require.Equal(t, "200", burned().String(), "the other one's")
	require.Equal(t, "200", w.account(odd).Debt.String())
	require.Equal(t, "0", w.account(odd).Free.String())
	require.Equal(t, "0", w.account(other).Debt.String())
	require.Equal(t, vaulttypes.Totals{Lost: math.NewInt(400), Burned: math.NewInt(200), Pooled: math.ZeroInt()}, w.lossTotals())
	require.Len(t, w.sweeps().Pending, 1)
	require.NoError(t, w.deposit(odd, 50))
	require.ErrorIs(t, w.stakeLocal(odd, home.Address, 50), vaulttypes.ErrDebt)
	require.ErrorIs(t, w.withdraw(odd, 1), vaulttypes.ErrInsufficientFree)
	require.NoError(t, w.CheckInvariants())

	require.NoError(t, distribution.SetDelegatorStartingInfo(w.Provider.GetContext(), operator, account, info))
	w.Provider.Blocks(int(w.sweeps().Pending[0].Height - w.Provider.App.LastBlockHeight()))
	require.Equal(t, "0", w.account(odd).Debt.String())
	require.Equal(t, "50", w.account(odd).Free.String())
	require.Equal(t, "400", burned().String())
	require.Empty(t, w.sweeps().Pending)
	require.Equal(t, "800", w.delegation(account, home.Address).String())
	require.NoError(t, w.CheckInvariants())
	require.NoError(t, (&machine{world: w}).checkSDK())
}

// A user who cannot be settled is left for later, for all to see; everybody else is settled.
func TestASettleThatFailsStopsNobody(t *testing.T) {
	w := newWorld(t)
	v := w.Consumer.Validators[0]
	users := w.Provider.Users[1:5]
	odd := users[1]
	for _, user := range users {
		w.staked(t, user, v.Address, 1_000)
		require.NoError(t, w.stakeLocal(user, w.home(1), 100))
	}
	// The staking account has a delegation to nobody.
	account := vaulttypes.StakingAccountAddress(odd.Address)
	broken := stakingtypes.NewDelegation(account.String(), sdk.ValAddress(odd.Address).String(), math.LegacyOneDec())
	require.NoError(t, w.Provider.App.StakingKeeper.SetDelegation(w.Provider.GetContext(), broken))
	offence := w.doubleVote(v)
	var failed []*vaulttypes.EventSettleFailed
	w.Provider.Observe = func(*abci.ResponseFinalizeBlock) {
		failed = append(failed, twochain.Events[vaulttypes.EventSettleFailed](w.Provider.LastEvents())...)
	}
	require.NoError(t, w.submit(offence))
	for _, user := range users {
		want := "800"
		if user.String() == odd.String() {
			want = "1000"
		}
		require.Equal(t, want, w.collateral(user).String())
	}
	require.Len(t, failed, 1)
	require.Equal(t, odd.String(), failed[0].User)
	require.Contains(t, failed[0].Reason, "validator does not exist")
	pending := w.sweeps().Pending
	require.Equal(t, []vaulttypes.PendingSettle{{Height: failed[0].RetryHeight, User: odd.String()}}, pending)
	require.Error(t, w.withdraw(odd, 1), "nothing can be done with collateral that may be lost")

	require.NoError(t, w.Provider.App.StakingKeeper.RemoveDelegation(w.Provider.GetContext(), broken))
	w.Provider.Blocks(int(pending[0].Height - w.Provider.App.LastBlockHeight()))
	require.Equal(t, "800", w.collateral(odd).String())
	require.Empty(t, w.sweeps().Pending)
	require.NoError(t, w.UpdateClient(w.Consumer))
	w.punished(v, offence)
	w.requireQuiet(t)
}
