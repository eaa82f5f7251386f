package twochain

import (
	"encoding/json"
	"fmt"
	"time"

	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/mesh-security/mesh/app"
)

// Edit changes one module's part of a genesis, for ChainConfig.Genesis:
//
//	twochain.Edit(cdc, genesis, "staking", func(g *stakingtypes.GenesisState) { g.Params.MaxValidators = 2 })
func Edit[T any, P interface {
	*T
	proto.Message
}](cdc codec.Codec, genesis app.GenesisState, module string, change func(P)) {
	state := P(new(T))
	cdc.MustUnmarshalJSON(genesis[module], state)
	change(state)
	genesis[module] = cdc.MustMarshalJSON(state)
}

// initChain starts the chain. Validators begin unbonded and are bonded by staking's genesis, as after genesis
// transactions on a real chain, so that all hooks run.
func (c *Chain) initChain(start time.Time) error {
	cdc, genesis := c.App.AppCodec(), c.App.DefaultGenesis()
	accounts := []authtypes.GenesisAccount{c.Relayer.account()}
	balances := []banktypes.Balance{}
	for _, u := range c.Users {
		accounts = append(accounts, u.account())
		balances = append(balances, banktypes.Balance{
			Address: u.String(), Coins: sdk.NewCoins(sdk.NewCoin(c.Denom, c.cfg.UserBalance)),
		})
	}
	staked := math.ZeroInt()
	var validators []stakingtypes.Validator
	var delegations []stakingtypes.Delegation
	for i, v := range c.Validators {
		tokens := math.NewInt(c.cfg.Validators[i])
		staked = staked.Add(tokens)
		accounts = append(accounts, v.Operator.account())
		// Operators pay deposits and self-delegations.
		balances = append(balances, banktypes.Balance{
			Address: v.Operator.String(), Coins: sdk.NewCoins(sdk.NewCoin(c.Denom, c.cfg.UserBalance)),
		})
		pubKey, err := cryptocodec.FromCmtPubKeyInterface(v.key.PrivKey.PubKey())
		if err != nil {
			return err
		}
		anyKey, err := codectypes.NewAnyWithValue(pubKey)
		if err != nil {
			return err
		}
		validators = append(validators, stakingtypes.Validator{
			OperatorAddress:   v.Address,
			ConsensusPubkey:   anyKey,
			Status:            stakingtypes.Unbonded,
			Tokens:            tokens,
			DelegatorShares:   math.LegacyNewDecFromInt(tokens),
			Description:       stakingtypes.Description{Moniker: fmt.Sprintf("validator %d", i)},
			UnbondingTime:     time.Unix(0, 0).UTC(),
			Commission:        stakingtypes.NewCommission(math.LegacyZeroDec(), math.LegacyZeroDec(), math.LegacyZeroDec()),
			MinSelfDelegation: math.OneInt(),
		})
		delegations = append(delegations, stakingtypes.NewDelegation(
			v.Operator.String(), v.Address, math.LegacyNewDecFromInt(tokens)))
	}
	balances = append(balances, banktypes.Balance{
		Address: authtypes.NewModuleAddress(stakingtypes.NotBondedPoolName).String(),
		Coins:   sdk.NewCoins(sdk.NewCoin(c.Denom, staked)),
	})

	genesis[authtypes.ModuleName] = cdc.MustMarshalJSON(authtypes.NewGenesisState(authtypes.DefaultParams(), accounts))
	Edit(cdc, genesis, banktypes.ModuleName, func(g *banktypes.GenesisState) { g.Balances = balances })
	Edit(cdc, genesis, stakingtypes.ModuleName, func(g *stakingtypes.GenesisState) {
		g.Params.BondDenom, g.Params.UnbondingTime = c.Denom, c.cfg.UnbondingTime
		g.Validators, g.Delegations = validators, delegations
	})
	Edit(cdc, genesis, minttypes.ModuleName, func(g *minttypes.GenesisState) { g.Params.MintDenom = c.Denom })
	Edit(cdc, genesis, govtypes.ModuleName, func(g *govv1.GenesisState) {
		deposit := math.NewInt(10_000)
		expedited := c.cfg.VotingPeriod / 2
		g.Params.VotingPeriod, g.Params.ExpeditedVotingPeriod = &c.cfg.VotingPeriod, &expedited
		g.Params.MinDeposit = sdk.NewCoins(sdk.NewCoin(c.Denom, deposit))
		g.Params.ExpeditedMinDeposit = sdk.NewCoins(sdk.NewCoin(c.Denom, deposit.MulRaw(5)))
	})
	if c.cfg.Genesis != nil {
		c.cfg.Genesis(cdc, genesis)
	}
	if err := c.App.BasicManager.ValidateGenesis(cdc, c.App.TxConfig(), genesis); err != nil {
		return err
	}
	bz, err := json.Marshal(genesis)
	if err != nil {
		return err
	}
	baseapp.SetChainID(c.cfg.ChainID)(c.App.BaseApp)
	params := cmttypes.DefaultConsensusParams().ToProto()
	params.Block.MaxGas = c.cfg.MaxGas
	c.genesis = &abci.RequestInitChain{
		Time: start, ChainId: c.cfg.ChainID, AppStateBytes: bz, InitialHeight: 1,
		ConsensusParams: &cmtproto.ConsensusParams{
			Block: params.Block, Evidence: params.Evidence, Validator: params.Validator, Version: params.Version, Abci: params.Abci,
		},
	}
	_, err = c.App.InitChain(c.genesis)
	return err
}
