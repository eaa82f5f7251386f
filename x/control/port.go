package control

import (
	"strconv"
	"strings"

	errorsmod "cosmossdk.io/errors"
)

// Port prefixes of the two ends; a port is "<prefix>.<id>".
const (
	ConverterPortPrefix       = "converter"
	ExternalStakingPortPrefix = "externalstaking"
)

// PortID is the port of a converter or a registered consumer.
func PortID(prefix string, id uint64) string {
	return prefix + "." + strconv.FormatUint(id, 10)
}

// ParsePortID returns the id in a port of the given prefix, in its one canonical spelling, above zero.
func ParsePortID(prefix, port string) (uint64, error) {
	rest, ok := strings.CutPrefix(port, prefix+".")
	id, err := strconv.ParseUint(rest, 10, 64)
	if !ok || err != nil || id == 0 || PortID(prefix, id) != port {
		return 0, errorsmod.Wrapf(ErrInvalidPort, "%q; possible is %s.<id>", port, prefix)
	}
	return id, nil
}
