package types_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

func TestHolderNames(t *testing.T) {
	key, err := types.HolderKey("external", "1")
	require.NoError(t, err)
	require.Equal(t, "external/1", key)
	prefix, id, err := types.ParseHolder(key)
	require.NoError(t, err)
	require.Equal(t, "external", prefix)
	require.Equal(t, "1", id)

	for _, bad := range []string{
		"", "external", "/1", "external/", "external/1/2", "External/1", "ext ernal/1", "external/ ", "external/é", "local/1",
		"external/" + strings.Repeat("1", 65), strings.Repeat("x", 33) + "/1", "external/\x00",
	} {
		_, _, err := types.ParseHolder(bad)
		require.ErrorIs(t, err, types.ErrInvalidHolder, bad)
	}
}
