package main

import (
	"fmt"
	"time"

	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"

	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// What counts as trouble. All heal by themselves at first.
const (
	// refusedOften is how many refusals in a row are no coincidence.
	refusedOften = 3
	// resyncedOften is how many snapshots in a row must have failed to make both ends count the same.
	resyncedOften = 2
	// partLeft is the part of a trusting period, and of a packet's time, that is left when somebody has to look: one third.
	partLeft = 3
)

// finding is something that does not heal by itself.
type finding struct {
	What string `json:"what"`
	// Runbook is the page of docs/runbooks that says what to do.
	Runbook string `json:"runbook"`
}

// attention is an error if anything needs a person.
func (s meshStatus) attention() error {
	findings := 0
	for _, link := range s.Links {
		findings += len(link.Findings)
	}
	if findings == 0 {
		return nil
	}
	return fmt.Errorf("%d findings need a person, each with its runbook above", findings)
}

// find looks for trouble, with the time of the last block of each chain. A retired consumer needs no channel any more.
func (link linkStatus) find(providerTime, consumerTime time.Time) []finding {
	found := []finding{}
	add := func(trouble bool, runbook, format string, args ...any) {
		if trouble {
			found = append(found, finding{What: fmt.Sprintf("consumer %d: ", link.ConsumerID) + fmt.Sprintf(format, args...), Runbook: runbook})
		}
	}
	add(link.Problem != "", "README.md", "%s", link.Problem)
	if !link.Retired {
		for _, end := range []struct {
			name string
			linkEnd
			now time.Time
		}{{"provider", link.Provider, providerTime}, {"consumer", link.Consumer, consumerTime}} {
			if end.ClientStatus == "" {
				continue // not read, as the two ends are no pair
			}
			active := end.ClientStatus == exported.Active.String()
			add(!active, "expired-client.md", "light client %s on the %s is %s", end.ClientID, end.name, end.ClientStatus)
			add(active && end.nearExpiry(end.now), "expired-client.md", "nobody updates light client %s on the %s, it expires in %s",
				end.ClientID, end.name, end.expiresIn(end.now))
			add(end.closed(), "closed-channel.md", "the control channel is closed on the %s", end.name)
			add(end.waitsLong(end.now), "stuck-packet.md", "%s", end.waiting(end.now))
		}
	}
	add(link.Outbox.Failures >= refusedOften, "stuck-packet.md", "the consumer has refused %d batches in a row", link.Outbox.Failures)
	add(link.ReportFailures >= refusedOften, "stuck-packet.md", "the provider has refused %d full reports of validators in a row", link.ReportFailures)
	add(link.drifts(), "closed-channel.md", "the consumer has accepted %s, but counts %s", link.Synced, link.Counted)
	add(link.LastFailure != "", "failing-epoch.md", "the last epoch of converter %d failed: %s", link.ConverterID, link.LastFailure)
	add(link.PriceStale && link.Price.IsPositive(), "failing-epoch.md", "the price of converter %d is stale, new stake waits", link.ConverterID)
	add(link.Unwound, "provider-silent.md", "all virtual stake of converter %d was taken away, its provider is out of reach", link.ConverterID)
	add(!link.Unwound && link.SilentSince != nil, "provider-silent.md", "the provider of converter %d is out of reach", link.ConverterID)
	add(link.Rewards.Failures >= refusedOften, "reward-channel.md", "%d transfers of rewards in a row did not arrive", link.Rewards.Failures)
	return found
}

func (end linkEnd) closed() bool {
	return end.ChannelState == channeltypes.CLOSED.String() ||
		end.Status == externaltypes.ConsumerClosed.String() || end.Status == convertertypes.ConverterClosed.String()
}

func (end linkEnd) expiresIn(now time.Time) string {
	if end.ClientExpires == nil {
		return "an unknown time"
	}
	return left(*end.ClientExpires, now)
}

// nearExpiry is true if less than a third of the trusting period is left: relayers update well before.
func (end linkEnd) nearExpiry(now time.Time) bool {
	return end.ClientExpires != nil && end.ClientExpires.Sub(now) < end.TrustingPeriod/partLeft
}

// waitsLong is true if less than a third of the oldest packet's time is left.
func (end linkEnd) waitsLong(now time.Time) bool {
	if end.Oldest == nil || end.Oldest.Timeout.IsZero() {
		return false
	}
	return end.Oldest.Timeout.Sub(now) < end.Oldest.Timeout.Sub(end.Oldest.Sent)/partLeft
}

func (end linkEnd) waiting(now time.Time) string {
	if end.Oldest == nil {
		return ""
	}
	return fmt.Sprintf("packet %d of %s/%s times out in %s", end.Oldest.Sequence, end.Port, end.ChannelID, left(end.Oldest.Timeout, now))
}

// drifts is true if the ends count differently with nothing between them, or snapshots do not help.
func (link linkStatus) drifts() bool {
	if link.Outbox.Resyncs >= resyncedOften {
		return true
	}
	open := link.Provider.Status == externaltypes.ConsumerOpen.String() && link.Consumer.Status == convertertypes.ConverterOpen.String()
	quiet := link.Outbox.InFlight == 0 && link.Provider.Packets == 0 && !link.Outbox.Snapshot && link.Outbox.LastBatch == link.Outbox.LastReceived
	return open && quiet && !link.Synced.Equal(link.Counted)
}
