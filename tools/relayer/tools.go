//go:build tools

// Package tools pins the relayer the demo runs.
package tools

import _ "github.com/cosmos/relayer/v2"
