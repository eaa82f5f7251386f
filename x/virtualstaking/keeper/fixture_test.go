package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"testing"
	"time"

	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/testutil/integration"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/auth/vesting"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/distribution"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	"github.com/cosmos/cosmos-sdk/x/mint"
	mintkeeper "github.com/cosmos/cosmos-sdk/x/mint/keeper"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/virtualstaking"
	"github.com/mesh-security/mesh/x/virtualstaking/keeper"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

const (
	denom         = "ucons"
	chainID       = "consumer-3"
	unbondingTime = 100 * time.Second
	selfStake     = 10_000_000
)

var authority = authtypes.NewModuleAddress(govtypes.ModuleName).String()

// fakeHooks is the owner of the sources: it keeps targets and credits rewards.
type fakeHooks struct {
	targets map[uint64][]types.Target
	stale   bool
	// silent providers are out of reach; unsure makes the question fail.
	silent    map[uint64]bool
	unsure    error
	onSilence func(ctx context.Context)
	batch     map[uint64]uint64
	rewards   map[uint64]map[string]sdk.Coins
	failures  map[uint64]error
	// refuseRewards makes AddRewards fail.
	refuseRewards bool
	onEpoch       func(ctx context.Context, source uint64)
}

func (h *fakeHooks) Targets(ctx context.Context, source uint64) ([]types.Target, bool, error) {
	if h.onEpoch != nil {
		h.onEpoch(ctx, source)
	}
	return h.targets[source], !h.stale, h.failures[source]
}

func (h *fakeHooks) LastBatchID(_ context.Context, source uint64) (uint64, error) {
	return h.batch[source], nil
}

func (h *fakeHooks) ProviderSilent(ctx context.Context, source uint64) (bool, error) {
	if h.onSilence != nil {
		h.onSilence(ctx)
	}
	return h.silent[source], h.unsure
}

func (h *fakeHooks) AddRewards(_ context.Context, source uint64, validator string, rewards sdk.Coins) error {
	if h.refuseRewards {
		return errInjected
	}
	if h.rewards[source] == nil {
		h.rewards[source] = map[string]sdk.Coins{}
	}
	h.rewards[source][validator] = h.rewards[source][validator].Add(rewards...)
	return nil
}

// set replaces the targets of a source.
func (h *fakeHooks) set(source uint64, amounts map[string]int64) {
	var targets []types.Target
	for v, a := range amounts {
		targets = append(targets, types.Target{Validator: v, Amount: math.NewInt(a)})
	}
	sort.Slice(targets, func(i, j int) bool { return targets[i].Validator < targets[j].Validator })
	h.targets[source] = targets
}

// faultyStaking is x/staking with a Delegate that fails after it has written, for chosen validators.
type faultyStaking struct {
	*stakingkeeper.Keeper
	failDelegate map[string]bool
	failUnbond   map[string]bool
	// loseUnbonded makes unbonding return half of what left.
	loseUnbonded bool
}

var errInjected = errors.New("injected failure")

func (s *faultyStaking) Delegate(ctx context.Context, del sdk.AccAddress, amt math.Int, src stakingtypes.BondStatus, v stakingtypes.Validator, subtract bool) (math.LegacyDec, error) {
	shares, err := s.Keeper.Delegate(ctx, del, amt, src, v, subtract)
	if s.failDelegate[v.GetOperator()] {
		return shares, errInjected
	}
	return shares, err
}

func (s *faultyStaking) Unbond(ctx context.Context, del sdk.AccAddress, val sdk.ValAddress, shares math.LegacyDec) (math.Int, error) {
	amount, err := s.Keeper.Unbond(ctx, del, val, shares)
	if s.failUnbond[val.String()] {
		return amount, errInjected
	}
	if s.loseUnbonded {
		return amount.QuoRaw(2), err
	}
	return amount, err
}

// faultyDistribution is x/distribution with a withdrawal that panics after it has written, or burns gas, for chosen validators.
type faultyDistribution struct {
	distrkeeper.Keeper
	panicOn map[string]bool
	gasOn   map[string]bool
}

