package tests

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// totals are the provider's books on the consumer's bond denom.
func (w *world) totals(t *testing.T) externalstakingtypes.RewardTotals {
	t.Helper()
	totals, err := w.Provider.App.ExternalStakingKeeper.RewardTotals.Get(w.Provider.Ctx(), collections.Join(w.ConsumerID, w.voucher(w.Consumer.Denom)))
	require.NoError(t, err)
	return totals
}

func (w *world) owed(user twochain.Account) math.Int {
	return w.rewards(user).AmountOf(w.voucher(w.Consumer.Denom))
}

func (w *world) paid(user twochain.Account) math.Int {
	return w.Provider.Balance(user.Address, w.voucher(w.Consumer.Denom))
}

// earn lets one epoch pass with rewards in it, and brings them to the provider.
func (w *world) earn(t *testing.T) {
	t.Helper()
	w.epoch()
	w.Consumer.Blocks(2)
	require.NoError(t, w.Relay())
}

func TestRW01HundredEpochsOfRandomWeights(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewSource(1))
	users := w.Provider.Users[:5]
	for _, user := range users {
		require.NoError(t, w.deposit(user, 1_000_000_000))
	}
	for epoch := range 100 {
		user, validator := users[random.Intn(len(users))], w.validator(random.Intn(4))
		if possible := w.unstakeable(user, validator); possible > 0 && random.Intn(3) == 0 {
			require.NoError(t, w.unstake(user, validator, 1+random.Int63n(possible)))
		} else if free := w.account(user).Free.Int64(); free > 0 {
			require.NoError(t, w.stake(user, validator, 1+random.Int63n(free)))
		}
		if random.Intn(4) == 0 {
			require.NoError(t, w.withdrawRewards(user, ""))
		}
		w.earn(t)
		if epoch%10 == 0 {
			require.NoError(t, w.check())
		}
	}
	totals := w.totals(t)
	require.True(t, totals.Received.IsPositive())
	sum := totals.Unassigned
	for _, user := range users {
		sum = sum.Add(w.owed(user)).Add(w.paid(user))
	}
	dust := totals.Received.Sub(sum)
	// Each change of a position may cost a unit, and each pool keeps a remainder.
	require.False(t, dust.IsNegative(), "paid and owed %s of %s", sum, totals.Received)
	require.LessOrEqual(t, dust.Int64(), int64(500), "paid and owed %s of %s", sum, totals.Received)
	for _, user := range users {
		require.NoError(t, w.withdrawRewards(user, ""))
		require.True(t, w.owed(user).IsZero())
	}
	require.NoError(t, w.check())
}

// sendReward sends coins to the reward receiver as an ordinary user of the consumer may.
func (w *world) sendReward(channel, memo string, amount int64) error {
	user := w.Consumer.Users[3]
	msg := transfertypes.NewMsgTransfer("transfer", channel, w.Consumer.Coin(amount), user.String(),
		externalstakingtypes.RewardReceiver(w.ConsumerID).String(), clienttypes.ZeroHeight(),
		uint64(w.Coordinator.CurrentTime.Add(day).UnixNano()), memo)
	_, err := w.Consumer.Deliver(user, msg)
	return err
}

func (w *world) memo(t *testing.T, amounts map[string]int64) string {
	t.Helper()
	memo := control.RewardMemo{ConsumerID: w.ConsumerID}
	for _, v := range w.Consumer.Validators {
		if amount, ok := amounts[v.Address]; ok {
			memo.Entries = append(memo.Entries, control.RewardEntry{Validator: v.Address, Amount: math.NewInt(amount)})
		}
	}
	bz, err := control.EncodeRewardMemo(memo)
	require.NoError(t, err)
	return bz
}

func TestRW04RewardsOverAnotherChannel(t *testing.T) {
	w := newWorld(t, noEpochs)
	w.staked(t, w.Provider.Users[1], w.validator(0), 1_000_000)
	own := w.Transfer
	w.OpenTransfer()
	other := w.Transfer
	w.Transfer = own
	require.NotEqual(t, own.EndpointA.ChannelID, other.EndpointA.ChannelID)

	sender := w.Consumer.Users[3].Address
	before := w.Consumer.Balance(sender, w.Consumer.Denom)
	require.NoError(t, w.sendReward(other.EndpointB.ChannelID, w.memo(t, map[string]int64{w.validator(0): 5_000}), 5_000))
	require.NoError(t, w.Relay())
	require.Equal(t, before, w.Consumer.Balance(sender, w.Consumer.Denom), "refunded")
	require.True(t, w.owed(w.Provider.Users[1]).IsZero(), "not credited")
	require.Empty(t, w.Provider.App.BankKeeper.GetAllBalances(w.Provider.Ctx(), externalstakingtypes.RewardReceiver(w.ConsumerID)))
	require.NoError(t, w.check())
}

