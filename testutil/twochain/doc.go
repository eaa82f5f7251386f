// Package twochain runs two complete applications, a provider and a consumer, connected by real IBC proofs, in one
// process. It is built on ibctesting, with these differences: the chains have different bond denoms; validators have
// operator keys, self-delegations and signing infos; blocks carry the proposer, the last commit (so x/distribution pays
// rewards and x/slashing sees downtime) and misbehaviour when a test asks for it; genesis is configurable; everything
// is deterministic (keys, times), so a failing random test replays.
//
// # Life of a test
//
//	cfg := twochain.DefaultConfig()             // change what the test is about
//	cfg.Consumer.UnbondingTime = time.Hour
//	n := twochain.New(t, cfg)                   // two chains, nothing between them
//	n.Setup()                                   // clients, connection, transfer channel, registration, control channel,
//	                                            // price, cap, first validator sync: ready to stake
//	_, err := n.Provider.Deliver(n.Provider.Users[0], &vaulttypes.MsgDeposit{...})
//	require.NoError(t, err)
//	require.NoError(t, n.Relay())               // all packets and acks, both directions, until nothing is left
//	require.NoError(t, n.CheckInvariants())     // of both chains
//
// Setup is Connect, OpenTransfer, CreateConverter, RegisterConsumer, AllowCounterparty, OpenControl, SetPrice, SetMaxCap
// and Relay; each may be called alone, and OpenControl is four endpoint calls on n.Control for tests of the handshake.
//
// # Chains
//
// Chain embeds ibctesting's TestChain; its App is the real *app.App. Ctx reads the last committed state and never
// writes; Query is a connection for query clients. A message goes through Deliver (one transaction in one block; the error is the registered one, so ErrorIs
// works) or Queue (any number in the next block; Results tells). NextBlock makes an empty block. Each block lets 5
// seconds pass on both chains. Response decodes a message's response, Events the typed events of a result or block.
// Execute passes a governance proposal: deposit, votes of all operators, voting period.
//
// # Packets
//
// The harness follows send, acknowledgement and timeout events of every block, also of packets sent in EndBlock. Packets lists what a chain sent
// and how far it got. Receive, Acknowledge and Timeout move chosen packets; RelayRecv and RelayAcks the next n of one
// direction; Relay everything, timeouts as well. On an ordered channel the order is the sender's. Receivable, Acknowledgeable
// and Lost are what a relayer could do now: a closed channel or a client that is not active leaves the rest where it is.
// CloseConfirm tells the other end of a closed channel, a Handshake opens another one step by step.
//
// # Time
//
// Advance lets time pass on both chains in steps small enough to keep the light clients alive, with one block and one
// client update per step. Blocks makes n blocks on one chain.
//
// Outage lets time pass with nobody updating the clients, which expire by it; Freeze freezes one; RecoverClient is what
// governance does about either.
//
// Observe is called after every block.
//
// # Validators
//
// CreateValidator makes an account the operator of a new validator, by the message a real operator would send.
//
// # Faults
//
// SetDown stops a validator from signing, DoubleSign and DoubleSignAt report a duplicate vote of it to its own chain, Unjail
// brings it back. DoubleVote is a duplicate vote as other chains want to see it, Attack a light-client attack on the other
// chain's client, both really signed.
//
// AddConsumer registers the consumer chain once more: a provider with several consumers. Reverse registers the provider with
// its consumer: two chains that secure each other.
package twochain
