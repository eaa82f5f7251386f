package control_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
)

// What a decoder accepts is encoded to something that it decodes to the same; whatever else arrives is an error.

func FuzzStakeSync(f *testing.F) {
	seed, err := control.EncodeStakeSync(control.StakeSync{
		BatchID: 7, Reset_: &control.Reset{Chunk: 1, Last: true},
		Entries: []control.StakeEntry{{Validator: "val1", Stake: math.NewInt(5)}, {Validator: "val2", Stake: math.ZeroInt()}},
	})
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, bz []byte) {
		s, err := control.DecodeStakeSync(bz)
		if err != nil {
			return
		}
		again, err := control.EncodeStakeSync(s)
		require.NoError(t, err)
		twice, err := control.DecodeStakeSync(again)
		require.NoError(t, err)
		require.Equal(t, s, twice)
	})
}

// A bad validator does not spoil a report, so a report with one is decoded and not encoded again.
func FuzzValidatorSync(f *testing.F) {
	seed, err := control.EncodeValidatorSync(control.ValidatorSync{
		Height: clienttypes.NewHeight(1, 9), UnbondingPeriod: time.Hour, NeedReset: true,
		Validators: []control.ValidatorUpdate{{Validator: "val1", ConsPubkey: make([]byte, 32), Status: control.StatusActive}},
		Applied:    &control.Applied{BatchID: 3, Height: clienttypes.NewHeight(1, 8)},
	})
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, bz []byte) {
		s, err := control.DecodeValidatorSync(bz)
		if err != nil {
			return
		}
		for _, v := range s.Validators {
			if v.Validate() != nil {
				return
			}
		}
		again, err := control.EncodeValidatorSync(s)
		require.NoError(t, err)
		twice, err := control.DecodeValidatorSync(again)
		require.NoError(t, err)
		require.Equal(t, s, twice)
	})
}

// An acknowledgement is a result, a refusal, or an error; never two of them.
func FuzzStakeSyncAck(f *testing.F) {
	ack, err := control.StakeSyncResult(control.StakeSyncAck{
		Rejected: []control.Rejection{{Validator: "val1", Reason: control.RejectTombstoned}}, Height: clienttypes.NewHeight(1, 9), Total: math.NewInt(5),
	})
	require.NoError(f, err)
	f.Add(ack.Acknowledgement())
	f.Add(control.ErrorAck(control.ErrInvalidPacket).Acknowledgement())
	f.Add(control.ValidatorSyncResult().Acknowledgement())
	f.Fuzz(func(t *testing.T, bz []byte) {
		ack, refused, err := control.ParseStakeSyncAck(bz)
		require.False(t, err != nil && refused != "")
		if err == nil && refused == "" {
			require.False(t, ack.Total.IsNil() || ack.Total.IsNegative())
			require.LessOrEqual(t, ack.Total.BigInt().BitLen(), control.MaxAmountBits)
		}
		require.False(t, control.AckRefused(bz) == "" && refused != "")
	})
}

// An accepted memo says what each validator gets, and that adds up.
func FuzzRewardMemo(f *testing.F) {
	seed, err := control.EncodeRewardMemo(control.RewardMemo{ConsumerID: 1, Entries: []control.RewardEntry{
		{Validator: "val1", Amount: math.NewInt(5)}, {Validator: "val2", Amount: math.NewInt(6)},
	}})
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, memo string) {
		m, err := control.DecodeRewardMemo(memo)
		if err != nil {
			return
		}
		total, err := m.Total()
		require.NoError(t, err)
		require.True(t, total.IsPositive())
		again, err := control.EncodeRewardMemo(m)
		require.NoError(t, err)
		twice, err := control.DecodeRewardMemo(again)
		require.NoError(t, err)
		require.Equal(t, m, twice)
	})
}

// An accepted proposal is answered with something the proposer accepts, or not at all.
func FuzzMetadata(f *testing.F) {
	seed, err := control.NewProposal("ucons", time.Hour, 3).Encode()
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, version string) {
		proposal, err := control.ParseMetadata(version)
		if err != nil {
			return
		}
		answer, err := control.Answer(proposal, 1, "mesh1receiver")
		if err != nil {
			return
		}
		require.NoError(t, control.VerifyAnswer(proposal, answer))
		text, err := answer.Encode()
		if err != nil {
			return
		}
		again, err := control.ParseMetadata(text)
		require.NoError(t, err)
		require.Equal(t, answer, again)
	})
}
