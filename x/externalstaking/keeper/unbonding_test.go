package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestAReleaseThatFailsHoldsNobodyUpAndIsTriedAgain(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	l.bond(ben, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 100))
	require.NoError(t, l.unstake(ben, "val1", 100))
	l.endBlock()
	l.ack(l.accept())
	params := types.DefaultParams()
	params.MaxReleasesPerBlock = 1
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	// A broken record: the vault holds less for ann than she has unbonding.
	require.NoError(t, l.liens.Release(l.ctx, ann, "1", math.NewInt(60)))
	l.pass(ledgerUnbonding)
	var events sdk.Events
	for range 2 {
		ctx := l.ctx.WithEventManager(sdk.NewEventManager())
		l.k.EndBlock(ctx)
		events = append(events, ctx.EventManager().Events()...)
	}
	require.Contains(t, fmt.Sprint(events), "EventEntrySkipped")
	require.Equal(t, int64(40), l.lien(ann))
	require.Zero(t, l.lien(ben))
	// Once the vault is right again, the release happens within the hour.
	require.NoError(t, l.liens.Add(l.ctx.WithBlockTime(time.Unix(0, 0)), ann, "1", math.NewInt(60), math.LegacyOneDec()))
	l.holds()
	l.pass(time.Hour + time.Second)
	l.endBlock()
	require.Zero(t, l.lien(ann))
}

func TestSettleReleasesWhatIsDueOnEveryPosition(t *testing.T) {
	l := newOpenLedger(t)
	l.report(1, control.StatusActive, "val3")
	for _, validator := range []string{"val1", "val2", "val3"} {
		l.bond(ann, validator, 100)
	}
	l.bond(ben, "val2", 100)
	leave := func(amounts map[string]int64) {
		for _, validator := range []string{"val1", "val2", "val3"} {
			if amounts[validator] > 0 {
				require.NoError(t, l.unstake(ann, validator, amounts[validator]))
			}
		}
		l.endBlock()
		l.ack(l.accept())
		l.pass(ledgerUnbonding / 2)
	}
	leave(map[string]int64{"val1": 20, "val3": 30})
	leave(map[string]int64{"val1": 10, "val2": 40})
	require.NoError(t, l.liens.Settle(l.ctx, ann))
	require.Equal(t, int64(250), l.lien(ann))
	l.holds()
	l.pass(ledgerUnbonding / 2)
	require.NoError(t, l.liens.Settle(l.ctx, ann))
	require.Equal(t, int64(200), l.lien(ann))
	require.Equal(t, int64(100), l.lien(ben))
	l.holds()
}

func TestE6FindsAnEntryThatWouldBeReleasedEarly(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 50))
	l.endBlock()
	l.ack(l.accept())
	l.pass(time.Second)
	l.report(1, control.StatusTombstoned, "val1")
	l.pass(time.Hour)
	require.NoError(t, l.unstake(ann, "val1", 50), "an hour shorter")
	l.holds()
	key := collections.Join3(ann, uint64(1), "val1")
	entries := collections.NewPrefixedPairRange[collections.Triple[sdk.AccAddress, uint64, string], time.Time](key)
	iter, err := l.k.Unbondings.Iterate(l.ctx, entries)
	require.NoError(t, err)
	made, err := iter.KeyValues()
	require.NoError(t, err)
	require.Len(t, made, 2)
	for _, kv := range made {
		e := kv.Value
		ctx, _ := l.ctx.CacheContext()
		require.NoError(t, l.k.Unbondings.Remove(ctx, kv.Key))
		e.ReleaseTime = e.ReleaseTime.Add(-time.Nanosecond)
		require.NoError(t, l.k.Unbondings.Set(ctx, collections.Join(key, e.ReleaseTime), e))
		require.NoError(t, l.k.UnbondingQueue.Set(ctx, collections.Join(e.ReleaseTime, key)))
		require.ErrorContains(t, l.k.InvariantE6(ctx), "must not be released before")
	}
}

func TestALienThatIsNoConsumersIsRefused(t *testing.T) {
	l := newOpenLedger(t)
	_, err := l.k.Mature(l.ctx, ann, "one", l.ctx.BlockTime())
	require.ErrorIs(t, err, types.ErrInconsistent)
	require.ErrorIs(t, l.k.Reduce(l.ctx, ann, "one", math.OneInt()), types.ErrInconsistent)
	released, err := l.k.Mature(l.ctx, ann, "7", l.ctx.BlockTime())
	require.NoError(t, err)
	require.True(t, released.IsZero())
	require.ErrorIs(t, l.k.Reduce(l.ctx, ann, "7", math.OneInt()), types.ErrInconsistent)
}

// plainApp has none of the optional interfaces, upgradableApp one of them.
type (
	plainApp      struct{ porttypes.IBCModule }
	upgradableApp struct {
		porttypes.IBCModule
		porttypes.UpgradableModule
		opened bool
	}
)

func (*upgradableApp) OnChanUpgradeInit(sdk.Context, string, string, channeltypes.Order, []string, string) (string, error) {
	return "init", nil
}

func (a *upgradableApp) OnChanUpgradeOpen(sdk.Context, string, string, channeltypes.Order, []string, string) {
	a.opened = true
}

func TestRewardMiddlewareForwardsOptionalInterfaces(t *testing.T) {
	l := newOpenLedger(t)
	m := externalstaking.NewRewardMiddleware(plainApp{}, l.k)
	_, err := m.OnChanUpgradeInit(l.ctx, "", "", channeltypes.UNORDERED, nil, "")
	require.ErrorIs(t, err, porttypes.ErrInvalidRoute)
	_, err = m.OnChanUpgradeTry(l.ctx, "", "", channeltypes.UNORDERED, nil, "")
	require.ErrorIs(t, err, porttypes.ErrInvalidRoute)
	require.ErrorIs(t, m.OnChanUpgradeAck(l.ctx, "", "", ""), porttypes.ErrInvalidRoute)
	_, err = m.UnmarshalPacketData(nil)
	require.Error(t, err)

	app := &upgradableApp{}
	m = externalstaking.NewRewardMiddleware(app, l.k)
	version, err := m.OnChanUpgradeInit(l.ctx, "", "", channeltypes.UNORDERED, nil, "")
	require.NoError(t, err)
	require.Equal(t, "init", version)
	m.OnChanUpgradeOpen(l.ctx, "", "", channeltypes.UNORDERED, nil, "")
	require.True(t, app.opened)
}
