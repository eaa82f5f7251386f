package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Terms of the deployment. Price and discount are the shared vector's.
const (
	price    = "0.5"
	discount = "0.1"
	maxCap   = 1_000_000_000
	// slashFraction takes one of slashedOneOf units; the second registration is milder.
	slashFraction     = "0.2"
	slashedOneOf      = 5
	mildSlashFraction = "0.1"
	// governanceWeight 0: the provider secures the consumer and has no vote on it.
	governanceWeight = "0"
)

// registration is a pair of ends: the consumer's converter and the provider's consumer.
type registration struct {
	name, slashFraction string
	// unbonding is the consumer's unbonding period.
	unbonding time.Duration
	// The ids appear in all later commands.
	consumerID, converterID string
}

func (r *registration) converterPort() string { return "converter." + r.converterID }

func (r *registration) consumerPort() string { return "externalstaking." + r.consumerID }

// holder is the lien of stake lent through the registration.
func (r *registration) holder() string { return "external/" + r.consumerID }

// with turns a step about a registration into one about this one.
func (r *registration) with(run func(context.Context, *registration) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return run(ctx, r) }
}

func (st *story) deployment() chapter {
	first := &st.first
	return chapter{
		title: "3  Mesh Security between them",
		about: "Anyone may create the two ends; only the consumer's governance gives them power.",
		steps: []step{
			{"consumer: create a converter, price " + price, first.with(st.createConverter)},
			{"provider: register the consumer", first.with(st.registerConsumer)},
			{"consumer: allow this provider", first.with(st.allowProvider)},
			{"consumer governance votes on a cap", st.proposeCap},
			{"open the ordered control channel", first.with(st.openControl)},
			{"register it once more, on other terms", st.registerAgain},
			{"consumer reports its validators", st.validatorSync},
			{"consumer governance: cap " + fmt.Sprint(maxCap) + " ucons", st.capInForce},
		},
	}
}

func (st *story) createConverter(ctx context.Context, r *registration) (string, error) {
	result, err := st.consumer.tx(ctx, adminKey, "converter", "create-converter", st.consumer.connection, st.provider.denom, discount, st.consumer.transfer)
	if err != nil {
		return "", err
	}
	r.converterID = result.attribute("mesh.converter.v1.EventConverterCreated", "converter_id")
	if _, err := st.consumer.tx(ctx, adminKey, "converter", "set-price", r.converterID, price); err != nil {
		return "", err
	}
	var now struct {
		Effective string `json:"effective_price"`
	}
	err = st.consumer.rest(ctx, "/mesh/converter/v1/converters/"+r.converterID+"/price", &now)
	return fmt.Sprintf("%s, 1 uprov counts as %s ucons", r.converterPort(), strings.TrimRight(now.Effective, "0")), err
}

func (st *story) registerConsumer(ctx context.Context, r *registration) (string, error) {
	result, err := st.provider.tx(ctx, adminKey, "externalstaking", "register-consumer", st.provider.connection, r.converterPort(),
		st.provider.transfer, seconds(r.unbonding), r.slashFraction, "--name", r.name, "--min-stake", "1")
	if err != nil {
		return "", err
	}
	r.consumerID = result.attribute("mesh.externalstaking.v1.EventConsumerRegistered", "consumer_id")
	var reply struct {
		Consumer struct {
			ChainID string `json:"chain_id"`
		} `json:"consumer"`
	}
	if err := st.provider.rest(ctx, "/mesh/externalstaking/v1/consumers/"+r.consumerID, &reply); err != nil {
		return "", err
	}
	if reply.Consumer.ChainID != st.consumer.id {
		return "", fmt.Errorf("registered consumer: %+v, expected chain %s", reply.Consumer, st.consumer.id)
	}
	return fmt.Sprintf("%s, unbonding %s, slash %s", r.consumerPort(), r.unbonding, r.slashFraction), nil
}

