package types

import (
	"bytes"
	"strconv"

	"github.com/cosmos/cosmos-sdk/types/address"
	"github.com/cosmos/cosmos-sdk/types/bech32"

	"github.com/mesh-security/mesh/x/control"
)

// MaxRewardChannels bounds the transfer channels over which one consumer's rewards come in its life. Each may bring
// max_reward_denoms denoms.
const MaxRewardChannels = 4

// IsConverter tells whether sender, an account of the consumer in whatever prefix it has there, is that of the converter
// behind port: the module address that x/converter derives from its id, which nobody has a key for.
func IsConverter(port, sender string) bool {
	id, err := control.ParsePortID(control.ConverterPortPrefix, port)
	if err != nil || len(sender) > control.MaxNameBytes {
		return false
	}
	_, account, err := bech32.DecodeAndConvert(sender)
	return err == nil && bytes.Equal(account, address.Module(control.ConverterPortPrefix, []byte(strconv.FormatUint(id, 10))))
}
