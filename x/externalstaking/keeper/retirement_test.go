package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func (l *ledger) retire(id uint64) {
	l.t.Helper()
	require.NoError(l.t, l.k.RetireConsumer(l.ctx, id))
	l.holds()
}

// cleared tells whether nothing is left of a retired consumer but its registration.
func (l *ledger) cleared(id uint64) bool {
	l.t.Helper()
	has, err := l.k.Retirements.Has(l.ctx, id)
	require.NoError(l.t, err)
	require.True(l.t, l.bound(id).Retired)
	return !has
}

func TestTO09ARetiredConsumerIsToldThatWhoLeftByHandCountsNoMore(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.endBlock()
	l.retire(1)
	// Before EndBlock gets there.
	require.NoError(t, l.unstake(ann, "val1", 100))
	l.want(ann, "val1", 0, 0, 0, 100)
	l.endBlock()
	l.endBlock()
	require.Len(t, l.packets(1), 1)
	require.True(t, l.packets(1)[0].sync.Entries[0].Stake.IsZero())
	l.acceptAll(1)
	l.pass(ledgerUnbonding)
	l.endBlock()
	l.endBlock()
	l.endBlock()
	require.True(t, l.cleared(1))
	require.ErrorIs(t, l.stake(ann, "val1", 100), types.ErrRetired)
}
