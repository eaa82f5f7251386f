package keeper_test

import (
	"fmt"
	"testing"
	"time"

	coreheader "cosmossdk.io/core/header"
	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	"github.com/cosmos/cosmos-sdk/x/distribution"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	"github.com/cosmos/cosmos-sdk/x/gov"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

const (
	selfStake     = 10_000_000
	unbondingTime = 21 * 24 * time.Hour
)

// validator is one of the chain's; its operator's account has the same bytes as its address.
type validator struct {
	name     string
	address  sdk.ValAddress
	operator sdk.AccAddress
	cons     sdk.ConsAddress
}

// chain is a fixture with bonded validators, whose blocks begin and end as an app's do.
type chain struct {
	*fixture
	vals []validator
	// fees are paid to the validators and their delegators in every block.
	fees int64
}

// newChain has n validators with selfStake each, and alice and bob with 1,000,000 stake.
func newChain(t testing.TB, n int) *chain {
	c := &chain{fixture: newVault(t)}
	c.ctx = c.ctx.WithBlockHeader(cmtproto.Header{ChainID: "provider-1", Height: 10, Time: start})
	params := stakingtypes.DefaultParams()
	params.BondDenom, params.UnbondingTime = denom, unbondingTime
	require.NoError(t, c.staking.SetParams(c.ctx, params))
	for i := range n {
		c.addValidator(i, selfStake)
	}
	for _, user := range []sdk.AccAddress{alice, bob} {
		c.fund(user, sdk.NewInt64Coin(denom, 999_000))
	}
	c.block(time.Second)
	return c
}

func (c *chain) addValidator(i int, stake int64) validator {
	c.t.Helper()
	key := ed25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "key %d", i)).PubKey()
	operator := sdk.AccAddress(fmt.Sprintf("operator%012d", i))
	v := validator{name: sdk.ValAddress(operator).String(), address: sdk.ValAddress(operator), operator: operator, cons: sdk.ConsAddress(key.Address())}
	c.fund(operator, sdk.NewInt64Coin(denom, stake))
	msg, err := stakingtypes.NewMsgCreateValidator(v.name, key, sdk.NewInt64Coin(denom, stake), stakingtypes.Description{Moniker: v.name},
		stakingtypes.NewCommissionRates(math.LegacyZeroDec(), math.LegacyOneDec(), math.LegacyOneDec()), math.OneInt())
	require.NoError(c.t, err)
	_, err = stakingkeeper.NewMsgServerImpl(c.staking).CreateValidator(c.ctx, msg)
	require.NoError(c.t, err)
	c.vals = append(c.vals, v)
	return v
}

// block ends the present block and begins the next one, dt later, checking all invariants in between.
func (c *chain) block(dt time.Duration) {
	c.t.Helper()
	require.NoError(c.t, gov.EndBlocker(c.ctx, c.gov))
	_, err := c.staking.EndBlocker(c.ctx)
	require.NoError(c.t, err)
	c.k.EndBlock(c.ctx)
	c.sound()

	header := c.ctx.BlockHeader()
	header.Height++
	header.Time = header.Time.Add(dt)
	// x/staking reads the time from both.
	c.ctx = c.ctx.WithBlockHeader(header).WithHeaderInfo(coreheader.Info{Height: header.Height, Time: header.Time}).WithVoteInfos(c.votes()).WithEventManager(sdk.NewEventManager())
	if c.fees > 0 {
		coins := sdk.NewCoins(sdk.NewInt64Coin(denom, c.fees))
		require.NoError(c.t, c.bank.MintCoins(c.ctx, minttypes.ModuleName, coins))
		require.NoError(c.t, c.bank.SendCoinsFromModuleToModule(c.ctx, minttypes.ModuleName, authtypes.FeeCollectorName, coins))
	}
	require.NoError(c.t, distribution.BeginBlocker(c.ctx, c.distr))
	require.NoError(c.t, c.staking.BeginBlocker(c.ctx))
}

// votes says that every bonded validator signed the last block.
func (c *chain) votes() []abci.VoteInfo {
	var votes []abci.VoteInfo
	require.NoError(c.t, c.staking.IterateLastValidatorPowers(c.ctx, func(operator sdk.ValAddress, power int64) bool {
		v, err := c.staking.GetValidator(c.ctx, operator)
		require.NoError(c.t, err)
		cons, err := v.GetConsAddr()
		require.NoError(c.t, err)
		votes = append(votes, abci.VoteInfo{Validator: abci.Validator{Address: cons, Power: power}, BlockIdFlag: cmtproto.BlockIDFlagCommit})
		return false
	}))
	return votes
}

