package bench

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"cosmossdk.io/collections"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaultkeeper "github.com/mesh-security/mesh/x/vault/keeper"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// maxSlashGas is the most that the transaction with a proof of a double sign may use, whoever has staked.
const maxSlashGas = 500_000

// lent is what each staker of a slashed validator has lent to it.
const lent = 1_000_000

// stakersOfOne are the numbers of stakers that a slash is measured with.
var stakersOfOne = []int{1, 100, 10_000, 100_000}

// BenchmarkSlash: the transaction that proves a double sign of a validator, on the state right before it.
func BenchmarkSlash(b *testing.B) {
	w := newSlashWorld(b)
	for i, n := range stakersOfOne {
		b.Run(fmt.Sprintf("stakers=%d", n), func(b *testing.B) {
			proof := w.proof(i)
			run(b, func(b *testing.B) uint64 {
				b.StartTimer()
				gas, err := w.Provider.Simulate(w.Provider.Relayer, proof)
				b.StopTimer()
				require.NoError(b, err)
				return gas
			})
		})
	}
}

// TestSL19SlashCostsTheSameForAnyNumberOfStakers executes the transactions that BenchmarkSlash measures.
func TestSL19SlashCostsTheSameForAnyNumberOfStakers(t *testing.T) {
	w := newSlashWorld(t)
	var least, most uint64
	for i, n := range stakersOfOne {
		gas := deliver(t, w.Provider, w.Provider.Relayer, w.proof(i))
		slashed := twochain.Events[externaltypes.EventValidatorSlashed](w.Provider.LastEvents())
		require.Len(t, slashed, 1)
		require.Equal(t, fmt.Sprint(n*lent), slashed[0].Bonded)
		t.Logf("%d stakers: %d gas", n, gas)
		if least == 0 {
			least = gas
		}
		least, most = min(least, gas), max(most, gas)
	}
	require.LessOrEqual(t, most-least, least/20, "within 5 % of each other")
	require.Less(t, most, uint64(maxSlashGas))
}

// newSlashWorld has a validator with each number of stakersOfOne. The first one of each goes through the messages. The others
// are copies of what that has left in the state of the provider, written at once.
func newSlashWorld(tb testing.TB) *world {
	w := newWorld(tb, len(stakersOfOne), longEpoch)
	users := make([]twochain.Account, len(stakersOfOne))
	for i := range users {
		users[i] = w.newUser()
		deliver(tb, w.Provider, users[i], w.stake(users[i], w.validator(i), lent))
		w.relay()
	}
	for i, n := range stakersOfOne {
		w.copyStaker(users[i], w.validator(i), n-1)
	}
	w.block(w.Provider)
	require.NoError(tb, w.CheckInvariants())
	return w
}

// copyStaker gives a validator n more stakers like one. The consumer does not count their stake.
func (w *world) copyStaker(user twochain.Account, validator string, n int) {
	w.Helper()
	ctx, vault, external := w.Provider.GetContext(), w.Provider.App.VaultKeeper, w.Provider.App.ExternalStakingKeeper
	holder := "external/" + externaltypes.LienID(w.ConsumerID)
	amount, err := vault.Collateral.Get(ctx, user.Address)
	require.NoError(w, err)
	lien, err := vault.Liens.Get(ctx, collections.Join(user.Address, holder))
	require.NoError(w, err)
	position, err := external.Positions.Get(ctx, collections.Join3(user.Address, w.ConsumerID, validator))
	require.NoError(w, err)
	for range n {
		w.made++
		other := sdk.AccAddress(fmt.Appendf(nil, "bench%015d", w.made))
		require.NoError(w, vault.Collateral.Set(ctx, other, amount))
		require.NoError(w, vault.Liens.Set(ctx, collections.Join(other, holder), lien))
		require.NoError(w, external.Positions.Set(ctx, collections.Join3(other, w.ConsumerID, validator), position))
		require.NoError(w, external.Stakers.Set(ctx, collections.Join3(w.ConsumerID, validator, other)))
	}
	coins := sdk.NewCoins(sdk.NewCoin(w.Provider.Denom, amount.MulRaw(int64(n))))
	require.NoError(w, w.Provider.App.BankKeeper.MintCoins(ctx, "mint", coins))
	require.NoError(w, w.Provider.App.BankKeeper.SendCoinsFromModuleToModule(ctx, "mint", vaulttypes.ModuleName, coins))

	key, added := collections.Join(w.ConsumerID, validator), position.Bonded.MulRaw(int64(n))
	pool, err := external.Pools.Get(ctx, key)
	require.NoError(w, err)
	pool.Bonded, pool.Synced = pool.Bonded.Add(added), pool.Synced.Add(added)
	pool.Positions, pool.LivePositions = pool.Positions+uint64(n), pool.LivePositions+uint64(n)
	require.NoError(w, external.Pools.Set(ctx, key, pool))
	outbox, err := external.Outboxes.Get(ctx, w.ConsumerID)
	require.NoError(w, err)
	outbox.Synced = outbox.Synced.Add(added)
	require.NoError(w, external.Outboxes.Set(ctx, w.ConsumerID, outbox))
}

