package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// meshState is what the four modules of a chain hold.
func meshState(t *testing.T, c *twochain.Chain) string {
	t.Helper()
	genesis, err := c.App.ModuleManager.ExportGenesisForModules(c.Ctx(), c.App.AppCodec(), []string{
		vaulttypes.ModuleName, externalstakingtypes.ModuleName, convertertypes.ModuleName,
	})
	require.NoError(t, err)
	bz, err := json.Marshal(genesis)
	require.NoError(t, err)
	return string(bz)
}

// refuseNext makes the consumer answer every batch with an error, or take them again: it believes to have seen later ones.
func (w *world) refuseNext(t require.TestingT, refuse bool) {
	ctx := w.Consumer.GetContext()
	c, err := w.Consumer.App.ConverterKeeper.Converters.Get(ctx, w.ConverterID)
	require.NoError(t, err)
	const far = 1 << 40
	if refuse && c.LastBatchID < far {
		c.LastBatchID += far
	}
	if !refuse && c.LastBatchID >= far {
		c.LastBatchID -= far
	}
	require.NoError(t, w.Consumer.App.ConverterKeeper.Converters.Set(ctx, c.ID, c))
}

func (w *world) requireOpen(t *testing.T) {
	t.Helper()
	require.Equal(t, channeltypes.OPEN, w.Control.EndpointA.GetChannel().State)
	require.Equal(t, channeltypes.OPEN, w.Control.EndpointB.GetChannel().State)
}

func TestPK01TwoRelayersBringEverythingTwice(t *testing.T) {
	w := newWorld(t, noEpochs)
	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 5_000))
	require.NoError(t, w.stake(user, w.validator(0), 3_000))
	packets := w.Provider.Unreceived()
	require.Len(t, packets, 1)

	require.NoError(t, w.Receive(w.Provider, packets...))
	once := meshState(t, w.Consumer)
	require.NoError(t, w.Receive(w.Provider, packets...), "a repeated receive is no error")
	require.Equal(t, once, meshState(t, w.Consumer))

	require.NoError(t, w.Acknowledge(w.Provider, packets...))
	once = meshState(t, w.Provider)
	require.NoError(t, w.Acknowledge(w.Provider, packets...), "a repeated acknowledgement is no error")
	require.Equal(t, once, meshState(t, w.Provider))

	// Both at once: the same packets in one block.
	require.NoError(t, w.unstake(user, w.validator(0), 1_000))
	packets = w.Provider.Unreceived()
	require.Len(t, packets, 1)
	require.NoError(t, w.Receive(w.Provider, packets[0], packets[0]))
	require.NoError(t, w.Acknowledge(w.Provider, packets[0], packets[0]))
	require.Equal(t, "2000", w.position(user, w.validator(0)).Bonded.String())
	require.Len(t, w.unbondings(user), 1)
	w.requireQuiet(t)
}

// noEpochs keeps the consumer from sending anything by itself.
func noEpochs(cfg *twochain.Config) {
	cfg.Consumer.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
		twochain.Edit(cdc, genesis, virtualstakingtypes.ModuleName, func(g *virtualstakingtypes.GenesisState) {
			g.Params.EpochLength, g.Params.TotalMaxCap = virtualstakingtypes.MaxEpochLength, totalMaxCap
		})
	}
}

