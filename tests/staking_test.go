package tests

import (
	"fmt"
	"strings"
	"testing"

	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// removed makes a validator, lets its operator take everything out, and waits until x/staking has forgotten it.
func (w *world) removed(t *testing.T) *twochain.Validator {
	t.Helper()
	v, err := w.Consumer.CreateValidator(w.Consumer.Users[4], "to be removed", 5_000_000)
	require.NoError(t, err)
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	require.NoError(t, w.Relay())
	require.Equal(t, control.StatusActive, w.provider().statusOf(v.Address))
	return v
}

func (w *world) operatorLeaves(t *testing.T, v *twochain.Validator) {
	t.Helper()
	_, err := w.Consumer.Deliver(v.Operator, stakingtypes.NewMsgUndelegate(v.Operator.String(), v.Address, w.Consumer.Coin(5_000_000)))
	require.NoError(t, err)
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
}

func TestPK12ValidatorsThatTakeNoStake(t *testing.T) {
	w := newWorld(t)
	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 1_000_000))
	tombstoned, jailed := w.Consumer.Validators[1], w.Consumer.Validators[2]
	gone := w.removed(t)
	w.operatorLeaves(t, gone)
	w.Consumer.DoubleSign(tombstoned)
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	require.NoError(t, w.Consumer.Jail(jailed))
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	require.NoError(t, w.Relay())
	require.NoError(t, w.Advance(22*day))
	require.NoError(t, w.Relay())

	for validator, want := range map[string]error{
		"consvaloper1unknown": externalstakingtypes.ErrUnknownValidator,
		tombstoned.Address:    externalstakingtypes.ErrValidatorEnded,
		gone.Address:          externalstakingtypes.ErrValidatorEnded,
		jailed.Address:        externalstakingtypes.ErrValidatorEnded,
	} {
		require.ErrorIs(t, w.stake(user, validator, 1_000), want, validator)
		require.Equal(t, "1000000", w.account(user).Free.String())
		require.Empty(t, w.positions(user))
	}
	require.NoError(t, w.check())
}

func TestPK12JailedWhileInFlight(t *testing.T) {
	w := newWorld(t)
	user, v := w.Provider.Users[1], w.Consumer.Validators[1]
	require.NoError(t, w.deposit(user, 1_000_000))
	require.NoError(t, w.stake(user, v.Address, 1_000_000))
	require.NoError(t, w.Consumer.Jail(v))
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	w.requireQuiet(t)
	require.Equal(t, "1000000", w.position(user, v.Address).Bonded.String(), "accepted")
	require.Equal(t, "1000000", w.remoteStake()[v.Address].Stake.String(), "counted")
	require.NoError(t, w.Advance(day))
	w.epoch()
	require.Empty(t, w.delegated(), "not delegated")

	require.NoError(t, w.Consumer.Unjail(v))
	require.NoError(t, w.UpdateClient(w.Provider))
	w.epoch()
	require.Equal(t, "450000", w.delegated()[v.Address].String(), "delegated once it is back")
	w.requireQuiet(t)
}

func TestPK12TombstonedWhileInFlight(t *testing.T) {
	w := newWorld(t)
	user, v := w.Provider.Users[1], w.Consumer.Validators[1]
	require.NoError(t, w.deposit(user, 1_000_000))
	require.NoError(t, w.stake(user, v.Address, 1_000_000))
	w.Consumer.DoubleSign(v)
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	w.requireQuiet(t)
	require.Equal(t, "1000000", w.account(user).Free.String(), "rolled back")
	require.Empty(t, w.positions(user))
	require.Empty(t, w.remoteStake())
}

func TestVA02WithdrawBetweenSendAndAck(t *testing.T) {
	w := newWorld(t)
	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 1_000))
	require.NoError(t, w.stake(user, w.validator(0), 700))
	for range 2 {
		require.ErrorIs(t, w.withdraw(user, 301), vaulttypes.ErrInsufficientFree)
		_, err := w.RelayRecv(w.Provider, 0)
		require.NoError(t, err)
	}
	require.NoError(t, w.withdraw(user, 300))
	w.requireQuiet(t)
	require.ErrorIs(t, w.withdraw(user, 1), vaulttypes.ErrInsufficientFree)
}

