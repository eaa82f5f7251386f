// Package bench measures what the modules cost on the real application: benchmarks with gas next to time, and tests of
// the bounds on gas.
//
// ns/op is the time of the block that executes the one transaction; BenchmarkEmptyBlock is what such a block takes
// without it. gas/op is what the transaction used, signatures and fees included. Both leave out how the chains got
// there.
package bench

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

const (
	// collateral of a user, in base units.
	collateral = 1_000_000_000
	// longEpoch is longer than any benchmark that does not want an epoch.
	longEpoch = 50_000
)

// world is two connected chains that are ready to stake.
type world struct {
	*twochain.Network
	// made counts the users that newUser made.
	made int
}

// newWorld connects a provider of four validators with a consumer of validators, all of them bonded.
func newWorld(tb testing.TB, validators int, epochLength int64) *world {
	tb.Helper()
	cfg := twochain.DefaultConfig()
	cfg.Consumer.Validators = make([]int64, validators)
	for i := range cfg.Consumer.Validators {
		cfg.Consumer.Validators[i] = 100_000_000
	}
	cfg.MaxCap = math.NewInt(1_000_000_000_000)
	cfg.Consumer.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
		twochain.Edit(cdc, genesis, stakingtypes.ModuleName, func(g *stakingtypes.GenesisState) {
			g.Params.MaxValidators = max(g.Params.MaxValidators, uint32(validators))
		})
		twochain.Edit(cdc, genesis, virtualtypes.ModuleName, func(g *virtualtypes.GenesisState) {
			g.Params.EpochLength, g.Params.TotalMaxCap = epochLength, cfg.MaxCap
		})
	}
	w := &world{Network: twochain.New(tb, cfg)}
	w.Setup()
	return w
}

// newUser is a provider account that has signed before and has collateral and coins of the same amount.
func (w *world) newUser() twochain.Account { return w.newUsers(w.Provider, 1)[0] }

// newUsers are newUser on any chain.
func (w *world) newUsers(c *twochain.Chain, n int) []twochain.Account {
	w.Helper()
	users := make([]twochain.Account, n)
	for i := range users {
		w.made++
		key := secp256k1.GenPrivKeyFromSecret(fmt.Appendf(nil, "bench/%d", w.made))
		users[i] = twochain.Account{Key: key, Address: sdk.AccAddress(key.PubKey().Address())}
		payer := c.Users[1+w.made%(len(c.Users)-1)]
		c.Queue(payer, banktypes.NewMsgSend(payer.Address, users[i].Address, sdk.NewCoins(c.Coin(2*collateral))))
	}
	w.block(c)
	for _, user := range users {
		c.Queue(user, &vaulttypes.MsgDeposit{User: user.String(), Amount: c.Coin(collateral)})
	}
	w.block(c)
	return users
}

// newLocalStaker is a newUser who stakes half of the collateral at home.
func (w *world) newLocalStaker() twochain.Account {
	w.Helper()
	user := w.newUser()
	deliver(w, w.Provider, user, stakeLocal(w.Provider, user, w.Provider.Validators[0], collateral/2))
	return user
}

// block executes what is queued on a chain.
func (w *world) block(c *twochain.Chain) {
	w.Helper()
	c.NextBlock()
	for _, err := range c.Results() {
		require.NoError(w, err)
	}
}

// validator is the operator address of the i-th consumer validator.
func (w *world) validator(i int) string { return w.Consumer.Validators[i].Address }

func (w *world) stake(user twochain.Account, validator string, amount int64) sdk.Msg {
	return &externaltypes.MsgStake{
		User: user.String(), ConsumerID: w.ConsumerID, Validator: validator, Amount: w.Provider.Coin(amount),
	}
}

func (w *world) unstake(user twochain.Account, validator string, amount int64) sdk.Msg {
	return &externaltypes.MsgUnstake{
		User: user.String(), ConsumerID: w.ConsumerID, Validator: validator, Amount: w.Provider.Coin(amount),
	}
}

// stakeLocal stakes collateral on the chain itself.
func stakeLocal(c *twochain.Chain, user twochain.Account, validator *twochain.Validator, amount int64) sdk.Msg {
	return &vaulttypes.MsgStakeLocal{User: user.String(), Validator: validator.Address, Amount: c.Coin(amount)}
}

// delegate is x/staking's own message.
func delegate(c *twochain.Chain, user twochain.Account, validator *twochain.Validator, amount int64) sdk.Msg {
	return stakingtypes.NewMsgDelegate(user.String(), validator.Address, c.Coin(amount))
}

// relay moves all packets and acks.
func (w *world) relay() {
	w.Helper()
	require.NoError(w, w.Relay())
}

// perUser is how many positions a user gets when stake is spread over many validators, below the bound of the params.
const perUser = 25

// stakeEverywhere stakes amount on each consumer validator in one block, each user on perUser of them.
func (w *world) stakeEverywhere(users []twochain.Account, amount int64) {
	w.Helper()
	for i := range w.Consumer.Validators {
		w.Provider.Queue(users[i/perUser], w.stake(users[i/perUser], w.validator(i), amount))
	}
	w.block(w.Provider)
}

// spread returns users for stakeEverywhere.
func (w *world) spread() []twochain.Account {
	w.Helper()
	return w.newUsers(w.Provider, (len(w.Consumer.Validators)+perUser-1)/perUser)
}
