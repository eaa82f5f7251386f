package bench

import (
	"fmt"
	"testing"

	"cosmossdk.io/store/rootmulti"
	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/runtime"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
)

const (
	tallyValidators = 100
	tallyVotes      = 1_000
)

// BenchmarkTally counts the votes of delegators of as many validators, with x/staking itself and with the decorated one that
// the application gives to x/gov: while nobody uses the vault and there is no virtual stake, and then with half of each
// voter's stake in the vault and virtual stake on every validator. Gas is that of the tally alone.
func BenchmarkTally(b *testing.B) {
	w := newWorld(b, tallyValidators, 20)
	voters := w.newUsers(w.Consumer, tallyVotes)
	everybody := func(stakes func(*twochain.Chain, twochain.Account, *twochain.Validator, int64) sdk.Msg) {
		for i, voter := range voters {
			w.Consumer.Queue(voter, stakes(w.Consumer, voter, w.Consumer.Validators[i%tallyValidators], collateral/2))
		}
		w.block(w.Consumer)
	}
	everybody(delegate)
	b.Run("unused", func(b *testing.B) { w.benchmarkTally(b, voters, tallyVotes*collateral/2) })

	everybody(stakeLocal)
	w.stakeEverywhere(w.spread(), 10_000_000)
	w.relay()
	w.Epoch()
	b.Run("used", func(b *testing.B) { w.benchmarkTally(b, voters, tallyVotes*collateral) })
}

// benchmarkTally checks that the decorated keeper counts all of the voters' stake.
func (w *world) benchmarkTally(b *testing.B, voters []twochain.Account, stake int64) {
	proposal := w.propose(voters)
	for _, tc := range []struct {
		name   string
		keeper *govkeeper.Keeper
		yes    int64
	}{
		{"plain", w.plainGov(), tallyVotes * collateral / 2},
		{"decorated", w.Consumer.App.GovKeeper, stake},
	} {
		b.Run(tc.name, func(b *testing.B) {
			run(b, func(b *testing.B) uint64 {
				ctx := w.Consumer.Ctx().WithGasMeter(storetypes.NewInfiniteGasMeter())
				b.StartTimer()
				_, _, tally, err := tc.keeper.Tally(ctx, proposal)
				b.StopTimer()
				require.NoError(b, err)
				require.Equal(b, fmt.Sprint(tc.yes), tally.YesCount)
				return ctx.GasMeter().GasConsumed()
			})
		})
	}
}

// plainGov is x/gov over the same state with x/staking as it is.
func (w *world) plainGov() *govkeeper.Keeper {
	a := w.Consumer.App
	key := a.CommitMultiStore().(*rootmulti.Store).StoreKeysByName()[govtypes.StoreKey].(*storetypes.KVStoreKey)
	return govkeeper.NewKeeper(
		a.AppCodec(), runtime.NewKVStoreService(key), a.AccountKeeper, a.BankKeeper, a.StakingKeeper, a.DistrKeeper,
		baseapp.NewMsgServiceRouter(), govtypes.DefaultConfig(), authtypes.NewModuleAddress(govtypes.ModuleName).String(),
	)
}

// propose opens a proposal on the consumer with a yes of every voter.
func (w *world) propose(voters []twochain.Account) govv1.Proposal {
	w.Helper()
	params, err := w.Consumer.App.GovKeeper.Params.Get(w.Consumer.Ctx())
	require.NoError(w, err)
	proposer := w.Consumer.Users[0]
	submit, err := govv1.NewMsgSubmitProposal(nil, params.MinDeposit, proposer.String(), "none", "title", "summary", false)
	require.NoError(w, err)
	res, err := w.Consumer.Deliver(proposer, submit)
	require.NoError(w, err)
	id := twochain.Response[govv1.MsgSubmitProposalResponse](w.Consumer, res).ProposalId
	for _, voter := range voters {
		w.Consumer.Queue(voter, govv1.NewMsgVote(voter.Address, id, govv1.OptionYes, ""))
	}
	w.block(w.Consumer)
	proposal, err := w.Consumer.App.GovKeeper.Proposals.Get(w.Consumer.Ctx(), id)
	require.NoError(w, err)
	return proposal
}
