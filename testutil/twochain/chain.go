package twochain

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/log"
	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/gogoproto/proto"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
)

// Account can sign transactions of one chain.
type Account struct {
	Key     *secp256k1.PrivKey
	Address sdk.AccAddress
}

func newAccount(secret string) Account {
	key := secp256k1.GenPrivKeyFromSecret([]byte(secret))
	return Account{Key: key, Address: sdk.AccAddress(key.PubKey().Address())}
}

// String is the bech32 address.
func (a Account) String() string { return a.Address.String() }

func (a Account) account() authtypes.GenesisAccount {
	return authtypes.NewBaseAccountWithAddress(a.Address)
}

// Validator is one validator with its keys.
type Validator struct {
	// Operator is the account behind the validator, Address the validator's operator address.
	Operator Account
	Address  string
	// ConsAddress identifies the consensus key.
	ConsAddress sdk.ConsAddress

	key cmttypes.MockPV
	// down means that it does not sign blocks.
	down bool
}

// PrivKey is the consensus key, to forge evidence with.
func (v *Validator) PrivKey() cmted25519.PrivKey { return v.key.PrivKey.(cmted25519.PrivKey) }

// Chain is one of the two chains.
type Chain struct {
	*ibctesting.TestChain
	App   *app.App
	Denom string
	// Users have money, the relayer has none and needs none: gas is free.
	Users      []Account
	Relayer    Account
	Validators []*Validator
	// Last is the result of the last block.
	Last *abci.ResponseFinalizeBlock
	// Observe, if set, is called after every block, also those the harness makes by itself.
	Observe func(*abci.ResponseFinalizeBlock)
	// Skew is how far the chain's clock is ahead of the other one's.
	Skew time.Duration

	cfg ChainConfig
	// db is what a node of the chain has on disk.
	db dbm.DB
	// queue holds the transactions of the next block, queued counts them by signer.
	queue  [][]byte
	queued map[string]uint64
	// lastVals signed the last block; history is who signs the block after each height, times are those of the blocks.
	lastVals     *cmttypes.ValidatorSet
	history      map[int64]*cmttypes.ValidatorSet
	times        map[int64]time.Time
	misbehaviour []abci.Misbehavior
	packets      []*Packet
	counterparty *Chain

	// genesis, recorded blocks and their app hashes, for replicas.
	genesis  *abci.RequestInitChain
	recorded [][]byte
	hashes   [][]byte
}

// smallCache keeps few nodes of each store in memory: the database is there as well, and a test may make many chains.
var smallCache = baseapp.SetIAVLCacheSize(300)

func newChain(t testing.TB, coord *ibctesting.Coordinator, cfg ChainConfig) *Chain {
	t.Helper()
	options := simtestutil.NewAppOptionsWithFlagHome(t.TempDir())
	db := dbm.NewMemDB()
	c := &Chain{
		App:     app.New(log.NewNopLogger(), db, nil, true, options, smallCache),
		db:      db,
		Denom:   cfg.Denom,
		Relayer: newAccount(cfg.ChainID + "/relayer"),
		cfg:     cfg,
		queued:  make(map[string]uint64),
		history: make(map[int64]*cmttypes.ValidatorSet),
		times:   make(map[int64]time.Time),
	}
	for i := range cfg.Users {
		c.Users = append(c.Users, newAccount(fmt.Sprintf("%s/user/%d", cfg.ChainID, i)))
	}
	signers := make(map[string]cmttypes.PrivValidator)
	var set []*cmttypes.Validator
	for i, tokens := range cfg.Validators {
		v := newValidator(fmt.Sprintf("%s/validator/%d", cfg.ChainID, i))
		c.Validators = append(c.Validators, v)
		signers[v.key.PrivKey.PubKey().Address().String()] = v.key
		set = append(set, cmttypes.NewValidator(v.key.PrivKey.PubKey(), sdk.TokensToConsensusPower(math.NewInt(tokens), sdk.DefaultPowerReduction)))
	}
	require.NoError(t, c.initChain(coord.CurrentTime))

	vals := cmttypes.NewValidatorSet(set)
	c.history[0] = vals
	node := &node{App: c.App, chain: c}
	c.TestChain = &ibctesting.TestChain{
		TB:            t,
		Coordinator:   coord,
		ChainID:       cfg.ChainID,
		App:           node,
		CurrentHeader: cmtproto.Header{ChainID: cfg.ChainID, Height: 1, Time: coord.CurrentTime},
		QueryServer:   c.App.IBCKeeper,
		TxConfig:      c.App.TxConfig(),
		Codec:         c.App.AppCodec(),
		Vals:          vals,
		NextVals:      vals,
		Signers:       signers,
		SenderPrivKey: c.Relayer.Key,
		SenderAccount: c.Relayer.account(),
	}
	c.SendMsgsOverride = func(msgs ...sdk.Msg) (*abci.ExecTxResult, error) { return c.Deliver(c.Relayer, msgs...) }
	c.TestChain.NextBlock()
	return c
}

func newValidator(secret string) *Validator {
	operator := newAccount(secret)
	key := cmted25519.GenPrivKeyFromSecret([]byte(secret))
	return &Validator{
		Operator:    operator,
		Address:     sdk.ValAddress(operator.Address).String(),
		ConsAddress: sdk.ConsAddress(key.PubKey().Address()),
		key:         cmttypes.NewMockPVWithParams(key, false, false),
	}
}

// Ctx reads the last committed state, at the height and time of the next block. Writes to it go nowhere.
func (c *Chain) Ctx() sdk.Context {
	ctx, _ := c.GetContext().CacheContext()
	return ctx
}

