package tests

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// all delivers one message of every user, in blocks of many.
func (w *world) all(t *testing.T, users []twochain.Account, message func(i int, user twochain.Account) sdk.Msg) {
	t.Helper()
	for i, user := range users {
		w.Provider.Queue(user, message(i, user))
		if i%250 == 249 || i == len(users)-1 {
			w.Provider.NextBlock()
			for _, err := range w.Provider.Results() {
				require.NoError(t, err)
			}
		}
	}
}

// slashGas is what the transaction with the evidence used.
func slashGas(t *testing.T, stakers, perBlock int) (gas int64, w *world) {
	t.Helper()
	w = newWorld(t, func(cfg *twochain.Config) {
		cfg.Provider.Users = stakers + 2
		short := cfg.Provider.Genesis
		cfg.Provider.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
			short(cdc, genesis)
			twochain.Edit(cdc, genesis, vaulttypes.ModuleName, func(g *vaulttypes.GenesisState) { g.Params.MaxSettlementsPerBlock = uint32(perBlock) })
		}
	})
	users, v := w.Provider.Users[1:stakers+1], w.Consumer.Validators[0]
	w.all(t, users, func(_ int, user twochain.Account) sdk.Msg {
		return &vaulttypes.MsgDeposit{User: user.String(), Amount: w.coin(10_000)}
	})
	w.all(t, users, func(i int, user twochain.Account) sdk.Msg { return w.stakeMsg(user, v.Address, int64(1_000+i)) })
	w.requireQuiet(t)
	offence := w.doubleVote(v)
	require.NoError(t, w.submit(offence))
	gas = w.Provider.Last.TxResults[len(w.Provider.Last.TxResults)-1].GasUsed
	w.punished(v, offence)
	return gas, w
}

// SL-19: a thousand stakers of one validator are slashed by one transaction that costs what it costs for one. The sweep
// reaches all of them, a bounded number a block, and whoever acts meanwhile is settled at once.
func TestSL19AThousandStakers(t *testing.T) {
	const stakers, perBlock = 1_000, 100
	one, _ := slashGas(t, 1, perBlock)
	gas, w := slashGas(t, stakers, perBlock)
	t.Logf("gas of the evidence with one staker %d, with %d %d", one, stakers, gas)
	require.InEpsilon(t, one, gas, 0.05)
	require.Less(t, gas, int64(500_000))

	users, v := w.Provider.Users[1:stakers+1], w.validator(0)
	require.Len(t, w.sweepsAbroad(), 1, "under way")
	lost := func(i int) math.Int { return math.NewInt(int64(1_000+i+4) / 5) }
	// Somebody who cannot wait.
	hasty := len(users) - 1
	require.NoError(t, w.withdraw(users[hasty], 1))
	require.Equal(t, math.NewInt(9_999).Sub(lost(hasty)), w.collateral(users[hasty]))
	require.NoError(t, w.check())

	settled := func() int {
		n := 0
		for i, user := range users {
			if w.collateral(user).Equal(math.NewInt(10_000).Sub(lost(i))) {
				n++
			}
		}
		return n
	}
	// The sweep stops when the node does, and goes on where it was, also in a new chain that starts with the exported state.
	for _, stop := range []func(){w.Provider.Reboot, func() { require.NoError(t, w.Provider.Restart()) }} {
		cursor, before := w.sweepsAbroad()[0].Cursor, settled()
		require.NotEmpty(t, cursor)
		stop()
		require.Len(t, w.sweepsAbroad(), 1)
		require.NotEqual(t, cursor, w.sweepsAbroad()[0].Cursor)
		now := settled()
		require.Greater(t, now, before)
		require.LessOrEqual(t, now-before, perBlock)
	}
	for before := settled(); len(w.sweepsAbroad()) > 0; {
		w.Provider.NextBlock()
		now := settled()
		require.LessOrEqual(t, now-before, perBlock)
		before = now
		require.NoError(t, w.CheckInvariants())
	}
	sum := lost(hasty)
	for i, user := range users[:hasty] {
		require.Equal(t, math.NewInt(10_000).Sub(lost(i)).String(), w.collateral(user).String(), fmt.Sprint(i))
		require.Equal(t, math.NewInt(int64(1_000+i)).Sub(lost(i)).String(), w.position(user, v).Bonded.String())
		sum = sum.Add(lost(i))
	}
	require.Equal(t, sum, w.lossTotals().Lost)
	require.Equal(t, sum, w.lossTotals().Burned)
	w.requireQuiet(t)
	require.Empty(t, w.remoteStake())
}
