package types

import (
	"context"

	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"
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
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	DelegateCoins(ctx context.Context, delegator, module sdk.AccAddress, amt sdk.Coins) error
	UndelegateCoins(ctx context.Context, module, delegator sdk.AccAddress, amt sdk.Coins) error
}

// StakingKeeper is what the vault needs of x/staking.
type StakingKeeper interface {
	BondDenom(ctx context.Context) (string, error)
}