// Query is a connection for the modules' query clients, to the last committed state.
func (c *Chain) Query() *baseapp.QueryServiceTestHelper {
	return &baseapp.QueryServiceTestHelper{GRPCQueryRouter: c.App.GRPCQueryRouter(), Ctx: c.Ctx()}
}

// Balance of an account in one denom.
func (c *Chain) Balance(addr sdk.AccAddress, denom string) math.Int {
	return c.App.BankKeeper.GetBalance(c.Ctx(), addr, denom).Amount
}

// Coin is an amount of the chain's bond denom.
func (c *Chain) Coin(amount int64) sdk.Coin { return sdk.NewInt64Coin(c.Denom, amount) }

// NextBlock makes a block with what was queued and lets time pass.
func (c *Chain) NextBlock() {
	c.Coordinator.UpdateTimeForChain(c.TestChain)
	c.CurrentHeader.Time = c.CurrentHeader.Time.Add(c.Skew)
	c.TestChain.NextBlock()
	c.Coordinator.IncrementTime()
}

// Blocks makes n blocks.
func (c *Chain) Blocks(n int) {
	for range n {
		c.NextBlock()
	}
}

// Queue signs a transaction for the next block.
func (c *Chain) Queue(signer Account, msgs ...sdk.Msg) {
	c.queue = append(c.queue, c.sign(signer, msgs...))
	c.queued[signer.String()]++
}

// sign encodes a transaction that comes after those that the signer has queued.
func (c *Chain) sign(signer Account, msgs ...sdk.Msg) []byte {
	acc := c.App.AccountKeeper.GetAccount(c.Ctx(), signer.Address)
	require.NotNil(c.TB, acc, "the signer has no account on %s", c.ChainID)
	tx, err := simtestutil.GenSignedMockTx(
		rand.New(rand.NewSource(1)), c.TxConfig, msgs, sdk.NewCoins(), c.cfg.TxGas, c.ChainID,
		[]uint64{acc.GetAccountNumber()}, []uint64{acc.GetSequence() + c.queued[signer.String()]}, signer.Key,
	)
	require.NoError(c.TB, err)
	bz, err := c.TxConfig.TxEncoder()(tx)
	require.NoError(c.TB, err)
	return bz
}

// Simulate executes a transaction on a copy of the last committed state and returns the gas it used.
func (c *Chain) Simulate(signer Account, msgs ...sdk.Msg) (uint64, error) {
	gas, _, err := c.App.Simulate(c.sign(signer, msgs...))
	return gas.GasUsed, err
}

// Deliver makes a block with one transaction, after what was queued before. A refused transaction returns its
// registered error.
func (c *Chain) Deliver(signer Account, msgs ...sdk.Msg) (*abci.ExecTxResult, error) {
	c.Queue(signer, msgs...)
	c.NextBlock()
	res := c.Last.TxResults[len(c.Last.TxResults)-1]
	return res, resultError(res)
}

// Results are the outcomes of the last block's transactions, in order; nil for a success.
func (c *Chain) Results() []error {
	out := make([]error, len(c.Last.TxResults))
	for i, res := range c.Last.TxResults {
		out[i] = resultError(res)
	}
	return out
}

func resultError(res *abci.ExecTxResult) error {
	if res.Code == abci.CodeTypeOK {
		return nil
	}
	return errorsmod.ABCIError(res.Codespace, res.Code, res.Log)
}

// Response decodes the response of a transaction's first message.
func Response[T any, P interface {
	*T
	proto.Message
}](c *Chain, res *abci.ExecTxResult) P {
	var data sdk.TxMsgData
	require.NoError(c.TB, proto.Unmarshal(res.Data, &data))
	require.NotEmpty(c.TB, data.MsgResponses)
	out := P(new(T))
	require.NoError(c.TB, proto.Unmarshal(data.MsgResponses[0].Value, out))
	return out
}

// Events are the typed events of one kind among events, for instance of a transaction's result.
func Events[T any, P interface {
	*T
	proto.Message
}](events []abci.Event) []P {
	var out []P
	for _, e := range events {
		if e.Type != proto.MessageName(P(new(T))) {
			continue
		}
		// The SDK adds attributes of its own to block and message events.
		kept := abci.Event{Type: e.Type}
		for _, a := range e.Attributes {
			if a.Key != "msg_index" && a.Key != "mode" {
				kept.Attributes = append(kept.Attributes, a)
			}
		}
		msg, err := sdk.ParseTypedEvent(kept)
		if err != nil {
			continue
		}
		if typed, ok := msg.(P); ok {
			out = append(out, typed)
		}
	}
	return out
}

// LastEvents are all events of the last block, of BeginBlock and EndBlock and of the transactions that succeeded.
func (c *Chain) LastEvents() []abci.Event { return blockEvents(c.Last) }

func blockEvents(res *abci.ResponseFinalizeBlock) []abci.Event {
	var events []abci.Event
	for _, tx := range res.TxResults {
		if tx.Code == abci.CodeTypeOK {
			events = append(events, tx.Events...)
		}
	}
	return append(events, res.Events...)
}

// Power is a validator's present voting power, as CometBFT knows it for the next block.
func (c *Chain) Power(v *Validator) int64 {
	_, val := c.NextVals.GetByAddress(cmttypes.Address(v.ConsAddress))
	if val == nil {
		return 0
	}
	return val.VotingPower
}

// StakingValidator is the validator's state in x/staking.
func (c *Chain) StakingValidator(v *Validator) stakingtypes.Validator {
	val, err := c.App.StakingKeeper.GetValidator(c.Ctx(), sdk.ValAddress(v.Operator.Address))
	require.NoError(c.TB, err)
	return val
}
