package observer_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cosmossdk.io/log"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/observer"
	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

var (
	updateClient = sdk.MsgTypeURL(&clienttypes.MsgUpdateClient{})
	doubleVoting = sdk.MsgTypeURL(&externaltypes.MsgSubmitDoubleVoting{})
	misbehaviour = sdk.MsgTypeURL(&externaltypes.MsgSubmitMisbehaviour{})
)

// world is two connected chains, a node of each, and what an operator of the observer has.
type world struct {
	*twochain.Network
	t                  *testing.T
	mu                 sync.Mutex
	provider, consumer *rpcNode
	cfg                observer.Config
	log                *logBuffer
}

// logBuffer is the observer's log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(bz []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(bz)
}

func (b *logBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), text)
}

func newWorld(t *testing.T) *world {
	w := &world{Network: twochain.New(t, twochain.DefaultConfig()), t: t, log: &logBuffer{}}
	w.Setup()
	w.provider, w.consumer = serve(t, &w.mu, w.Provider), serve(t, &w.mu, w.Consumer)
	w.cfg = observer.Config{StateFile: filepath.Join(t.TempDir(), "observer", "state.json"), Poll: time.Millisecond}
	// The light client trusts a height whose successor's validators the node can show.
	w.Consumer.Blocks(2)
	require.NoError(t, w.Connection.EndpointA.UpdateClient())
	w.Consumer.Blocks(2)
	return w
}

// newObserver connects as an operator does, with a key of the provider's second user.
func (w *world) newObserver() (*observer.Observer, error) {
	keys := keyring.NewInMemory(w.Provider.App.AppCodec())
	user := w.Provider.Users[1]
	require.NoError(w.t, keys.ImportPrivKeyHex("operator", hex.EncodeToString(user.Key.Bytes()), "secp256k1"))
	clientCtx := client.Context{}.
		WithCodec(w.Provider.App.AppCodec()).
		WithInterfaceRegistry(w.Provider.App.InterfaceRegistry()).
		WithTxConfig(w.Provider.App.TxConfig()).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithKeyring(keys).WithFromName("operator").WithFromAddress(user.Address).
		WithChainID(w.Provider.ChainID).
		WithClient(w.provider.connect(w.t))
	txs := tx.Factory{}.
		WithChainID(w.Provider.ChainID).WithKeybase(keys).WithFromName("operator").WithTxConfig(clientCtx.TxConfig).
		WithAccountRetriever(clientCtx.AccountRetriever).WithGasAdjustment(1.3)
	consumer, err := observer.NewConsumer(context.Background(), w.consumer.connect(w.t))
	if err != nil {
		return nil, err
	}
	logger := log.NewLogger(w.log, log.ColorOption(false))
	return observer.New(context.Background(), w.cfg, consumer, observer.NewProvider(clientCtx, txs, w.ConsumerID), logger)
}

// observe runs an observer until the condition holds, and some rounds more.
func (w *world) observe(until func() bool) {
	w.t.Helper()
	o, err := w.newObserver()
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { o.Run(ctx); close(done) }()
	if !eventually(func() bool { w.mu.Lock(); defer w.mu.Unlock(); return until() }) {
		w.t.Fatalf("what was waited for does not happen; the log:\n%s", w.log.buf.String())
	}
	time.Sleep(20 * w.cfg.Poll)
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		w.t.Fatal("the observer does not stop")
	}
}

func eventually(condition func() bool) bool {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return false
}

// reported makes a consumer block that holds evidence, and returns its height.
func (w *world) reported(ev ...cmttypes.Evidence) int64 {
	height := w.consumerHeight() + 1
	w.consumer.evidence[height] = ev
	w.Consumer.NextBlock()
	return height
}

// doubleVote is evidence of two votes for a height.
func (w *world) doubleVote(validator int, height int64) cmttypes.Evidence {
	ev, err := cmttypes.DuplicateVoteEvidenceFromProto(w.Consumer.DoubleVote(w.Consumer.Validators[validator], height))
	require.NoError(w.t, err)
	return ev
}

// clientHeight is the latest height of the consumer's light client.
func (w *world) clientHeight() int64 {
	return int64(w.Connection.EndpointA.GetClientState().GetLatestHeight().GetRevisionHeight())
}

func (w *world) consumerHeight() int64 { return w.Consumer.App.LastBlockHeight() }

// sent are the messages of the i-th transaction that reached the provider.
func (w *world) sent(i int) []string {
	decoded, err := w.Provider.TxConfig.TxDecoder()(w.provider.txs[i])
	require.NoError(w.t, err)
	var names []string
	for _, msg := range decoded.GetMsgs() {
		names = append(names, sdk.MsgTypeURL(msg))
	}
	return names
}

