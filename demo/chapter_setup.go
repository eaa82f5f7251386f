package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Terms of the deployment. Price and discount are the shared vector's.
const (
	price         = "0.5"
	discount      = "0.1"
	slashFraction = "0.2"
	maxCap        = 1_000_000_000
	// governanceWeight 0: the provider secures the consumer and has no vote on it.
	governanceWeight = "0"
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
	var err error
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
				if conn.State == "STATE_OPEN" {
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

func (st *story) deployment() chapter {
	return chapter{
		title: "3  Mesh Security between them",
		about: "Anyone may create the two ends; only the consumer's governance gives them power.",
		steps: []step{
			{"consumer: create a converter, price " + price, st.createConverter},
			{"provider: register the consumer", st.registerConsumer},
			{"consumer: allow this provider", st.allowProvider},
			{"open the ordered control channel", st.openControl},
			{"consumer reports its validators", st.validatorSync},
			{"consumer governance: cap " + fmt.Sprint(maxCap) + " ucons", st.authorise},
		},
	}
}

func (st *story) createConverter(ctx context.Context) (string, error) {
	_, err := st.consumer.tx(ctx, adminKey, "converter", "create-converter", st.consumer.connection, st.provider.denom, discount, st.consumer.transfer)
	if err != nil {
		return "", err
	}
	var reply struct {
		Converters []struct {
			ID       string `json:"id"`
			Discount string `json:"discount"`
		} `json:"converters"`
	}
	if err := st.consumer.rest(ctx, "/mesh/converter/v1/converters", &reply); err != nil {
		return "", err
	}
	if len(reply.Converters) != 1 {
		return "", fmt.Errorf("%d converters, expected one", len(reply.Converters))
	}
	st.converterID = reply.Converters[0].ID
	if _, err := st.consumer.tx(ctx, adminKey, "converter", "set-price", st.converterID, price); err != nil {
		return "", err
	}
	var now struct {
		Effective string `json:"effective_price"`
	}
	err = st.consumer.rest(ctx, "/mesh/converter/v1/converters/"+st.converterID+"/price", &now)
	return fmt.Sprintf("%s, 1 uprov counts as %s ucons", st.converterPort(), strings.TrimRight(now.Effective, "0")), err
}

func (st *story) converterPort() string { return "converter." + st.converterID }

func (st *story) consumerPort() string { return "externalstaking." + st.consumerID }

func (st *story) registerConsumer(ctx context.Context) (string, error) {
	_, err := st.provider.tx(ctx, adminKey, "externalstaking", "register-consumer", st.provider.connection, st.converterPort(),
		st.provider.transfer, seconds(unbondingPeriod), slashFraction, "--name", "Consumer One", "--min-stake", "1")
	if err != nil {
		return "", err
	}
	var reply struct {
		Consumers []struct {
			ID      string `json:"id"`
			ChainID string `json:"chain_id"`
		} `json:"consumers"`
	}
	if err := st.provider.rest(ctx, "/mesh/externalstaking/v1/consumers", &reply); err != nil {
		return "", err
	}
	if len(reply.Consumers) != 1 || reply.Consumers[0].ChainID != st.consumer.id {
		return "", fmt.Errorf("registered consumers: %+v, expected one of chain %s", reply.Consumers, st.consumer.id)
	}
	st.consumerID = reply.Consumers[0].ID
	return fmt.Sprintf("%s, unbonding %s, slash %s", st.consumerPort(), unbondingPeriod, slashFraction), nil
}

func (st *story) allowProvider(ctx context.Context) (string, error) {
	_, err := st.consumer.tx(ctx, adminKey, "converter", "update-converter", st.converterID, "--counterparty-port", st.consumerPort())
	return st.converterPort() + " accepts " + st.consumerPort(), err
}

func (st *story) openControl(ctx context.Context) (string, error) {
	err := st.relayer.tx(ctx, "channel", pathName, "--src-port", st.converterPort(), "--dst-port", st.consumerPort(),
		"--order", "ordered", "--version", `{"protocol":"mesh-security","version":"1.0.0"}`)
	if err != nil {
		return "", err
	}
	for c, port := range map[*chain]string{st.provider: st.consumerPort(), st.consumer: st.converterPort()} {
		open, err := st.openChannel(ctx, c, port)
		if err != nil {
			return "", err
		}
		if open.Ordering != "ORDER_ORDERED" {
			return "", fmt.Errorf("%s/%s is %s", open.Port, open.ID, open.Ordering)
		}
	}
	return st.converterPort() + " ↔ " + st.consumerPort(), st.relayer.start()
}

func (st *story) validatorSync(ctx context.Context) (string, error) {
	err := st.wait(ctx, func() error {
		var reply struct {
			SyncComplete bool   `json:"sync_complete"`
			Validators   string `json:"validators"`
		}
		if err := st.provider.rest(ctx, "/mesh/externalstaking/v1/consumers/"+st.consumerID, &reply); err != nil {
			return err
		}
		if !reply.SyncComplete || reply.Validators != fmt.Sprint(len(st.validators)) {
			return fmt.Errorf("the provider knows %s of %d validators", reply.Validators, len(st.validators))
		}
		return nil
	})
	return fmt.Sprintf("the provider knows all %d", len(st.validators)), err
}

func (st *story) authorise(ctx context.Context) (string, error) {
	draft, err := run(ctx, st.consumer.meshd, "tx", "virtualstaking", "draft-set-max-cap", st.converterID, st.consumer.coin(maxCap),
		governanceWeight, "--title", "Authorise provider-1", "--deposit", st.consumer.coin(proposalDeposit), "--home", st.consumer.home())
	if err != nil {
		return "", err
	}
	if !json.Valid(draft) {
		return "", fmt.Errorf("draft-set-max-cap printed no proposal: %q", draft)
	}
	file := filepath.Join(st.dir, "proposal.json")
	if err := os.WriteFile(file, draft, 0o644); err != nil {
		return "", err
	}
	voter := st.consumer.nodes[0].moniker
	if _, err := st.consumer.tx(ctx, voter, "gov", "submit-proposal", file); err != nil {
		return "", err
	}
	st.ui.progress("voting")
	if _, err := st.consumer.tx(ctx, voter, "gov", "vote", "1", "yes"); err != nil {
		return "", err
	}
	err = st.wait(ctx, func() error {
		var reply struct {
			Proposal struct {
				Status       string `json:"status"`
				FailedReason string `json:"failed_reason"`
			} `json:"proposal"`
		}
		if err := st.consumer.rest(ctx, "/cosmos/gov/v1/proposals/1", &reply); err != nil {
			return err
		}
		if reply.Proposal.Status != "PROPOSAL_STATUS_PASSED" {
			return fmt.Errorf("the proposal is %s %s", reply.Proposal.Status, reply.Proposal.FailedReason)
		}
		src, err := st.source(ctx)
		if err != nil {
			return err
		}
		if src.Source.MaxCap != fmt.Sprint(maxCap) {
			return fmt.Errorf("the cap is %s", src.Source.MaxCap)
		}
		return nil
	})
	return "proposal 1 passed", err
}
