package tests

import (
	"fmt"
	"testing"

	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// SL-09, TO-05: a light-client attack punishes those who signed both headers, and freezes the client.
func TestSL09LightClientAttacks(t *testing.T) {
	lie := bytesOf(7, 32)
	for name, attack := range map[string]struct {
		other twochain.Fork
		// signers of the other header are the validators from this one on.
		from int
	}{
		"equivocation":           {other: twochain.Fork{Data: "other"}},
		"a lie about the state":  {other: twochain.Fork{AppHash: lie}},
		"a lie in another round": {other: twochain.Fork{AppHash: lie, Round: 2}},
		"some signed one only":   {other: twochain.Fork{Data: "other"}, from: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			user := w.stakedEverywhere(t)
			require.NoError(t, w.unstake(user, w.validator(3), 40))
			require.NoError(t, w.Relay())
			attack.other.Signers = w.Consumer.Validators[attack.from:]
			headers := w.Attack(w.Consumer, twochain.Fork{}, attack.other)
			require.NoError(t, w.submitAttack(headers))

			guilty := len(attack.other.Signers)
			require.Equal(t, fmt.Sprint(1_000-20*guilty), w.collateral(user).String())
			slashes := w.slashes()
			require.Len(t, slashes, guilty)
			for _, s := range slashes {
				require.Equal(t, slashes[0].Slash.Sequence, s.Slash.Sequence, "one offence")
			}
			for i, v := range w.Consumer.Validators {
				require.Equal(t, i >= attack.from, w.provider().statusOf(v.Address) == control.StatusTombstoned)
			}
			client := w.Connection.EndpointA
			require.Equal(t, exported.Frozen, w.Provider.App.IBCKeeper.ClientKeeper.GetClientStatus(w.Provider.Ctx(), client.GetClientState(), client.ClientID))
			require.ErrorIs(t, w.stake(user, w.validator(0), 1), externalstakingtypes.ErrChannelNotUsable)
			// The same attack again, with the client frozen, proves nothing new.
			w.requireRefused(t, func() error { return w.submitAttack(headers) }, externalstakingtypes.ErrAlreadySlashed)
			// What the guilty had needs no packet to leave, and what unbonds matures.
			require.NoError(t, w.unstake(user, w.validator(3), 48))
			w.Coordinator.IncrementTimeBy(22 * day)
			w.Provider.Blocks(2)
			require.Empty(t, w.position(user, w.validator(3)).Unbondings)
			require.NoError(t, w.CheckInvariants())
		})
	}
}

func TestSL10AttacksThatProveNothing(t *testing.T) {
	w := newWorld(t)
	w.stakedEverywhere(t)
	other := twochain.Fork{Data: "other"}
	for name, attack := range map[string]struct {
		headers *ibctm.Misbehaviour
		want    error
	}{
		"amnesia":               {w.Attack(w.Consumer, twochain.Fork{}, twochain.Fork{Data: "other", Round: 2}), evidence.ErrNobodyGuilty},
		"twice the same header": {w.Attack(w.Consumer, twochain.Fork{}, twochain.Fork{}), evidence.ErrNoConflict},
		"too little power":      {w.Attack(w.Consumer, twochain.Fork{}, twochain.Fork{Data: "other", Signers: w.Consumer.Validators[:2]}), evidence.ErrMalformed},
		"another chain":         {w.Attack(w.Provider, twochain.Fork{}, other), evidence.ErrWrongChain},
	} {
		t.Run(name, func(t *testing.T) {
			w.requireRefused(t, func() error { return w.submitAttack(attack.headers) }, attack.want)
		})
	}
	t.Run("trust that has expired", func(t *testing.T) {
		headers := w.Attack(w.Consumer, twochain.Fork{}, other)
		w.Coordinator.IncrementTimeBy(15 * day)
		w.Provider.NextBlock()
		w.requireRefused(t, func() error { return w.submitAttack(headers) }, externalstakingtypes.ErrClientRefused)
	})
}

// stakedEverywhere is a user with a hundred staked on each validator of the consumer, of a collateral of a thousand.
func (w *world) stakedEverywhere(t *testing.T) twochain.Account {
	t.Helper()
	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 1_000))
	for i := range w.Consumer.Validators {
		require.NoError(t, w.stake(user, w.validator(i), 100))
	}
	require.NoError(t, w.Relay())
	return user
}
