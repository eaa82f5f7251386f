package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// awayBlocks is how many blocks the healthy chain makes while the other one is away.
	awayBlocks = 40
	// diskRoom is how much a node can still write before its disk is full, in bytes.
	diskRoom = 64 << 10
	// haltTime is how long a node without room may take to stop or to fall silent.
	haltTime = 10 * time.Second
)

// away keeps a chain down while the other one has to go on.
func (t *torture) away(gone, healthy *chain) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		before, err := healthy.witness().height(ctx)
		if err != nil {
			return "", err
		}
		gone.victim().proc.kill()
		began := time.Now()
		if _, err := t.goesOn(ctx, healthy, before+awayBlocks); err != nil {
			return "", err
		}
		down := time.Since(began)
		after, err := t.recover(ctx, gone)
		return fmt.Sprintf("for %.0fs; %s made %d blocks, then %s goes on at %d", down.Seconds(), healthy.id, awayBlocks, gone.id, after), err
	}
}

// recover is revive after a long outage, with the relayer started anew.
func (t *torture) recover(ctx context.Context, c *chain) (int64, error) {
	after, err := t.revive(ctx, c)
	return after, errors.Join(err, t.renewRelayer())
}

// damage makes the end of a WAL unreadable.
type damage func(wal []byte) []byte

// appendRubbish is what a record looks like whose blocks were allocated but not written.
func appendRubbish(wal []byte) []byte { return append(wal, bytes.Repeat([]byte{0xA5}, 200)...) }

// tearLastRecord is what a power failure in the middle of a write leaves.
func tearLastRecord(wal []byte) []byte { return wal[:max(0, len(wal)-3)] }

// damagedWAL kills the victim between two blocks, damages its consensus WAL, and expects it to say so and to go on.
func (t *torture) damagedWAL(c *chain, spoil damage) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		n := c.victim()
		log, err := follow(n.logFile)
		if err != nil {
			return "", err
		}
		defer log.close()
		committed := func() error {
			if err := log.catchUp(); err != nil {
				return err
			}
			if log.seen.committed == 0 {
				return fmt.Errorf("%s has not committed a block", c.id)
			}
			return nil
		}
		if err := closely(ctx, committed); err != nil {
			return "", err
		}
		// The chain rests between two blocks for most of this time.
		if err := sleep(ctx, blockTime/2); err != nil {
			return "", err
		}
		n.proc.kill()
		file := filepath.Join(n.home, "data", "cs.wal", "wal")
		wal, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(file, spoil(wal), 0o600); err != nil {
			return "", err
		}
		if _, err := log.lines(); err != nil {
			return "", err
		}
		after, err := t.recover(ctx, c)
		if err != nil {
			return "", err
		}
		lines, err := log.lines()
		if err != nil {
			return "", err
		}
		said := find(lines, "DataCorruptionError")
		if said == "" {
			return "", fmt.Errorf("%s went on at %d without a word about its WAL", n.moniker, after)
		}
		return fmt.Sprintf("“%s”, goes on at %d", said, after), nil
	}
}

// fullDisk restarts the victim so that no file may grow beyond a limit it reaches soon, and expects it to stop for that
// reason, and to go on once there is room.
func (t *torture) fullDisk(c *chain) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		n := c.victim()
		n.proc.stop()
		largest, err := largestFile(filepath.Join(n.home, "data"))
		if err != nil {
			return "", err
		}
		// The log must not count, or the reason would not be in it.
		logFile := strings.TrimSuffix(n.logFile, ".log") + "-full.log"
		// The shell counts in blocks of 512 bytes.
		limit := fmt.Sprintf(`ulimit -f %d; exec "$0" "$@"`, (largest+diskRoom)/512)
		if n.proc, err = startProcess(n.moniker, logFile, "sh", append([]string{"-c", limit, c.meshd}, n.arguments()...)...); err != nil {
			return "", err
		}
		stood, err := t.standsStill(ctx, c)
		if err != nil {
			return "", err
		}
		how := "ends by itself"
		if n.proc.exited() == nil {
			how = "halts"
			n.proc.kill()
		}
		bz, err := os.ReadFile(logFile)
		if err != nil {
			return "", err
		}
		if find(strings.Split(string(bz), "\n"), "file too large") == "" {
			return "", fmt.Errorf("%s stopped at %d and does not say that it could not write, see %s", n.moniker, stood, logFile)
		}
		after, err := t.recover(ctx, c)
		return fmt.Sprintf("%s at %d and says why, goes on at %d", how, stood, after), err
	}
}

// standsStill waits until the victim has ended or its chain has made no block for haltTime.
func (t *torture) standsStill(ctx context.Context, c *chain) (height int64, err error) {
	since := time.Now()
	err = t.steady(ctx, waitLimit, func() error {
		now, err := c.witness().height(ctx)
		if err != nil {
			return err
		}
		if now != height {
			height, since = now, time.Now()
		}
		if c.victim().proc.exited() == nil && time.Since(since) < haltTime {
			return fmt.Errorf("%s still makes blocks at %d", c.id, height)
		}
		return nil
	})
	return height, err
}

// largestFile returns the size of the largest file below a folder.
func largestFile(folder string) (size int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size = max(size, info.Size())
		return nil
	})
	return size, err
}

// find returns what the first log line with the words says, without its time and fields.
func find(lines []string, words string) string {
	for _, line := range lines {
		if !strings.Contains(line, words) {
			continue
		}
		for _, level := range []string{"ERR ", "WRN ", "INF "} {
			if _, text, found := strings.Cut(line, level); found {
				line = text
				break
			}
		}
		text, _, _ := strings.Cut(line, "=")
		if i := strings.LastIndexByte(text, ' '); i > 0 {
			text = text[:i]
		}
		return text
	}
	return ""
}
