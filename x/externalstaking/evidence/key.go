package evidence

import (
	"bytes"

	errorsmod "cosmossdk.io/errors"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
)

// Key is an entry of a consumer's key history: a consensus key came to a validator.
type Key struct {
	// Validator is the operator address of the validator, opaque here.
	Validator string
	// PubKey is the raw 32 byte ed25519 key.
	PubKey []byte
	// From is the first height at which the validator answers for the key.
	From clienttypes.Height
}

// Keys is the key history of one consumer.
type Keys interface {
	// KeyAt finds the key with this CometBFT address and who had it at a height: the last entry of that key at or below
	// it. If the key came to its first validator only later, that first entry, so that the refusal can say since when.
	// found is false if no validator ever had such a key.
	KeyAt(address cmttypes.Address, height clienttypes.Height) (key Key, found bool, err error)
}

// keyAt is the key that answers for what address signed at a height. ErrUnknownKey or ErrKeyNotYetValid if there is none.
func keyAt(keys Keys, address cmttypes.Address, height clienttypes.Height) (Key, error) {
	key, found, err := keys.KeyAt(address, height)
	if err != nil {
		return Key{}, err
	}
	if !found || len(key.PubKey) != ed25519.PubKeySize || !bytes.Equal(key.address(), address) {
		return Key{}, errorsmod.Wrapf(ErrUnknownKey, "no validator of the consumer ever reported the key of address %s", address)
	}
	if height.LT(key.From) {
		return Key{}, errorsmod.Wrapf(ErrKeyNotYetValid, "the key of address %s is known since %s, the evidence is of %s", address, key.From, height)
	}
	return key, nil
}

func (k Key) address() cmttypes.Address { return ed25519.PubKey(k.PubKey).Address() }

// verifies tells whether the key signed the vote under the chain id.
func (k Key) verifies(chainID string, vote *cmttypes.Vote) bool {
	return vote.Verify(chainID, ed25519.PubKey(k.PubKey)) == nil
}
