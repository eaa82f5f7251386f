package observer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/libs/tempfile"
)

// state is what survives a restart. It names what it is about, so that it is never used for anything else.
type state struct {
	Provider   string `json:"provider_chain_id"`
	Consumer   string `json:"consumer_chain_id"`
	ConsumerID uint64 `json:"consumer_id,string"`
	// Next is the lowest consumer height that may hold evidence not dealt with; 0 if none was ever looked at.
	Next int64 `json:"next_height,string"`
}

// load reads the file into s, which says what it must be about. A missing file changes nothing.
func (s *state) load(path string) error {
	bz, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept state
	if err := json.Unmarshal(bz, &kept); err != nil {
		return fmt.Errorf("%s cannot be read, remove it and name a start height: %w", path, err)
	}
	expected := *s
	expected.Next = kept.Next
	if kept != expected || kept.Next < 1 {
		return fmt.Errorf("%s is about something else: %+v instead of %+v", path, kept, *s)
	}
	*s = kept
	return nil
}

// save replaces the file as a whole.
func (s *state) save(path string) error {
	bz, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return tempfile.WriteFileAtomic(path, append(bz, '\n'), 0o644)
}