// slashed tells whether the provider has punished a consumer validator.
func (w *world) slashed(validator int) bool {
	res, err := externaltypes.NewQueryClient(w.Provider.Query()).Slashes(context.Background(), &externaltypes.QuerySlashesRequest{ConsumerId: w.ConsumerID})
	require.NoError(w.t, err)
	for _, slash := range res.Slashes {
		if slash.Validator == w.Consumer.Validators[validator].Address {
			return true
		}
	}
	return false
}

// resumesAt is the height in the state file.
func (w *world) resumesAt() string {
	bz, err := os.ReadFile(w.cfg.StateFile)
	require.NoError(w.t, err)
	_, height, _ := strings.Cut(string(bz), `"next_height": "`)
	height, _, _ = strings.Cut(height, `"`)
	return height
}

// attack is evidence of a second header for a new block of the consumer, signed by everybody.
func (w *world) attack(commonHeight int64) cmttypes.Evidence {
	forged := w.Attack(w.Consumer, twochain.Fork{Data: "forged", Round: 1}, twochain.Fork{}).Header1
	header, err := cmttypes.SignedHeaderFromProto(forged.SignedHeader)
	require.NoError(w.t, err)
	validators, err := cmttypes.ValidatorSetFromProto(forged.ValidatorSet)
	require.NoError(w.t, err)
	return &cmttypes.LightClientAttackEvidence{
		ConflictingBlock: &cmttypes.LightBlock{SignedHeader: header, ValidatorSet: validators},
		CommonHeight:     commonHeight, TotalVotingPower: validators.TotalVotingPower(), Timestamp: header.Time,
		ByzantineValidators: validators.Validators,
	}
}

func (w *world) clientStatus() exported.Status {
	end := w.Connection.EndpointA
	return w.Provider.App.IBCKeeper.ClientKeeper.GetClientStatus(w.Provider.Ctx(), end.GetClientState(), end.ClientID)
}

func TestADoubleVoteIsSubmittedOnce(t *testing.T) {
	w := newWorld(t)
	w.cfg.StartHeight = w.reported(w.doubleVote(0, w.clientHeight()))
	w.Consumer.Blocks(3)
	w.observe(func() bool { return w.slashed(0) })
	require.Len(t, w.provider.txs, 1)
	require.Equal(t, []string{doubleVoting}, w.sent(0), "the light client is not behind")
	require.False(t, w.slashed(1))
	require.Equal(t, fmt.Sprint(w.consumerHeight()+1), w.resumesAt())
	require.Equal(t, 1, w.log.count("evidence submitted"))

	// Nothing happens again after a restart, not even from the same height.
	w.observe(func() bool { return w.log.count("the provider knows already") == 1 })
	require.Len(t, w.provider.txs, 1)
}

func TestALightClientThatIsBehindIsUpdatedWithTheEvidence(t *testing.T) {
	w := newWorld(t)
	w.Consumer.Blocks(10)
	offence := w.consumerHeight()
	require.Less(t, w.clientHeight(), offence)
	found := w.reported(w.doubleVote(0, offence))
	w.cfg.StartHeight = found
	// A light client takes no headers from the future.
	w.Provider.NextBlock()
	w.observe(func() bool { return w.slashed(0) })
	require.Len(t, w.provider.txs, 1)
	require.Equal(t, []string{updateClient, doubleVoting}, w.sent(0))
	require.Equal(t, found, w.clientHeight())
}

func TestManyOffencesOfOneBlock(t *testing.T) {
	w := newWorld(t)
	w.cfg.StartHeight = w.reported(w.doubleVote(0, w.clientHeight()), w.doubleVote(2, w.clientHeight()+1))
	w.observe(func() bool { return w.slashed(0) && w.slashed(2) })
	require.Len(t, w.provider.txs, 2)
	require.False(t, w.slashed(1))
}

func TestALightClientAttackIsSubmitted(t *testing.T) {
	w := newWorld(t)
	w.cfg.StartHeight = w.reported(w.attack(w.clientHeight()))
	w.observe(func() bool { return w.clientStatus() == exported.Frozen })
	require.Len(t, w.provider.txs, 1)
	require.Equal(t, []string{misbehaviour}, w.sent(0))
	for i := range w.Consumer.Validators {
		require.True(t, w.slashed(i))
	}
}

