package control

import (
	"bytes"
	"strings"

	errorsmod "cosmossdk.io/errors"
	"github.com/cosmos/gogoproto/jsonpb"
	"github.com/cosmos/gogoproto/proto"
)

// The wire is JSON of protobuf: snake_case names, integers as strings, unknown fields ignored within a major version.
var (
	marshaler   = jsonpb.Marshaler{OrigName: true}
	unmarshaler = jsonpb.Unmarshaler{AllowUnknownFields: true}
)

func encode(what string, msg proto.Message, max int) ([]byte, error) {
	var buf bytes.Buffer
	if err := marshaler.Marshal(&buf, msg); err != nil {
		return nil, errorsmod.Wrapf(ErrMalformed, "%s: %s", what, err)
	}
	if err := checkLength(what, buf.Len(), max); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func decode(what string, bz []byte, msg proto.Message, max int) error {
	if err := checkLength(what, len(bz), max); err != nil {
		return err
	}
	if err := unmarshaler.Unmarshal(strings.NewReader(string(bz)), msg); err != nil {
		return errorsmod.Wrapf(ErrMalformed, "%s: %s", what, err)
	}
	return nil
}
