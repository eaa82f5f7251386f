package types

import (
	"context"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Target is how much stake a source wants on one validator, in bond denom base units.
type Target struct {
	// Validator is the operator address in this chain's own bech32 prefix.
	Validator string
	Amount    math.Int
}

// SourceHooks is what virtual staking asks of the owner of its sources.
type SourceHooks interface {
	// Targets returns the wanted stake of a source, sorted by validator, each at most once. With increase false (the price
	// is stale) delegations may only fall.
	Targets(ctx context.Context, source uint64) (targets []Target, increase bool, err error)
	// LastBatchID returns the last stake batch that the targets include.
	LastBatchID(ctx context.Context, source uint64) (uint64, error)
	// ProviderSilent reports that stake counts whose provider cannot be heard now. An error counts as silence.
	ProviderSilent(ctx context.Context, source uint64) (bool, error)
	// AddRewards credits rewards of one validator that were already paid into the source's reward account.
	AddRewards(ctx context.Context, source uint64, validator string, rewards sdk.Coins) error
}