func (d *faultyDistribution) WithdrawDelegationRewards(ctx context.Context, del sdk.AccAddress, val sdk.ValAddress) (sdk.Coins, error) {
	coins, err := d.Keeper.WithdrawDelegationRewards(ctx, del, val)
	if d.panicOn[val.String()] {
		panic("injected panic")
	}
	if d.gasOn[val.String()] {
		sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(1<<40, "injected")
	}
	return coins, err
}

type validator struct {
	operator string
	address  sdk.ValAddress
	cons     sdk.ConsAddress
	key      cryptotypes.PubKey
}

type fixture struct {
	t        require.TestingT
	ctx      sdk.Context
	enc      moduletestutil.TestEncodingConfig
	keys     map[string]*storetypes.KVStoreKey
	account  authkeeper.AccountKeeper
	bank     bankkeeper.BaseKeeper
	staking  *faultyStaking
	distr    *faultyDistribution
	slashing slashingkeeper.Keeper
	mint     mintkeeper.Keeper
	gov      *govkeeper.Keeper
	hooks    *fakeHooks
	k        *keeper.Keeper
	msg      types.MsgServer
	query    types.QueryServer
	vals     []validator
	// fees are paid into every block for the validators.
	fees int64
	// inflation is minted too, by x/mint.
	inflation bool
	// unchecked blocks leave the invariants of the SDK's modules out, which are slow with many denoms.
	unchecked bool
	// absent validators do not sign, by operator.
	absent map[string]bool
}

// newFixture starts a chain with n bonded validators of equal stake, real keepers, and epochs of ten blocks.
func newFixture(t testing.TB, n int) *fixture { return start(t, n) }

func start(t require.TestingT, n int) *fixture {
	f := newChain(t)
	require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesisState()))
	params := types.DefaultParams()
	params.EpochLength, params.TotalMaxCap, params.MaxSilence = 10, math.NewInt(1_000_000_000), unbondingTime
	require.NoError(t, f.k.Params.Set(f.ctx, params))
	for i := range n {
		f.addValidator(i, selfStake)
	}
	f.block(time.Second)
	return f
}

