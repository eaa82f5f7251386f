package keeper_test

import (
	"testing"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// A slash can leave nothing of small stake that is in flight elsewhere, not even the position: the answer must not be kept for
// somebody who is not there.
func TestRM07TheAnswerForAPositionThatASlashElsewhereHasEndedIsNotKept(t *testing.T) {
	for name, accepted := range map[string]bool{"accepted": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			l := newSlashLedger(t, 2)
			l.setConsumer(1, func(c *types.Consumer) { c.SlashFraction, c.MinStake = math.LegacyNewDecWithPrec(5, 2), math.OneInt() })
			l.setConsumer(2, func(c *types.Consumer) { c.SlashFraction = math.LegacyOneDec() })
			user := l.newUser("thin", 100)
			l.bondOn(2, user, "val1", 95)
			require.NoError(t, l.stake(user, "val1", 1))
			require.NoError(t, l.stake(user, "val2", 99))
			require.NoError(t, l.stake(ann, "val1", 50))
			l.endBlock()
			l.slashOn(2, "val1", 100)
			if accepted {
				l.acceptAll(1)
			} else {
				l.ack(refusal)
			}
			has, err := l.k.Outcomes.Has(l.ctx, collections.Join3(user, uint64(1), "val1"))
			require.NoError(t, err)
			require.False(t, has)
			_, found := l.position(user, "val1")
			require.False(t, found)
		})
	}
}
