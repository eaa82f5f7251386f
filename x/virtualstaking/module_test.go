package virtualstaking_test

import (
	"testing"

	"cosmossdk.io/client/v2/autocli"
	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec/address"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// The commands of the module as a chain's binary builds them, generated and written by hand together.
func TestCommands(t *testing.T) {
	enc := moduletestutil.MakeTestEncodingConfig(virtualstaking.AppModule{})
	am := virtualstaking.NewAppModule(enc.Codec, nil)
	options := autocli.AppOptions{
		Modules:               map[string]appmodule.AppModule{types.ModuleName: am},
		AddressCodec:          address.NewBech32Codec(sdk.GetConfig().GetBech32AccountAddrPrefix()),
		ValidatorAddressCodec: address.NewBech32Codec(sdk.GetConfig().GetBech32ValidatorAddrPrefix()),
		ConsensusAddressCodec: address.NewBech32Codec(sdk.GetConfig().GetBech32ConsensusAddrPrefix()),
		ClientCtx:             client.Context{}.WithInterfaceRegistry(enc.InterfaceRegistry),
	}
	root := &cobra.Command{Use: "meshd"}
	query, tx := &cobra.Command{Use: "query"}, &cobra.Command{Use: "tx"}
	root.AddCommand(query, tx)
	require.NoError(t, options.EnhanceRootCommand(root))

	for parent, want := range map[*cobra.Command][]string{
		query: {"delegations", "exposure", "params", "source", "sources", "supply"},
		tx:    {"draft-set-max-cap", "draft-update-params"},
	} {
		module, _, err := parent.Find([]string{types.ModuleName})
		require.NoError(t, err)
		require.Equal(t, types.ModuleName, module.Name())
		var got []string
		for _, c := range module.Commands() {
			got = append(got, c.Name())
			require.NotEmpty(t, c.Example, c.Name())
		}
		require.ElementsMatch(t, want, got)
	}
	require.Equal(t, uint64(2), am.ConsensusVersion())
}
