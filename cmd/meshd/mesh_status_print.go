package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// maxColumn is the width of a column, in characters, beyond which it is wrapped.
const maxColumn = 48

// printJSON writes everything as one object.
func (s meshStatus) printJSON(w io.Writer) error {
	bz, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, string(bz))
	return err
}

// print writes two tables per registration: the two ends side by side, and the stake by validator. Below is what needs a
// person.
func (s meshStatus) print(w io.Writer) error {
	fmt.Fprintf(w, "provider %s at height %d, consumer %s at height %d\n",
		s.Provider.ChainID, s.Provider.Height, s.Consumer.ChainID, s.Consumer.Height)
	if len(s.Links) == 0 {
		fmt.Fprintf(w, "%s has no registration for %s\n", s.Provider.ChainID, s.Consumer.ChainID)
	}
	for _, link := range s.Links {
		link.print(w, s.Provider.Time, s.Consumer.Time)
	}
	return nil
}

// print measures what is left at each end by the time of its last block.
func (link linkStatus) print(w io.Writer, providerTime, consumerTime time.Time) {
	fmt.Fprintf(w, "\nconsumer %d %q, converter %d\n", link.ConsumerID, link.Name, link.ConverterID)
	if link.Problem != "" {
		fmt.Fprintln(w, "NOT A PAIR:", link.Problem)
	}
	ends := newTable(w)
	ends.AppendHeader(table.Row{"", "provider", "consumer"})
	// Voucher denoms are long, and there may be several.
	ends.SetColumnConfigs([]table.ColumnConfig{
		{Number: 2, WidthMax: maxColumn, WidthMaxEnforcer: text.WrapSoft},
		{Number: 3, WidthMax: maxColumn, WidthMaxEnforcer: text.WrapSoft},
	})
	ends.AppendRows([]table.Row{
		{"status", link.statusLine(), short(link.Consumer.Status)},
		{"channel", link.Provider.channel(), link.Consumer.channel()},
		{"light client", link.Provider.clientLine(providerTime), link.Consumer.clientLine(consumerTime)},
		{"packets", link.Provider.packetLine(providerTime), link.Consumer.packetLine(consumerTime)},
		{"stake", fmt.Sprintf("%s bonded, %s synced", link.Bonded, link.Synced), link.Counted.String() + " counted"},
		{"batches", link.Outbox.line(), fmt.Sprintf("%d received", link.Outbox.LastReceived)},
		{"slashes", fmt.Sprintf("%d validators being settled", link.Sweeps), ""},
		{"price", "", link.priceLine()},
		{"virtual stake", "", fmt.Sprintf("%s of at most %s, %s unbonding", link.Delegated, link.MaxCap, link.Unbonding)},
		{"epochs", "", link.epochLine()},
		{
			"rewards", fmt.Sprintf("received %s, paid %s", list(link.Rewards.Received), list(link.Rewards.Paid)),
			fmt.Sprintf("pending %s, %d transfers in flight", list(link.Rewards.Pending), link.Rewards.Transfers),
		},
	})
	ends.Render()
	link.printStake(w)
	for _, f := range link.Findings {
		fmt.Fprintf(w, "NEEDS A PERSON: %s: see docs/runbooks/%s\n", f.What, f.Runbook)
	}
}

func (link linkStatus) printStake(w io.Writer) {
	if len(link.Validators) == 0 {
		return
	}
	stake := newTable(w)
	stake.AppendHeader(table.Row{"validator", "status", "bonded", "counted", "difference", "target", "delegated"})
	for _, v := range link.Validators {
		difference := v.Difference.String()
		if v.InFlight {
			difference += " (in flight)"
		}
		stake.AppendRow(table.Row{v.Validator, short(v.Status), v.Bonded, v.Counted, difference, v.Target, v.Delegated})
	}
	columns := make([]table.ColumnConfig, 0, 5)
	for number := 3; number <= 7; number++ {
		columns = append(columns, table.ColumnConfig{Number: number, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	stake.SetColumnConfigs(columns)
	stake.Render()
}

func newTable(w io.Writer) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	return t
}

func (end linkEnd) channel() string {
	if end.ChannelID == "" {
		return end.Port + ", none"
	}
	return fmt.Sprintf("%s/%s %s", end.Port, end.ChannelID, short(end.ChannelState))
}

func (link linkStatus) statusLine() string {
	line := short(link.Provider.Status)
	if link.Paused {
		line += ", PAUSED"
	}
	if link.Retired {
		line += ", RETIRED"
	}
	return line
}

func (end linkEnd) clientLine(now time.Time) string {
	line := fmt.Sprintf("%s %s", end.ClientID, end.ClientStatus)
	if end.ClientExpires != nil {
		line += ", expires in " + left(*end.ClientExpires, now)
	}
	return line
}

func (end linkEnd) packetLine(now time.Time) string {
	line := fmt.Sprintf("%d in flight", end.Packets)
	if end.Oldest != nil && !end.Oldest.Timeout.IsZero() {
		line += fmt.Sprintf(", packet %d times out in %s", end.Oldest.Sequence, left(end.Oldest.Timeout, now))
	}
	return line
}

func (o outboxStatus) line() string {
	line := fmt.Sprintf("%d sent, %d in flight, %d validators waiting", o.LastBatch, o.InFlight, o.Dirty)
	if o.Snapshot {
		line += ", snapshot under way"
	}
	if o.Failures > 0 {
		line += fmt.Sprintf(", %d refused in a row", o.Failures)
	}
	return line
}

// left is the time until then, to the minute; not below zero.
func left(then, now time.Time) string {
	return max(then.Sub(now), 0).Truncate(time.Minute).String()
}

func (link linkStatus) priceLine() string {
	if !link.Price.IsPositive() {
		return "not set"
	}
	line := fmt.Sprintf("%s, with discount %s", decimal(link.Price.String()), decimal(link.EffectivePrice.String()))
	if link.PriceStale {
		line += ", STALE"
	}
	return line
}

func (link linkStatus) epochLine() string {
	line := fmt.Sprintf("last %d, next %d", link.LastEpoch, link.NextEpoch)
	if link.LastFailure != "" {
		line += ", FAILED: " + link.LastFailure
	}
	if link.Unwound {
		line += ", UNWOUND"
	}
	if link.SilentSince != nil {
		line += ", provider out of reach since " + link.SilentSince.UTC().Format(time.RFC3339)
	}
	return line
}

// short takes the type's name off an enum value: CONSUMER_STATUS_OPEN becomes open.
func short(value string) string {
	for _, prefix := range []string{"CONSUMER_STATUS_", "CONVERTER_STATUS_", "VALIDATOR_STATUS_", "STATE_"} {
		value = strings.TrimPrefix(value, prefix)
	}
	return strings.ToLower(value)
}

func decimal(value string) string {
	return strings.TrimSuffix(strings.TrimRight(value, "0"), ".")
}

// list shows coins.
func list(values []string) string {
	if len(values) == 0 {
		return "nothing"
	}
	shown := make([]string, len(values))
	for i, value := range values {
		// The hash of a voucher denom is long; its beginning tells them apart.
		if amount, hash, voucher := strings.Cut(value, "ibc/"); voucher && len(hash) > 8 {
			value = amount + "ibc/" + hash[:8] + "…"
		}
		shown[i] = value
	}
	return strings.Join(shown, ", ")
}
