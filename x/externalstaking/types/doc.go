// Package types holds the messages, state and pure arithmetic of the provider's side:
// positions, pools, unbonding and reward indexes.
package types