func TestAnAttackWithinOneHeight(t *testing.T) {
	w := newWorld(t)
	ev := w.attack(0).(*cmttypes.LightClientAttackEvidence)
	ev.CommonHeight = ev.ConflictingBlock.Height
	w.cfg.StartHeight = w.reported(ev)
	w.observe(func() bool { return w.clientStatus() == exported.Frozen })
}

func TestProviderThatIsDownIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.cfg.StartHeight = w.consumerHeight()
	w.observe(func() bool {
		if w.log.count("evidence found") == 0 && w.consumer.evidence[w.consumerHeight()] == nil {
			w.provider.failures = 3
			w.reported(w.doubleVote(0, w.clientHeight()))
		}
		return w.slashed(0)
	})
	require.Len(t, w.provider.txs, 1)
	require.Equal(t, 3, w.log.count("evidence could not be submitted"))
}

func TestConsumerThatIsDownIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.cfg.StartHeight = w.reported()
	down := false
	w.observe(func() bool {
		switch {
		case !down:
			w.consumer.failures, down = 3, true
		case w.consumer.failures == 0 && w.consumer.evidence[w.consumerHeight()] == nil:
			w.reported(w.doubleVote(0, w.clientHeight()))
		}
		return w.slashed(0)
	})
	require.Equal(t, 3, w.log.count("cannot be followed"))
}

// What was found but could not be submitted is found again after a restart.
func TestARestartResumesWithWhatIsOpen(t *testing.T) {
	w := newWorld(t)
	w.cfg.StartHeight = w.consumerHeight()
	var open int64
	w.observe(func() bool {
		if open == 0 {
			w.provider.failures = 1_000_000
			open = w.reported(w.doubleVote(0, w.clientHeight()))
			w.Consumer.Blocks(5)
		}
		return w.log.count("evidence could not be submitted") > 2
	})
	require.Equal(t, fmt.Sprint(open), w.resumesAt())

	w.provider.failures, w.cfg.StartHeight = 0, 0
	w.observe(func() bool { return w.slashed(0) })
	require.Equal(t, fmt.Sprint(w.consumerHeight()+1), w.resumesAt())
}

func TestTheFirstStartBeginsWithThePresentBlock(t *testing.T) {
	w := newWorld(t)
	w.reported(w.doubleVote(0, w.clientHeight()))
	w.Consumer.NextBlock()
	present := w.reported(w.doubleVote(1, w.clientHeight()))
	w.observe(func() bool { return w.slashed(1) })
	require.False(t, w.slashed(0))
	require.Equal(t, fmt.Sprint(present+1), w.resumesAt())
}

func TestEvidenceThatIsRefusedForGoodIsLeftBehind(t *testing.T) {
	w := newWorld(t)
	// The provider knows the key only from later on.
	w.cfg.StartHeight = w.reported(w.doubleVote(0, 2))
	w.observe(func() bool { return w.log.count("refuses the evidence for good") == 1 })
	require.Empty(t, w.provider.txs, "a refusal costs nothing")
	require.Equal(t, fmt.Sprint(w.consumerHeight()+1), w.resumesAt())
}

// An attack that the light client cannot judge waits; what comes after it does not.
func TestOneThatFailsHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	attack := w.reported(w.attack(1))
	w.reported(w.doubleVote(0, w.clientHeight()))
	w.cfg.StartHeight = attack
	w.observe(func() bool { return w.slashed(0) && w.log.count("evidence could not be submitted") > 1 })
	require.Equal(t, fmt.Sprint(attack), w.resumesAt())
	require.NotZero(t, w.log.count("bring it a header from before"))
}

func TestBlocksThatTheNodeHasPruned(t *testing.T) {
	w := newWorld(t)
	w.cfg.StartHeight = 1
	w.consumer.first = w.consumerHeight()
	w.reported(w.doubleVote(0, w.clientHeight()))
	w.consumer.first = w.clientHeight()
	w.observe(func() bool { return w.slashed(0) })
	require.Equal(t, 1, w.log.count("does not have all blocks"))
}

func TestANodeOfAnotherChainIsRefused(t *testing.T) {
	w := newWorld(t)
	w.consumer.chain = w.Provider
	_, err := w.newObserver()
	require.ErrorContains(t, err, "the consumer node is of provider-1, light client 07-tendermint-0 of consumer 1 follows consumer-1")

	w.ConsumerID = 7
	_, err = w.newObserver()
	require.ErrorContains(t, err, "consumer 7 on provider-1")
}

