package types

import "strings"

// MaxReasonLength bounds the failure text kept in state, in bytes.
const MaxReasonLength = 256

// Reason is the text of a failure for the state: bounded, and without the value of a panic, which need not be the same on
// every node. The whole text goes into events and logs.
func Reason(err error) string {
	const panicked = "panic"
	text := err.Error()
	if i := strings.Index(text, panicked+": "); i >= 0 {
		text = text[:i+len(panicked)]
	}
	return Shorten(text)
}

// Shorten cuts text to MaxReasonLength bytes of valid UTF-8.
func Shorten(text string) string {
	if len(text) > MaxReasonLength {
		text = text[:MaxReasonLength]
	}
	return strings.ToValidUTF8(text, "")
}
