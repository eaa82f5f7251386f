package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// snapshot is one column of the summary: what the two chains say at one moment.
type snapshot struct {
	title    string
	account  account
	wallet   int64
	vouchers int64
	bonded   [2]string
	virtual  [2]string
	power    [2]int64
}

// snapshot reads both chains and adds a column.
func (st *story) snapshot(ctx context.Context, title string) (err error) {
	s := snapshot{title: title, bonded: [2]string{"0", "0"}}
	if s.account, err = st.account(ctx); err != nil && len(st.snapshots) > 0 {
		return err
	}
	alice := st.provider.address(userKey)
	if s.wallet, err = st.provider.balance(ctx, alice, st.provider.denom); err != nil {
		return err
	}
	if s.vouchers, err = st.provider.balance(ctx, alice, st.voucher); err != nil {
		return err
	}
	for i := range 2 {
		if s.virtual[i], err = st.virtual(ctx, i, 0); err != nil {
			return err
		}
		if s.power[i], err = st.power(ctx, i); err != nil {
			return err
		}
		// Before the first stake there is no position to ask for.
		if len(st.snapshots) > 0 {
			pos, err := st.position(ctx, i)
			if err != nil {
				return err
			}
			s.bonded[i] = pos.Bonded
		}
	}
	st.snapshots = append(st.snapshots, s)
	return nil
}

// summary prints the snapshots side by side.
func (st *story) summary(ctx context.Context) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	header := table.Row{""}
	for _, s := range st.snapshots {
		header = append(header, s.title)
	}
	t.AppendHeader(header)
	configs := make([]table.ColumnConfig, len(st.snapshots))
	for i := range configs {
		configs[i] = table.ColumnConfig{Number: i + 2, Align: text.AlignRight}
	}
	t.SetColumnConfigs(configs)
	for _, row := range []struct {
		title string
		value func(snapshot) any
	}{
		{"provider: alice's account (uprov)", func(s snapshot) any { return s.wallet }},
		{"provider: collateral in the vault (uprov)", func(s snapshot) any { return s.account.Collateral }},
		{"provider: of it free (uprov)", func(s snapshot) any { return s.account.Free }},
		{"provider: lent to validator 1 / 2 (uprov)", func(s snapshot) any { return strings.Join(s.bonded[:], " / ") }},
		{"consumer: virtual stake on 1 / 2 (ucons)", func(s snapshot) any { return strings.Join(s.virtual[:], " / ") }},
		{"consumer: voting power of 1 / 2", func(s snapshot) any { return fmt.Sprintf("%d / %d", s.power[0], s.power[1]) }},
		{"provider: alice's rewards (ucons vouchers)", func(s snapshot) any { return s.vouchers }},
	} {
		cells := table.Row{row.title}
		for _, s := range st.snapshots {
			cells = append(cells, row.value(s))
		}
		t.AppendRow(cells)
	}
	st.ui.say("\n%s", t.Render())

	status, err := run(ctx, st.provider.meshd, "mesh-status", "--provider", st.provider.nodes[0].rpcURL(), "--consumer", st.consumer.nodes[0].rpcURL(), "--home", st.provider.home())
	if err != nil {
		return err
	}
	st.ui.say("\n%s\n%s", st.ui.paint(dim, "$ meshd mesh-status"), strings.TrimSpace(string(status)))
	st.ui.say("\n%s", st.ui.paint(bold+green, fmt.Sprintf("Every step held on the real nodes, in %s.", time.Since(st.ui.start).Round(time.Second))))
	return nil
}
