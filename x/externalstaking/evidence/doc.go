// Package evidence verifies proofs that a consumer's validator broke the rules of consensus: two conflicting votes, or
// a light-client attack. It is pure: what it needs of the chain's state comes in as values and one lookup, and it
// writes nothing. Whoever brings the evidence is never believed: only what a validator signed counts, checked with
// the key that this chain stored for it, under the chain id of the consumer's own light client.
//
// CometBFT and ibc-go decide what is well-formed and what their signatures cover. There is no age limit: the stake that
// is still there answers.
package evidence