// proof is a double sign of the i-th consumer validator, and the provider's light client knows its height.
func (w *world) proof(i int) sdk.Msg {
	w.Helper()
	height := w.Consumer.App.LastBlockHeight()
	require.NoError(w, w.UpdateClient(w.Provider))
	return &externaltypes.MsgSubmitDoubleVoting{
		Submitter: w.Provider.Relayer.String(), ConsumerID: w.ConsumerID,
		Evidence: w.Consumer.DoubleVote(w.Consumer.Validators[i], height),
	}
}

// BenchmarkSweep: the end of a block in which slashed users are settled, as many as a block may settle by default. Their
// loss is burned from liquid collateral, or from local stake. Gas is that of the query of one of the accounts, which settles
// it first.
func BenchmarkSweep(b *testing.B) {
	// One packet takes the stake of all of them.
	users := int(externaltypes.DefaultParams().MaxOpsPerPacket)
	for _, tc := range []struct {
		name  string
		local bool
	}{
		{"liquid", false},
		{"local", true},
	} {
		w := newWorld(b, 4, longEpoch)
		w.setSettlements(1)
		stakers := w.newUsers(w.Provider, users)
		for i, user := range stakers {
			if tc.local {
				w.Provider.Queue(user, stakeLocal(w.Provider, user, w.Provider.Validators[i%4], collateral))
			}
			w.Provider.Queue(user, w.stake(user, w.validator(0), collateral))
		}
		w.block(w.Provider)
		w.relay()
		deliver(b, w.Provider, w.Provider.Relayer, w.proof(0))
		w.setSettlements(vaulttypes.DefaultParams().MaxSettlementsPerBlock)
		b.Run(tc.name, func(b *testing.B) { w.benchmarkSweep(b, stakers) })
	}
}

func (w *world) benchmarkSweep(b *testing.B, stakers []twochain.Account) {
	settled := 0
	b.ResetTimer()
	b.StopTimer()
	for range b.N {
		ctx := w.Provider.Ctx()
		b.StartTimer()
		w.Provider.App.VaultKeeper.EndBlock(ctx)
		b.StopTimer()
		settled += len(twochain.Events[vaulttypes.EventLost](ctx.EventManager().ABCIEvents()))
	}
	require.NotZero(b, settled)
	b.ReportMetric(float64(settled)/float64(b.N), "accounts/op")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(settled), "ns/account")
	b.ReportMetric(float64(w.settleGas(stakers)), "gas/account")
}

// settleGas is what the query of the account costs that the sweep would come to last.
func (w *world) settleGas(stakers []twochain.Account) uint64 {
	w.Helper()
	last := slices.MaxFunc(stakers, func(a, b twochain.Account) int { return bytes.Compare(a.Address, b.Address) })
	ctx := w.Provider.Ctx().WithGasMeter(storetypes.NewInfiniteGasMeter())
	_, err := vaultkeeper.NewQueryServer(w.Provider.App.VaultKeeper).Account(ctx, &vaulttypes.QueryAccountRequest{User: last.String()})
	require.NoError(w, err)
	return ctx.GasMeter().GasConsumed()
}

// setSettlements sets how many pieces are settled at the end of a block.
func (w *world) setSettlements(n uint32) {
	w.Helper()
	ctx := w.Provider.GetContext()
	params, err := w.Provider.App.VaultKeeper.Params.Get(ctx)
	require.NoError(w, err)
	params.MaxSettlementsPerBlock = n
	require.NoError(w, w.Provider.App.VaultKeeper.Params.Set(ctx, params))
}
