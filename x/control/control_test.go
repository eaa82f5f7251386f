package control_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cosmossdk.io/math"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/control"
)

const day = 24 * time.Hour

func TestHS02_VersionProposals(t *testing.T) {
	for _, tc := range []struct {
		name, version string
		err           error
	}{
		{name: "own version", version: `{"protocol":"mesh-security","version":"1.0.0"}`},
		{name: "older patch and unknown fields", version: `{"protocol":"mesh-security","version":"1.0.0","extra":{"a":[1]}}`},
		{name: "newer minor", version: `{"protocol":"mesh-security","version":"1.7.2"}`},
		{name: "other protocol", version: `{"protocol":"ics20-1","version":"1.0.0"}`, err: control.ErrVersion},
		{name: "major 2", version: `{"protocol":"mesh-security","version":"2.0.0"}`, err: control.ErrVersion},
		{name: "no version", version: `{"protocol":"mesh-security"}`, err: control.ErrVersion},
		{name: "leading zero", version: `{"protocol":"mesh-security","version":"1.00.0"}`, err: control.ErrVersion},
		{name: "plain text", version: `ics20-1`, err: control.ErrMalformed},
		{name: "too long", version: `{"protocol":"mesh-security","x":"` + strings.Repeat("x", control.MaxVersionBytes) + `"}`, err: control.ErrTooLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := control.ParseMetadata(tc.version)
			if tc.err == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, tc.err)
			}
		})
	}
}

func TestHandshakeRoundTrip(t *testing.T) {
	proposal := control.NewProposal("ucons", 21*day, 7)
	version, err := proposal.Encode()
	require.NoError(t, err)
	require.JSONEq(t, `{"protocol":"mesh-security","version":"1.0.0","denom":"ucons","unbonding_period":"1814400s","last_batch_id":"7"}`, version)
	parsed, err := control.ParseMetadata(version)
	require.NoError(t, err)
	require.Equal(t, proposal, parsed)

	answer, err := control.Answer(parsed, 3, "prov1receiver")
	require.NoError(t, err)
	require.NoError(t, control.VerifyAnswer(proposal, answer))

	newer := proposal
	newer.Version = "1.9.0"
	answer, err = control.Answer(newer, 3, "prov1receiver")
	require.NoError(t, err)
	require.Equal(t, "1.0.0", answer.Version)
}

func TestHS05_TamperedAnswers(t *testing.T) {
	proposal := control.NewProposal("ucons", 21*day, 7)
	good, err := control.Answer(proposal, 3, "prov1receiver")
	require.NoError(t, err)
	for name, tamper := range map[string]func(*control.Metadata){
		"version above proposal": func(m *control.Metadata) { m.Version = "1.0.1" },
		"other major":            func(m *control.Metadata) { m.Version = "0.9.0" },
		"other protocol":         func(m *control.Metadata) { m.Protocol = "ics20-1" },
		"other denom":            func(m *control.Metadata) { m.Denom = "uother" },
		"other unbonding period": func(m *control.Metadata) { m.UnbondingPeriod = day },
		"other last batch":       func(m *control.Metadata) { m.LastBatchID = 8 },
		"no consumer id":         func(m *control.Metadata) { m.ConsumerID = 0 },
		"no receiver":            func(m *control.Metadata) { m.RewardReceiver = "" },
		"receiver too long":      func(m *control.Metadata) { m.RewardReceiver = strings.Repeat("a", control.MaxNameBytes+1) },
		"receiver with spaces":   func(m *control.Metadata) { m.RewardReceiver = "a b" },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			tamper(&bad)
			require.ErrorIs(t, control.VerifyAnswer(proposal, bad), control.ErrVersion)
		})
	}
	for name, p := range map[string]control.Metadata{
		"proposal without denom":     control.NewProposal("", day, 0),
		"proposal without unbonding": control.NewProposal("ucons", 0, 0),
		"unbonding of 20 years":      control.NewProposal("ucons", 7300*day, 0),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := control.Answer(p, 3, "prov1receiver")
			require.Error(t, err)
		})
	}
}

func stakeSync(entries ...control.StakeEntry) control.StakeSync {
	return control.StakeSync{BatchID: 1, Entries: entries}
}

