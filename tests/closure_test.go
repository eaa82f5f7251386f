package tests

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// patient keeps operations waiting for longer than a packet takes to time out.
const patient = 90 * day

// forceAfter sets how long operations wait for the consumer.
func (w *world) forceAfter(t require.TestingT, delay time.Duration) {
	w.changeParams(t, func(p *externalstakingtypes.Params) { p.ForcedUnstakeDelay = delay })
}

func (w *world) changeParams(t require.TestingT, change func(*externalstakingtypes.Params)) {
	params, err := w.Provider.App.ExternalStakingKeeper.Params.Get(w.Provider.Ctx())
	require.NoError(t, err)
	change(&params)
	require.NoError(t, authority(w.Provider, &externalstakingtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params}))
	w.Provider.NextBlock()
}

// controlPackets are the packets of the registration's control port among all.
func (w *world) controlPackets(packets []*twochain.Packet) []*twochain.Packet {
	var out []*twochain.Packet
	for _, p := range packets {
		if p.SourcePort == w.Control.EndpointA.ChannelConfig.PortID || p.SourcePort == w.Control.EndpointB.ChannelConfig.PortID {
			out = append(out, p)
		}
	}
	return out
}

// timeOutControl lets the provider's packets in flight time out, which closes its end, and tells the consumer's.
func (w *world) timeOutControl(t require.TestingT) {
	unreceived := w.controlPackets(w.Provider.Unreceived())
	require.NotEmpty(t, unreceived)
	for range 6 {
		require.NoError(t, w.Advance(5*day))
	}
	require.NoError(t, w.UpdateClient(w.Provider))
	require.NoError(t, w.Timeout(w.Provider, unreceived...))
	require.Equal(t, externalstakingtypes.ConsumerClosed, w.consumerInfo().Consumer.Status)
	require.NoError(t, w.CloseConfirm(w.Provider, w.Control.EndpointA.ChannelConfig.PortID, w.Control.EndpointA.ChannelID))
	require.Equal(t, convertertypes.ConverterClosed, w.converter().Converter.Status)
}

// The channel closes while users stake and leave: of what is in flight, one packet was answered but its answer is lost with
// the channel, and another was never received.
func TestHS09ChannelOfFiftyStakersClosesAndOpensAgain(t *testing.T) {
	const users = 50
	w := newWorld(t, func(cfg *twochain.Config) { cfg.Provider.Users = users })
	w.forceAfter(t, patient)
	for i, user := range w.Provider.Users {
		require.NoError(t, w.deposit(user, 10_000))
		require.NoError(t, w.stake(user, w.validator(i%2), 1_000+int64(i)))
	}
	w.requireQuiet(t)
	w.epoch()

	// On validator 1 the consumer takes what is asked, but its answer never arrives; on validator 2 it never hears of it.
	first, second := w.Provider.Users[:20], w.Provider.Users[20:40]
	ask := func(group []twochain.Account, validator int) {
		for i, user := range group {
			if p := w.position(user, w.validator(validator)); i%2 == 0 && p.Bonded.IsPositive() {
				w.Provider.Queue(user, w.unstakeMsg(user, w.validator(validator), 500))
			} else {
				w.Provider.Queue(user, w.stakeMsg(user, w.validator(validator), 300))
			}
		}
		w.Provider.NextBlock()
		for _, err := range w.Provider.Results() {
			require.NoError(t, err)
		}
	}
	ask(first, 0)
	require.NoError(t, w.Receive(w.Provider, w.controlPackets(w.Provider.Unreceived())...))
	lost := w.controlPackets(w.Provider.Unacknowledged())
	require.NotEmpty(t, lost)
	ask(second, 1)
	require.NoError(t, w.check())
	w.timeOutControl(t)
	require.NoError(t, w.check())

	closed := w.Provider.Users[49]
	require.ErrorContains(t, w.stake(closed, w.validator(0), 1), "CLOSED")
	require.NoError(t, w.unstake(closed, w.validator(1), 49), "leaving is always possible")
	require.ErrorContains(t, w.Acknowledge(w.Provider, lost...), channeltypes.ErrInvalidChannelState.Error())
	for _, user := range second {
		p := w.position(user, w.validator(1))
		require.True(t, p.PendingStake.IsZero(), "proven unreceived, so it rolled back")
	}

	require.NoError(t, w.ReopenControl())
	require.NoError(t, w.check())
	require.ErrorContains(t, w.stake(closed, w.validator(0), 1), "told all totals anew")
	w.requireQuiet(t)
	require.NoError(t, w.stake(closed, w.validator(0), 1))
	w.requireQuiet(t)

	for i, user := range first {
		p, want := w.position(user, w.validator(0)), math.NewInt(1_000+int64(i))
		if i%2 == 0 {
			want = want.SubRaw(500)
			require.Len(t, w.unbondings(user), 1)
		} else {
			want = math.NewInt(300)
		}
		require.Equal(t, want.String(), p.Bonded.String(), "user %d: the consumer had processed it", i)
		require.True(t, p.PendingStake.IsZero() && p.PendingUnstake.IsZero())
	}
	w.epoch()
	require.Empty(t, w.source().Source.LastFailure)
	require.Equal(t, w.consumerInfo().Consumer.ChannelID, w.Control.EndpointA.ChannelID)
	w.everybodyWithdraws(t)
}

// everybodyWithdraws is X4 at the end of a test: all users leave, and what is left of their collateral is in their hands.
func (w *world) everybodyWithdraws(t *testing.T) {
	t.Helper()
	w.everybodyLeaves(t)
	w.Provider.Blocks(2)
	for i, user := range w.Provider.Users {
		account := w.account(user)
		require.Equal(t, account.Collateral.String(), account.Free.String(), "user %d", i)
		if account.Free.IsPositive() {
			require.NoError(t, w.withdraw(user, account.Free.Int64()))
		}
	}
	require.NoError(t, w.check())
}
