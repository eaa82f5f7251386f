package main

import (
	"fmt"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/server"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"
	"github.com/spf13/cobra"
)

const (
	initName  = "init"
	flagDenom = "denom"
)

// initCmd is the SDK's init, which also takes the chain's address prefix and bond denom.
func initCmd(basics module.BasicManager, defaultHome, prefix string) *cobra.Command {
	cmd := genutilcli.InitCmd(basics, defaultHome)
	cmd.Long = `Initialize the validator's and node's configuration files, for a chain with an address prefix and a bond denom of its own.
The prefix is kept in app.toml, the denom in the genesis (of staking, mint, governance deposits and minimum gas prices).`
	cmd.Example = `meshd init alice --chain-id provider-1 --bech32-prefix prov --denom uprov --home ./provider`
	cmd.Flags().String(flagPrefix, defaultPrefix, "bech32 prefix of the chain's addresses")
	cmd.Flags().String(flagDenom, "", `bond denom of the chain (default "stake")`)
	if err := cmd.Flags().MarkHidden(genutilcli.FlagDefaultBondDenom); err != nil {
		panic(err)
	}
	initialise := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		denom := bondDenom(cmd)
		if err := sdk.ValidateDenom(denom); err != nil {
			return fmt.Errorf("--%s: %w", flagDenom, err)
		}
		if err := cmd.Flags().Set(genutilcli.FlagDefaultBondDenom, denom); err != nil {
			return err
		}
		if err := initialise(cmd, args); err != nil {
			return err
		}
		return keepPrefix(server.GetServerContextFromCmd(cmd).Viper, client.GetClientContextFromCmd(cmd).HomeDir, prefix)
	}
	return cmd
}

// bondDenom is the denom that --denom, or the SDK's own flag for it, names; else the SDK's default.
func bondDenom(cmd *cobra.Command) string {
	for _, flag := range []string{flagDenom, genutilcli.FlagDefaultBondDenom} {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Value.String() != "" {
			return f.Value.String()
		}
	}
	return sdk.DefaultBondDenom
}
