package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

const day = 24 * time.Hour

// totalMaxCap bounds the caps of all sources on the consumer.
var totalMaxCap = math.NewInt(10_000_000_000_000_000)

// world is two connected chains with shortcuts for what the tests do, and what it reads is about its own registration. Others
// over the same chains are worlds of their own.
type world struct {
	*twochain.Network
}

// newWorld connects two chains that are ready to stake. Epochs last ten blocks, downtime is noticed within ten, on both.
func newWorld(t *testing.T, change ...func(*twochain.Config)) *world {
	t.Helper()
	w := unconnected(t, change...)
	w.Setup()
	return w
}

// unconnected is newWorld before anything links the chains.
func unconnected(t *testing.T, change ...func(*twochain.Config)) *world {
	t.Helper()
	cfg := twochain.DefaultConfig()
	cfg.Provider.Genesis, cfg.Consumer.Genesis = shortWindows, shortWindows
	for _, f := range change {
		f(&cfg)
	}
	return &world{twochain.New(t, cfg)}
}

func shortWindows(cdc codec.Codec, genesis app.GenesisState) {
	twochain.Edit(cdc, genesis, slashingtypes.ModuleName, func(g *slashingtypes.GenesisState) {
		g.Params.SignedBlocksWindow, g.Params.DowntimeJailDuration = 10, time.Minute
	})
	twochain.Edit(cdc, genesis, virtualstakingtypes.ModuleName, func(g *virtualstakingtypes.GenesisState) {
		g.Params.EpochLength, g.Params.TotalMaxCap = 10, totalMaxCap
	})
}

func (w *world) provider() providerView {
	return providerView{ctx: w.Provider.Ctx(), keeper: w.Provider.App.ExternalStakingKeeper, consumer: w.ConsumerID}
}

func (w *world) consumer() consumerView {
	return consumerView{ctx: w.Consumer.Ctx(), keeper: w.Consumer.App.ConverterKeeper, converter: w.ConverterID}
}

// voucher is the denom on the provider of a denom that came from the consumer.
func (w *world) voucher(denom string) string {
	end := w.Transfer.EndpointA
	return transfertypes.ParseDenomTrace(transfertypes.GetPrefixedDenom(end.ChannelConfig.PortID, end.ChannelID, denom)).IBCDenom()
}

// check is every invariant of both chains and between them.
func (w *world) check() error { return errors.Join(w.CheckInvariants(), w.checkBetween()) }

// checkBetween is every invariant between the two chains.
func (w *world) checkBetween() error {
	_, err := checkX2(w.provider(), w.consumer())
	return errors.Join(
		checkX1(w.provider(), w.consumer()),
		err,
		checkX3(w.provider(), w.consumer(), w.voucher),
	)
}

// requireQuiet relays until nothing is queued or in flight and demands that both chains agree.
func (w *world) requireQuiet(t require.TestingT) {
	quiet, err := w.settle()
	require.NoError(t, err)
	require.True(t, quiet, "packets are still waiting")
}

// settle drives both chains until nothing is queued or in flight; waiting outboxes get time for their back-off.
func (w *world) settle() (quiet bool, err error) {
	for range 40 {
		if err := w.Relay(); err != nil {
			return false, err
		}
		if quiet, err = checkX2(w.provider(), w.consumer()); err != nil || quiet {
			return quiet, errors.Join(err, w.check())
		}
		w.Provider.Blocks(5)
	}
	return false, nil
}

// authority carries out a governance message on a chain, without the proposal around it.
func authority(c *twochain.Chain, msg sdk.Msg) error {
	ctx, write := c.GetContext().CacheContext()
	_, err := c.App.MsgServiceRouter().Handler(msg)(ctx, msg)
	if err == nil {
		write()
	}
	return err
}

func (w *world) setMaxCap(amount math.Int, weight math.LegacyDec) error {
	return authority(w.Consumer, &virtualstakingtypes.MsgSetMaxCap{
		Authority: twochain.Authority(), ConverterID: w.ConverterID, MaxCap: sdk.NewCoin(w.Consumer.Denom, amount),
		GovernanceWeight: &weight,
	})
}

