// Command meshd is the node, the client and the operator's tools of a chain with Mesh Security.
package main

import (
	"fmt"
	"os"

	svrcmd "github.com/cosmos/cosmos-sdk/server/cmd"
	"github.com/cosmos/cosmos-sdk/version"

	"github.com/mesh-security/mesh/app"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run() error {
	// The SDK caches printed addresses: the prefix must be known before anything prints one.
	prefix, err := resolvePrefix(os.Args[1:], os.Getenv)
	if err != nil {
		return err
	}
	setPrefix(prefix)
	if version.AppName == "<appd>" { // not set by the linker
		version.Name, version.AppName = "mesh", app.Name
	}
	return svrcmd.Execute(newRootCmd(prefix), "MESHD", app.DefaultNodeHome())
}
