package tests

import (
	"bytes"
	"encoding/json"
	"testing"

	"cosmossdk.io/math"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

var meshModules = []string{vaulttypes.ModuleName, externalstakingtypes.ModuleName, convertertypes.ModuleName, virtualstakingtypes.ModuleName}

// busy is two chains with something of everything: bonded, queued, sent and unbonding stake, validators jailed and
// tombstoned, rewards in the backlog, in flight and owed, virtual stake bonded and unbonding, local stake bonded, unbonding
// and redelegated, and sweeps after a slash at home and a proven offence that are not done.
func busy(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	users := w.Provider.Users[1:6]
	for i, user := range users {
		require.NoError(t, w.deposit(user, 10_000_000))
		for v := range w.Consumer.Validators {
			w.Provider.Queue(user, w.stakeMsg(user, w.validator(v), int64(100_000*(i+v+1))))
		}
	}
	w.Provider.NextBlock()
	for i, user := range users {
		require.NoError(t, w.stakeLocal(user, w.home(1), 8_000_000))
		require.NoError(t, w.unstakeLocal(user, w.home(1), int64(500_000*(i+1))))
		require.NoError(t, w.restakeLocal(user, w.home(1), w.home(2), int64(1_000_000*(i+1))))
	}
	w.earn(t)
	w.earn(t)
	require.NoError(t, w.unstake(users[0], w.validator(0), 50_000))
	require.NoError(t, w.Relay())
	w.epoch()
	require.NoError(t, w.Consumer.Jail(w.Consumer.Validators[1]))
	w.Consumer.DoubleSign(w.Consumer.Validators[2])
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	_, err := w.RelayRecv(w.Consumer, 1)
	require.NoError(t, err)
	w.epoch()
	w.Consumer.NextBlock()
	require.NoError(t, w.stake(users[1], w.validator(0), 7_000))
	require.NoError(t, w.stake(users[2], w.validator(0), 9_000))
	require.NoError(t, w.unstake(users[3], w.validator(3), 11_000))
	_, err = w.RelayRecv(w.Provider, 1)
	require.NoError(t, err)
	w.sweepSlowly(t)
	offence := w.doubleVote(w.Consumer.Validators[3])
	require.NoError(t, w.submit(offence))
	w.homeDoubleSigns(w.Provider.Validators[1])
	require.Len(t, w.sweeps().Sweeps, 1)
	require.Len(t, w.sweepsAbroad(), 1)
	require.NotEmpty(t, w.sweepsAbroad()[0].Cursor, "in the middle")
	require.NoError(t, w.check())
	return w
}

func TestGenesisRoundTrip(t *testing.T) {
	w := busy(t)
	for _, c := range []*twochain.Chain{w.Provider, w.Consumer} {
		exported, err := c.ExportGenesis()
		require.NoError(t, err)
		imported, err := c.Import(exported)
		require.NoError(t, err)
		for _, name := range meshModules {
			basic, ok := imported.BasicManager[name].(module.HasGenesisBasics)
			require.True(t, ok, name)
			require.NoError(t, basic.ValidateGenesis(imported.AppCodec(), imported.TxConfig(), exported[name]))
		}
		ctx := imported.BaseApp.NewUncachedContext(false, cmtproto.Header{ChainID: c.ChainID, Height: c.CurrentHeader.Height, Time: c.CurrentHeader.Time})
		again, err := imported.ModuleManager.ExportGenesisForModules(ctx, imported.AppCodec(), nil)
		require.NoError(t, err)
		for _, name := range meshModules {
			// The export of the whole app is indented.
			var once bytes.Buffer
			require.NoError(t, json.Compact(&once, exported[name]))
			require.Equal(t, once.String(), string(again[name]), "%s of %s", name, c.ChainID)
		}
	}
}

func TestImportedChainsGoOn(t *testing.T) {
	w := busy(t)
	user := w.Provider.Users[1]
	require.NoError(t, w.Provider.Restart())
	require.NoError(t, w.check())
	require.NoError(t, w.Consumer.Restart())
	require.NoError(t, w.check())

	// What was in flight arrives, what was queued is sent, and everybody gets everything back.
	w.requireQuiet(t)
	w.earn(t)
	owed := w.owed(user)
	require.True(t, owed.IsPositive())
	require.NoError(t, w.withdrawRewards(user, ""))
	require.Equal(t, owed, w.paid(user))
	for _, u := range w.Provider.Users {
		for _, p := range w.positions(u) {
			if p.Bonded.IsPositive() {
				require.NoError(t, w.unstake(u, p.Validator, p.Bonded.Int64()))
			}
		}
	}
	w.requireQuiet(t)
	for _, u := range w.Provider.Users {
		for validator, s := range w.localStake(u) {
			if s.Amount.IsPositive() {
				require.NoError(t, w.unstakeLocal(u, validator, s.Amount.Int64()))
			}
		}
	}
	w.epoch()
	require.True(t, w.source().Delegated.IsZero())
	require.NoError(t, w.Advance(22*day))
	require.True(t, w.outstanding().IsZero(), "all virtual stake is burned")
	for _, u := range w.Provider.Users[1:6] {
		lost := w.lost(u)
		require.True(t, lost.IsPositive())
		require.Equal(t, math.NewInt(10_000_000).Sub(lost), w.account(u).Free)
		require.NoError(t, w.withdraw(u, w.account(u).Free.Int64()))
	}
	require.Empty(t, w.sweeps().Sweeps)
	require.NoError(t, w.check())
}