func TestPK02HostilePayloads(t *testing.T) {
	w := newWorld(t, noEpochs)
	user, validator := w.Provider.Users[1], w.validator(0)
	w.staked(t, user, validator, 1_000)
	entry := func(validator, stake string) string {
		return fmt.Sprintf(`{"validator":%q,"stake":%q}`, validator, stake)
	}
	batch := func(entries ...string) []byte {
		return []byte(`{"stake_sync":{"batch_id":"2","entries":[` + strings.Join(entries, ",") + `]}}`)
	}
	random := make([]byte, 300)
	rand.New(rand.NewSource(1)).Read(random)
	for name, data := range map[string][]byte{
		"random":              random,
		"truncated":           batch(entry(validator, "5"))[:40],
		"empty object":        []byte(`{}`),
		"one megabyte":        bytes.Repeat([]byte("a"), 1<<20),
		"deep":                []byte(strings.Repeat(`{"stake_sync":`, 5_000) + strings.Repeat(`}`, 5_000)),
		"stake of 2^256":      batch(entry(validator, "115792089237316195423570985008687907853269984665640564039457584007913129639936")),
		"stake of 2^128":      batch(entry(validator, "340282366920938463463374607431768211456")),
		"negative stake":      batch(entry(validator, "-1")),
		"validator twice":     batch(entry(validator, "5"), entry(validator, "6")),
		"empty validator":     batch(entry("", "5")),
		"wrong direction":     []byte(`{"validator_sync":{}}`),
		"a batch of the past": []byte(`{"stake_sync":{"batch_id":"1","entries":[]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			before := meshState(t, w.Consumer)
			p, err := w.Inject(w.Control.EndpointA, data)
			require.NoError(t, err)
			require.NoError(t, w.Receive(w.Provider, p))
			_, refused, err := control.ParseStakeSyncAck(p.Ack)
			require.NoError(t, err)
			require.NotEmpty(t, refused, "%s", p.Ack)
			require.Equal(t, before, meshState(t, w.Consumer))
			require.NoError(t, w.Acknowledge(w.Provider, p))
			w.requireOpen(t)
		})
	}
	for name, data := range map[string][]byte{
		"random":          random,
		"one megabyte":    bytes.Repeat([]byte(" "), 1<<20),
		"wrong direction": batch(entry(validator, "5")),
		"future height":   []byte(`{"validator_sync":{"height":{"revision_number":"1","revision_height":"999999"},"unbonding_period":"60s","validators":[]}}`),
		"stray chunk":     []byte(`{"validator_sync":{"height":{"revision_number":"1","revision_height":"2"},"reset":{"chunk":7},"unbonding_period":"60s","validators":[]}}`),
	} {
		t.Run("to the provider: "+name, func(t *testing.T) {
			before := meshState(t, w.Provider)
			p, err := w.Inject(w.Control.EndpointB, data)
			require.NoError(t, err)
			require.NoError(t, w.Receive(w.Consumer, p))
			require.NotEmpty(t, control.AckRefused(p.Ack), "%s", p.Ack)
			require.Equal(t, before, meshState(t, w.Provider))
			require.NoError(t, w.Acknowledge(w.Consumer, p))
			w.requireOpen(t)
		})
	}
	// The next real packets, both ways.
	require.NoError(t, w.deposit(user, 1_000))
	require.NoError(t, w.stake(user, validator, 1_000))
	require.NoError(t, w.Consumer.Jail(w.Consumer.Validators[1]))
	// The converter took the refusals for its own and waits before it reports again, in full.
	cursor, err := w.Consumer.App.ConverterKeeper.SyncCursors.Get(w.Consumer.Ctx(), 1)
	require.NoError(t, err)
	for w.Consumer.Ctx().BlockHeight() <= cursor.RetryHeight {
		w.Consumer.NextBlock()
	}
	require.NoError(t, w.UpdateClient(w.Provider))
	w.requireQuiet(t)
	require.Equal(t, "2000", w.position(user, validator).Bonded.String())
	require.Equal(t, control.StatusJailed, w.provider().statusOf(w.validator(1)))
}

func TestPK03PanicInTheStakingCallOfReceive(t *testing.T) {
	w := newWorld(t)
	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 5_000))
	require.NoError(t, w.stake(user, w.validator(0), 3_000))

	// Reading a validator's state panics while the map behind it is gone.
	virtual := w.Consumer.App.VirtualStakingKeeper
	working := virtual.Validators
	virtual.Validators = collections.Map[string, virtualstakingtypes.ValidatorRecord]{}
	packets := w.Provider.Unreceived()
	err := w.Receive(w.Provider, packets...)
	virtual.Validators = working
	require.NoError(t, err)
	_, refused, err := control.ParseStakeSyncAck(packets[0].Ack)
	require.NoError(t, err)
	require.NotEmpty(t, refused, "the panic must become an error acknowledgement")
	counted, err := w.consumer().counted()
	require.NoError(t, err)
	require.Empty(t, counted)

	require.NoError(t, w.Acknowledge(w.Provider, packets...))
	w.requireOpen(t)
	require.Equal(t, "5000", w.account(user).Free.String(), "the stake is rolled back")
	w.Provider.Blocks(5)
	require.NoError(t, w.stake(user, w.validator(0), 3_000))
	w.requireQuiet(t)
	require.Equal(t, "3000", w.position(user, w.validator(0)).Bonded.String())
}

func TestPK05ForgedAcknowledgementsDoNotPass(t *testing.T) {
	w := newWorld(t)
	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 5_000))
	require.NoError(t, w.stake(user, w.validator(0), 3_000))
	packets := w.Provider.Unreceived()
	require.NoError(t, w.Receive(w.Provider, packets...))
	honest := packets[0].Ack
	before := meshState(t, w.Provider)
	for name, forged := range map[string][]byte{
		"empty":          {},
		"empty result":   []byte(`{"result":""}`),
		"unknown result": []byte(`{"result":"AQ=="}`),
		"long error":     []byte(`{"error":"` + strings.Repeat("x", 64<<10) + `"}`),
		"not canonical":  append([]byte(" "), honest...),
	} {
		packets[0].Ack = forged
		require.Error(t, w.Acknowledge(w.Provider, packets...), name)
		require.Equal(t, before, meshState(t, w.Provider), name)
	}
	packets[0].Ack = honest
	require.NoError(t, w.Acknowledge(w.Provider, packets...))
	w.requireOpen(t)
	w.requireQuiet(t)
	require.Equal(t, "3000", w.position(user, w.validator(0)).Bonded.String())
}

func TestPK08RefusedBatches(t *testing.T) {
	w := newWorld(t)
	user, validator := w.Provider.Users[1], w.validator(0)
	w.staked(t, user, validator, 1_000)
	require.NoError(t, w.deposit(user, 500))
	account, position := w.account(user), w.position(user, validator)

	w.refuseNext(t, true)
	require.NoError(t, w.stake(user, validator, 500))
	require.NoError(t, w.Relay())
	require.Equal(t, account, w.account(user), "lien restored exactly")
	require.Equal(t, position, w.position(user, validator), "position restored exactly")
	require.NoError(t, w.check())

	w.Provider.Blocks(5)
	require.NoError(t, w.unstake(user, validator, 400))
	requested := w.operation(t, user, validator).RequestedAt
	require.NoError(t, w.Relay())
	unstake := w.operation(t, user, validator)
	require.Equal(t, requested, unstake.RequestedAt, "queued again with its request time")
	require.Equal(t, "400", unstake.Amount.String())
	require.Empty(t, w.unbondings(user))
	require.Equal(t, account, w.account(user))
	require.NoError(t, w.check())

	w.refuseNext(t, false)
	w.requireQuiet(t)
	require.Equal(t, "600", w.position(user, validator).Bonded.String())
	require.Len(t, w.unbondings(user), 1)
	w.requireOpen(t)
}

// operation is the user's unstake, queued or in flight.
func (w *world) operation(t *testing.T, user twochain.Account, validator string) externalstakingtypes.Operation {
	t.Helper()
	p, err := w.Provider.App.ExternalStakingKeeper.Positions.Get(w.Provider.Ctx(), collections.Join3(user.Address, w.ConsumerID, validator))
	require.NoError(t, err)
	if p.QueuedUnstake != nil {
		return *p.QueuedUnstake
	}
	require.NotNil(t, p.SentUnstake)
	return *p.SentUnstake
}

func TestPK10RandomAnswersToManyOperations(t *testing.T) {
	for seed := range int64(3) {
		w := newWorld(t)
		random := rand.New(rand.NewSource(seed))
		user, validator := w.Provider.Users[1], w.validator(0)
		require.NoError(t, w.deposit(user, 1_000_000))
		committed, left := math.ZeroInt(), math.ZeroInt()
		add := func(sum *math.Int, amount string) {
			n, ok := math.NewIntFromString(amount)
			require.True(t, ok)
			*sum = sum.Add(n)
		}
		w.Provider.Observe = observe(w, func(events blockEvents) {
			for _, e := range twochain.Events[externalstakingtypes.EventStakeCommitted](events) {
				add(&committed, e.Amount)
			}
			for _, e := range twochain.Events[externalstakingtypes.EventUnstakeCommitted](events) {
				add(&left, e.Amount)
			}
		})
		for range 40 {
			switch random.Intn(6) {
			case 0, 1:
				_ = w.stake(user, validator, 1+random.Int63n(20_000))
			case 2:
				if possible := w.unstakeable(user, validator); possible > 0 {
					require.NoError(t, w.unstake(user, validator, 1+random.Int63n(possible)))
				}
			case 3:
				w.refuseNext(t, random.Intn(2) == 0)
			case 4:
				_, err := w.RelayRecv(w.Provider, 1)
				require.NoError(t, err)
			case 5:
				_, err := w.RelayAcks(w.Provider, 1)
				require.NoError(t, err)
			}
			require.NoError(t, w.check())
			require.LessOrEqual(t, len(w.Provider.Unacknowledged())+len(w.Provider.Unreceived()), 1, "one validator is in one packet at most")
		}
		w.refuseNext(t, false)
		w.requireQuiet(t)
		bonded := w.position(user, validator).Bonded
		require.Equal(t, committed.Sub(left).String(), bonded.String(), "the result of some serial order")
		require.Equal(t, committed.String(), w.account(user).MaxLien.String())
	}
}

func (w *world) unstakeable(user twochain.Account, validator string) int64 {
	p := w.position(user, validator)
	return p.Bonded.Sub(p.PendingUnstake).Int64()
}

func TestPK11ManyValidatorsAndOperationsComeInChunks(t *testing.T) {
	const validators, users = 300, 300
	w := unconnected(t, func(cfg *twochain.Config) {
		cfg.Consumer.Validators = make([]int64, validators)
		for i := range cfg.Consumer.Validators {
			cfg.Consumer.Validators[i] = 1_000_000
		}
		cfg.Provider.Users = users
		cfg.Consumer.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
			shortWindows(cdc, genesis)
			twochain.Edit(cdc, genesis, stakingtypes.ModuleName, func(g *stakingtypes.GenesisState) { g.Params.MaxValidators = validators })
		}
		cfg.Provider.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
			twochain.Edit(cdc, genesis, externalstakingtypes.ModuleName, func(g *externalstakingtypes.GenesisState) {
				g.Params.MaxEntriesPerPacket, g.Params.MaxOpsPerPacket = 40, 60
			})
		}
	})
	w.Setup()
	info := w.consumerInfo()
	require.EqualValues(t, validators, info.Validators)
	require.True(t, info.SyncComplete)
	reports := 0
	for _, p := range w.Consumer.Packets() {
		require.LessOrEqual(t, len(p.Data), control.MaxPacketBytes)
		reports++
	}
	require.Greater(t, reports, 1, "more than one chunk")

	for _, user := range w.Provider.Users {
		w.Provider.Queue(user, &vaulttypes.MsgDeposit{User: user.String(), Amount: w.coin(1_000)})
	}
	w.Provider.NextBlock()
	// Every third one on the same validator.
	chosen := func(i int) string {
		if i%3 == 0 {
			return w.validator(0)
		}
		return w.validator(i)
	}
	for i, user := range w.Provider.Users {
		w.Provider.Queue(user, w.stakeMsg(user, chosen(i), int64(1+i)))
	}
	w.Provider.NextBlock()
	for _, err := range w.Provider.Results() {
		require.NoError(t, err)
	}
	require.NoError(t, w.check())
	w.requireQuiet(t)
	batch := uint64(0)
	for _, p := range w.Provider.Packets() {
		sync, err := control.DecodeStakeSync(p.Data)
		require.NoError(t, err)
		require.Equal(t, batch+1, sync.BatchID, "in order")
		batch = sync.BatchID
		require.LessOrEqual(t, len(sync.Entries), 40)
	}
	require.Greater(t, batch, uint64(4), "operations of one block took several packets")
	for i, user := range w.Provider.Users {
		require.Equal(t, fmt.Sprint(1+i), w.position(user, chosen(i)).Bonded.String())
	}
}
