package bench

import (
	"encoding/json"
	"fmt"
	"testing"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
)

// validatorCounts are the sizes of a consumer that are measured.
var validatorCounts = []int{1, 10, 50}

// BenchmarkEmptyBlock is what the other figures' time holds besides their transaction.
func BenchmarkEmptyBlock(b *testing.B) {
	w := newWorld(b, 4, longEpoch)
	for _, c := range []*twochain.Chain{w.Provider, w.Consumer} {
		b.Run(c.ChainID, func(b *testing.B) {
			b.ResetTimer()
			b.StopTimer()
			for range b.N {
				timed(b, c, c.NextBlock)
			}
		})
	}
}

// BenchmarkStake: the first stake of a new user, and one more of a user whose earlier ones are all bonded.
func BenchmarkStake(b *testing.B) {
	w := newWorld(b, 4, longEpoch)
	benchmarkUserTx(b, w, w.newUser, func(user twochain.Account) sdk.Msg { return w.stake(user, w.validator(0), 1_000) })
}

// BenchmarkStakeWithLocalStake is BenchmarkStake of users who stake locally too, which has to be settled.
func BenchmarkStakeWithLocalStake(b *testing.B) {
	w := newWorld(b, 4, longEpoch)
	benchmarkUserTx(b, w, w.newLocalStaker, func(user twochain.Account) sdk.Msg { return w.stake(user, w.validator(0), 1_000) })
}

// BenchmarkStakeLocal is staking at home through the vault.
func BenchmarkStakeLocal(b *testing.B) {
	w := newWorld(b, 4, longEpoch)
	benchmarkUserTx(b, w, w.newUser, func(user twochain.Account) sdk.Msg {
		return stakeLocal(w.Provider, user, w.Provider.Validators[0], 1_000)
	})
}

// BenchmarkDelegate is x/staking's message on the same chain, for comparison.
func BenchmarkDelegate(b *testing.B) {
	w := newWorld(b, 4, longEpoch)
	benchmarkUserTx(b, w, w.newUser, func(user twochain.Account) sdk.Msg {
		return delegate(w.Provider, user, w.Provider.Validators[0], 1_000)
	})
}

func benchmarkUserTx(b *testing.B, w *world, newUser func() twochain.Account, msg func(twochain.Account) sdk.Msg) {
	send := func(b *testing.B, user twochain.Account) (gas uint64) {
		w.relay()
		timed(b, w.Provider, func() { gas = deliver(b, w.Provider, user, msg(user)) })
		return gas
	}
	b.Run("first", func(b *testing.B) {
		run(b, func(b *testing.B) uint64 { return send(b, newUser()) })
	})
	b.Run("later", func(b *testing.B) {
		user := newUser()
		deliver(b, w.Provider, user, msg(user))
		run(b, func(b *testing.B) uint64 { return send(b, user) })
	})
}

// BenchmarkUnstake takes a little of a bonded position; every earlier one has become an unbonding entry.
func BenchmarkUnstake(b *testing.B) {
	w := newWorld(b, 4, longEpoch)
	user := w.newUser()
	deliver(b, w.Provider, user, w.stake(user, w.validator(0), collateral))
	run(b, func(b *testing.B) (gas uint64) {
		w.relay()
		timed(b, w.Provider, func() { gas = deliver(b, w.Provider, user, w.unstake(user, w.validator(0), 1_000)) })
		return gas
	})
}

// BenchmarkReceiveStakeSync: the consumer receives a packet that raises the stake of every validator.
func BenchmarkReceiveStakeSync(b *testing.B) {
	for _, n := range validatorCounts {
		w := newWorld(b, n, longEpoch)
		users := w.spread()
		b.Run(fmt.Sprintf("validators=%d", n), func(b *testing.B) {
			run(b, func(b *testing.B) (gas uint64) {
				w.stakeEverywhere(users, 1_000)
				msg := w.receive(w.Provider, w.Consumer, only(b, w.Provider.Unreceived()))
				timed(b, w.Consumer, func() { gas = deliver(b, w.Consumer, w.Consumer.Relayer, msg) })
				w.relay()
				return gas
			})
		})
	}
}

