package main

import (
	"fmt"
	"path/filepath"

	"cosmossdk.io/log"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/spf13/cobra"

	"github.com/mesh-security/mesh/app"
)

const flagHeight = "height"

func inspectCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Look into the state of a stopped node",
		RunE:  client.ValidateCmd,
	}
	cmd.AddCommand(invariantsCmd())
	return cmd
}

// invariantsCmd checks every invariant of the mesh modules on a stopped node's state.
func invariantsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "invariants",
		Short:   "Check every invariant of the mesh modules; fails if one is broken",
		Args:    cobra.NoArgs,
		Example: "meshd inspect invariants --home ./provider",
		RunE: func(cmd *cobra.Command, _ []string) error {
			height, err := cmd.Flags().GetInt64(flagHeight)
			if err != nil {
				return err
			}
			settings := server.GetServerContextFromCmd(cmd)
			db, err := dbm.NewDB(
				"application", server.GetAppDBBackend(settings.Viper), filepath.Join(settings.Config.RootDir, "data"),
			)
			if err != nil {
				return fmt.Errorf("opening the state (is the node stopped?): %w", err)
			}
			defer db.Close()
			node := app.New(log.NewNopLogger(), db, nil, height == 0, settings.Viper)
			if height != 0 {
				if err := node.LoadHeight(height); err != nil {
					return err
				}
			}
			if node.LastBlockHeight() == 0 {
				return fmt.Errorf("%s has no state yet", settings.Config.RootDir)
			}
			return printInvariants(cmd, node)
		},
	}
	cmd.Flags().Int64(flagHeight, 0, "height to look at; 0 for the last one")
	return cmd
}

func printInvariants(cmd *cobra.Command, node *app.App) error {
	ctx, err := node.LastContext()
	if err != nil {
		return err
	}
	broken := 0
	for _, inv := range node.Invariants() {
		if err := inv.Check(ctx); err != nil {
			broken++
			cmd.Printf("%-4s BROKEN  %s\n", inv.ID, err)
			continue
		}
		cmd.Printf("%-4s holds\n", inv.ID)
	}
	if broken > 0 {
		return fmt.Errorf("%d invariants broken at height %d", broken, node.LastBlockHeight())
	}
	cmd.Printf("all hold at height %d\n", node.LastBlockHeight())
	return nil
}
