package tests

import (
	"testing"

	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
)

// TestEP06ReplicasAgreeOnEveryHash runs the same blocks on four applications of each chain.
func TestEP06ReplicasAgreeOnEveryHash(t *testing.T) {
	w := newWorld(t)
	users := w.Provider.Users[1:6]
	for i, user := range users {
		require.NoError(t, w.deposit(user, 1_000_000))
		for v := range w.Consumer.Validators {
			w.Provider.Queue(user, w.stakeMsg(user, w.validator(v), int64(1_000*(i+v+1))))
		}
	}
	w.Provider.NextBlock()
	for i, user := range users {
		require.NoError(t, w.stakeLocal(user, w.home(1), 800_000))
		require.NoError(t, w.unstakeLocal(user, w.home(1), int64(50_000*(i+1))))
		require.NoError(t, w.restakeLocal(user, w.home(1), w.home(2), int64(100_000*(i+1))))
	}
	proposal := propose(w.Provider)
	require.NoError(t, vote(w.Provider, users[0], proposal, govv1.OptionYes))
	w.earn(t)
	w.homeFails(w.Provider.Validators[1])
	w.homeDoubleSigns(w.Provider.Validators[2])
	w.Consumer.SetDown(w.Consumer.Validators[1], true)
	w.Consumer.Blocks(14)
	w.Consumer.SetDown(w.Consumer.Validators[1], false)
	require.NoError(t, w.UpdateClient(w.Provider))
	w.Consumer.DoubleSign(w.Consumer.Validators[2])
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	w.earn(t)
	for v := range w.Consumer.Validators {
		for _, user := range users {
			if w.unstakeable(user, w.validator(v)) > 500 {
				w.Provider.Queue(user, w.unstakeMsg(user, w.validator(v), 500))
			}
		}
	}
	w.Provider.NextBlock()
	w.earn(t)
	for _, user := range users {
		require.NoError(t, w.withdrawRewards(user, ""))
		require.NoError(t, w.withdrawLocalRewards(user))
	}
	require.NoError(t, w.submit(w.doubleVote(w.Consumer.Validators[3])))
	require.NoError(t, w.Advance(22*day))
	w.earn(t)
	require.NoError(t, w.check())

	for _, c := range []*twochain.Chain{w.Provider, w.Consumer} {
		for replica := range 3 {
			hashes, err := c.Replay()
			require.NoError(t, err)
			require.Equal(t, len(c.Hashes()), len(hashes))
			for height := range hashes {
				require.Equal(t, c.Hashes()[height], hashes[height], "%s, replica %d, block %d", c.ChainID, replica, height+1)
			}
		}
	}
}