// BenchmarkAck: the provider gets the ack of a packet with one validator and the operations of as many users.
func BenchmarkAck(b *testing.B) {
	for _, n := range []int{1, 100} {
		w := newWorld(b, 4, longEpoch)
		users := w.newUsers(w.Provider, n)
		b.Run(fmt.Sprintf("operations=%d", n), func(b *testing.B) {
			run(b, func(b *testing.B) (gas uint64) {
				for _, user := range users {
					w.Provider.Queue(user, w.stake(user, w.validator(0), 1_000))
				}
				w.block(w.Provider)
				p := only(b, w.Provider.Unreceived())
				require.NoError(b, w.Receive(w.Provider, p))
				msg := w.acknowledge(w.Provider, w.Consumer, p)
				timed(b, w.Provider, func() { gas = deliver(b, w.Provider, w.Provider.Relayer, msg) })
				require.Empty(b, w.Provider.Unacknowledged())
				return gas
			})
		})
	}
}

// BenchmarkEpoch runs one epoch of a source over and over on the same state, right before it is due: with rewards of
// every delegation to withdraw and nothing else to do, with every delegation below its target, and with every one
// above. Gas is that of virtual staking's BeginBlock.
func BenchmarkEpoch(b *testing.B) {
	for _, n := range validatorCounts {
		const length = 20
		w := newWorld(b, n, length)
		w.stakeEverywhere(w.spread(), 10_000_000)
		w.relay()
		w.Epoch()
		for _, tc := range []struct {
			name  string
			price string
		}{
			{"rewards", "0.5"},
			{"raised", "0.55"},
			{"lowered", "0.45"},
		} {
			w.setPrice(b, tc.price)
			for w.nextEpoch() > w.Consumer.App.LastBlockHeight()+1 {
				w.Consumer.NextBlock()
			}
			b.Run(fmt.Sprintf("%s/validators=%d", tc.name, n), func(b *testing.B) {
				run(b, w.epochOnCopy)
			})
			// The benchmarked epoch happens, and with it the price before the next one.
			w.Consumer.NextBlock()
			w.setPrice(b, "0.5")
			w.Epoch()
		}
	}
}

// epochOnCopy runs the epoch that is due in the next block on a copy of the state.
func (w *world) epochOnCopy(b *testing.B) uint64 {
	ctx := w.Consumer.Ctx().WithGasMeter(storetypes.NewInfiniteGasMeter())
	b.StartTimer()
	err := w.Consumer.App.VirtualStakingKeeper.BeginBlock(ctx)
	b.StopTimer()
	require.NoError(b, err)
	source, err := w.Consumer.App.VirtualStakingKeeper.Sources.Get(ctx, w.ConverterID)
	require.NoError(b, err)
	require.Equal(b, ctx.BlockHeight(), source.LastEpoch)
	require.Empty(b, source.LastFailure)
	return ctx.GasMeter().GasConsumed()
}

func (w *world) nextEpoch() int64 {
	source, err := w.Consumer.App.VirtualStakingKeeper.Sources.Get(w.Consumer.Ctx(), w.ConverterID)
	require.NoError(w, err)
	return source.NextEpoch
}

func (w *world) setPrice(tb testing.TB, price string) {
	deliver(tb, w.Consumer, w.ConverterAdmin(), &convertertypes.MsgSetPrice{
		Sender: w.ConverterAdmin().String(), ConverterID: w.ConverterID, Price: math.LegacyMustNewDecFromStr(price),
	})
}

// BenchmarkReceiveReward: the provider receives an ICS20 transfer with rewards for every validator.
func BenchmarkReceiveReward(b *testing.B) {
	for _, n := range validatorCounts {
		w := newWorld(b, n, 5)
		w.stakeEverywhere(w.spread(), 10_000_000)
		w.relay()
		w.Epoch()
		b.Run(fmt.Sprintf("validators=%d", n), func(b *testing.B) {
			run(b, func(b *testing.B) (gas uint64) {
				w.relay()
				p := w.nextReward(b, n)
				msg := w.receive(w.Consumer, w.Provider, p)
				timed(b, w.Provider, func() { gas = deliver(b, w.Provider, w.Provider.Relayer, msg) })
				return gas
			})
		})
	}
}

// nextReward makes blocks until the consumer has sent a transfer with rewards of n validators.
func (w *world) nextReward(b *testing.B, n int) *twochain.Packet {
	for range 20 {
		w.Consumer.NextBlock()
		for _, p := range w.Consumer.Unreceived() {
			if p.SourcePort != w.Transfer.EndpointB.ChannelConfig.PortID {
				continue
			}
			memo := rewardMemo(b, p)
			require.Len(b, memo.Entries, n)
			return p
		}
	}
	b.Fatal("no reward was sent")
	return nil
}

func rewardMemo(b *testing.B, p *twochain.Packet) control.RewardMemo {
	var data struct{ Memo string }
	require.NoError(b, json.Unmarshal(p.Data, &data))
	memo, err := control.DecodeRewardMemo(data.Memo)
	require.NoError(b, err)
	return memo
}
