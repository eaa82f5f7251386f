package simulation

import (
	"errors"
	"math/rand"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	"github.com/cosmos/cosmos-sdk/x/simulation"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// maxDelegations bounds the delegations an operation chooses among.
const maxDelegations = 100

// action is one kind of message.
type action struct {
	// name is that of its weight among the params of a simulation, weight the default.
	name   string
	weight int
	// make returns a message of the user that makes sense now, and what of the user's coins it takes; nil if none does.
	make func(Module, *rand.Rand, sdk.Context, sdk.AccAddress) (msg sdk.Msg, spent sdk.Coins, err error)
	// refusals are the errors that the message can meet all the same. Any other ends the simulation.
	refusals []error
}

// moved are the refusals of everything that takes stake to a validator.
var moved = []error{
	types.ErrDebt, types.ErrInvalidValidator, types.ErrTooManyValidators, types.ErrImmatureRedelegation,
	types.ErrDelegationStays, types.ErrInsufficientStake, types.ErrLocalStakingRefused, stakingtypes.ErrDelegatorShareExRateInvalid,
}

var actions = []action{
	{"op_weight_msg_vault_deposit", 100, Module.deposit, []error{types.ErrDepositsRefused}},
	{"op_weight_msg_vault_withdraw", 50, Module.withdraw, nil},
	{"op_weight_msg_vault_stake_local", 100, Module.stakeLocal, append(moved, types.ErrInsufficientCollateral)},
	{"op_weight_msg_vault_unstake_local", 50, Module.unstakeLocal, []error{
		types.ErrInsufficientStake, types.ErrTooManyUnbondings, types.ErrLocalStakingRefused,
	}},
	{"op_weight_msg_vault_restake_local", 50, Module.restakeLocal, append(moved, stakingtypes.ErrMaxRedelegationEntries)},
	{"op_weight_msg_vault_deposit_delegation", 50, Module.depositDelegation, append(moved, types.ErrInsufficientCollateral)},
	{"op_weight_msg_vault_withdraw_delegation", 50, Module.withdrawDelegation, append(moved, types.ErrInsufficientFree)},
	{"op_weight_msg_vault_withdraw_local_rewards", 50, Module.withdrawLocalRewards, nil},
}

// WeightedOperations are all messages of users.
func (m Module) WeightedOperations(state module.SimulationState) []simtypes.WeightedOperation {
	operations := make([]simtypes.WeightedOperation, len(actions))
	for i, a := range actions {
		var weight int
		state.AppParams.GetOrGenerate(a.name, &weight, nil, func(*rand.Rand) { weight = a.weight })
		operations[i] = simulation.NewWeightedOperation(weight, m.operation(a, state.TxConfig))
	}
	return operations
}

// operation delivers a transaction of a random user with one message.
func (m Module) operation(a action, txs client.TxConfig) simtypes.Operation {
	return func(
		r *rand.Rand, app *baseapp.BaseApp, ctx sdk.Context, accounts []simtypes.Account, _ string,
	) (simtypes.OperationMsg, []simtypes.FutureOperation, error) {
		user, _ := simtypes.RandomAcc(r, accounts)
		if m.accounts.GetAccount(ctx, user.Address) == nil {
			return simtypes.NoOpMsg(types.ModuleName, a.name, "no account yet"), nil, nil
		}
		msg, spent, err := a.make(m, r, ctx, user.Address)
		if err != nil {
			return simtypes.NoOpMsg(types.ModuleName, a.name, "not made"), nil, err
		}
		if msg == nil {
			return simtypes.NoOpMsg(types.ModuleName, a.name, "nothing to do for the user"), nil, nil
		}
		done, future, err := simulation.GenAndDeliverTxWithRandFees(simulation.OperationInput{
			R: r, App: app, TxGen: txs, Msg: msg, CoinsSpentInMsg: spent, Context: ctx, SimAccount: user,
			AccountKeeper: m.accounts, Bankkeeper: m.bank, ModuleName: types.ModuleName,
		})
		for _, refusal := range a.refusals {
			if errors.Is(err, refusal) {
				return simtypes.NoOpMsg(types.ModuleName, sdk.MsgTypeURL(msg), err.Error()), nil, nil
			}
		}
		return done, future, err
	}
}

// coin is a random part of at most limit, at least one unit; nil if there is none.
func (m Module) coin(r *rand.Rand, ctx sdk.Context, limit math.Int) (*sdk.Coin, error) {
	if !limit.IsPositive() {
		return nil, nil
	}
	denom, err := m.keeper.Denom.Get(ctx)
	if err != nil {
		return nil, err
	}
	amount := limit
	// All of it often, as that is where the edges are.
	if r.Intn(4) > 0 {
		if amount, err = simtypes.RandPositiveInt(r, limit); err != nil {
			return nil, err
		}
	}
	coin := sdk.NewCoin(denom, amount)
	return &coin, nil
}

func (m Module) deposit(r *rand.Rand, ctx sdk.Context, user sdk.AccAddress) (sdk.Msg, sdk.Coins, error) {
	denom, err := m.keeper.Denom.Get(ctx)
	if err != nil {
		return nil, nil, err
	}
	coin, err := m.coin(r, ctx, m.bank.SpendableCoins(ctx, user).AmountOf(denom))
	if coin == nil {
		return nil, nil, err
	}
	return &types.MsgDeposit{User: user.String(), Amount: *coin}, sdk.NewCoins(*coin), nil
}

func (m Module) withdraw(r *rand.Rand, ctx sdk.Context, user sdk.AccAddress) (sdk.Msg, sdk.Coins, error) {
	account, err := m.keeper.Account(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	coin, err := m.coin(r, ctx, account.Free)
	if coin == nil {
		return nil, nil, err
	}
	return &types.MsgWithdraw{User: user.String(), Amount: *coin}, nil, nil
}

func (m Module) stakeLocal(r *rand.Rand, ctx sdk.Context, user sdk.AccAddress) (sdk.Msg, sdk.Coins, error) {
	account, err := m.keeper.Account(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	validator, err := m.validator(r, ctx)
	if validator == "" {
		return nil, nil, err
	}
	coin, err := m.coin(r, ctx, account.Liquid)
	if coin == nil {
		return nil, nil, err
	}
	return &types.MsgStakeLocal{User: user.String(), Validator: validator, Amount: *coin}, nil, nil
}

func (m Module) unstakeLocal(r *rand.Rand, ctx sdk.Context, user sdk.AccAddress) (sdk.Msg, sdk.Coins, error) {
	validator, coin, err := m.delegated(r, ctx, types.StakingAccountAddress(user))
	if coin == nil {
		return nil, nil, err
	}
	return &types.MsgUnstakeLocal{User: user.String(), Validator: validator, Amount: *coin}, nil, nil
}

func (m Module) restakeLocal(r *rand.Rand, ctx sdk.Context, user sdk.AccAddress) (sdk.Msg, sdk.Coins, error) {
	source, coin, err := m.delegated(r, ctx, types.StakingAccountAddress(user))
	if coin == nil {
		return nil, nil, err
	}
	destination, err := m.validator(r, ctx)
	if destination == "" || destination == source {
		return nil, nil, err
	}
	return &types.MsgRestakeLocal{User: user.String(), ValidatorSrc: source, ValidatorDst: destination, Amount: *coin}, nil, nil
}

func (m Module) depositDelegation(r *rand.Rand, ctx sdk.Context, user sdk.AccAddress) (sdk.Msg, sdk.Coins, error) {
	validator, coin, err := m.delegated(r, ctx, user)
	if coin == nil {
		return nil, nil, err
	}
	return &types.MsgDepositDelegation{User: user.String(), Validator: validator, Amount: *coin}, nil, nil
}

func (m Module) withdrawDelegation(r *rand.Rand, ctx sdk.Context, user sdk.AccAddress) (sdk.Msg, sdk.Coins, error) {
	validator, coin, err := m.delegated(r, ctx, types.StakingAccountAddress(user))
	if coin == nil {
		return nil, nil, err
	}
	return &types.MsgWithdrawDelegation{User: user.String(), Validator: validator, Amount: *coin}, nil, nil
}

func (m Module) withdrawLocalRewards(r *rand.Rand, ctx sdk.Context, user sdk.AccAddress) (sdk.Msg, sdk.Coins, error) {
	validator, coin, err := m.delegated(r, ctx, types.StakingAccountAddress(user))
	if coin == nil {
		return nil, nil, err
	}
	if r.Intn(2) == 0 {
		validator = "" // all
	}
	return &types.MsgWithdrawLocalRewards{User: user.String(), Validator: validator}, nil, nil
}

// validator is any validator's operator, whatever its state; empty if there is none.
func (m Module) validator(r *rand.Rand, ctx sdk.Context) (string, error) {
	validators, err := m.staking.GetAllValidators(ctx)
	if err != nil || len(validators) == 0 {
		return "", err
	}
	return validators[r.Intn(len(validators))].GetOperator(), nil
}

// delegated chooses a validator that the delegator stakes with, and an amount that is about what the stake is worth or
// less; nil without one.
func (m Module) delegated(r *rand.Rand, ctx sdk.Context, delegator sdk.AccAddress) (validator string, amount *sdk.Coin, err error) {
	delegations, err := m.staking.GetDelegatorDelegations(ctx, delegator, maxDelegations)
	if err != nil || len(delegations) == 0 {
		return "", nil, err
	}
	d := delegations[r.Intn(len(delegations))]
	coin, err := m.coin(r, ctx, d.Shares.TruncateInt())
	return d.ValidatorAddress, coin, err
}