// newChain wires everything without validators and without our genesis.
func newChain(t require.TestingT) *fixture {
	f := &fixture{t: t, fees: 1_000}
	f.enc = moduletestutil.MakeTestEncodingConfig(auth.AppModuleBasic{}, vesting.AppModuleBasic{}, staking.AppModuleBasic{},
		distribution.AppModuleBasic{}, slashing.AppModuleBasic{}, virtualstaking.AppModule{})
	f.keys = storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, distrtypes.StoreKey,
		slashingtypes.StoreKey, minttypes.StoreKey, govtypes.StoreKey, types.StoreKey)
	cms := integration.CreateMultiStore(f.keys, log.NewNopLogger())
	f.ctx = sdk.NewContext(cms, cmtproto.Header{ChainID: chainID, Height: 1, Time: time.Unix(1_700_000_000, 0).UTC()}, false, log.NewNopLogger())

	cdc := f.enc.Codec
	store := func(name string) corestore.KVStoreService { return runtime.NewKVStoreService(f.keys[name]) }
	valCodec, consCodec := address.NewBech32Codec("cosmosvaloper"), address.NewBech32Codec("cosmosvalcons")
	perms := map[string][]string{
		authtypes.FeeCollectorName: nil, distrtypes.ModuleName: nil,
		minttypes.ModuleName:           {authtypes.Minter},
		govtypes.ModuleName:            {authtypes.Burner},
		stakingtypes.BondedPoolName:    {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName: {authtypes.Burner, authtypes.Staking},
		types.ModuleName:               {authtypes.Minter, authtypes.Burner},
	}
	f.account = authkeeper.NewAccountKeeper(cdc, store(authtypes.StoreKey), authtypes.ProtoBaseAccount, perms,
		address.NewBech32Codec("cosmos"), "cosmos", authority)
	f.bank = bankkeeper.NewBaseKeeper(cdc, store(banktypes.StoreKey), f.account, map[string]bool{}, authority, log.NewNopLogger())
	sk := stakingkeeper.NewKeeper(cdc, store(stakingtypes.StoreKey), f.account, f.bank, authority, valCodec, consCodec)
	f.slashing = slashingkeeper.NewKeeper(cdc, f.enc.Amino, store(slashingtypes.StoreKey), sk, authority)
	dk := distrkeeper.NewKeeper(cdc, store(distrtypes.StoreKey), f.account, f.bank, sk, authtypes.FeeCollectorName, authority)
	f.staking = &faultyStaking{Keeper: sk, failDelegate: map[string]bool{}, failUnbond: map[string]bool{}}
	f.distr = &faultyDistribution{Keeper: dk, panicOn: map[string]bool{}, gasOn: map[string]bool{}}
	f.k = keeper.NewKeeper(cdc, store(types.StoreKey), f.account, f.bank, f.staking, f.slashing, f.distr, authority)
	f.hooks = &fakeHooks{
		targets: map[uint64][]types.Target{}, batch: map[uint64]uint64{}, silent: map[uint64]bool{},
		rewards: map[uint64]map[string]sdk.Coins{}, failures: map[uint64]error{},
	}
	f.k.SetHooks(f.hooks)
	f.mint = mintkeeper.NewKeeper(cdc, store(minttypes.StoreKey), keeper.NewMintStaking(sk, f.k), f.account, f.bank, authtypes.FeeCollectorName, authority)
	f.gov = f.newGov(keeper.NewGovStaking(sk, f.k))
	f.msg, f.query = keeper.NewMsgServer(f.k), keeper.NewQueryServer(f.k)
	sk.SetHooks(stakingtypes.NewMultiStakingHooks(dk.Hooks(), f.slashing.Hooks(), f.k.Hooks()))
	f.bank.AppendSendRestriction(f.k.SendRestriction)

	require.NoError(t, f.account.Params.Set(f.ctx, authtypes.DefaultParams()))
	require.NoError(t, f.bank.SetParams(f.ctx, banktypes.DefaultParams()))
	sp := stakingtypes.DefaultParams()
	sp.BondDenom, sp.UnbondingTime = denom, unbondingTime
	require.NoError(t, sk.SetParams(f.ctx, sp))
	dp := distrtypes.DefaultParams()
	dp.CommunityTax = math.LegacyZeroDec()
	require.NoError(t, dk.Params.Set(f.ctx, dp))
	require.NoError(t, dk.FeePool.Set(f.ctx, distrtypes.InitialFeePool()))
	require.NoError(t, f.slashing.SetParams(f.ctx, slashingtypes.DefaultParams()))
	mp := minttypes.DefaultParams()
	mp.MintDenom, mp.BlocksPerYear = denom, 10_000 // so that each block mints a visible amount
	require.NoError(t, f.mint.Params.Set(f.ctx, mp))
	require.NoError(t, f.mint.Minter.Set(f.ctx, minttypes.DefaultInitialMinter()))
	require.NoError(t, f.gov.Params.Set(f.ctx, govv1.DefaultParams()))
	f.account.GetModuleAccount(f.ctx, distrtypes.ModuleName)
	return f
}

// newGov is x/gov with another view of x/staking, over the same store.
func (f *fixture) newGov(staking govtypes.StakingKeeper) *govkeeper.Keeper {
	return govkeeper.NewKeeper(f.enc.Codec, runtime.NewKVStoreService(f.keys[govtypes.StoreKey]), f.account, f.bank, staking,
		f.distr.Keeper, baseapp.NewMsgServiceRouter(), govtypes.DefaultConfig(), authority)
}

func (f *fixture) fund(addr sdk.AccAddress, amount int64) {
	coins := sdk.NewCoins(sdk.NewInt64Coin(denom, amount))
	require.NoError(f.t, f.bank.MintCoins(f.ctx, minttypes.ModuleName, coins))
	require.NoError(f.t, f.bank.SendCoinsFromModuleToAccount(f.ctx, minttypes.ModuleName, addr, coins))
}

func (f *fixture) addValidator(i int, stake int64) validator {
	return f.addValidatorWithKey(i, stake, ed25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "key %d", i)).PubKey())
}

