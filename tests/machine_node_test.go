package tests

// restartNode stops a node and starts it again over its database.
func (m *machine) restartNode() {
	c := oneOf(m, m.chains())
	m.notef("%s", c.ChainID)
	c.NextBlock()
	c.Reboot()
}

// reimport exports a chain and goes on with one that begins with that.
func (m *machine) reimport() {
	c := oneOf(m, m.chains())
	m.notef("%s", c.ChainID)
	c.NextBlock()
	m.must(c.Restart(), "going on from exported state")
}
