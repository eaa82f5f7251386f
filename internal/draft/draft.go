// Package draft prints complete governance proposals for messages that only the chain's authority may send.
package draft

import (
	"encoding/json"
	"fmt"

	"github.com/cosmos/cosmos-sdk/client"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/spf13/cobra"
)

const (
	flagTitle    = "title"
	flagSummary  = "summary"
	flagMetadata = "metadata"
	flagDeposit  = "deposit"
)

// proposal is what `tx gov submit-proposal` reads.
type proposal struct {
	Messages  []json.RawMessage `json:"messages"`
	Metadata  string            `json:"metadata"`
	Deposit   string            `json:"deposit"`
	Title     string            `json:"title"`
	Summary   string            `json:"summary"`
	Expedited bool              `json:"expedited"`
}

// AddFlags adds the flags that describe the proposal around the message.
func AddFlags(cmd *cobra.Command, title string) {
	cmd.Flags().String(flagTitle, title, "title of the proposal")
	cmd.Flags().String(flagSummary, title, "summary of the proposal")
	cmd.Flags().String(flagMetadata, "", "metadata of the proposal")
	cmd.Flags().String(flagDeposit, "", "initial deposit, for instance 10000000stake")
}

// Authority is the governance module's account.
func Authority() string { return authtypes.NewModuleAddress(govtypes.ModuleName).String() }

// Print writes the proposal that carries msg to the command's output.
func Print(cmd *cobra.Command, clientCtx client.Context, msg sdk.Msg) error {
	bz, err := clientCtx.Codec.MarshalInterfaceJSON(msg)
	if err != nil {
		return err
	}
	p := proposal{Messages: []json.RawMessage{bz}}
	for flag, field := range map[string]*string{
		flagTitle: &p.Title, flagSummary: &p.Summary, flagMetadata: &p.Metadata, flagDeposit: &p.Deposit,
	} {
		if *field, err = cmd.Flags().GetString(flag); err != nil {
			return err
		}
	}
	out, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	// Not cmd.Println, which writes to standard error: the proposal is meant for a file.
	_, err = fmt.Fprintln(cmd.OutOrStdout(), string(out))
	return err
}
