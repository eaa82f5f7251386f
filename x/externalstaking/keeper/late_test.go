package keeper_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	lateConsumers = 2
	lateUsers     = 3
)

var lateValidators = []string{"val1", "val2"}

// twins are two ledgers on which the same happens, but on one all users are settled right after each slash, on the other
// each whenever something happens to touch it.
type twins struct {
	rt    *rapid.T
	both  [2]*ledger
	users []sdk.AccAddress
	// height is what the light clients have seen.
	height uint64
	// held is true while packets are in flight.
	held bool
}

func newTwins(rt *rapid.T) *twins {
	w := &twins{rt: rt, height: 10}
	collateral := make([]int64, lateUsers)
	for i := range collateral {
		collateral[i] = rapid.Int64Range(1, 300).Draw(rt, "collateral")
	}
	fractions := make([]math.LegacyDec, lateConsumers)
	for i := range fractions {
		fractions[i] = math.LegacyNewDecWithPrec(rapid.SampledFrom([]int64{5, 33, 50, 80, 100}).Draw(rt, "fraction"), 2)
	}
	for n := range w.both {
		l := newLedger(rt)
		params := types.DefaultParams()
		params.MaxEntriesPerPosition = 3
		require.NoError(rt, l.k.Params.Set(l.ctx, params))
		w.users = nil
		for i := range collateral {
			w.users = append(w.users, l.newUser(fmt.Sprintf("user %d", i), collateral[i]))
		}
		for i := range fractions {
			id := uint64(i + 1)
			l.addConsumer(id)
			l.setConsumer(id, func(c *types.Consumer) { c.SlashFraction, c.MinStake = fractions[i], math.OneInt() })
			l.report(id, control.StatusActive, lateValidators...)
		}
		l.advance(w.height)
		w.both[n] = l
	}
	return w
}

func (w *twins) user() sdk.AccAddress { return rapid.SampledFrom(w.users).Draw(w.rt, "user") }
func (w *twins) consumer() uint64 {
	return rapid.Uint64Range(1, lateConsumers).Draw(w.rt, "consumer")
}

func (w *twins) validator() string { return rapid.SampledFrom(lateValidators).Draw(w.rt, "validator") }

// same does something to both and asserts that both succeed or both fail.
func (w *twins) same(fn func(l *ledger) error) {
	first, second := fn(w.both[0]), fn(w.both[1])
	require.Equal(w.rt, first == nil, second == nil, "at once: %v, late: %v", first, second)
}

func (w *twins) Stake(_ *rapid.T) {
	consumer, user, validator := w.consumer(), w.user(), w.validator()
	amount := rapid.Int64Range(1, 150).Draw(w.rt, "amount")
	if !w.held {
		w.same(func(l *ledger) error { return l.stakeOn(consumer, user, validator, amount) })
	}
}

func (w *twins) Unstake(_ *rapid.T) {
	consumer, user, validator := w.consumer(), w.user(), w.validator()
	share := rapid.Int64Range(1, 4).Draw(w.rt, "share")
	if w.held {
		return
	}
	w.same(func(l *ledger) error {
		res, err := l.query.Position(l.ctx, &types.QueryPositionRequest{User: user.String(), ConsumerId: consumer, Validator: validator})
		if err != nil {
			return err
		}
		possible := res.Position.Bonded.Sub(res.Position.PendingUnstake).Int64()
		return l.unstakeOn(consumer, user, validator, max(1, possible/share))
	})
}

// Send ends a block; everything is accepted later.
func (w *twins) Send(_ *rapid.T) {
	if w.held {
		return
	}
	for _, l := range w.both {
		l.endBlock()
	}
	w.held = true
}

func (w *twins) Answer(_ *rapid.T) {
	if !w.held {
		return
	}
	rejected := lateValidators[rapid.IntRange(0, len(lateValidators)).Draw(w.rt, "rejected"):]
	for _, l := range w.both {
		for id := uint64(1); id <= lateConsumers; id++ {
			l.acceptAll(id, w.increases(l, id, rejected)...)
		}
		// Reductions alone are in other packets on one than on the other.
		for len(l.packets(1))+len(l.packets(2)) > 0 {
			for id := uint64(1); id <= lateConsumers; id++ {
				l.acceptAll(id)
			}
		}
	}
	w.held = false
}