// sound asserts the invariants of the vault and of the SDK's modules it works with.
func (c *chain) sound() {
	c.t.Helper()
	c.holds()
	for name, invariant := range map[string]sdk.Invariant{
		"bank": bankkeeper.AllInvariants(c.bank), "staking": stakingkeeper.AllInvariants(c.staking), "distribution": distrkeeper.AllInvariants(c.distr),
	} {
		msg, broken := invariant(c.ctx)
		require.False(c.t, broken, "%s: %s", name, msg)
	}
}

// try runs a message as a block would: nothing remains of it if it fails.
func (c *chain) try(msg sdk.Msg) (events sdk.Events, err error) {
	c.t.Helper()
	ctx, write := c.ctx.CacheContext()
	res, err := c.router.Handler(msg)(ctx, msg)
	if err != nil {
		return nil, err
	}
	write()
	for _, e := range res.Events {
		events = append(events, sdk.Event(e))
	}
	return events, nil
}

// refuses asserts that a message fails with want.
func (c *chain) refuses(want error, msg sdk.Msg) {
	c.t.Helper()
	_, err := c.try(msg)
	require.ErrorIs(c.t, err, want)
}

// does asserts that a message succeeds.
func (c *chain) does(msg sdk.Msg) sdk.Events {
	c.t.Helper()
	events, err := c.try(msg)
	require.NoError(c.t, err)
	c.sound()
	return events
}

func coin(amount int64) sdk.Coin { return sdk.NewInt64Coin(denom, amount) }

func (c *chain) stakeLocal(user sdk.AccAddress, v validator, amount int64) sdk.Events {
	c.t.Helper()
	return c.does(&types.MsgStakeLocal{User: user.String(), Validator: v.name, Amount: coin(amount)})
}

func (c *chain) unstakeLocal(user sdk.AccAddress, v validator, amount int64) sdk.Events {
	c.t.Helper()
	return c.does(&types.MsgUnstakeLocal{User: user.String(), Validator: v.name, Amount: coin(amount)})
}

func (c *chain) restakeLocal(user sdk.AccAddress, from, to validator, amount int64) sdk.Events {
	c.t.Helper()
	return c.does(&types.MsgRestakeLocal{User: user.String(), ValidatorSrc: from.name, ValidatorDst: to.name, Amount: coin(amount)})
}

// delegate stakes directly, past the vault.
func (c *chain) delegate(user sdk.AccAddress, v validator, amount int64) {
	c.t.Helper()
	_, err := stakingkeeper.NewMsgServerImpl(c.staking).Delegate(c.ctx, stakingtypes.NewMsgDelegate(user.String(), v.name, coin(amount)))
	require.NoError(c.t, err)
}

// slash slashes a validator by a fraction of its present tokens, for a fault at an earlier height.
func (c *chain) slash(v validator, height int64, fraction string) {
	c.t.Helper()
	tokens := c.validator(v).Tokens
	// x/staking counts in consensus power; whole tokens keep the fraction exact.
	_, err := c.staking.Slash(c.ctx, v.cons, height, tokens.Quo(c.staking.PowerReduction(c.ctx)).Int64(), math.LegacyMustNewDecFromStr(fraction))
	require.NoError(c.t, err)
}

func (c *chain) validator(v validator) stakingtypes.Validator {
	c.t.Helper()
	val, err := c.staking.GetValidator(c.ctx, v.address)
	require.NoError(c.t, err)
	return val
}

// delegated is what a delegator's delegation is worth, rounded down.
func (c *chain) delegated(delegator sdk.AccAddress, v validator) int64 {
	c.t.Helper()
	d, err := c.staking.GetDelegation(c.ctx, delegator, v.address)
	if err != nil {
		require.ErrorIs(c.t, err, stakingtypes.ErrNoDelegation)
		return 0
	}
	return types.TokensOf(c.validator(v), d.Shares).Int64()
}

// local is what the user has with the validator through the vault.
func (c *chain) local(user sdk.AccAddress, v validator) int64 {
	c.t.Helper()
	return c.delegated(types.StakingAccountAddress(user), v)
}

// figures are the user's collateral, local stake and what is free.
func (c *chain) figures(user sdk.AccAddress) [3]int64 {
	c.t.Helper()
	a := c.account(user)
	return [3]int64{a.Collateral.Int64(), types.Local(a.Liens).Int64(), a.Free.Int64()}
}
