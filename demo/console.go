package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// console tells the story. On a terminal the running step is one live line with a spinner;
// elsewhere (a pipe, CI) every finished step is one plain line.
type console struct {
	out   io.Writer
	live  bool
	start time.Time

	mu     sync.Mutex
	title  string
	status string
	began  time.Time
	halt   chan struct{}
	halted chan struct{}
}

const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	plain = "\x1b[0m"

	clearLine = "\r\x1b[2K"
	titleCols = 46
)

var frames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

func newConsole(f *os.File) *console {
	return &console{out: f, live: isTerminal(f), start: time.Now()}
}

// isTerminal also honours the usual ways of asking for plain output.
func isTerminal(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("CI") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// paint colours s on a terminal.
func (c *console) paint(colour, s string) string {
	if !c.live {
		return s
	}
	return colour + s + plain
}

// chapter starts a part of the story.
func (c *console) chapter(title, about string) {
	fmt.Fprintf(c.out, "\n%s\n", c.paint(bold+cyan, title))
	for _, line := range strings.Split(about, "\n") {
		fmt.Fprintf(c.out, "%s\n", c.paint(dim, line))
	}
}

// say prints a line of text.
func (c *console) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// step runs fn and prints how it ended: its result or, in red, that it failed.
func (c *console) step(title string, fn func() (result string, err error)) error {
	c.open(title)
	result, err := fn()
	took := time.Since(c.began)
	c.close()
	mark := c.paint(green, "✓")
	if err != nil {
		mark, result = c.paint(red, "✗"), c.paint(red, "failed")
	}
	fmt.Fprintf(c.out, "  %s %-*s %s %s\n", mark, titleCols, title, result, c.paint(dim, fmt.Sprintf("(%.1fs)", took.Seconds())))
	return err
}

// progress replaces the live text behind the running step's title.
func (c *console) progress(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = fmt.Sprintf(format, args...)
}

func (c *console) open(title string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.title, c.status, c.began = title, "", time.Now()
	if !c.live {
		return
	}
	c.halt, c.halted = make(chan struct{}), make(chan struct{})
	go c.spin(c.halt, c.halted)
}

func (c *console) close() {
	if !c.live {
		return
	}
	close(c.halt)
	<-c.halted
	fmt.Fprint(c.out, clearLine)
}

func (c *console) spin(halt <-chan struct{}, halted chan<- struct{}) {
	defer close(halted)
	tick := time.NewTicker(80 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		c.mu.Lock()
		line := fmt.Sprintf("  %s %-*s %s", c.paint(cyan, frames[i%len(frames)]), titleCols, c.title,
			c.paint(dim, fmt.Sprintf("%s %.0fs", c.status, time.Since(c.began).Seconds())))
		c.mu.Unlock()
		fmt.Fprint(c.out, clearLine, line)
		select {
		case <-halt:
			return
		case <-tick.C:
		}
	}
}
