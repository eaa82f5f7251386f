package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a process may take to end by itself.
	stopGrace = 10 * time.Second
	// maxLogLine is how much of a log line is shown, in characters.
	maxLogLine = 400
)

// process is a program running in the background, in a session and process group of its
// own, so that ending it reaches its children and nothing else and it survives the terminal.
type process struct {
	name    string
	cmd     *exec.Cmd
	logFile string
	done    chan struct{}
	err     error
}

// startProcess runs the program with both outputs going to logFile.
func startProcess(name, logFile, program string, args ...string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, logFile: logFile, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// exited returns an error once the process has ended; one that was not started has not.
func (p *process) exited() error {
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
		if p.err == nil {
			return fmt.Errorf("%s ended by itself", p.name)
		}
		return fmt.Errorf("%s ended by itself: %w", p.name, p.err)
	default:
		return nil
	}
}

// stop ends the process group, politely first.
func (p *process) stop() {
	endGroup(p.cmd.Process.Pid, p.done)
}

// kill ends the process group without a warning.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// endGroup sends SIGTERM to a process group and SIGKILL if done has not closed in time.
func endGroup(pid int, done <-chan struct{}) {
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(stopGrace):
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		<-done
	}
}

// run executes a program to its end and returns its standard output. An error carries what
// the program said, without the usage text cobra appends.
func run(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, environment()
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", commandLine(program, args), context.Cause(ctx))
		}
		return nil, &commandError{command: commandLine(program, args), message: complaint(stderr.String()), err: err}
	}
	return stdout.Bytes(), nil
}

// environment of every program: this one's, without settings meant for another meshd.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "MESHD_") })
}

// commandError is a command that ended with a non-zero status.
type commandError struct {
	command, message string
	err              error
}

func (e *commandError) Error() string {
	return fmt.Sprintf("%s: %v\n%s", e.command, e.err, e.message)
}

func (e *commandError) Unwrap() error { return e.err }

// refusal returns what a failed command complained about.
func refusal(err error) (string, bool) {
	var failed *commandError
	if !errors.As(err, &failed) {
		return "", false
	}
	return failed.message, true
}

func commandLine(program string, args []string) string {
	return filepath.Base(program) + " " + strings.Join(args, " ")
}

// complaint finds the error in what a cobra program printed, which may come before or after
// a usage text.
func complaint(stderr string) string {
	text, _, _ := strings.Cut(stderr, "\nUsage:")
	if i := strings.LastIndex(stderr, "Error: "); i >= 0 {
		text, _, _ = strings.Cut(stderr[i:], "\nUsage:")
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

// trouble matches log lines worth showing first.
var trouble = regexp.MustCompile(`(?i)\b(err|error|warn|panic|fatal)\b|CONSENSUS FAILURE`)

// worstLines returns the last n lines of a log that speak of trouble, then its last n lines.
func worstLines(file string, n int) string {
	bz, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(bz), "\n"), "\n")
	rest := len(lines) - min(n, len(lines))
	bad := slices.DeleteFunc(slices.Clone(lines[:rest]), func(line string) bool { return !trouble.MatchString(line) })
	shown := append(bad[max(0, len(bad)-n):], lines[rest:]...)
	for i, line := range shown {
		if runes := []rune(line); len(runes) > maxLogLine {
			shown[i] = string(runes[:maxLogLine]) + " …"
		}
	}
	return strings.Join(shown, "\n")
}

func copyFile(from, to string) error {
	bz, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, bz, 0o644)
}
