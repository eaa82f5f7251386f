package evidence

import errorsmod "cosmossdk.io/errors"

// Codespace of the errors of this package.
const Codespace = "externalstaking/evidence"

// Registered errors: why evidence proves nothing. A code is never reused.
var (
	// ErrMalformed: the evidence is not even well-formed, see CometBFT's and ibc-go's own basic checks.
	ErrMalformed = errorsmod.Register(Codespace, 2, "evidence is malformed")
	// ErrTooLarge: more signatures or validators than any CometBFT chain can have, or a file that no block could hold.
	ErrTooLarge = errorsmod.Register(Codespace, 3, "evidence is too large")
	// ErrDifferentVotes: the votes are not of one validator for one height, round and type.
	ErrDifferentVotes = errorsmod.Register(Codespace, 4, "votes do not conflict")
	// ErrUnknownRevision: the consumer's chain id has no such revision.
	ErrUnknownRevision = errorsmod.Register(Codespace, 5, "chain id has no such revision")
	// ErrAboveClient: the light client has not seen the height yet. It can be brought by updating the client first.
	ErrAboveClient = errorsmod.Register(Codespace, 6, "height is above what the light client has seen")
	// ErrUnknownKey: no validator of the consumer ever had the key.
	ErrUnknownKey = errorsmod.Register(Codespace, 7, "consensus key is not in the consumer's key history")
	// ErrKeyNotYetValid: the key was first reported above the height.
	ErrKeyNotYetValid = errorsmod.Register(Codespace, 8, "consensus key was not valid at that height")
	// ErrInvalidSignature: a signature does not verify with the stored key under the consumer's chain id.
	ErrInvalidSignature = errorsmod.Register(Codespace, 9, "signature does not verify")
	// ErrWrongClient: the misbehaviour names another light client than the consumer's.
	ErrWrongClient = errorsmod.Register(Codespace, 10, "light client is not the consumer's")
	// ErrWrongChain: a header is of another chain than the consumer's.
	ErrWrongChain = errorsmod.Register(Codespace, 11, "header is of another chain")
	// ErrNoConflict: the headers are of different heights, or one and the same.
	ErrNoConflict = errorsmod.Register(Codespace, 12, "headers do not conflict")
	// ErrNobodyGuilty: the attack may be real, but it proves nobody's part in it.
	ErrNobodyGuilty = errorsmod.Register(Codespace, 13, "no validator is proven guilty")
)
