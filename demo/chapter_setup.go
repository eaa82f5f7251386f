package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
)

func (st *story) twoChains() chapter {
	return chapter{
		title: "1  Two chains",
		about: "Different prefixes, denoms and validators. They know nothing of each other.",
		steps: []step{
			{"make homes, keys and genesis", st.initialise},
			{"start the nodes", st.startChains},
		},
	}
}

func (st *story) initialise(ctx context.Context) (string, error) {
	// The relayer's addresses must be in both genesis files.
	if err := st.relayer.configure(ctx, st.consumer, st.provider); err != nil {
		return "", err
	}
	provider := make(chan error, 1)
	go func() {
		provider <- st.provider.initialise(ctx, func(g *genesis) { shortPeriods(g, st.provider.denom) })
	}()
	err := st.consumer.initialise(ctx, func(g *genesis) {
		shortPeriods(g, st.consumer.denom)
		g.set("virtualstaking.params.epoch_length", fmt.Sprint(epochLength))
		g.set("virtualstaking.params.total_max_cap", fmt.Sprint(maxCap))
		// A slow machine must not get anybody jailed for missing blocks.
		g.set("slashing.params.signed_blocks_window", "100000")
	})
	return "provider-1 (prov, uprov) · consumer-1 (cons, ucons)", errors.Join(err, <-provider)
}

func (st *story) startChains(ctx context.Context) (string, error) {
	for _, c := range st.chains() {
		if err := c.start(); err != nil {
			return "", err
		}
	}
	for _, c := range st.chains() {
		err := st.wait(ctx, func() error {
			height, _, err := c.latest(ctx)
			if err != nil {
				return err
			}
			if height < 2 {
				return fmt.Errorf("%s has produced %d blocks", c.id, height)
			}
			bonded, err := c.validators(ctx)
			if err != nil {
				return err
			}
			if len(bonded) != len(c.stakes) {
				return fmt.Errorf("%s has %d validators, expected %d", c.id, len(bonded), len(c.stakes))
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	home, err := st.provider.validators(ctx)
	if err != nil {
		return "", err
	}
	st.home = home[0].Operator
	st.validators, err = st.consumer.validators(ctx)
	return fmt.Sprintf("%d + %d validators, a block every %s", len(st.provider.stakes), len(st.consumer.stakes), blockTime), err
}

func (st *story) ibc() chapter {
	return chapter{
		title: "2  IBC between them",
		about: "Light clients, a connection and an ordinary transfer channel, made by the Go relayer.",
		steps: []step{
			{"light clients", st.openClients},
			{"connection", st.openConnection},
			{"transfer channel", st.openTransfer},
		},
	}
}

func (st *story) openClients(ctx context.Context) (string, error) {
	if err := st.relayer.tx(ctx, "clients", pathName); err != nil {
		return "", err
	}
	ids := make([]string, 0, 2)
	for _, c := range st.chains() {
		err := st.wait(ctx, func() error {
			var reply struct {
				States []struct {
					ID string `json:"client_id"`
				} `json:"client_states"`
			}
			if err := c.rest(ctx, "/ibc/core/client/v1/client_states", &reply); err != nil {
				return err
			}
			for _, s := range reply.States {
				if strings.HasPrefix(s.ID, "07-tendermint-") {
					ids = append(ids, s.ID)
					return nil
				}
			}
			return fmt.Errorf("%s has no light client of the other chain", c.id)
		})
		if err != nil {
			return "", err
		}
	}
	// A client's first height must be one the counterparty can prove against.
	for _, c := range st.chains() {
		if err := st.blocks(ctx, c, 2); err != nil {
			return "", err
		}
	}
	return strings.Join(ids, " · "), nil
}

func (st *story) openConnection(ctx context.Context) (string, error) {
	if err := st.relayer.tx(ctx, "connection", pathName); err != nil {
		return "", err
	}
	for _, c := range st.chains() {
		err := st.wait(ctx, func() error {
			var reply struct {
				Connections []struct {
					ID    string `json:"id"`
					State string `json:"state"`
				} `json:"connections"`
			}
			if err := c.rest(ctx, "/ibc/core/connection/v1/connections", &reply); err != nil {
				return err
			}
			for _, conn := range reply.Connections {
				// Every chain has an open one to itself.
				if conn.State == "STATE_OPEN" && conn.ID != "connection-localhost" {
					c.connection = conn.ID
					return nil
				}
			}
			return fmt.Errorf("%s has no open connection", c.id)
		})
		if err != nil {
			return "", err
		}
	}
	return st.provider.connection + " · " + st.consumer.connection, nil
}

// channel is one end of an IBC channel.
type channel struct {
	ID       string `json:"channel_id"`
	Port     string `json:"port_id"`
	State    string `json:"state"`
	Ordering string `json:"ordering"`
}

// openChannel returns the open channel on a port.
func (st *story) openChannel(ctx context.Context, c *chain, port string) (open channel, err error) {
	err = st.wait(ctx, func() error {
		var reply struct {
			Channels []channel `json:"channels"`
		}
		if err := c.rest(ctx, "/ibc/core/channel/v1/channels", &reply); err != nil {
			return err
		}
		for _, ch := range reply.Channels {
			if ch.Port == port && ch.State == "STATE_OPEN" {
				open = ch
				return nil
			}
		}
		return fmt.Errorf("%s has no open channel on port %s", c.id, port)
	})
	return open, err
}

func (st *story) openTransfer(ctx context.Context) (string, error) {
	err := st.relayer.tx(ctx, "channel", pathName, "--src-port", "transfer", "--dst-port", "transfer", "--order", "unordered", "--version", "ics20-1")
	if err != nil {
		return "", err
	}
	for _, c := range st.chains() {
		open, err := st.openChannel(ctx, c, "transfer")
		if err != nil {
			return "", err
		}
		c.transfer = open.ID
	}
	st.voucher = fmt.Sprintf("ibc/%X", sha256.Sum256([]byte("transfer/"+st.provider.transfer+"/"+st.consumer.denom)))
	return st.provider.transfer + " · " + st.consumer.transfer, nil
}