func TestStakeSyncOnTheWire(t *testing.T) {
	s := stakeSync(control.StakeEntry{Validator: "val1", Stake: math.NewInt(80_000_000)}, control.StakeEntry{Validator: "val2", Stake: math.ZeroInt()})
	s.Reset_ = &control.Reset{Chunk: 2, Last: true}
	bz, err := control.EncodeStakeSync(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"stake_sync":{"batch_id":"1","reset":{"chunk":2,"last":true},"entries":[{"validator":"val1","stake":"80000000"},{"validator":"val2","stake":"0"}]}}`, string(bz))
	got, err := control.DecodeStakeSync(bz)
	require.NoError(t, err)
	require.Equal(t, s, got)
}

func TestPK02_HostilePackets(t *testing.T) {
	entry := func(v, stake string) string {
		return fmt.Sprintf(`{"stake_sync":{"batch_id":"1","entries":[{"validator":%q,"stake":%q}]}}`, v, stake)
	}
	for name, tc := range map[string]struct {
		data string
		err  error
	}{
		"empty":                 {"", control.ErrMalformed},
		"random bytes":          {"\x00\xff\xfe{", control.ErrMalformed},
		"truncated":             {`{"stake_sync":{"batch_id":"1","entries":[{"val`, control.ErrMalformed},
		"one megabyte":          {strings.Repeat("[", 1<<20), control.ErrTooLong},
		"deep":                  {strings.Repeat("[", 60_000), control.ErrMalformed},
		"deep unknown field":    {`{"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, control.ErrMalformed},
		"wrong direction":       {`{"validator_sync":{}}`, control.ErrInvalidPacket},
		"batch zero":            {`{"stake_sync":{"entries":[]}}`, control.ErrInvalidPacket},
		"negative":              {entry("v", "-1"), control.ErrInvalidPacket},
		"2^128":                 {entry("v", "340282366920938463463374607431768211456"), control.ErrInvalidPacket},
		"2^256":                 {entry("v", "115792089237316195423570985008687907853269984665640564039457584007913129639936"), control.ErrMalformed},
		"not a number":          {entry("v", "1e3"), control.ErrMalformed},
		"stake missing":         {`{"stake_sync":{"batch_id":"1","entries":[{"validator":"v"}]}}`, control.ErrInvalidPacket},
		"stake null":            {`{"stake_sync":{"batch_id":"1","entries":[{"validator":"v","stake":null}]}}`, control.ErrMalformed},
		"empty valoper":         {entry("", "1"), control.ErrInvalidPacket},
		"long valoper":          {entry(strings.Repeat("v", 129), "1"), control.ErrInvalidPacket},
		"valoper with a zero":   {`{"stake_sync":{"batch_id":"1","entries":[{"validator":"a\u0000b","stake":"1"}]}}`, control.ErrInvalidPacket},
		"duplicate validator":   {`{"stake_sync":{"batch_id":"1","entries":[{"validator":"v","stake":"1"},{"validator":"v","stake":"2"}]}}`, control.ErrInvalidPacket},
		"entry null":            {`{"stake_sync":{"batch_id":"1","entries":[null]}}`, control.ErrInvalidPacket},
		"1001 entries":          {manyEntries(1001), control.ErrInvalidPacket},
		"negative batch":        {`{"stake_sync":{"batch_id":"-1"}}`, control.ErrMalformed},
		"two oneof members set": {`{"stake_sync":{"batch_id":"0"},"stake_sync":{}}`, control.ErrInvalidPacket},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := control.DecodeStakeSync([]byte(tc.data))
			require.ErrorIs(t, err, tc.err)
			_, err = control.DecodeValidatorSync([]byte(tc.data))
			require.Error(t, err)
		})
	}
}

func manyEntries(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,{"validator":"v%d","stake":"1"}`, i)
	}
	return `{"stake_sync":{"batch_id":"1","entries":[` + b.String()[1:] + `]}}`
}

func validatorSync(updates ...control.ValidatorUpdate) control.ValidatorSync {
	return control.ValidatorSync{Height: clienttypes.NewHeight(1, 9), UnbondingPeriod: 21 * day, Validators: updates}
}

func TestValidatorSyncOnTheWire(t *testing.T) {
	s := validatorSync(control.ValidatorUpdate{Validator: "val1", ConsPubkey: bytes.Repeat([]byte{7}, 32), Status: control.StatusActive})
	s.Applied = &control.Applied{BatchID: 4, Height: clienttypes.NewHeight(1, 8)}
	bz, err := control.EncodeValidatorSync(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"validator_sync":{"height":{"revision_number":"1","revision_height":"9"},"unbonding_period":"1814400s",
		"validators":[{"validator":"val1","cons_pubkey":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=","status":"VALIDATOR_STATUS_ACTIVE"}],
		"applied":{"batch_id":"4","height":{"revision_number":"1","revision_height":"8"}}}}`, string(bz))
	got, err := control.DecodeValidatorSync(bz)
	require.NoError(t, err)
	require.Equal(t, s, got)

	for name, spoil := range map[string]func(*control.ValidatorSync){
		"no height":             func(s *control.ValidatorSync) { s.Height = clienttypes.Height{} },
		"no unbonding period":   func(s *control.ValidatorSync) { s.UnbondingPeriod = 0 },
		"applied batch zero":    func(s *control.ValidatorSync) { s.Applied = &control.Applied{Height: clienttypes.NewHeight(1, 8)} },
		"applied no height":     func(s *control.ValidatorSync) { s.Applied = &control.Applied{BatchID: 1} },
		"more than max entries": func(s *control.ValidatorSync) { s.Validators = make([]control.ValidatorUpdate, control.MaxEntries+1) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := s
			spoil(&bad)
			_, err := control.EncodeValidatorSync(bad)
			require.ErrorIs(t, err, control.ErrInvalidPacket)
		})
	}
}

func TestSL07_BadValidatorsAreFoundOneByOne(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	for name, tc := range map[string]struct {
		update control.ValidatorUpdate
		ok     bool
	}{
		"good":                {control.ValidatorUpdate{Validator: "v", ConsPubkey: key, Status: control.StatusJailed}, true},
		"removed without key": {control.ValidatorUpdate{Validator: "v", Status: control.StatusRemoved}, true},
		"removed with key":    {control.ValidatorUpdate{Validator: "v", ConsPubkey: key, Status: control.StatusRemoved}, true},
		"no key":              {control.ValidatorUpdate{Validator: "v", Status: control.StatusActive}, false},
		"31 bytes":            {control.ValidatorUpdate{Validator: "v", ConsPubkey: key[:31], Status: control.StatusActive}, false},
		"33 bytes":            {control.ValidatorUpdate{Validator: "v", ConsPubkey: append(key, 1), Status: control.StatusActive}, false},
		"no name":             {control.ValidatorUpdate{ConsPubkey: key, Status: control.StatusActive}, false},
		"no status":           {control.ValidatorUpdate{Validator: "v", ConsPubkey: key}, false},
		"unknown status":      {control.ValidatorUpdate{Validator: "v", ConsPubkey: key, Status: 77}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.update.Validate()
			if tc.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, control.ErrInvalidPacket)
			}
		})
	}
}

func TestPK05_Acks(t *testing.T) {
	result, err := control.StakeSyncResult(control.StakeSyncAck{
		Rejected: []control.Rejection{{Validator: "v", Reason: control.RejectTombstoned}},
		Height:   clienttypes.NewHeight(1, 5), Total: math.NewInt(12),
	})
	require.NoError(t, err)
	ack, refused, err := control.ParseStakeSyncAck(result.Acknowledgement())
	require.NoError(t, err)
	require.Empty(t, refused)
	require.Equal(t, "12", ack.Total.String())
	require.Equal(t, control.RejectTombstoned, ack.Rejected[0].Reason)

	_, refused, err = control.ParseStakeSyncAck(control.ErrorAck(control.ErrInvalidPacket.Wrap("text that differs between nodes")).Acknowledgement())
	require.NoError(t, err)
	require.Equal(t, "ABCI error: meshcontrol/4: error handling packet: see events for details", refused)

	require.Empty(t, control.AckRefused(control.ValidatorSyncResult().Acknowledgement()))
	for name, bz := range map[string]string{
		"nothing":         "",
		"no response":     "{}",
		"empty result":    `{"result":""}`,
		"empty error":     `{"error":""}`,
		"unknown result":  `{"result":"AQ=="}`,
		"result no total": `{"result":"e30="}`,
		"too long":        `{"error":"` + strings.Repeat("e", control.MaxAckBytes) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, refused, err := control.ParseStakeSyncAck([]byte(bz))
			require.Empty(t, refused)
			require.Error(t, err)
		})
	}
	require.NotEmpty(t, control.AckRefused([]byte(`{"error":"no"}`)))
	require.NotEmpty(t, control.AckRefused([]byte("garbage")))
}

// An acknowledgement with a result and an error would be the one or the other at random, and split the app hash.
func TestAckWithResultAndErrorIsNeither(t *testing.T) {
	result, err := control.StakeSyncResult(control.StakeSyncAck{Height: clienttypes.NewHeight(1, 5), Total: math.NewInt(12)})
	require.NoError(t, err)
	good := string(result.Acknowledgement())
	both := good[:len(good)-1] + `,"error":"no"}`
	for range 100 {
		_, refused, err := control.ParseStakeSyncAck([]byte(both))
		require.ErrorIs(t, err, control.ErrInvalidAck)
		require.Empty(t, refused)
		require.Contains(t, control.AckRefused([]byte(both)), "canonical")
	}
	_, _, err = control.ParseStakeSyncAck([]byte(" " + good))
	require.ErrorIs(t, err, control.ErrInvalidAck)
}

func TestRW06_HostileMemos(t *testing.T) {
	good, err := control.EncodeRewardMemo(control.RewardMemo{ConsumerID: 1, Entries: []control.RewardEntry{{Validator: "v1", Amount: math.NewInt(5)}, {Validator: "v2", Amount: math.NewInt(6)}}})
	require.NoError(t, err)
	require.JSONEq(t, `{"mesh_rewards":{"consumer_id":"1","entries":[{"validator":"v1","amount":"5"},{"validator":"v2","amount":"6"}]}}`, good)
	m, err := control.DecodeRewardMemo(good)
	require.NoError(t, err)
	total, err := m.Total()
	require.NoError(t, err)
	require.Equal(t, "11", total.String())
	_, err = control.DecodeRewardMemo(`{"forward":{"a":1},` + good[1:])
	require.NoError(t, err, "other middlewares' keys are none of ours")

	memo := func(entries string) string {
		return `{"mesh_rewards":{"consumer_id":"1","entries":[` + entries + `]}}`
	}
	for name, bad := range map[string]string{
		"empty":             "",
		"plain text":        "thanks",
		"no reward key":     `{"forward":{}}`,
		"array":             `[]`,
		"32 KiB and one":    memo(`{"validator":"` + strings.Repeat("v", control.MaxMemoBytes) + `","amount":"1"}`),
		"one megabyte":      strings.Repeat("x", 1<<20),
		"deep":              `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		"duplicate key":     `{"mesh_rewards":{},"mesh_rewards":{}}`,
		"duplicate inside":  `{"mesh_rewards":{"consumer_id":"1","consumer_id":"2","entries":[{"validator":"v","amount":"1"}]}}`,
		"invalid UTF-8":     memo("{\"validator\":\"\xff\",\"amount\":\"1\"}"),
		"no entries":        memo(``),
		"zero":              memo(`{"validator":"v","amount":"0"}`),
		"negative":          memo(`{"validator":"v","amount":"-4"}`),
		"missing amount":    memo(`{"validator":"v"}`),
		"no consumer":       `{"mesh_rewards":{"entries":[{"validator":"v","amount":"1"}]}}`,
		"validator twice":   memo(`{"validator":"v","amount":"1"},{"validator":"v","amount":"1"}`),
		"trailing document": good + `{}x`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := control.DecodeRewardMemo(bad)
			require.Error(t, err)
			require.True(t, errors.Is(err, control.ErrInvalidMemo) || errors.Is(err, control.ErrTooLong), err)
		})
	}
}

func TestMemoOfManyEntriesFitsOrIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, control.MaxEntries).Draw(t, "n")
		m := control.RewardMemo{ConsumerID: 1}
		for i := range n {
			m.Entries = append(m.Entries, control.RewardEntry{Validator: fmt.Sprintf("val%050d", i), Amount: math.NewInt(rapid.Int64Range(1, 1<<62).Draw(t, "amount"))})
		}
		memo, err := control.EncodeRewardMemo(m)
		if err != nil {
			require.ErrorIs(t, err, control.ErrTooLong)
			return
		}
		require.LessOrEqual(t, len(memo), control.MaxMemoBytes)
		require.True(t, json.Valid([]byte(memo)))
		got, err := control.DecodeRewardMemo(memo)
		require.NoError(t, err)
		require.Equal(t, m, got)
	})
}

func TestPorts(t *testing.T) {
	require.Equal(t, "converter.12", control.PortID(control.ConverterPortPrefix, 12))
	id, err := control.ParsePortID(control.ConverterPortPrefix, "converter.12")
	require.NoError(t, err)
	require.Equal(t, uint64(12), id)
	for _, bad := range []string{"", "converter", "converter.", "converter.0", "converter.01", "converter.-1", "converter.1.2", "externalstaking.1", "converter.99999999999999999999"} {
		_, err := control.ParsePortID(control.ConverterPortPrefix, bad)
		require.ErrorIs(t, err, control.ErrInvalidPort, bad)
	}
}

// Whatever arrives, decoding returns; what it accepts encodes to something it accepts again.
func TestDecodersAreTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bz := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
		if rapid.Bool().Draw(t, "json") {
			bz = []byte(`{"stake_sync":{"batch_id":"` + rapid.StringN(0, 20, 40).Draw(t, "id") + `","entries":[{"validator":"` + rapid.StringN(0, 9, 20).Draw(t, "v") + `","stake":"` + rapid.StringN(0, 20, 60).Draw(t, "s") + `"}]}}`)
		}
		if s, err := control.DecodeStakeSync(bz); err == nil {
			again, err := control.EncodeStakeSync(s)
			require.NoError(t, err)
			s2, err := control.DecodeStakeSync(again)
			require.NoError(t, err)
			require.Equal(t, s, s2)
		}
		_, _ = control.DecodeValidatorSync(bz)
		_, _ = control.DecodeRewardMemo(string(bz))
		_, _, _ = control.ParseStakeSyncAck(bz)
		_, _ = control.ParseMetadata(string(bz))
	})
}