// epoch makes blocks on the consumer until the source's next epoch has run; without one it only makes a block.
func (w *world) epoch() {
	next := w.source().Source.NextEpoch
	for range 1_000 {
		w.Consumer.NextBlock()
		if w.Consumer.App.LastBlockHeight() >= next {
			return
		}
	}
}

func querier(c *twochain.Chain) *baseapp.QueryServiceTestHelper {
	return &baseapp.QueryServiceTestHelper{GRPCQueryRouter: c.App.GRPCQueryRouter(), Ctx: c.Ctx()}
}

func (w *world) source() virtualstakingtypes.SourceInfo {
	ctx := w.Consumer.Ctx()
	res, err := virtualstakingtypes.NewQueryClient(querier(w.Consumer)).Source(ctx, &virtualstakingtypes.QuerySourceRequest{ConverterId: w.ConverterID})
	require.NoError(w.T, err)
	return res.Source
}

// delegated is the virtual stake by validator.
func (w *world) delegated() map[string]math.Int {
	ctx := w.Consumer.Ctx()
	res, err := virtualstakingtypes.NewQueryClient(querier(w.Consumer)).Delegations(ctx, &virtualstakingtypes.QueryDelegationsRequest{ConverterId: w.ConverterID})
	require.NoError(w.T, err)
	out := map[string]math.Int{}
	for _, d := range res.Delegations {
		out[d.Validator] = d.Amount
	}
	return out
}

// outstanding is all virtual stake of the source, bonded and unbonding.
func (w *world) outstanding() math.Int {
	source := w.source()
	return source.Delegated.Add(source.Unbonding)
}

func (w *world) converter() *convertertypes.QueryConverterResponse {
	ctx := w.Consumer.Ctx()
	res, err := convertertypes.NewQueryClient(querier(w.Consumer)).Converter(ctx, &convertertypes.QueryConverterRequest{ConverterId: w.ConverterID})
	require.NoError(w.T, err)
	return res
}

func (w *world) remoteStake() map[string]convertertypes.RemoteStake {
	ctx := w.Consumer.Ctx()
	res, err := convertertypes.NewQueryClient(querier(w.Consumer)).RemoteStake(ctx, &convertertypes.QueryRemoteStakeRequest{ConverterId: w.ConverterID})
	require.NoError(w.T, err)
	out := map[string]convertertypes.RemoteStake{}
	for _, s := range res.Stake {
		out[s.Validator] = s
	}
	return out
}

func (w *world) consumerInfo() *externalstakingtypes.QueryConsumerResponse {
	ctx := w.Provider.Ctx()
	res, err := externalstakingtypes.NewQueryClient(querier(w.Provider)).Consumer(ctx, &externalstakingtypes.QueryConsumerRequest{ConsumerId: w.ConsumerID})
	require.NoError(w.T, err)
	return res
}

func (w *world) account(user twochain.Account) vaulttypes.Account {
	ctx := w.Provider.Ctx()
	res, err := vaulttypes.NewQueryClient(querier(w.Provider)).Account(ctx, &vaulttypes.QueryAccountRequest{User: user.String()})
	require.NoError(w.T, err)
	return res.Account
}

func (w *world) positions(user twochain.Account) []externalstakingtypes.PositionInfo {
	ctx := w.Provider.Ctx()
	res, err := externalstakingtypes.NewQueryClient(querier(w.Provider)).Positions(ctx, &externalstakingtypes.QueryPositionsRequest{User: user.String()})
	require.NoError(w.T, err)
	return slices.DeleteFunc(res.Positions, func(p externalstakingtypes.PositionInfo) bool { return p.ConsumerID != w.ConsumerID })
}

// position is the user's position on a validator, an empty one without.
func (w *world) position(user twochain.Account, validator string) externalstakingtypes.PositionInfo {
	for _, p := range w.positions(user) {
		if p.Validator == validator {
			return p
		}
	}
	zero := math.ZeroInt()
	return externalstakingtypes.PositionInfo{Validator: validator, Bonded: zero, PendingStake: zero, PendingUnstake: zero}
}

