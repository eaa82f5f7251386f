package types_test

import (
	"bytes"
	"testing"
	"time"

	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// TestValidatorRules drives one validator with random reports and departures and checks the rules after each.
func TestValidatorRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, pieces, round := types.NewValidator("val"), false, uint64(0)
		height, now := uint64(1), time.Unix(1, 0).UTC()
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			height += rapid.Uint64Range(0, 3).Draw(t, "blocks")
			now = now.Add(time.Second)
			at, before := clienttypes.NewHeight(1, height), v
			if v.Known() && pieces && rapid.Bool().Draw(t, "leave") {
				pieces = false
				v = v.Emptied(at, int64(height))
				if len(before.Keys) < types.MaxKeysPerValidator && v.Status != control.StatusTombstoned {
					require.False(t, v.KeyConflict())
				}
			} else {
				round++
				report := types.Report{
					Status: rapid.SampledFrom([]control.ValidatorStatus{
						control.StatusActive, control.StatusActive, control.StatusInactive, control.StatusJailed, control.StatusRemoved, control.StatusTombstoned,
					}[:rapid.SampledFrom([]int{5, 5, 5, 6}).Draw(t, "kinds")]).Draw(t, "status"),
					Key: bytes.Repeat([]byte{rapid.ByteRange(1, 4).Draw(t, "key")}, 32),
					At:  at, Time: now, Height: int64(height), Round: round, HasPieces: pieces,
				}
				if !v.Known() && report.Status == control.StatusRemoved {
					continue
				}
				v = v.Apply(report)
				require.Equal(t, v, v.Apply(report), "the same report again changes nothing")
				pieces = pieces || (v.TakesStake() && rapid.Bool().Draw(t, "stake"))
			}
			checkRules(t, before, v, pieces)
		}
	})
}

func checkRules(t *rapid.T, before, v types.Validator, pieces bool) {
	require.GreaterOrEqual(t, len(v.Keys), len(before.Keys), "append-only")
	for i := range before.Keys {
		require.Equal(t, before.Keys[i], v.Keys[i], "append-only")
	}
	for i := 1; i < len(v.Keys); i++ {
		require.False(t, v.Keys[i].From.LT(v.Keys[i-1].From), "never back-dated")
	}
	require.NotEmpty(t, v.Keys)
	require.LessOrEqual(t, len(v.Keys), types.MaxKeysPerValidator)
	require.Equal(t, v.Ended(), v.EndedAt != nil)
	require.False(t, v.Ended() && v.TakesStake())
	if before.Status == control.StatusTombstoned {
		require.Equal(t, control.StatusTombstoned, v.Status, "final")
		require.Equal(t, before.EndedAt, v.EndedAt)
		require.Len(t, v.Keys, len(before.Keys))
	}
	if pieces && before.Known() && len(before.Keys) > 0 && before.TakesStake() {
		require.True(t, bytes.Equal(before.PresentKey(), v.PresentKey()) || len(v.Keys) > len(before.Keys))
	}
	if v.KeyConflict() {
		require.NotEqual(t, v.PresentKey(), v.PendingKey)
	}
}

func TestAKeyNeverChangesUnderPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := bytes.Repeat([]byte{1}, 32)
		v := types.NewValidator("val").Apply(types.Report{Status: control.StatusActive, Key: first, At: clienttypes.NewHeight(1, 1)})
		for height := uint64(2); height < 50; height++ {
			v = v.Apply(types.Report{
				Status: rapid.SampledFrom([]control.ValidatorStatus{control.StatusActive, control.StatusInactive, control.StatusJailed, control.StatusRemoved}).Draw(t, "status"),
				Key:    bytes.Repeat([]byte{rapid.ByteRange(1, 4).Draw(t, "key")}, 32),
				At:     clienttypes.NewHeight(1, height), HasPieces: true,
			})
			require.Equal(t, first, v.PresentKey())
			require.Len(t, v.Keys, 1)
		}
	})
}

func TestTheKeyHistoryIsBounded(t *testing.T) {
	v := types.NewValidator("val")
	for i := range types.MaxKeysPerValidator + 5 {
		v = v.Apply(types.Report{Status: control.StatusActive, Key: bytes.Repeat([]byte{byte(i + 1)}, 32), At: clienttypes.NewHeight(1, uint64(i+1))})
	}
	require.Len(t, v.Keys, types.MaxKeysPerValidator)
	require.True(t, v.KeyConflict())
	require.True(t, v.Ended(), "no stake that its known keys could not answer for")
	require.True(t, v.Emptied(clienttypes.NewHeight(1, 99), 99).Ended())
}

func TestATombstoneReportedWithAnotherKeyKeepsTheKnownOne(t *testing.T) {
	known, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	v := types.NewValidator("val").Apply(types.Report{Status: control.StatusActive, Key: known})
	v = v.Apply(types.Report{Status: control.StatusTombstoned, Key: other})
	require.Equal(t, control.StatusTombstoned, v.Status)
	require.Equal(t, known, v.PresentKey())
	require.False(t, v.KeyConflict())
}