func (f *fixture) addValidatorWithKey(i int, stake int64, key cryptotypes.PubKey) validator {
	addr := sdk.AccAddress(fmt.Sprintf("operator%012d", i))
	f.fund(addr, stake)
	v := validator{operator: sdk.ValAddress(addr).String(), address: sdk.ValAddress(addr), cons: sdk.ConsAddress(key.Address()), key: key}
	msg, err := stakingtypes.NewMsgCreateValidator(v.operator, key, sdk.NewInt64Coin(denom, stake),
		stakingtypes.Description{Moniker: fmt.Sprint(i)}, stakingtypes.NewCommissionRates(math.LegacyZeroDec(), math.LegacyOneDec(), math.LegacyOneDec()), math.OneInt())
	require.NoError(f.t, err)
	_, err = stakingkeeper.NewMsgServerImpl(f.staking.Keeper).CreateValidator(f.ctx, msg)
	require.NoError(f.t, err)
	f.vals = append(f.vals, v)
	return v
}

func (f *fixture) addSource(id uint64, maxCap int64) types.Source {
	require.NoError(f.t, f.k.CreateSource(f.ctx, id, rewardAccount(id)))
	if maxCap > 0 {
		f.setCap(id, maxCap)
	}
	return f.source(id)
}

func (f *fixture) setCap(id uint64, maxCap int64) {
	f.setCapAndWeight(id, math.NewInt(maxCap), f.source(id).GovernanceWeight)
}

func (f *fixture) setWeight(id uint64, weight string) {
	f.setCapAndWeight(id, f.source(id).MaxCap, math.LegacyMustNewDecFromStr(weight))
}

func (f *fixture) setCapAndWeight(id uint64, maxCap math.Int, weight math.LegacyDec) {
	_, err := f.msg.SetMaxCap(f.ctx, &types.MsgSetMaxCap{
		Authority: authority, ConverterID: id, MaxCap: sdk.NewCoin(denom, maxCap), GovernanceWeight: &weight,
	})
	require.NoError(f.t, err)
}

func (f *fixture) setParams(change func(*types.Params)) {
	params, err := f.k.Params.Get(f.ctx)
	require.NoError(f.t, err)
	change(&params)
	_, err = f.msg.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(f.t, err)
}

func rewardAccount(id uint64) sdk.AccAddress { return sdk.AccAddress(fmt.Sprintf("reward%014d", id)) }

func (f *fixture) source(id uint64) types.Source {
	s, err := f.k.GetSource(f.ctx, id)
	require.NoError(f.t, err)
	return s
}

// block ends the present block and begins the next one, dt later, in the order of the design, checking all invariants
// in between and the conservation of the native supply around each of our steps.
func (f *fixture) block(dt time.Duration) {
	f.end()
	f.begin(dt)
}

func (f *fixture) end() {
	_, err := f.staking.EndBlocker(f.ctx)
	require.NoError(f.t, err)
	f.conserved(func() { require.NoError(f.t, f.k.EndBlock(f.ctx)) })
	f.check()
}

func (f *fixture) begin(dt time.Duration) {
	f.upstream(dt)
	f.conserved(func() { require.NoError(f.t, f.k.BeginBlock(f.ctx)) })
}

// upstream begins a block up to our turn.
func (f *fixture) upstream(dt time.Duration) {
	var votes []abci.VoteInfo
	require.NoError(f.t, f.staking.IterateLastValidatorPowers(f.ctx, func(op sdk.ValAddress, power int64) bool {
		v, err := f.staking.GetValidator(f.ctx, op)
		require.NoError(f.t, err)
		cons, err := v.GetConsAddr()
		require.NoError(f.t, err)
		flag := cmtproto.BlockIDFlagCommit
		if f.absent[v.GetOperator()] {
			flag = cmtproto.BlockIDFlagAbsent
		}
		votes = append(votes, abci.VoteInfo{Validator: abci.Validator{Address: cons, Power: power}, BlockIdFlag: flag})
		return false
	}))
	header := f.ctx.BlockHeader()
	header.Height++
	header.Time = header.Time.Add(dt)
	f.ctx = f.ctx.WithBlockHeader(header).WithVoteInfos(votes).WithEventManager(sdk.NewEventManager())
	if f.inflation {
		require.NoError(f.t, mint.BeginBlocker(f.ctx, f.mint, minttypes.DefaultInflationCalculationFn))
	}
	if f.fees > 0 {
		coins := sdk.NewCoins(sdk.NewInt64Coin(denom, f.fees))
		require.NoError(f.t, f.mint.MintCoins(f.ctx, coins))
		require.NoError(f.t, f.mint.AddCollectedFees(f.ctx, coins))
	}
	require.NoError(f.t, distribution.BeginBlocker(f.ctx, f.distr.Keeper))
	require.NoError(f.t, slashing.BeginBlocker(f.ctx, f.slashing))
	require.NoError(f.t, f.staking.BeginBlocker(f.ctx))
}