func (st *story) allowProvider(ctx context.Context, r *registration) (string, error) {
	_, err := st.consumer.tx(ctx, adminKey, "converter", "update-converter", r.converterID, "--counterparty-port", r.consumerPort())
	return r.converterPort() + " accepts " + r.consumerPort(), err
}

// openControl must not run beside the relayer, which would answer the same handshake with the same keys.
func (st *story) openControl(ctx context.Context, r *registration) (string, error) {
	err := st.relayer.tx(ctx, "channel", pathName, "--src-port", r.converterPort(), "--dst-port", r.consumerPort(),
		"--order", "ordered", "--version", `{"protocol":"mesh-security","version":"1.0.0"}`)
	if err != nil {
		return "", err
	}
	for c, port := range map[*chain]string{st.provider: r.consumerPort(), st.consumer: r.converterPort()} {
		open, err := st.openChannel(ctx, c, port)
		if err != nil {
			return "", err
		}
		if open.Ordering != "ORDER_ORDERED" {
			return "", fmt.Errorf("%s/%s is %s", open.Port, open.ID, open.Ordering)
		}
	}
	return r.converterPort() + " ↔ " + r.consumerPort(), nil
}

// registerAgain gives the provider's stakers a second consumer to lend to: the same chain, with a milder slash.
func (st *story) registerAgain(ctx context.Context) (string, error) {
	r := &st.second
	var opened string
	for _, run := range []func(context.Context, *registration) (string, error){
		st.createConverter, st.registerConsumer, st.allowProvider, st.openControl,
	} {
		var err error
		if opened, err = run(ctx, r); err != nil {
			return "", err
		}
	}
	return opened + ", slash " + r.slashFraction, st.relayer.start()
}

func (st *story) validatorSync(ctx context.Context) (string, error) {
	err := st.wait(ctx, func() error {
		for _, r := range []*registration{&st.first, &st.second} {
			var reply struct {
				SyncComplete bool   `json:"sync_complete"`
				Validators   string `json:"validators"`
			}
			if err := st.provider.rest(ctx, "/mesh/externalstaking/v1/consumers/"+r.consumerID, &reply); err != nil {
				return err
			}
			if !reply.SyncComplete || reply.Validators != fmt.Sprint(len(st.validators)) {
				return fmt.Errorf("%s: the provider knows %s of %d validators", r.consumerPort(), reply.Validators, len(st.validators))
			}
		}
		return nil
	})
	return fmt.Sprintf("the provider knows all %d", len(st.validators)), err
}

// proposeCap starts the vote early; the period passes while the channels open.
func (st *story) proposeCap(ctx context.Context) (string, error) {
	draft, err := run(ctx, st.consumer.meshd, "tx", "virtualstaking", "draft-set-max-cap", st.first.converterID, st.consumer.coin(maxCap),
		governanceWeight, "--title", "Authorise provider-1", "--deposit", st.consumer.coin(proposalDeposit), "--home", st.consumer.home())
	if err != nil {
		return "", err
	}
	if !json.Valid(draft) {
		return "", fmt.Errorf("draft-set-max-cap printed no proposal: %q", draft)
	}
	voter := st.consumer.nodes[0].moniker
	if st.capProposal, err = st.consumer.propose(ctx, st.dir, voter, draft); err != nil {
		return "", err
	}
	_, err = st.consumer.tx(ctx, voter, "gov", "vote", st.capProposal, "yes")
	return "proposal " + st.capProposal + ", governance weight " + governanceWeight, err
}

func (st *story) capInForce(ctx context.Context) (string, error) {
	if err := st.passed(ctx, st.consumer, st.capProposal); err != nil {
		return "", err
	}
	src, err := st.source(ctx, 0)
	if err != nil {
		return "", err
	}
	if src.Source.MaxCap != fmt.Sprint(maxCap) {
		return "", fmt.Errorf("the cap is %s", src.Source.MaxCap)
	}
	return "proposal " + st.capProposal + " passed", nil
}
