package tests

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What was staked at one price leaves at another: amounts travel unconverted, so nothing is left over and nothing fails.
func TestAPriceChangeBetweenStakeAndUnstakeLeftStakeBehind(t *testing.T) {
	for name, percent := range map[string]int64{"dearer": 115, "cheaper": 85} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := &machine{world: w}
			user, v := w.Provider.Users[1], w.validator(0)
			w.staked(t, user, v, 100_000_001)
			w.epoch()
			before := w.source().Delegated
			require.True(t, before.IsPositive())

			require.NoError(t, m.setPrice(m.price().MulInt64(percent).QuoInt64(100)))
			require.NoError(t, w.unstake(user, v, 30_000_000))
			w.requireQuiet(t)
			w.epoch()
			require.Equal(t, "70000001", w.remoteStake()[v].Stake.String())
			require.True(t, w.source().Delegated.LT(before))
			require.NoError(t, w.unstake(user, v, 70_000_001))
			w.requireQuiet(t)
			w.epoch()
			require.True(t, w.source().Delegated.IsZero())
			require.Empty(t, w.remoteStake())
			w.everybodyLeaves(t)
			require.Equal(t, "100000001", w.account(user).Free.String())
			require.NoError(t, w.check())
		})
	}
}
