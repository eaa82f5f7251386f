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
	if s.account, err = st.account(ctx, 0); err != nil && len(st.snapshots) > 0 {
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
			pos, err := st.position(ctx, &st.first, i)
			if err != nil {
				return err
			}
			s.bonded[i] = pos.Bonded
		}
	}
	st.snapshots = append(st.snapshots, s)
	return nil
}

// summary prints the snapshots side by side, what the double sign did, and what the two chains' own tool says.
func (st *story) summary(ctx context.Context) error {
	var titles []string
	for _, s := range st.snapshots {
		titles = append(titles, s.title)
	}
	printTable(st.ui, "Lending", titles, st.snapshots, []row[snapshot]{
		{"provider: alice's account (uprov)", func(s snapshot) any { return s.wallet }},
		{"provider: collateral in the vault (uprov)", func(s snapshot) any { return s.account.Collateral }},
		{"provider: of it free (uprov)", func(s snapshot) any { return s.account.Free }},
		{"provider: of it staked at home (uprov)", func(s snapshot) any { return s.account.lien(localHolder) }},
		{"provider: lent to validator 1 / 2 (uprov)", func(s snapshot) any { return strings.Join(s.bonded[:], " / ") }},
		{"consumer: virtual stake on 1 / 2 (ucons)", func(s snapshot) any { return strings.Join(s.virtual[:], " / ") }},
		{"consumer: voting power of 1 / 2", func(s snapshot) any { return fmt.Sprintf("%d / %d", s.power[0], s.power[1]) }},
		{"provider: alice's rewards (ucons vouchers)", func(s snapshot) any { return s.vouchers }},
	})
	printTable(st.ui, "Signing twice", []string{"before", "after"}, []harm{st.before, st.after}, []row[harm]{
		{"provider: collateral in the vault (uprov)", func(h harm) any { return h.account.Collateral }},
		{"provider: of it liquid (uprov)", func(h harm) any { return h.account.Liquid }},
		{"provider: of it staked at home (uprov)", func(h harm) any { return h.account.lien(localHolder) }},
		{"provider: lent to the cheat, validator 3 (uprov)", func(h harm) any { return h.cheat }},
		{"provider: lien of consumer " + st.first.consumerID + " (uprov)", func(h harm) any { return h.account.lien(st.first.holder()) }},
		{"provider: lien of consumer " + st.second.consumerID + " (uprov)", func(h harm) any { return h.account.lien(st.second.holder()) }},
		{"provider: lost and burned (uprov)", func(h harm) any { return h.burned }},
		{"consumer: " + st.second.converterPort() + " counts on validator 1 (uprov)", func(h harm) any { return h.counted }},
		{"consumer: voting power of the cheat", func(h harm) any { return h.power }},
	})

	status, err := run(ctx, st.provider.meshd, "mesh-status", "--provider", st.provider.nodes[0].rpcURL(), "--consumer", st.consumer.nodes[0].rpcURL(), "--home", st.provider.home())
	if err != nil {
		return err
	}
	st.ui.say("\n%s\n%s", st.ui.paint(dim, "$ meshd mesh-status"), strings.TrimSpace(string(status)))
	st.ui.say("\n%s", st.ui.paint(bold+green, fmt.Sprintf("Every step held on the real nodes, in %s.", time.Since(st.ui.start).Round(time.Second))))
	return nil
}

// row of a table with one column for each moment of type T.
type row[T any] struct {
	title string
	value func(T) any
}

func printTable[T any](ui *console, title string, columns []string, moments []T, rows []row[T]) {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	header := table.Row{title}
	configs := make([]table.ColumnConfig, len(columns))
	for i, column := range columns {
		header = append(header, column)
		configs[i] = table.ColumnConfig{Number: i + 2, Align: text.AlignRight, AlignHeader: text.AlignRight}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	for _, row := range rows {
		cells := table.Row{row.title}
		for _, moment := range moments {
			cells = append(cells, row.value(moment))
		}
		t.AppendRow(cells)
	}
	ui.say("\n%s", t.Render())
}