func TestRW06HostileMemos(t *testing.T) {
	w := newWorld(t, noEpochs)
	validator := w.validator(0)
	w.staked(t, w.Provider.Users[1], validator, 1_000_000)
	sender := w.Consumer.Users[3].Address
	channel := w.Transfer.EndpointB.ChannelID
	entry := func(validator, amount string) string {
		return fmt.Sprintf(`{"validator":%q,"amount":%q}`, validator, amount)
	}
	reward := func(consumer string, entries ...string) string {
		return fmt.Sprintf(`{"mesh_rewards":{"consumer_id":%s,"entries":[%s]}}`, consumer, strings.Join(entries, ","))
	}
	id := fmt.Sprintf("%q", fmt.Sprint(w.ConsumerID))
	for name, memo := range map[string]string{
		"none":               "",
		"another memo":       `{"forward":{"receiver":"x"}}`,
		"32 KiB":             reward(id, entry(strings.Repeat("v", 32_000), "5000")),
		"deep":               `{"mesh_rewards":` + strings.Repeat(`[`, 15_000) + strings.Repeat(`]`, 15_000) + `}`,
		"key twice":          `{"mesh_rewards":{"consumer_id":"1","entries":[]},"mesh_rewards":{"consumer_id":"1","entries":[` + entry(validator, "5000") + `]}}`,
		"validator twice":    reward(id, entry(validator, "2500"), entry(validator, "2500")),
		"invalid UTF-8":      "{\"mesh_rewards\":\"\xff\xfe\"}",
		"too much":           reward(id, entry(validator, "5001")),
		"too little":         reward(id, entry(validator, "4999")),
		"negative and more":  reward(id, entry(validator, "-1"), entry(w.validator(1), "5001")),
		"2^256":              reward(id, entry(validator, "115792089237316195423570985008687907853269984665640564039457584007913129639936")),
		"another consumer":   reward(`"77"`, entry(validator, "5000")),
		"not a number":       reward(id, entry(validator, "many")),
		"nothing in entries": reward(id),
	} {
		t.Run(name, func(t *testing.T) {
			before := w.Consumer.Balance(sender, w.Consumer.Denom)
			if err := w.sendReward(channel, memo, 5_000); err == nil {
				require.NoError(t, w.Relay())
			}
			require.Equal(t, before, w.Consumer.Balance(sender, w.Consumer.Denom), "refunded")
			require.True(t, w.owed(w.Provider.Users[1]).IsZero(), "not credited")
			require.NoError(t, w.CheckInvariants())
		})
	}

	// One name the provider does not know: its share waits, the rest is credited.
	require.NoError(t, w.sendReward(channel, reward(id, entry("consvaloper1unheardof", "1000"), entry(validator, "4000")), 5_000))
	require.NoError(t, w.Relay())
	require.Equal(t, "4000", w.owed(w.Provider.Users[1]).String())
	require.Equal(t, "1000", w.totals(t).Unassigned.String())
	require.NoError(t, w.CheckInvariants())
}

func TestRW08RewardsForAValidatorWithoutStake(t *testing.T) {
	w := newWorld(t)
	first, second, validator := w.Provider.Users[1], w.Provider.Users[2], w.validator(0)
	w.staked(t, first, validator, 10_000_000)
	w.earn(t)
	w.epoch()
	w.Consumer.Blocks(1)
	// Rewards are on their way while the last stake leaves.
	require.NoError(t, w.unstake(first, validator, 10_000_000))
	moved, err := w.RelayRecv(w.Provider, 0)
	require.NoError(t, err)
	require.Positive(t, moved)
	_, err = w.RelayAcks(w.Provider, 0)
	require.NoError(t, err)
	require.True(t, w.position(first, validator).Bonded.IsZero())
	earned := w.owed(first)
	require.NoError(t, w.Relay())
	require.Equal(t, earned, w.owed(first), "what came later is not of the one who left")
	pool := w.pool(t, validator)
	require.True(t, pool.HeldOver().AmountOf(w.voucher(w.Consumer.Denom)).IsPositive())
	require.NoError(t, w.check())

	w.staked(t, second, validator, 1_000)
	require.Equal(t, pool.HeldOver().AmountOf(w.voucher(w.Consumer.Denom)), w.owed(second), "whoever stakes first gets it")
	require.NoError(t, w.check())
}

