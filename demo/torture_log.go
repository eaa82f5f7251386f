package main

import (
	"bytes"
	"io"
	"os"
	"strings"
)

// logFollower reads what is appended to a log.
type logFollower struct {
	file *os.File
	// rest is the line that is not complete yet.
	rest []byte
	seen progress
}

// follow begins at the log's present end.
func follow(name string) (*logFollower, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		file.Close()
		return nil, err
	}
	return &logFollower{file: file}, nil
}

// lines returns the complete lines since the last call.
func (l *logFollower) lines() ([]string, error) {
	more, err := io.ReadAll(l.file)
	if err != nil {
		return nil, err
	}
	text := append(l.rest, more...)
	end := bytes.LastIndexByte(text, '\n') + 1
	l.rest = bytes.Clone(text[end:])
	if end == 0 {
		return nil, nil
	}
	return strings.Split(string(text[:end-1]), "\n"), nil
}

// catchUp takes note of what the new lines say of blocks.
func (l *logFollower) catchUp() error {
	lines, err := l.lines()
	l.seen.read(lines)
	return err
}

func (l *logFollower) close() { l.file.Close() }
