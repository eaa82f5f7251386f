package twochain

// QueueSigned puts a transaction that somebody else has signed into the next block, after what was queued before.
func (c *Chain) QueueSigned(tx []byte) { c.queue = append(c.queue, tx) }