func TestVS01ScaledToTheCapOverFiftyValidators(t *testing.T) {
	const n = 50
	maxCap := math.NewInt(100_000_007)
	w := newWorld(t, func(cfg *twochain.Config) {
		cfg.Consumer.Validators = make([]int64, n)
		for i := range cfg.Consumer.Validators {
			cfg.Consumer.Validators[i] = 10_000_000
		}
		cfg.MaxCap = maxCap
	})
	users := w.Provider.Users[1:3]
	for _, user := range users {
		require.NoError(t, w.deposit(user, 1_000_000_000_000))
	}
	stakes, sum := map[string]math.Int{}, math.ZeroInt()
	for i := range n {
		amount := int64(1_000_000 + 37_777*i*i)
		w.Provider.Queue(users[i%2], w.stakeMsg(users[i%2], w.validator(i), amount))
		stakes[w.validator(i)] = math.NewInt(amount)
	}
	w.Provider.NextBlock()
	for _, err := range w.Provider.Results() {
		require.NoError(t, err)
	}
	require.NoError(t, w.Relay())
	checkScaled := func() {
		t.Helper()
		w.epoch()
		sum = math.ZeroInt()
		for _, s := range w.remoteStake() {
			sum = sum.Add(s.Target)
		}
		require.True(t, sum.GT(maxCap))
		require.Equal(t, maxCap.String(), w.source().Delegated.String(), "exactly the cap")
		delegated := w.delegated()
		for validator, s := range w.remoteStake() {
			want := s.Target.Mul(maxCap).Quo(sum)
			require.LessOrEqual(t, delegated[validator].Sub(want).Abs().Int64(), int64(1), validator)
		}
		require.NoError(t, w.check())
	}
	checkScaled()
	require.NoError(t, w.unstake(users[1], w.validator(49), stakes[w.validator(49)].Int64()))
	require.NoError(t, w.Relay())
	checkScaled()
	require.True(t, zeroIfNil(w.delegated()[w.validator(49)]).IsZero())
}

func TestVS06UnstakeFromValidatorsOfEveryState(t *testing.T) {
	w := newWorld(t)
	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 100_000_000))
	gone := w.removed(t)
	jailed, tombstoned, bonded := w.Consumer.Validators[1], w.Consumer.Validators[2], w.Consumer.Validators[3]
	all := []*twochain.Validator{gone, jailed, tombstoned, bonded}
	for _, v := range all {
		require.NoError(t, w.stake(user, v.Address, 10_000_000))
		require.NoError(t, w.Relay())
	}
	w.epoch()
	require.Equal(t, "18000000", w.source().Delegated.String())

	require.NoError(t, w.Consumer.Jail(jailed))
	w.Consumer.DoubleSign(tombstoned)
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	w.operatorLeaves(t, gone)
	w.epoch()
	require.Equal(t, "4500000", w.source().Delegated.String(), "only the bonded one keeps its stake")
	require.NoError(t, w.check())
	require.NoError(t, w.Advance(10*day))
	require.NoError(t, w.Relay())
	require.NoError(t, w.Advance(12*day))
	require.NoError(t, w.Relay())
	_, err := w.Consumer.App.StakingKeeper.GetValidator(w.Consumer.Ctx(), sdk.ValAddress(gone.Operator.Address))
	require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
	require.Equal(t, control.StatusRemoved, w.provider().statusOf(gone.Address))

	for _, v := range all {
		require.NoError(t, w.unstake(user, v.Address, 10_000_000), v.Address)
	}
	w.requireQuiet(t)
	require.Len(t, w.unbondings(user), 4-released(w, user), "every unstake was accepted")
	w.epoch()
	require.True(t, w.source().Delegated.IsZero())
	require.NoError(t, w.Advance(22*day))
	require.Equal(t, "100000000", w.account(user).Free.String())
	require.True(t, w.outstanding().IsZero())
	require.NoError(t, w.check())
}

// released counts entries of tombstoned validators, which have waited since the tombstone.
func released(w *world, user twochain.Account) int {
	n := 0
	for _, v := range w.Consumer.Validators {
		if w.provider().statusOf(v.Address) == control.StatusTombstoned && len(w.position(user, v.Address).Unbondings) == 0 {
			n++
		}
	}
	return n
}