func (w *world) pool(t *testing.T, validator string) externalstakingtypes.Pool {
	t.Helper()
	pool, err := w.Provider.App.ExternalStakingKeeper.Pools.Get(w.Provider.Ctx(), collections.Join(w.ConsumerID, validator))
	require.NoError(t, err)
	return pool
}

func TestRW10RewardsArePaidOnce(t *testing.T) {
	w := newWorld(t)
	user, grantee, validator := w.Provider.Users[1], w.Provider.Users[2], w.validator(0)
	w.staked(t, user, validator, 10_000_000)
	w.earn(t)
	w.earn(t)
	claim := &externalstakingtypes.MsgWithdrawRewards{User: user.String(), ConsumerID: w.ConsumerID, Validator: validator}

	owed := w.owed(user)
	require.True(t, owed.IsPositive())
	_, err := w.Provider.Deliver(user, claim, claim)
	require.NoError(t, err)
	require.Equal(t, owed, w.paid(user), "twice in one transaction")

	w.earn(t)
	before := w.paid(user)
	grant, err := authz.NewMsgGrant(user.Address, grantee.Address, authz.NewGenericAuthorization(sdk.MsgTypeURL(claim)), nil)
	require.NoError(t, err)
	_, err = w.Provider.Deliver(user, grant)
	require.NoError(t, err)
	owed = w.owed(user)
	exec := authz.NewMsgExec(grantee.Address, []sdk.Msg{claim, claim})
	_, err = w.Provider.Deliver(grantee, &exec)
	require.NoError(t, err)
	require.Equal(t, owed, w.paid(user).Sub(before), "through authz, to the owner")
	require.True(t, w.paid(grantee).IsZero())

	w.earn(t)
	require.NoError(t, w.unstake(user, validator, 10_000_000))
	require.NoError(t, w.Relay())
	before, owed = w.paid(user), w.owed(user)
	require.True(t, owed.IsPositive())
	require.NoError(t, w.withdrawRewards(user, validator))
	require.Equal(t, owed, w.paid(user).Sub(before), "after leaving")
	require.NoError(t, w.withdrawRewards(user, ""))
	require.Equal(t, owed, w.paid(user).Sub(before))
	require.NoError(t, w.check())
}

func TestRW13OnlyCommittedStakeEarns(t *testing.T) {
	w := newWorld(t)
	committed, inFlight, leaving := w.Provider.Users[1], w.Provider.Users[2], w.Provider.Users[3]
	validator := w.validator(0)
	w.staked(t, committed, validator, 10_000_000)
	w.staked(t, leaving, validator, 10_000_000)
	w.epoch()
	w.epoch()
	w.Consumer.Blocks(1)
	require.NoError(t, w.deposit(inFlight, 10_000_000))
	require.NoError(t, w.stake(inFlight, validator, 10_000_000))
	require.NoError(t, w.unstake(leaving, validator, 10_000_000))
	// Only the rewards arrive.
	for _, p := range w.Consumer.Unreceived() {
		require.NoError(t, w.Receive(w.Consumer, p))
	}
	require.True(t, w.owed(committed).IsPositive())
	require.Equal(t, w.owed(committed), w.owed(leaving), "what has not left yet earns")
	require.True(t, w.owed(inFlight).IsZero(), "what has not arrived yet does not")
	require.NoError(t, w.check())
	w.requireQuiet(t)
}

// The memo this chain writes is what it reads.
func TestRewardMemoIsPlainJSON(t *testing.T) {
	w := newWorld(t)
	w.staked(t, w.Provider.Users[1], w.validator(0), 10_000_000)
	w.epoch()
	w.epoch()
	w.Consumer.Blocks(1)
	found := false
	for _, p := range w.Consumer.Packets() {
		if p.SourcePort != transferPort {
			continue
		}
		found = true
		var data transfertypes.FungibleTokenPacketData
		require.NoError(t, json.Unmarshal(p.Data, &data))
		require.Equal(t, externalstakingtypes.RewardReceiver(w.ConsumerID).String(), data.Receiver)
		memo, err := control.DecodeRewardMemo(data.Memo)
		require.NoError(t, err)
		total, err := memo.Total()
		require.NoError(t, err)
		require.Equal(t, data.Amount, total.String())
	}
	require.True(t, found, "no reward transfer was sent")
}
