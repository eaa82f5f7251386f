package twochain

import (
	"time"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/mesh-security/mesh/app"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Config describes both chains and what connects them.
type Config struct {
	Provider, Consumer ChainConfig

	// SlashFraction and UnbondingPeriod of the registration; the latter is the consumer's unbonding time unless set.
	SlashFraction   math.LegacyDec
	UnbondingPeriod time.Duration
	// Discount and Price (consumer per provider base unit) of the converter, MaxCap and GovernanceWeight of its virtual
	// stake.
	Discount, Price  math.LegacyDec
	MaxCap           math.Int
	GovernanceWeight math.LegacyDec
}

// ChainConfig describes one chain.
type ChainConfig struct {
	ChainID string
	Denom   string
	// Validators are the self-delegations, in base units (10^6 are one unit of power).
	Validators []int64
	// Users are accounts with UserBalance of the bond denom each.
	Users         int
	UserBalance   math.Int
	UnbondingTime time.Duration
	VotingPeriod  time.Duration
	// MaxGas of a block, -1 for no bound; TxGas is the gas limit of each transaction.
	MaxGas int64
	TxGas  uint64
	// Genesis changes the genesis of any module; see Edit.
	Genesis func(cdc codec.Codec, genesis app.GenesisState)
}

// DefaultConfig is two chains of four validators with unbonding times of 21 days; virtual staking epochs last 20
// blocks. Price and discount are those of the cross-stake vector: one provider unit counts as 0.45.
func DefaultConfig() Config {
	chain := ChainConfig{
		Validators:    []int64{100_000_000, 100_000_000, 100_000_000, 100_000_000},
		Users:         10,
		UserBalance:   math.NewInt(1_000_000_000_000),
		UnbondingTime: 21 * 24 * time.Hour,
		VotingPeriod:  time.Minute,
		MaxGas:        -1,
		TxGas:         500_000_000,
	}
	cfg := Config{
		Provider: chain, Consumer: chain,
		SlashFraction:    math.LegacyNewDecWithPrec(2, 1),
		Discount:         math.LegacyNewDecWithPrec(1, 1),
		Price:            math.LegacyNewDecWithPrec(5, 1),
		MaxCap:           math.NewInt(1_000_000_000),
		GovernanceWeight: math.LegacyNewDecWithPrec(5, 1),
	}
	cfg.Provider.ChainID, cfg.Provider.Denom = "provider-1", "uprov"
	cfg.Consumer.ChainID, cfg.Consumer.Denom = "consumer-1", "ucons"
	cfg.Consumer.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
		Edit(cdc, genesis, virtualtypes.ModuleName, func(g *virtualtypes.GenesisState) {
			g.Params.EpochLength, g.Params.TotalMaxCap = 20, math.NewInt(1_000_000_000_000)
		})
	}
	return cfg
}
