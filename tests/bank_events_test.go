package tests

import (
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
)

// bankEvent is an event of x/bank: who, and how much of the chain's bond denom.
type bankEvent struct {
	attributes map[string]string
	amount     math.Int
}

// bankEvents are the last block's events of one kind: "coinbase", "burn" or "transfer".
func bankEvents(c *twochain.Chain, kind string) []bankEvent {
	var out []bankEvent
	for _, e := range c.LastEvents() {
		if e.Type != kind {
			continue
		}
		event := bankEvent{attributes: map[string]string{}}
		for _, a := range e.Attributes {
			event.attributes[a.Key] = a.Value
		}
		coins, err := sdk.ParseCoinsNormalized(event.attributes["amount"])
		require.NoError(c.TB, err)
		event.amount = coins.AmountOf(c.Denom)
		out = append(out, event)
	}
	return out
}