func TestAStateFileOfSomethingElseIsRefused(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.MkdirAll(filepath.Dir(w.cfg.StateFile), 0o755))
	for content, expected := range map[string]string{
		`{`: "remove it and name a start height",
		`{"provider_chain_id":"provider-1","consumer_chain_id":"consumer-1","consumer_id":"2","next_height":"5"}`: "about something else",
		`{"provider_chain_id":"other","consumer_chain_id":"consumer-1","consumer_id":"1","next_height":"5"}`:      "about something else",
		`{"provider_chain_id":"provider-1","consumer_chain_id":"consumer-1","consumer_id":"1"}`:                   "about something else",
	} {
		require.NoError(t, os.WriteFile(w.cfg.StateFile, []byte(content), 0o600))
		_, err := w.newObserver()
		require.ErrorContains(t, err, expected)
	}
}

// The consumer writes its addresses with a prefix of its own, which the observer never reads: it has the provider's.
func TestValidatorsWithAnotherAddressPrefix(t *testing.T) {
	w := newWorld(t)
	// A validator that twochain does not have: its operator address is of a chain with another prefix.
	foreign, signer := "othervaloper1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", w.Provider.Validators[0]
	key, err := json.Marshal(signer.PrivKey().PubKey().Bytes())
	require.NoError(t, err)
	known := w.consumerHeight()
	p, err := w.Inject(w.Control.EndpointB, fmt.Appendf(nil,
		`{"validator_sync":{"height":{"revision_number":"1","revision_height":"%d"},"unbonding_period":"60s","validators":[{"validator":%q,"cons_pubkey":%s,"status":"VALIDATOR_STATUS_ACTIVE"}]}}`,
		known, foreign, key))
	require.NoError(t, err)
	require.NoError(t, w.Receive(w.Consumer, p))
	require.Empty(t, control.AckRefused(p.Ack))
	w.Consumer.NextBlock()
	require.NoError(t, w.UpdateClient(w.Provider))
	height := w.clientHeight()
	ev, err := cmttypes.DuplicateVoteEvidenceFromProto(w.Consumer.DoubleVote(signer, height))
	require.NoError(t, err)
	w.cfg.StartHeight = w.reported(ev)
	w.observe(func() bool { return w.log.count("evidence submitted") == 1 })
	res, err := externaltypes.NewQueryClient(w.Provider.Query()).Slashes(context.Background(), &externaltypes.QuerySlashesRequest{ConsumerId: w.ConsumerID})
	require.NoError(t, err)
	require.Len(t, res.Slashes, 1)
	require.Equal(t, foreign, res.Slashes[0].Validator)
	// The log says what happened where, and how to look it up.
	for _, text := range []string{
		"evidence submitted", fmt.Sprintf("block=%d", w.cfg.StartHeight), fmt.Sprintf("offence_height=%d", height), `kind="double voting"`,
		"validator=" + ev.VoteA.ValidatorAddress.String(), fmt.Sprintf("tx=%X", cmttypes.Tx(w.provider.txs[0]).Hash()),
	} {
		require.NotZero(t, w.log.count(text), "%s in\n%s", text, w.log.buf.String())
	}
}

// Several may observe one consumer: the provider punishes once, and whoever comes second does not try again.
func TestTwoObserversOfOneConsumer(t *testing.T) {
	w := newWorld(t)
	w.cfg.StartHeight = w.reported(w.doubleVote(0, w.clientHeight()))
	second, err := w.newObserver()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	// The second one is about to submit what the first one is quicker with.
	w.observe(func() bool { return w.slashed(0) })
	go func() { second.Run(ctx); close(done) }()
	require.True(t, eventually(func() bool { return w.log.count("the provider knows already") == 1 }))
	cancel()
	<-done
	require.Len(t, w.provider.txs, 1)
	require.Zero(t, w.log.count("could not be submitted"))
}

// The pauses between attempts grow up to a bound, and nothing but the end of the context ends them.
func TestPausesBetweenAttemptsGrow(t *testing.T) {
	w := newWorld(t)
	w.cfg.StartHeight = w.consumerHeight()
	w.cfg.Poll = 2 * time.Millisecond
	reported := false
	w.observe(func() bool {
		if !reported {
			reported, w.provider.failures = true, 1_000_000
			w.reported(w.doubleVote(0, w.clientHeight()))
		}
		return w.log.count("evidence could not be submitted") >= 4
	})
	for attempt, pause := range []string{"2ms", "4ms", "8ms", "16ms"} {
		require.NotZero(t, w.log.count(fmt.Sprintf("attempt=%d", attempt+1)))
		require.NotZero(t, w.log.count("retry_in="+pause), pause)
	}
}