func TestEP03OneEpochAfterALongStandstill(t *testing.T) {
	w := newWorld(t)
	w.staked(t, w.Provider.Users[1], w.validator(0), 10_000_000)
	w.epoch()
	epochs := 0
	w.Consumer.Observe = func(*abci.ResponseFinalizeBlock) {
		epochs += len(twochain.Events[virtualstakingtypes.EventEpoch](w.Consumer.LastEvents()))
	}
	// The consumer stands still for the time of many epochs; there is no block to run one in.
	w.Coordinator.IncrementTimeBy(3 * day)
	w.Consumer.NextBlock()
	require.LessOrEqual(t, epochs, 1)
	epochs = 0
	w.Consumer.Blocks(10)
	require.Equal(t, 1, epochs, "one epoch in ten blocks, as always")

	// A shorter epoch length takes effect at once, and once.
	params, err := w.Consumer.App.VirtualStakingKeeper.Params.Get(w.Consumer.Ctx())
	require.NoError(t, err)
	for _, bad := range []int64{0, -1, virtualstakingtypes.MaxEpochLength + 1} {
		params.EpochLength = bad
		require.ErrorIs(t, authority(w.Consumer, &virtualstakingtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params}), virtualstakingtypes.ErrInvalidParams)
	}
	params.EpochLength = virtualstakingtypes.MaxEpochLength
	require.NoError(t, authority(w.Consumer, &virtualstakingtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params}))
	w.Consumer.Blocks(30)
	params.EpochLength = 5
	require.NoError(t, authority(w.Consumer, &virtualstakingtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params}))
	epochs = 0
	w.Consumer.Blocks(6)
	require.Positive(t, epochs)
	require.LessOrEqual(t, epochs, 2)
	epochs = 0
	w.Consumer.Blocks(50)
	require.Equal(t, 10, epochs)
	require.NoError(t, w.UpdateClient(w.Provider))
	require.NoError(t, w.check())
}

func TestEP05EntriesMatureInBoundedParts(t *testing.T) {
	const users, perBlock = 60, 20
	w := newWorld(t, func(cfg *twochain.Config) {
		cfg.Provider.Users = users
		cfg.Provider.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
			twochain.Edit(cdc, genesis, externalstakingtypes.ModuleName, func(g *externalstakingtypes.GenesisState) { g.Params.MaxReleasesPerBlock = perBlock })
		}
	})
	all := func(msg func(twochain.Account) sdk.Msg) {
		for _, user := range w.Provider.Users {
			w.Provider.Queue(user, msg(user))
		}
		w.Provider.NextBlock()
		for _, err := range w.Provider.Results() {
			require.NoError(t, err)
		}
	}
	all(func(u twochain.Account) sdk.Msg {
		return &vaulttypes.MsgDeposit{User: u.String(), Amount: w.coin(1_000)}
	})
	all(func(u twochain.Account) sdk.Msg { return w.stakeMsg(u, w.validator(0), 1_000) })
	require.NoError(t, w.Relay())
	all(func(u twochain.Account) sdk.Msg { return w.unstakeMsg(u, w.validator(0), 1_000) })
	require.NoError(t, w.Relay())
	// The clients stay alive on the way, and the last jump makes everything due in one block.
	require.NoError(t, w.Advance(20*day))
	require.Len(t, w.unbondings(w.Provider.Users[0]), 1)
	w.Coordinator.IncrementTimeBy(2 * day)
	for range users / perBlock {
		w.Provider.NextBlock()
		require.Len(t, twochain.Events[externalstakingtypes.EventUnbondingReleased](w.Provider.LastEvents()), perBlock)
		require.NoError(t, w.check())
	}
	for _, user := range w.Provider.Users {
		require.Equal(t, "1000", w.account(user).Free.String())
	}
}

func TestSL07BadKeysInAReport(t *testing.T) {
	w := newWorld(t, noEpochs)
	known := len(w.Consumer.Validators)
	key := func(b byte, n int) string {
		bz, err := codecJSON(bytesOf(b, n))
		require.NoError(t, err)
		return bz
	}
	entry := func(validator, key string) string {
		return fmt.Sprintf(`{"validator":%q,"cons_pubkey":%s,"status":"VALIDATOR_STATUS_ACTIVE"}`, validator, key)
	}
	entries := []string{
		entry("consvaloper1first", key(1, 32)),
		entry("consvaloper1thief", key(1, 32)),
		entry("consvaloper1nokey", `""`),
		entry("consvaloper1short", key(2, 31)),
		entry("consvaloper1long", key(3, 33)),
		entry("consvaloper1good", key(4, 32)),
	}
	height := w.Consumer.App.LastBlockHeight()
	p, err := w.Inject(w.Control.EndpointB, []byte(fmt.Sprintf(
		`{"validator_sync":{"height":{"revision_number":"1","revision_height":"%d"},"unbonding_period":"60s","validators":[%s]}}`,
		height, strings.Join(entries, ","))))
	require.NoError(t, err)
	require.NoError(t, w.Receive(w.Consumer, p))
	skipped := twochain.Events[externalstakingtypes.EventEntrySkipped](w.Provider.LastEvents())
	require.Empty(t, control.AckRefused(p.Ack), "the rest of the packet applies")
	require.Equal(t, control.StatusActive, w.provider().statusOf("consvaloper1first"))
	require.Equal(t, control.StatusActive, w.provider().statusOf("consvaloper1good"))
	for _, bad := range []string{"consvaloper1thief", "consvaloper1nokey", "consvaloper1short", "consvaloper1long"} {
		require.Equal(t, control.StatusUnspecified, w.provider().statusOf(bad), bad)
	}
	require.Len(t, skipped, 4)
	require.EqualValues(t, known+2, w.consumerInfo().Validators)
	require.NoError(t, w.Acknowledge(w.Consumer, p))
	w.requireOpen(t)

	// One validator twice in one packet.
	p, err = w.Inject(w.Control.EndpointB, []byte(fmt.Sprintf(
		`{"validator_sync":{"height":{"revision_number":"1","revision_height":"%d"},"unbonding_period":"60s","validators":[%s]}}`,
		height, strings.Join([]string{entry("consvaloper1twice", key(5, 32)), entry("consvaloper1twice", key(6, 32)), entry("consvaloper1last", key(7, 32))}, ","))))
	require.NoError(t, err)
	require.NoError(t, w.Receive(w.Consumer, p))
	require.NoError(t, w.Acknowledge(w.Consumer, p))
	w.requireOpen(t)
	require.NoError(t, w.check())
}