// epoch goes on to the source's next epoch and runs it.
func (f *fixture) epoch(id uint64) {
	next := f.source(id).NextEpoch
	require.Positive(f.t, next)
	for f.ctx.BlockHeight() < next {
		f.block(time.Second)
	}
}

// conserved checks K2: what one of our steps adds to the supply is what it adds to the virtual stake.
func (f *fixture) conserved(step func()) {
	native := func() (exact, actual math.Int) {
		issued := math.ZeroInt()
		require.NoError(f.t, f.k.Sources.Walk(f.ctx, nil, func(_ uint64, s types.Source) (bool, error) {
			issued = issued.Add(s.Minted).Sub(s.Burned)
			return false, nil
		}))
		outstanding, err := f.k.VirtualOutstanding(f.ctx)
		require.NoError(f.t, err)
		supply := f.bank.GetSupply(f.ctx, denom).Amount
		return supply.Sub(issued), supply.Sub(outstanding)
	}
	exact, actual := native()
	step()
	exactAfter, actualAfter := native()
	require.Equal(f.t, exact.String(), exactAfter.String(), "K2")
	// x/staking may lose a unit per changed delegation to rounding.
	require.LessOrEqual(f.t, actualAfter.Sub(actual).Abs().Int64(), int64(2*len(f.vals)+2), "K2 by value")
}

func (f *fixture) check() {
	require.NoError(f.t, invariant.CheckAll(f.ctx, f.k.Invariants()))
	if f.unchecked {
		return
	}
	for name, inv := range map[string]sdk.Invariant{
		"bank": bankkeeper.AllInvariants(f.bank), "staking": stakingkeeper.AllInvariants(f.staking.Keeper),
		"distribution": distrkeeper.AllInvariants(f.distr.Keeper),
	} {
		msg, broken := inv(f.ctx)
		require.False(f.t, broken, "%s: %s", name, msg)
	}
}

// try runs fn as a message would be run: nothing remains of it if it fails.
func (f *fixture) try(fn func(ctx sdk.Context) error) error {
	cached, write := f.ctx.CacheContext()
	err := fn(cached)
	if err == nil {
		write()
	}
	return err
}

// delegated is what a source has on a validator, by x/staking.
func (f *fixture) delegated(id uint64, v validator) int64 {
	d, err := f.staking.GetDelegation(f.ctx, types.VirtualAccount(id), v.address)
	if errors.Is(err, stakingtypes.ErrNoDelegation) {
		return 0
	}
	require.NoError(f.t, err)
	val, err := f.staking.GetValidator(f.ctx, v.address)
	require.NoError(f.t, err)
	return types.TokensOf(val, d.Shares).Int64()
}

func (f *fixture) info(id uint64) types.SourceInfo {
	resp, err := f.query.Source(f.ctx, &types.QuerySourceRequest{ConverterId: id})
	require.NoError(f.t, err)
	return resp.Source
}

func (f *fixture) validator(v validator) stakingtypes.Validator {
	val, err := f.staking.GetValidator(f.ctx, v.address)
	require.NoError(f.t, err)
	return val
}

// slash slashes a validator for a fault at height infraction, by its present power.
func (f *fixture) slash(v validator, infraction int64, fraction string) {
	power := f.validator(v).GetConsensusPower(f.staking.PowerReduction(f.ctx))
	if !f.validator(v).IsBonded() {
		power = f.validator(v).PotentialConsensusPower(f.staking.PowerReduction(f.ctx))
	}
	_, err := f.staking.Slash(f.ctx, v.cons, infraction, power, math.LegacyMustNewDecFromStr(fraction))
	require.NoError(f.t, err)
}

// events returns the typed events of the present block of the kind of like.
func events[T sdk.Msg](f *fixture) []T {
	var out []T
	for _, e := range f.ctx.EventManager().ABCIEvents() {
		msg, err := sdk.ParseTypedEvent(e)
		if err != nil {
			continue
		}
		if typed, ok := msg.(T); ok {
			out = append(out, typed)
		}
	}
	return out
}
