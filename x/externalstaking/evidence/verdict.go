package evidence

import (
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
)

// Verdict is what evidence proves.
type Verdict struct {
	// Height of the offence, an IBC height of the consumer.
	Height clienttypes.Height
	// Guilty are those who are proven guilty, at least one, none twice.
	Guilty []Key
	// Skipped are those who seem to have taken part, but are not proven to have.
	Skipped []Skipped
}

// Skipped is somebody against whom the evidence proves nothing.
type Skipped struct {
	// Address is the CometBFT address in the evidence.
	Address cmttypes.Address
	// Reason is ErrUnknownKey, ErrKeyNotYetValid or ErrInvalidSignature, with details.
	Reason error
}