func TestRM04AValidatorInFlightIsNotSentAgain(t *testing.T) {
	w := newWorld(t)
	user, validator := w.Provider.Users[1], w.validator(0)
	require.NoError(t, w.deposit(user, 1_000))
	w.refuseNext(t, true)
	require.NoError(t, w.stake(user, validator, 100))
	require.NoError(t, w.stake(user, validator, 1))
	require.Len(t, w.Provider.Unreceived(), 1)
	w.Provider.Blocks(5)
	require.Len(t, w.Provider.Unreceived(), 1, "101 waits until 100 is answered")
	_, err := w.RelayRecv(w.Provider, 0)
	require.NoError(t, err)
	require.NoError(t, w.check())
	w.refuseNext(t, false)
	_, err = w.RelayAcks(w.Provider, 0)
	require.NoError(t, err)
	require.NoError(t, w.check())
	w.requireQuiet(t)
	require.Equal(t, "1", w.position(user, validator).Bonded.String(), "the refused 100 never count")
	require.Equal(t, "1", w.remoteStake()[validator].Stake.String())
}

func TestRM05OneRejectedEntryWithBothKinds(t *testing.T) {
	w := newWorld(t)
	stayer, leaver, v := w.Provider.Users[1], w.Provider.Users[2], w.Consumer.Validators[1]
	w.staked(t, leaver, v.Address, 50)
	require.NoError(t, w.deposit(stayer, 80))
	w.Provider.Queue(stayer, w.stakeMsg(stayer, v.Address, 80))
	w.Provider.Queue(leaver, w.unstakeMsg(leaver, v.Address, 30))
	w.Provider.NextBlock()
	require.Len(t, w.Provider.Unreceived(), 1)
	w.Consumer.DoubleSign(v)
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))

	_, err := w.RelayRecv(w.Provider, 0)
	require.NoError(t, err)
	require.Equal(t, "50", w.remoteStake()[v.Address].Stake.String(), "an increase of a tombstoned validator is not applied")
	_, err = w.RelayAcks(w.Provider, 0)
	require.NoError(t, err)
	require.Equal(t, "80", w.account(stayer).Free.String(), "the stake rolled back")
	position := w.position(leaver, v.Address)
	require.Equal(t, "50", position.Bonded.String())
	require.Equal(t, "30", position.PendingUnstake.String(), "the unstake stays queued")
	require.NoError(t, w.check())

	w.requireQuiet(t)
	require.Equal(t, "20", w.position(leaver, v.Address).Bonded.String())
	require.Empty(t, w.remoteStake())
}

func TestRM06ATombstonedValidatorIsReportedZeroOnce(t *testing.T) {
	w := newWorld(t)
	user, v := w.Provider.Users[1], w.Consumer.Validators[1]
	w.staked(t, user, v.Address, 1_000_000)
	w.Consumer.DoubleSign(v)
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	before := len(w.Provider.Packets())
	w.requireQuiet(t)
	require.Empty(t, w.remoteStake())
	require.Len(t, w.Provider.Packets(), before+1)
	w.Provider.Blocks(50)
	w.Consumer.Blocks(50)
	require.NoError(t, w.UpdateClient(w.Provider))
	require.NoError(t, w.UpdateClient(w.Consumer))
	require.NoError(t, w.Relay())
	require.Len(t, w.Provider.Packets(), before+1, "nothing more to say")

	require.NoError(t, w.unstake(user, v.Address, 1_000_000))
	require.Len(t, w.unbondings(user), 1, "leaves without a packet")
	require.Len(t, w.Provider.Packets(), before+1)
	require.NoError(t, w.check())
}
