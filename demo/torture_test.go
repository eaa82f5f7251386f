package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScheduleKillsAsOftenAsAskedAtAllMoments(t *testing.T) {
	plan := func(kills int, seed uint64) []kill {
		run := &torture{
			story: &story{provider: &chain{id: "p"}, consumer: &chain{id: "c"}},
			kills: kills, rng: rand.New(rand.NewPCG(seed, 0)),
		}
		return run.schedule()
	}
	type aimed struct {
		chain string
		when  moment
	}
	count := map[aimed]int{}
	order := func(kills []kill) (all []aimed) {
		for _, k := range kills {
			a := aimed{"relayer", k.when}
			if k.chain != nil {
				a.chain = k.chain.id
			}
			all = append(all, a)
		}
		return all
	}
	for _, a := range order(plan(30, 7)) {
		count[a]++
	}
	require.Equal(t, map[aimed]int{
		{"relayer", anyTime}: 30,
		{"p", anyTime}:       6, {"p", inCommit}: 6, {"p", inStart}: 3,
		{"c", anyTime}: 3, {"c", inCommit}: 3, {"c", inStart}: 3, {"c", inEpoch}: 6,
	}, count)
	require.Equal(t, order(plan(30, 7)), order(plan(30, 7)))
	require.NotEqual(t, order(plan(30, 7)), order(plan(30, 8)))
}

func TestLogTellsWhatANodeWasDoing(t *testing.T) {
	const (
		finalizing = "1:06PM INF finalizing commit of block hash=AB height=7 module=consensus num_txs=0 root=CD"
		finalized  = "1:06PM INF finalized block block_app_hash=AB height=7 module=state num_txs_res=0"
		committed  = "1:06PM INF committed state block_app_hash=AB height=7 module=state"
	)
	for name, tc := range map[string]struct {
		lines  []string
		phase  phase
		height int64
	}{
		"nothing is logged":               {nil, betweenBlocks, 0},
		"the block is being executed":     {[]string{finalizing}, inFinalize, 7},
		"the state is being saved":        {[]string{finalizing, finalized}, beforeSave, 7},
		"the block is done":               {[]string{finalizing, finalized, committed}, betweenBlocks, 7},
		"only heights after a block tell": {[]string{"INF finalizing height=12 module=x", "INF committed height=9"}, betweenBlocks, 0},
	} {
		var p progress
		p.read(tc.lines)
		phase, height := p.phase()
		require.Equal(t, tc.phase, phase, name)
		require.Equal(t, tc.height, height, name)
	}
}

func TestFollowerReturnsWholeLinesOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(name)
	require.NoError(t, err)
	defer file.Close()
	write := func(s string) {
		_, err := file.WriteString(s)
		require.NoError(t, err)
	}
	write("before\n")
	log, err := follow(name)
	require.NoError(t, err)
	defer log.close()
	for _, step := range []struct {
		write string
		want  []string
	}{
		{"", nil}, {"one\ntw", []string{"one"}}, {"", nil}, {"o\n\nthree\n", []string{"two", "", "three"}}, {"cut off", nil},
	} {
		write(step.write)
		lines, err := log.lines()
		require.NoError(t, err)
		require.Equal(t, step.want, lines)
	}
}

func TestDamageIsOnlyAtTheEnd(t *testing.T) {
	wal := []byte("a record and another one")
	require.Equal(t, wal[:len(wal)-3], tearLastRecord(wal))
	require.Empty(t, tearLastRecord([]byte("ab")))
	rubbish := appendRubbish(wal)
	require.Equal(t, wal, rubbish[:len(wal)])
	require.Len(t, rubbish, len(wal)+200)
}

func TestFindQuotesTheMessage(t *testing.T) {
	lines := []string{
		"1:06PM INF fine module=x",
		`1:06PM ERR the WAL file is corrupted; attempting repair err="a b" module=consensus`,
		`1:06PM ERR Corrupted entry. Skipping... err="DataCorruptionError[failed to read data: EOF]" module=consensus`,
	}
	require.Equal(t, "Corrupted entry. Skipping...", find(lines, "DataCorruptionError"))
	require.Equal(t, "the WAL file is corrupted; attempting repair", find(lines, "WAL file"))
	require.Equal(t, "fine", find(lines, "module=x"))
	require.Empty(t, find(lines, "absent"))
}

func TestLargestFileLooksIntoAllFolders(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "small"), make([]byte, 10), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "b", "large"), make([]byte, 20), 0o600))
	size, err := largestFile(dir)
	require.NoError(t, err)
	require.EqualValues(t, 20, size)
	_, err = largestFile(filepath.Join(dir, "absent"))
	require.Error(t, err)
}

func TestNoKillsIsRefused(t *testing.T) {
	_, err := newTorture(nil, "meshd", "rly", t.TempDir(), -1, 1)
	require.EqualError(t, err, "-1 kills are asked for, 1 or more are possible")
}
