package main

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// quietLog leaves out what CometBFT says in every block.
const quietLog = "consensus:error,txindex:error,state:error,p2p:error,pex:error,*:info"

const portsPerNode = 4

// node is one meshd process and its home folder.
type node struct {
	moniker string
	home    string
	// logLevel is what the node logs, quietLog if empty.
	logLevel string
	logFile  string
	// rpc, p2p, grpc and api are ports on loopback that were free when the demo started.
	rpc, p2p, grpc, api int
	proc                *process
}

func (n *node) rpcURL() string  { return fmt.Sprintf("http://127.0.0.1:%d", n.rpc) }
func (n *node) restURL() string { return fmt.Sprintf("http://127.0.0.1:%d", n.api) }

// freePorts returns n different ports that nobody listens on. All are held until the last one
// is known, so none is given out twice.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// configure writes ports, block time and client defaults into the config files `init` made.
func (n *node) configure(c *chain, peers string) error {
	quote := func(s string) string { return `"` + s + `"` }
	local := func(scheme string, port int) string { return quote(fmt.Sprintf("%s127.0.0.1:%d", scheme, port)) }
	files := map[string]settings{
		"config.toml": {
			{"rpc", "laddr", local("tcp://", n.rpc)},
			{"rpc", "pprof_laddr", `""`},
			{"p2p", "laddr", local("tcp://", n.p2p)},
			{"p2p", "persistent_peers", quote(peers)},
			{"p2p", "addr_book_strict", "false"},
			{"p2p", "allow_duplicate_ip", "true"},
			{"consensus", "timeout_commit", quote(blockTime.String())},
		},
		"app.toml": {
			{"", "minimum-gas-prices", quote(c.gasPrices())},
			{"api", "enable", "true"},
			{"api", "address", local("tcp://", n.api)},
			{"grpc", "address", local("", n.grpc)},
			{"grpc-web", "enable", "false"},
		},
		"client.toml": {
			{"", "chain-id", quote(c.id)},
			{"", "keyring-backend", quote("test")},
			{"", "node", local("tcp://", n.rpc)},
		},
	}
	for name, edits := range files {
		file := filepath.Join(n.home, "config", name)
		bz, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text, err := edits.apply(string(bz))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// start runs the node; its output goes to its log file.
func (n *node) start(meshd string) (err error) {
	n.proc, err = startProcess(n.moniker, n.logFile, meshd, n.arguments()...)
	return err
}

// arguments of meshd.
func (n *node) arguments() []string {
	return []string{"start", "--log_no_color", "--log_level", cmp.Or(n.logLevel, quietLog), "--home", n.home}
}

// settings are values for keys that a TOML file already has.
type settings []struct{ section, key, value string }

// apply replaces the values line by line, so the comments of the file stay.
func (s settings) apply(text string) (string, error) {
	lines := strings.Split(text, "\n")
	for _, edit := range s {
		section, found := "", false
		for i, line := range lines {
			trimmed := strings.TrimSpace(line)
			if strings.HasPrefix(trimmed, "[") && strings.HasSuffix(trimmed, "]") {
				section = strings.Trim(trimmed, "[]")
				continue
			}
			key, _, isPair := strings.Cut(trimmed, "=")
			if isPair && section == edit.section && strings.TrimSpace(key) == edit.key {
				lines[i], found = edit.key+" = "+edit.value, true
				break
			}
		}
		if !found {
			return "", fmt.Errorf("no key %q in section %q", edit.key, edit.section)
		}
	}
	return strings.Join(lines, "\n"), nil
}
