// Package observer carries evidence from a consumer chain to the provider. It reads the consumer's blocks through a node,
// and submits every duplicate vote and light-client attack it finds in them, with an update of the consumer's light
// client in the same transaction where that is behind. What fails is tried again, at growing intervals; how far it has
// come is kept in a file. Running it twice, or beside others, does no harm: evidence that changes nothing is
// refused when the transaction is simulated, so it costs nothing.
//
// Nothing here can make the provider believe anything: it verifies all evidence by itself.
package observer
