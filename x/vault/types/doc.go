// Package types holds the vault's messages, state and pure arithmetic:
// what liens need and what of the collateral is free.
package types
