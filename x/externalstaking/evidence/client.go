package evidence

import (
	"strconv"
	"strings"

	errorsmod "cosmossdk.io/errors"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
)

// Client is what the light client of the consumer's own connection says.
type Client struct {
	// ID is the client's identifier on this chain.
	ID string
	// ChainID is the chain it follows, at its present revision.
	ChainID string
	// Latest is the highest height it has seen.
	Latest clienttypes.Height
}

// chainIDAt is the chain id of a revision: what votes of that revision are signed under. ErrUnknownRevision if the chain
// has no such revision.
func (c Client) chainIDAt(revision uint64) (string, error) {
	present := clienttypes.ParseChainID(c.ChainID)
	if revision == present {
		return c.ChainID, nil
	}
	if revision == 0 || present == 0 {
		return "", errorsmod.Wrapf(ErrUnknownRevision, "%s is at revision %d, asked for %d", c.ChainID, present, revision)
	}
	return clienttypes.SetRevisionNumber(c.ChainID, revision)
}

// follows returns nil if chainID is the client's chain at any revision, else ErrWrongChain. It also keeps chain ids away from
// ibc-go that it cannot parse: a revision above 64 bits panics there.
func (c Client) follows(chainID string) error {
	var revision uint64
	if clienttypes.IsRevisionFormat(chainID) {
		var err error
		if revision, err = strconv.ParseUint(chainID[strings.LastIndexByte(chainID, '-')+1:], 10, 64); err != nil {
			return errorsmod.Wrapf(ErrWrongChain, "chain id %q: %s", chainID, err)
		}
	}
	expected, err := c.chainIDAt(revision)
	if err != nil || expected != chainID {
		return errorsmod.Wrapf(ErrWrongChain, "header of %q, the light client follows %q", chainID, c.ChainID)
	}
	return nil
}
