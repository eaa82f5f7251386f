// Package control is the wire format of the mesh control channel: packets, acknowledgements, the handshake's metadata
// and the reward memo, with their versions, bounds and validation. It is pure: no keeper, no store. Both ends of the
// channel import it, so that they cannot disagree.
//
// Everything that arrives from the other chain passes a Decode or Parse function of this package, which checks its
// length before it looks inside, and returns a registered error for anything malformed.
package control
