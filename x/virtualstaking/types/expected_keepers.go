package types

import (
	"context"
	"time"

	"cosmossdk.io/core/address"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// AccountKeeper creates the accounts of sources.
type AccountKeeper interface {
	AddressCodec() address.Codec
	GetAccount(ctx context.Context, addr sdk.AccAddress) sdk.AccountI
	SetAccount(ctx context.Context, acc sdk.AccountI)
	NewAccount(ctx context.Context, acc sdk.AccountI) sdk.AccountI
	GetModuleAddress(name string) sdk.AccAddress
}

// BankKeeper mints and burns virtual stake.
type BankKeeper interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	GetSupply(ctx context.Context, denom string) sdk.Coin
	MintCoins(ctx context.Context, module string, amt sdk.Coins) error
	BurnCoins(ctx context.Context, module string, amt sdk.Coins) error
	SendCoinsFromModuleToModule(ctx context.Context, sender, recipient string, amt sdk.Coins) error
	SendCoinsFromAccountToModule(ctx context.Context, sender sdk.AccAddress, recipient string, amt sdk.Coins) error
}

// StakingReader reads x/staking's params and validators.
type StakingReader interface {
	ValidatorAddressCodec() address.Codec
	BondDenom(ctx context.Context) (string, error)
	UnbondingTime(ctx context.Context) (time.Duration, error)
	PowerReduction(ctx context.Context) math.Int
	TotalBondedTokens(ctx context.Context) (math.Int, error)
	HistoricalEntries(ctx context.Context) (uint32, error)
	GetHistoricalInfo(ctx context.Context, height int64) (stakingtypes.HistoricalInfo, error)
	GetValidator(ctx context.Context, addr sdk.ValAddress) (stakingtypes.Validator, error)
	IterateValidators(ctx context.Context, fn func(index int64, validator stakingtypes.ValidatorI) (stop bool)) error
}

// DelegationReader reads what one account holds in x/staking.
type DelegationReader interface {
	GetDelegation(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress) (stakingtypes.Delegation, error)
	IterateDelegatorDelegations(ctx context.Context, delegator sdk.AccAddress, cb func(stakingtypes.Delegation) (stop bool)) error
	IterateDelegatorUnbondingDelegations(ctx context.Context, delegator sdk.AccAddress, cb func(stakingtypes.UnbondingDelegation) (stop bool)) error
	IterateDelegatorRedelegations(ctx context.Context, delegator sdk.AccAddress, cb func(stakingtypes.Redelegation) (stop bool)) error
}

// DelegationWriter changes what one account holds in x/staking. The setters are those of x/staking's own Undelegate;
// using them directly leaves its limit of entries out.
type DelegationWriter interface {
	Delegate(ctx context.Context, delegator sdk.AccAddress, amount math.Int, source stakingtypes.BondStatus, validator stakingtypes.Validator, subtractAccount bool) (math.LegacyDec, error)
	Unbond(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress, shares math.LegacyDec) (math.Int, error)
	GetUnbondingDelegation(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress) (stakingtypes.UnbondingDelegation, error)
	SetUnbondingDelegation(ctx context.Context, ubd stakingtypes.UnbondingDelegation) error
	SetUnbondingDelegationEntry(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress, creationHeight int64, completion time.Time, balance math.Int) (stakingtypes.UnbondingDelegation, error)
	InsertUBDQueue(ctx context.Context, ubd stakingtypes.UnbondingDelegation, completion time.Time) error
}

// StakingKeeper is all of x/staking that is used.
type StakingKeeper interface {
	StakingReader
	DelegationReader
	DelegationWriter
}

// GovStakingKeeper is what x/gov needs of x/staking; GovStaking wraps it and is it.
type GovStakingKeeper interface {
	ValidatorAddressCodec() address.Codec
	IterateBondedValidatorsByPower(ctx context.Context, fn func(index int64, validator stakingtypes.ValidatorI) (stop bool)) error
	TotalBondedTokens(ctx context.Context) (math.Int, error)
	IterateDelegations(ctx context.Context, delegator sdk.AccAddress, fn func(index int64, delegation stakingtypes.DelegationI) (stop bool)) error
}

// MintStakingKeeper is what the supply and the bonded ratio that x/mint needs are made of.
type MintStakingKeeper interface {
	StakingTokenSupply(ctx context.Context) (math.Int, error)
	TotalBondedTokens(ctx context.Context) (math.Int, error)
}

// SlashingKeeper knows which consensus keys are tombstoned.
type SlashingKeeper interface {
	IsTombstoned(ctx context.Context, addr sdk.ConsAddress) bool
}

// DistributionKeeper pays the rewards of virtual stake.
type DistributionKeeper interface {
	GetDelegatorWithdrawAddr(ctx context.Context, delegator sdk.AccAddress) (sdk.AccAddress, error)
	SetDelegatorWithdrawAddr(ctx context.Context, delegator, withdraw sdk.AccAddress) error
	WithdrawDelegationRewards(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress) (sdk.Coins, error)
	FundCommunityPool(ctx context.Context, amount sdk.Coins, sender sdk.AccAddress) error
}