// increases are those of the named validators whose total a consumer may reject. Whether it does is drawn per validator, so
// it is the same on both.
func (w *twins) increases(l *ledger, consumer uint64, named []string) []string {
	var rejected []string
	for _, p := range l.packets(consumer) {
		for _, e := range p.sync.Entries {
			for _, v := range named {
				if e.Validator == v && e.Stake.GT(l.poolOn(consumer, v).Synced) {
					rejected = append(rejected, v)
				}
			}
		}
	}
	return rejected
}

// Confirm has a consumer confirm all that was accepted so far.
func (w *twins) Confirm(_ *rapid.T) {
	consumer := w.consumer()
	if w.held {
		return
	}
	for _, l := range w.both {
		outbox, err := l.k.Outboxes.Get(l.ctx, consumer)
		require.NoError(w.rt, err)
		if outbox.LastBatchID > 0 {
			l.appliedOn(consumer, outbox.LastBatchID, w.height)
		}
	}
}

// Deliver has everything accepted that is queued, Leave somebody's stake confirmed to have left.
func (w *twins) Deliver(rt *rapid.T) {
	w.Send(rt)
	w.Answer(rt)
}

func (w *twins) Leave(rt *rapid.T) {
	w.Unstake(rt)
	w.Deliver(rt)
	w.Confirm(rt)
}

func (w *twins) Pass(_ *rapid.T) {
	days := rapid.IntRange(1, 12).Draw(w.rt, "days")
	w.height += rapid.Uint64Range(1, 20).Draw(w.rt, "blocks")
	for _, l := range w.both {
		l.pass(time.Duration(days) * 24 * time.Hour)
		l.advance(w.height)
	}
}

func (w *twins) Slash(_ *rapid.T) {
	consumer, validator := w.consumer(), w.validator()
	height := rapid.Uint64Range(5, w.height).Draw(w.rt, "height")
	w.same(func(l *ledger) error {
		_, err := l.proveOn(consumer, validator, int64(height))
		return err
	})
	w.both[0].settle(w.users...)
}

func (w *twins) Touch(_ *rapid.T) { w.both[1].settle(w.user()) }

func (w *twins) Sweep(_ *rapid.T) { w.both[1].sweep(rapid.IntRange(1, 3).Draw(w.rt, "budget")) }

func (w *twins) Reward(_ *rapid.T) {
	v, amount := w.validator(), rapid.Int64Range(1, 1_000).Draw(w.rt, "amount")
	for _, l := range w.both {
		l.reward(share(v, amount))
	}
}

func (w *twins) Check(_ *rapid.T) {
	for _, l := range w.both {
		l.holds()
	}
}

// picture is all that users have.
func (w *twins) picture(l *ledger) string {
	var b strings.Builder
	for _, user := range w.users {
		fmt.Fprintf(&b, "%s %d\n", user, l.collateral(user))
		for id := uint64(1); id <= lateConsumers; id++ {
			fmt.Fprintf(&b, "  %d: %d\n", id, l.lienOn(id, user))
		}
		res, err := l.query.Positions(l.ctx, &types.QueryPositionsRequest{User: user.String()})
		require.NoError(w.rt, err)
		for _, p := range res.Positions {
			fmt.Fprintf(&b, "  %d/%s: %s +%s -%s\n", p.ConsumerID, p.Validator, p.Bonded, p.PendingStake, p.PendingUnstake)
			for _, e := range p.Unbondings {
				fmt.Fprintf(&b, "    %s %s %t\n", e.Amount, e.ReleaseTime, e.Slashed)
			}
		}
	}
	return b.String()
}

func TestPropertySettlingLateEqualsSettlingAtOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newTwins(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"": w.Check, "stake": w.Stake, "stake more": w.Stake, "stake still more": w.Stake, "unstake": w.Unstake, "unstake more": w.Unstake,
			"send": w.Send, "answer": w.Answer, "deliver": w.Deliver, "leave": w.Leave, "leave more": w.Leave, "confirm": w.Confirm,
			"pass": w.Pass, "slash": w.Slash, "slash more": w.Slash, "touch": w.Touch, "sweep": w.Sweep, "reward": w.Reward,
		})
		for _, l := range w.both {
			l.settle(w.users...)
		}
		require.Equal(rt, w.picture(w.both[0]), w.picture(w.both[1]))
		for id := uint64(1); id <= lateConsumers; id++ {
			for _, v := range lateValidators {
				require.True(rt, w.both[1].poolOn(id, v).Unsettled.IsZero(), "everybody is settled")
				require.Equal(rt, w.both[0].poolOn(id, v).Bonded.String(), w.both[1].poolOn(id, v).Bonded.String())
			}
		}
	})
}
