package keeper

import (
	"github.com/cosmos/cosmos-sdk/telemetry"

	"github.com/mesh-security/mesh/x/converter/types"
)

// count increments the module's counter of that name. Converters are permissionless, so they are not a label.
func count(name string) { telemetry.IncrCounter(1, types.ModuleName, name) }
