package main

import (
	"context"
	"fmt"
	"sort"
	"time"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/mesh-security/mesh/x/control"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// rpcTimeout bounds one question to a node.
const rpcTimeout = 10 * time.Second

// meshStatus is both ends of every registration of one consumer chain.
type meshStatus struct {
	Provider endStatus    `json:"provider"`
	Consumer endStatus    `json:"consumer"`
	Links    []linkStatus `json:"links"`
}

type endStatus struct {
	ChainID string    `json:"chain_id"`
	Height  int64     `json:"height,string"`
	Time    time.Time `json:"time"`
}

// linkStatus is one registration and its converter. Stake is in provider base units except where said.
type linkStatus struct {
	ConsumerID  uint64 `json:"consumer_id,string"`
	ConverterID uint64 `json:"converter_id,string"`
	Name        string `json:"name"`
	// Problem says what keeps the two ends from being a pair, empty if they are one.
	Problem string `json:"problem,omitempty"`
	// Findings need a person.
	Findings []finding `json:"findings"`

	Provider linkEnd `json:"provider"`
	Consumer linkEnd `json:"consumer"`

	// Paused takes no new stake, Retired is left for good.
	Paused  bool `json:"paused"`
	Retired bool `json:"retired"`

	Outbox outboxStatus `json:"outbox"`
	// Bonded is committed on the provider, Synced of it what the consumer has accepted, Counted what it counts.
	Bonded  math.Int `json:"bonded"`
	Synced  math.Int `json:"synced"`
	Counted math.Int `json:"counted"`
	// Sweeps are slashed validators whose stakers are still being settled.
	Sweeps uint64 `json:"sweeps,string"`
	// Reported is false until the consumer has reported all its validators; ReportFailures counts full reports refused in a row.
	Reported       bool   `json:"validators_reported"`
	ReportFailures uint32 `json:"report_failures"`

	Price          math.LegacyDec `json:"price"`
	EffectivePrice math.LegacyDec `json:"effective_price"`
	PriceStale     bool           `json:"price_stale"`

	// MaxCap, Delegated and Unbonding are in the consumer's bond denom.
	MaxCap      math.Int `json:"max_cap"`
	Delegated   math.Int `json:"delegated"`
	Unbonding   math.Int `json:"unbonding"`
	LastEpoch   int64    `json:"last_epoch,string"`
	NextEpoch   int64    `json:"next_epoch,string"`
	LastFailure string   `json:"last_failure,omitempty"`
	// SilentSince is the first epoch in a row that did not reach the provider; Unwound that all was taken away for it.
	SilentSince *time.Time `json:"silent_since,omitempty"`
	Unwound     bool       `json:"unwound"`

	Rewards    rewardStatus      `json:"rewards"`
	Validators []validatorStatus `json:"validators"`
}

type linkEnd struct {
	Status       string `json:"status"`
	Port         string `json:"port"`
	ChannelID    string `json:"channel_id"`
	ChannelState string `json:"channel_state"`

	ClientID     string `json:"client_id"`
	ClientStatus string `json:"client_status"`
	// TrustingPeriod of the light client, which expires at ClientExpires if nobody updates it.
	TrustingPeriod time.Duration `json:"client_trusting_period"`
	ClientExpires  *time.Time    `json:"client_expires,omitempty"`

	// Packets of the control channel are unacknowledged; Oldest is the first of them.
	Packets uint64      `json:"packets_in_flight,string"`
	Oldest  *packetSent `json:"oldest_packet,omitempty"`
}

// outboxStatus is what the provider has to tell the consumer.
type outboxStatus struct {
	// Dirty validators wait to be sent, InFlight batches to be acked.
	Dirty        uint64 `json:"dirty,string"`
	InFlight     uint64 `json:"in_flight,string"`
	LastBatch    uint64 `json:"last_batch,string"`
	LastReceived uint64 `json:"last_batch_received,string"`
	// Failures counts refusals in a row, Resyncs snapshots in a row after which the consumer still counted another total.
	Failures uint32 `json:"failures"`
	Resyncs  uint32 `json:"resyncs"`
	// Snapshot of all stake is to be sent or in flight.
	Snapshot bool `json:"snapshot"`
}

type rewardStatus struct {
	// Pending waits on the consumer, Transfers are in flight.
	Pending   []string `json:"pending"`
	Transfers uint64   `json:"transfers_in_flight,string"`
	// Failures counts transfers that were refused or timed out, in a row.
	Failures uint32 `json:"failures"`
	// Received and Paid are totals on the provider.
	Received []string `json:"received"`
	Paid     []string `json:"paid"`
}

type validatorStatus struct {
	Validator string `json:"validator"`
	// Status as the provider knows it.
	Status string `json:"status"`
	// Bonded is committed on the provider, Counted what the consumer counts; Difference is Counted - Bonded.
	Bonded     math.Int `json:"bonded"`
	Counted    math.Int `json:"counted"`
	Difference math.Int `json:"difference"`
	InFlight   bool     `json:"in_flight"`
	// Target and Delegated are in the consumer's bond denom.
	Target    math.Int `json:"target"`
	Delegated math.Int `json:"delegated"`
}

// readStatus asks both nodes. Only registrations of the consumer's chain are shown, or, with only set, that one.
func readStatus(ctx context.Context, provider, consumer node, only uint64) (meshStatus, error) {
	out := meshStatus{
		Provider: endStatus{provider.ChainID, provider.Height, provider.Time},
		Consumer: endStatus{consumer.ChainID, consumer.Height, consumer.Time},
	}
	registrations, err := all(func(page *query.PageRequest) ([]externaltypes.Consumer, *query.PageResponse, error) {
		res, err := externaltypes.NewQueryClient(provider).Consumers(ctx, &externaltypes.QueryConsumersRequest{Pagination: page})
		if err != nil {
			return nil, nil, err
		}
		return res.Consumers, res.Pagination, nil
	})
	if err != nil {
		return out, fmt.Errorf("consumers of %s: %w", provider.ChainID, err)
	}
	for _, c := range registrations {
		if only != 0 && c.ID != only || only == 0 && c.ChainID != consumer.ChainID {
			continue
		}
		link, err := readLink(ctx, provider, consumer, c)
		if err != nil {
			return out, fmt.Errorf("consumer %d: %w", c.ID, err)
		}
		out.Links = append(out.Links, link)
	}
	if only != 0 && len(out.Links) == 0 {
		return out, fmt.Errorf("%s has no consumer %d", provider.ChainID, only)
	}
	return out, nil
}

func readLink(ctx context.Context, provider, consumer node, c externaltypes.Consumer) (linkStatus, error) {
	link := linkStatus{ConsumerID: c.ID, Name: c.Name, Paused: c.Paused, Retired: c.Retired}
	validators := make(map[string]*validatorStatus)
	if err := link.readProvider(ctx, provider, validators); err != nil {
		return link, fmt.Errorf("%s: %w", provider.ChainID, err)
	}
	id, err := control.ParsePortID(control.ConverterPortPrefix, c.CounterpartyPort)
	if err != nil {
		link.Problem = err.Error()
		link.Findings = link.find(provider.Time, consumer.Time)
		return link, nil
	}
	link.ConverterID = id
	if err := link.readConsumer(ctx, consumer, validators); err != nil {
		return link, fmt.Errorf("%s: %w", consumer.ChainID, err)
	}
	if c.ChainID != consumer.ChainID {
		link.Problem = fmt.Sprintf("the registration is for %s, the consumer node is of %s", c.ChainID, consumer.ChainID)
	}
	for _, v := range validators {
		v.Difference = v.Counted.Sub(v.Bonded)
		link.Validators = append(link.Validators, *v)
	}
	sort.Slice(link.Validators, func(i, j int) bool { return link.Validators[i].Validator < link.Validators[j].Validator })
	link.Findings = link.find(provider.Time, consumer.Time)
	return link, nil
}

func entry(validators map[string]*validatorStatus, address string) *validatorStatus {
	v, found := validators[address]
	if !found {
		v = &validatorStatus{
			Validator: address, Status: control.StatusUnspecified.String(),
			Bonded: math.ZeroInt(), Counted: math.ZeroInt(), Target: math.ZeroInt(), Delegated: math.ZeroInt(),
		}
		validators[address] = v
	}
	return v
}

func (link *linkStatus) readProvider(ctx context.Context, provider node, validators map[string]*validatorStatus) error {
	queries := externaltypes.NewQueryClient(provider)
	res, err := queries.Consumer(ctx, &externaltypes.QueryConsumerRequest{ConsumerId: link.ConsumerID})
	if err != nil {
		return err
	}
	link.Provider = linkEnd{
		Status: res.Consumer.Status.String(), Port: res.Port, ChannelID: res.Consumer.ChannelID,
		ChannelState: res.ChannelState, ClientStatus: res.ClientStatus,
	}
	if err := link.Provider.readIBC(ctx, provider, res.Consumer.ConnectionID); err != nil {
		return err
	}
	link.Outbox = outboxStatus{
		Dirty: res.Dirty, InFlight: res.InFlight, LastBatch: res.Outbox.LastBatchID, Failures: res.Outbox.Failures,
		Resyncs: res.Outbox.Resyncs, Snapshot: res.Outbox.Snapshot != nil,
	}
	link.Bonded, link.Synced, link.Reported = res.TotalBonded, res.TotalSynced, res.SyncComplete
	for _, r := range res.Rewards {
		link.Rewards.Received = append(link.Rewards.Received, r.Received.String()+r.Denom)
		link.Rewards.Paid = append(link.Rewards.Paid, r.Paid.String()+r.Denom)
	}
	known, err := all(func(page *query.PageRequest) ([]externaltypes.ValidatorInfo, *query.PageResponse, error) {
		res, err := queries.Validators(ctx, &externaltypes.QueryValidatorsRequest{ConsumerId: link.ConsumerID, Pagination: page})
		if err != nil {
			return nil, nil, err
		}
		return res.Validators, res.Pagination, nil
	})
	for _, info := range known {
		v := entry(validators, info.Validator.Address)
		v.Status, v.Bonded, v.InFlight = info.Validator.Status.String(), info.Pool.Bonded, info.Pool.BatchID != 0
	}
	if err != nil {
		return err
	}
	sweeps, err := all(func(page *query.PageRequest) ([]externaltypes.SweepInfo, *query.PageResponse, error) {
		res, err := queries.Sweeps(ctx, &externaltypes.QuerySweepsRequest{Pagination: page})
		if err != nil {
			return nil, nil, err
		}
		return res.Sweeps, res.Pagination, nil
	})
	for _, s := range sweeps {
		if s.ConsumerID == link.ConsumerID {
			link.Sweeps++
		}
	}
	return err
}

func (link *linkStatus) readConsumer(ctx context.Context, consumer node, validators map[string]*validatorStatus) error {
	queries := convertertypes.NewQueryClient(consumer)
	res, err := queries.Converter(ctx, &convertertypes.QueryConverterRequest{ConverterId: link.ConverterID})
	if err != nil {
		return err
	}
	link.Consumer = linkEnd{
		Status: res.Converter.Status.String(), Port: res.Port, ChannelID: res.Converter.ChannelID,
		ChannelState: res.ChannelState, ClientStatus: res.ClientStatus,
	}
	if res.Converter.CounterpartyPort != link.Provider.Port {
		link.Problem = fmt.Sprintf("the converter allows port %q, the registration has %q", res.Converter.CounterpartyPort, link.Provider.Port)
	}
	if err := link.Consumer.readIBC(ctx, consumer, res.Converter.ConnectionID); err != nil {
		return err
	}
	link.Outbox.LastReceived, link.Counted = res.Converter.LastBatchID, res.Converter.TotalStake
	link.ReportFailures = res.Sync.Failures
	link.Rewards.Transfers, link.Rewards.Failures = res.TransfersInFlight, res.Rewards.Failures

	price, err := queries.Price(ctx, &convertertypes.QueryPriceRequest{ConverterId: link.ConverterID})
	if err != nil {
		return err
	}
	link.Price, link.EffectivePrice, link.PriceStale = price.Price, price.EffectivePrice, price.Stale

	stake, err := all(func(page *query.PageRequest) ([]convertertypes.RemoteStake, *query.PageResponse, error) {
		res, err := queries.RemoteStake(ctx, &convertertypes.QueryRemoteStakeRequest{ConverterId: link.ConverterID, Pagination: page})
		if err != nil {
			return nil, nil, err
		}
		return res.Stake, res.Pagination, nil
	})
	if err != nil {
		return err
	}
	for _, s := range stake {
		v := entry(validators, s.Validator)
		v.Counted, v.Target = s.Stake, s.Target
	}
	pending, err := all(func(page *query.PageRequest) ([]convertertypes.PendingReward, *query.PageResponse, error) {
		res, err := queries.PendingRewards(ctx, &convertertypes.QueryPendingRewardsRequest{ConverterId: link.ConverterID, Pagination: page})
		if err != nil {
			return nil, nil, err
		}
		return res.Rewards, res.Pagination, nil
	})
	if err != nil {
		return err
	}
	link.Rewards.Pending = sumByDenom(pending)
	return link.readSource(ctx, consumer, validators)
}

func (link *linkStatus) readSource(ctx context.Context, consumer node, validators map[string]*validatorStatus) error {
	queries := virtualtypes.NewQueryClient(consumer)
	res, err := queries.Source(ctx, &virtualtypes.QuerySourceRequest{ConverterId: link.ConverterID})
	if err != nil {
		return err
	}
	source := res.Source.Source
	link.MaxCap, link.Delegated, link.Unbonding = source.MaxCap, res.Source.Delegated, res.Source.Unbonding
	link.LastEpoch, link.NextEpoch, link.LastFailure = source.LastEpoch, source.NextEpoch, source.LastFailure
	link.SilentSince, link.Unwound = source.SilentSince, source.Unwound

	delegations, err := all(func(page *query.PageRequest) ([]virtualtypes.VirtualDelegation, *query.PageResponse, error) {
		res, err := queries.Delegations(ctx, &virtualtypes.QueryDelegationsRequest{ConverterId: link.ConverterID, Pagination: page})
		if err != nil {
			return nil, nil, err
		}
		return res.Delegations, res.Pagination, nil
	})
	for _, d := range delegations {
		entry(validators, d.Validator).Delegated = d.Amount
	}
	return err
}

// all reads every page of a list.
func all[T any](read func(*query.PageRequest) ([]T, *query.PageResponse, error)) ([]T, error) {
	var out []T
	for page := (&query.PageRequest{}); ; {
		items, next, err := read(page)
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
		if next == nil || len(next.NextKey) == 0 {
			return out, nil
		}
		page = &query.PageRequest{Key: next.NextKey}
	}
}

func sumByDenom(rewards []convertertypes.PendingReward) []string {
	sums := make(map[string]math.Int)
	for _, r := range rewards {
		if sum, found := sums[r.Denom]; found {
			sums[r.Denom] = sum.Add(r.Amount)
		} else {
			sums[r.Denom] = r.Amount
		}
	}
	out := make([]string, 0, len(sums))
	for denom, sum := range sums {
		out = append(out, sum.String()+denom)
	}
	sort.Strings(out)
	return out
}
