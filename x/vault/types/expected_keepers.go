package types

import (
	"context"
	"time"

	"cosmossdk.io/core/address"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// AccountKeeper is what the vault needs of x/auth.
type AccountKeeper interface {
	AddressCodec() address.Codec
	GetModuleAddress(module string) sdk.AccAddress
	GetAccount(ctx context.Context, addr sdk.AccAddress) sdk.AccountI
	NewAccount(ctx context.Context, account sdk.AccountI) sdk.AccountI
	SetAccount(ctx context.Context, account sdk.AccountI)
}

// BankKeeper is what the vault needs of x/bank. The delegating forms track vesting, so that locked coins can be
// collateral, and cannot be blocked on the way out.
type BankKeeper interface {
	AppendSendRestriction(restriction banktypes.SendRestrictionFn)
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	DelegateCoins(ctx context.Context, delegator, module sdk.AccAddress, amt sdk.Coins) error
	UndelegateCoins(ctx context.Context, module, delegator sdk.AccAddress, amt sdk.Coins) error
	SendCoins(ctx context.Context, from, to sdk.AccAddress, amt sdk.Coins) error
	SendCoinsFromModuleToModule(ctx context.Context, from, to string, amt sdk.Coins) error
	BurnCoins(ctx context.Context, module string, amt sdk.Coins) error
}

// StakingReader reads x/staking's params and validators.
type StakingReader interface {
	ValidatorAddressCodec() address.Codec
	BondDenom(ctx context.Context) (string, error)
	MaxEntries(ctx context.Context) (uint32, error)
	GetValidator(ctx context.Context, addr sdk.ValAddress) (stakingtypes.Validator, error)
}

// DelegationReader reads what one account holds in x/staking.
type DelegationReader interface {
	GetDelegation(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress) (stakingtypes.Delegation, error)
	GetUnbondingDelegation(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress) (stakingtypes.UnbondingDelegation, error)
	HasReceivingRedelegation(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress) (bool, error)
	IterateDelegatorDelegations(ctx context.Context, delegator sdk.AccAddress, cb func(stakingtypes.Delegation) (stop bool)) error
	IterateDelegatorUnbondingDelegations(ctx context.Context, delegator sdk.AccAddress, cb func(stakingtypes.UnbondingDelegation) (stop bool)) error
	GetAllRedelegations(ctx context.Context, delegator sdk.AccAddress, source, destination sdk.ValAddress) ([]stakingtypes.Redelegation, error)
}

// DelegationWriter changes what one account holds in x/staking. The setters are only used to burn what is unbonding.
type DelegationWriter interface {
	Delegate(ctx context.Context, delegator sdk.AccAddress, amount math.Int, source stakingtypes.BondStatus, validator stakingtypes.Validator, subtractAccount bool) (math.LegacyDec, error)
	Unbond(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress, shares math.LegacyDec) (math.Int, error)
	Undelegate(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress, shares math.LegacyDec) (time.Time, math.Int, error)
	BeginRedelegation(ctx context.Context, delegator sdk.AccAddress, source, destination sdk.ValAddress, shares math.LegacyDec) (time.Time, error)
	SetUnbondingDelegation(ctx context.Context, ubd stakingtypes.UnbondingDelegation) error
	RemoveUnbondingDelegation(ctx context.Context, ubd stakingtypes.UnbondingDelegation) error
	DeleteUnbondingIndex(ctx context.Context, id uint64) error
}

// StakingKeeper is all of x/staking that the vault needs.
type StakingKeeper interface {
	StakingReader
	DelegationReader
	DelegationWriter
}

// SlashingKeeper knows how much a validator's fault costs.
type SlashingKeeper interface {
	SlashFractionDoubleSign(ctx context.Context) (math.LegacyDec, error)
	SlashFractionDowntime(ctx context.Context) (math.LegacyDec, error)
}

// DistributionKeeper pays the rewards of local stake and owns the community pool.
type DistributionKeeper interface {
	GetDelegatorWithdrawAddr(ctx context.Context, delegator sdk.AccAddress) (sdk.AccAddress, error)
	WithdrawDelegationRewards(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress) (sdk.Coins, error)
	FundCommunityPool(ctx context.Context, amount sdk.Coins, sender sdk.AccAddress) error
}

// GovStakingKeeper is what x/gov asks x/staking for, and so what is decorated for it.
type GovStakingKeeper interface {
	ValidatorAddressCodec() address.Codec
	IterateBondedValidatorsByPower(ctx context.Context, fn func(index int64, validator stakingtypes.ValidatorI) (stop bool)) error
	TotalBondedTokens(ctx context.Context) (math.Int, error)
	IterateDelegations(ctx context.Context, delegator sdk.AccAddress, fn func(index int64, delegation stakingtypes.DelegationI) (stop bool)) error
}
