package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	blockTime = 500 * time.Millisecond
	gasPrice  = "0.0025"

	// keys of every chain's keyring; validators' keys are named after their nodes.
	adminKey = "admin"
	userKey  = "alice"
)

// chain is one blockchain of the demo and the way to talk to it.
type chain struct {
	id, prefix, denom string
	// stakes are the validators' self delegations, in base units, one node each.
	stakes []int64
	// funds of the accounts at genesis by key name, in the order they are created.
	funds []fund
	nodes []*node
	meshd string
	// connection and transfer channel to the other chain, once they are open.
	connection, transfer string
}

type fund struct {
	key     string
	address string
	amount  int64
}

// home is the folder with the keys and the client config: the first node's.
func (c *chain) home() string { return c.nodes[0].home }

func (c *chain) gasPrices() string { return gasPrice + c.denom }

func (c *chain) coin(amount int64) string { return fmt.Sprintf("%d%s", amount, c.denom) }

// lay gives every validator a node with a folder and portsPerNode of the ports.
func (c *chain) lay(dir string, ports []int) {
	for i := range c.stakes {
		own := ports[i*portsPerNode:]
		name := c.prefix + "-node"
		if len(c.stakes) > 1 {
			name = fmt.Sprintf("%s%d", name, i+1)
		}
		c.nodes = append(c.nodes, &node{
			moniker: name,
			home:    filepath.Join(dir, name),
			logFile: filepath.Join(dir, "logs", name+".log"),
			rpc:     own[0], p2p: own[1], grpc: own[2], api: own[3],
		})
	}
}

// initialise makes the homes, the keys and one genesis all nodes share.
func (c *chain) initialise(ctx context.Context, edit func(*genesis)) error {
	for _, n := range c.nodes {
		if _, err := run(ctx, c.meshd, "init", n.moniker, "--chain-id", c.id, "--bech32-prefix", c.prefix, "--denom", c.denom, "--home", n.home); err != nil {
			return err
		}
		if err := n.configure(c, ""); err != nil {
			return err
		}
	}
	for i, n := range c.nodes {
		address, err := c.addKey(ctx, n.moniker, n.home)
		if err != nil {
			return err
		}
		// Enough for the self delegation and for the fees of votes and proposals.
		c.funds = append(c.funds, fund{n.moniker, address, c.stakes[i] + 1_000_000_000})
	}
	for i, f := range c.funds {
		if f.address == "" {
			address, err := c.addKey(ctx, f.key, c.home())
			if err != nil {
				return err
			}
			c.funds[i].address = address
		}
		if _, err := run(ctx, c.meshd, "genesis", "add-genesis-account", c.funds[i].address, c.coin(f.amount), "--home", c.home()); err != nil {
			return err
		}
	}
	file := c.nodes[0].genesisFile()
	if err := editGenesis(file, edit); err != nil {
		return err
	}
	for i, n := range c.nodes {
		if i > 0 {
			if err := copyFile(file, n.genesisFile()); err != nil {
				return err
			}
		}
		gentx := filepath.Join(c.home(), "config", "gentx", n.moniker+".json")
		if err := os.MkdirAll(filepath.Dir(gentx), 0o755); err != nil {
			return err
		}
		if _, err := run(ctx, c.meshd, "genesis", "gentx", n.moniker, c.coin(c.stakes[i]),
			"--chain-id", c.id, "--moniker", n.moniker, "--keyring-backend", "test", "--output-document", gentx, "--home", n.home); err != nil {
			return err
		}
	}
	if _, err := run(ctx, c.meshd, "genesis", "collect-gentxs", "--home", c.home()); err != nil {
		return err
	}
	return c.connectNodes(ctx)
}

// connectNodes copies the finished genesis to the further nodes and points them at the first.
func (c *chain) connectNodes(ctx context.Context) error {
	// collect-gentxs writes the peers it finds in the gentxs; these name ports nobody listens on.
	if err := c.nodes[0].configure(c, ""); err != nil {
		return err
	}
	if len(c.nodes) == 1 {
		return nil
	}
	id, err := run(ctx, c.meshd, "comet", "show-node-id", "--home", c.home())
	if err != nil {
		return err
	}
	peer := fmt.Sprintf("%s@127.0.0.1:%d", strings.TrimSpace(string(id)), c.nodes[0].p2p)
	for _, n := range c.nodes[1:] {
		if err := copyFile(c.nodes[0].genesisFile(), n.genesisFile()); err != nil {
			return err
		}
		if err := n.configure(c, peer); err != nil {
			return err
		}
	}
	return nil
}

// addKey creates a key in a test keyring and returns its address.
func (c *chain) addKey(ctx context.Context, name, home string) (string, error) {
	out, err := run(ctx, c.meshd, "keys", "add", name, "--keyring-backend", "test", "--output", "json", "--home", home)
	if err != nil {
		return "", err
	}
	var key struct {
		Address string `json:"address"`
	}
	if err := json.Unmarshal(out, &key); err != nil {
		return "", fmt.Errorf("keys add %s: %w: %s", name, err, out)
	}
	return key.Address, nil
}

// address of a genesis account.
func (c *chain) address(key string) string {
	for _, f := range c.funds {
		if f.key == key {
			return f.address
		}
	}
	return ""
}

func (c *chain) start() error {
	for _, n := range c.nodes {
		if err := n.start(c.meshd); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) genesisFile() string { return filepath.Join(n.home, "config", "genesis.json") }
