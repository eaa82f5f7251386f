package control

import (
	"bytes"

	errorsmod "cosmossdk.io/errors"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
)

// StakeSyncResult is the acknowledgement of a processed StakeSync.
func StakeSyncResult(ack StakeSyncAck) (channeltypes.Acknowledgement, error) {
	bz, err := encode("acknowledgement", &ack, MaxAckBytes)
	if err != nil {
		return channeltypes.Acknowledgement{}, err
	}
	return channeltypes.NewResultAcknowledgement(bz), nil
}

// ValidatorSyncResult is the acknowledgement of a processed ValidatorSync: a fixed byte.
func ValidatorSyncResult() channeltypes.Acknowledgement {
	return channeltypes.NewResultAcknowledgement([]byte{1})
}

// ErrorAck is the acknowledgement of a packet that changed nothing. It carries the registered codespace and code of
// err only: error text may differ between nodes, and acknowledgements are state.
func ErrorAck(err error) channeltypes.Acknowledgement {
	return channeltypes.NewErrorAcknowledgementWithCodespace(err)
}

// ParseStakeSyncAck reads the acknowledgement of a StakeSync. refused is not empty for an error acknowledgement; err is
// not nil for anything this protocol does not know. The rejected names are not validated: the sender only looks up what
// it sent.
func ParseStakeSyncAck(bz []byte) (ack StakeSyncAck, refused string, err error) {
	result, refused, err := parseAck(bz)
	if err != nil || refused != "" {
		return StakeSyncAck{}, refused, err
	}
	if err := decode("acknowledgement", result, &ack, MaxAckBytes); err != nil {
		return StakeSyncAck{}, "", errorsmod.Wrap(ErrInvalidAck, err.Error())
	}
	if err := validateAmount("total", ack.Total); err != nil {
		return StakeSyncAck{}, "", errorsmod.Wrap(ErrInvalidAck, err.Error())
	}
	return ack, "", nil
}

// AckRefused says why the acknowledgement of a ValidatorSync is not its result; empty if it is.
func AckRefused(bz []byte) string {
	_, refused, err := parseAck(bz)
	if err != nil {
		return err.Error()
	}
	return refused
}

func parseAck(bz []byte) (result []byte, refused string, err error) {
	if err := checkLength("acknowledgement", len(bz), MaxAckBytes); err != nil {
		return nil, "", err
	}
	var ack channeltypes.Acknowledgement
	if err := decode("acknowledgement", bz, &ack, MaxAckBytes); err != nil {
		return nil, "", err
	}
	// The JSON decoder visits the members of a oneof in random order, so of an acknowledgement with a result and an
	// error either could win, on each node another. What does not encode to itself is none.
	if !bytes.Equal(ack.Acknowledgement(), bz) {
		return nil, "", errorsmod.Wrap(ErrInvalidAck, "not in its canonical form")
	}
	switch r := ack.Response.(type) {
	case *channeltypes.Acknowledgement_Result:
		if len(r.Result) > 0 {
			return r.Result, "", nil
		}
	case *channeltypes.Acknowledgement_Error:
		if r.Error != "" {
			return nil, r.Error, nil
		}
	}
	return nil, "", errorsmod.Wrap(ErrInvalidAck, "neither a result nor an error")
}
