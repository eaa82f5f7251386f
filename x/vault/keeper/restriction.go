package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// contextKey is the type of the values that travel in a context through x/staking and back to the vault.
type contextKey int

const (
	// diverted: rewards of staking accounts go to the fee collector.
	diverted contextKey = iota
	// acting: the vault itself changes a delegation.
	acting
)

// withRewardsDiverted returns ctx under which the rewards of staking accounts go to the fee collector. It is for taking
// lost stake from a user who cannot be paid, which a restriction of the chain may bring about.
func withRewardsDiverted(ctx context.Context) sdk.Context {
	return sdk.UnwrapSDKContext(ctx).WithValue(diverted, true)
}

// withActing returns ctx under which the vault's hooks take changes of delegations for what they are: the vault's own.
func withActing(ctx context.Context) sdk.Context {
	return sdk.UnwrapSDKContext(ctx).WithValue(acting, true)
}

// redirect is the vault's send restriction: coins for a staking account go to where its user's own rewards go. So the
// rewards that x/distribution sends there arrive, wherever the user wants them at that moment, and a donation is the user's
// like any other. What a staking account holds is then exactly what x/staking has paid out, which does not ask here.
//
// It costs recipients with addresses of other lengths nothing, and others one read.
func (k *Keeper) redirect(ctx context.Context, _, to sdk.AccAddress, _ sdk.Coins) (sdk.AccAddress, error) {
	if len(to) != types.StakingAccountLength {
		return to, nil
	}
	user, err := k.StakingAccounts.Get(ctx, to)
	switch {
	case errors.Is(err, collections.ErrNotFound):
		return to, nil
	case err != nil:
		return nil, err
	case ctx.Value(diverted) != nil:
		return k.feeCollector, nil
	}
	return k.rewardReceiver(ctx, user)
}

// rewardReceiver returns the user's withdraw address. Anyone can name a staking account there, also their own: these get
// the coins themselves, as if they had named none.
func (k *Keeper) rewardReceiver(ctx context.Context, user sdk.AccAddress) (sdk.AccAddress, error) {
	receiver, err := k.distribution.GetDelegatorWithdrawAddr(ctx, user)
	if err != nil {
		return nil, err
	}
	if taken, err := k.StakingAccounts.Has(ctx, receiver); err != nil || taken {
		return user, err
	}
	return receiver, nil
}
