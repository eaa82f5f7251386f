package app

import "github.com/mesh-security/mesh/internal/invariant"

// Invariants are all invariants of the mesh modules.
func (app *App) Invariants() []invariant.Named {
	return app.VaultKeeper.Invariants()
}