// lienAbroad is how much of the user's collateral is locked for the registration.
func (w *world) lienAbroad(user twochain.Account) math.Int {
	return w.lien(user, fmt.Sprintf("external/%d", w.ConsumerID))
}

func (w *world) unbondings(user twochain.Account) []externalstakingtypes.UnbondingInfo {
	ctx := w.Provider.Ctx()
	res, err := externalstakingtypes.NewQueryClient(querier(w.Provider)).Unbondings(ctx, &externalstakingtypes.QueryUnbondingsRequest{User: user.String()})
	require.NoError(w.T, err)
	return slices.DeleteFunc(res.Unbondings, func(u externalstakingtypes.UnbondingInfo) bool { return u.ConsumerID != w.ConsumerID })
}

func (w *world) rewards(user twochain.Account) sdk.Coins {
	ctx := w.Provider.Ctx()
	res, err := externalstakingtypes.NewQueryClient(querier(w.Provider)).Rewards(ctx, &externalstakingtypes.QueryRewardsRequest{User: user.String()})
	require.NoError(w.T, err)
	total := sdk.NewCoins()
	for _, r := range res.Rewards {
		if r.ConsumerID == w.ConsumerID {
			total = total.Add(r.Amount...)
		}
	}
	return total
}

// Messages of provider users.

func (w *world) coin(amount int64) sdk.Coin { return w.Provider.Coin(amount) }

func (w *world) deposit(user twochain.Account, amount int64) error {
	_, err := w.Provider.Deliver(user, &vaulttypes.MsgDeposit{User: user.String(), Amount: w.coin(amount)})
	return err
}

func (w *world) withdraw(user twochain.Account, amount int64) error {
	_, err := w.Provider.Deliver(user, &vaulttypes.MsgWithdraw{User: user.String(), Amount: w.coin(amount)})
	return err
}

func (w *world) stakeMsg(user twochain.Account, validator string, amount int64) *externalstakingtypes.MsgStake {
	return &externalstakingtypes.MsgStake{User: user.String(), ConsumerID: w.ConsumerID, Validator: validator, Amount: w.coin(amount)}
}

func (w *world) unstakeMsg(user twochain.Account, validator string, amount int64) *externalstakingtypes.MsgUnstake {
	return &externalstakingtypes.MsgUnstake{User: user.String(), ConsumerID: w.ConsumerID, Validator: validator, Amount: w.coin(amount)}
}

func (w *world) stake(user twochain.Account, validator string, amount int64) error {
	_, err := w.Provider.Deliver(user, w.stakeMsg(user, validator, amount))
	return err
}

func (w *world) unstake(user twochain.Account, validator string, amount int64) error {
	_, err := w.Provider.Deliver(user, w.unstakeMsg(user, validator, amount))
	return err
}

func (w *world) withdrawRewards(user twochain.Account, validator string) error {
	_, err := w.Provider.Deliver(user, &externalstakingtypes.MsgWithdrawRewards{User: user.String(), ConsumerID: w.ConsumerID, Validator: validator})
	return err
}

// staked deposits and stakes and lets the consumer accept it.
func (w *world) staked(t *testing.T, user twochain.Account, validator string, amount int64) {
	t.Helper()
	require.NoError(t, w.deposit(user, amount))
	require.NoError(t, w.stake(user, validator, amount))
	require.NoError(t, w.Relay())
	require.Equal(t, fmt.Sprint(amount), w.position(user, validator).Bonded.String())
}

// validator is the operator address of one of the consumer's first validators.
func (w *world) validator(i int) string { return w.Consumer.Validators[i].Address }

type blockEvents = []abci.Event

// observe hands every block's events of the provider to see.
func observe(w *world, see func(blockEvents)) func(*abci.ResponseFinalizeBlock) {
	return func(*abci.ResponseFinalizeBlock) { see(w.Provider.LastEvents()) }
}

func bytesOf(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// codecJSON is how bytes look in JSON.
func codecJSON(bz []byte) (string, error) {
	out, err := json.Marshal(bz)
	return string(out), err
}
