package main

import (
	"path/filepath"

	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
)

// meshConfig is the [mesh] section of app.toml.
type meshConfig struct {
	Bech32Prefix string `mapstructure:"bech32-prefix"`
}

const meshTemplate = `
###############################################################################
###                                  Mesh                                   ###
###############################################################################

[mesh]

# The bech32 prefix of this chain's addresses, chosen at init. It is part of the chain's state: never change it.
bech32-prefix = "{{ .Mesh.Bech32Prefix }}"
`

// fileConfig is the whole of app.toml.
type fileConfig struct {
	serverconfig.Config `mapstructure:",squash"`
	Mesh                meshConfig `mapstructure:"mesh"`
}

// appConfig is the template and content of a new app.toml. Only init knows what the chain shall be; a file that any
// other command makes on its way leaves it open.
func appConfig(cmd *cobra.Command, prefix string) (template string, config any) {
	file := fileConfig{Config: *serverconfig.DefaultConfig()}
	file.MinGasPrices = "0" + bondDenom(cmd)
	if cmd.Name() == initName && cmd.HasParent() && !cmd.Parent().HasParent() {
		file.Mesh.Bech32Prefix = prefix
	}
	return serverconfig.DefaultConfigTemplate + meshTemplate, file
}

// keepPrefix makes sure that a home folder's app.toml names the prefix, also when another command made the file before.
func keepPrefix(settings *viper.Viper, home, prefix string) error {
	kept, err := keptPrefix(home)
	if err != nil || kept == prefix {
		return err
	}
	file := fileConfig{Config: *serverconfig.DefaultConfig()}
	if err := settings.Unmarshal(&file); err != nil {
		return err
	}
	file.Mesh.Bech32Prefix = prefix
	serverconfig.SetConfigTemplate(serverconfig.DefaultConfigTemplate + meshTemplate)
	serverconfig.WriteConfigFile(filepath.Join(home, "config", "app.toml"), file)
	return nil
}
