// Package types holds the messages, state and pure arithmetic of virtual staking:
// sources, targets and how they are scaled to a cap.
package types
