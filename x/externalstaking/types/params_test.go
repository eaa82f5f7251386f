package types_test

import (
	"strings"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestParamsBounds(t *testing.T) {
	require.NoError(t, types.DefaultParams().Validate())
	for name, change := range map[string]func(*types.Params){
		"registration_fee":                             func(p *types.Params) { p.RegistrationFee = sdk.Coins{{Denom: "x", Amount: math.NewInt(-1)}} },
		"packet_timeout is 23h59m59s":                  func(p *types.Params) { p.PacketTimeout = 24*time.Hour - time.Second },
		"packet_timeout is 8760h":                      func(p *types.Params) { p.PacketTimeout = types.MaxPacketTimeout + 1 },
		"max_entries_per_packet is 0":                  func(p *types.Params) { p.MaxEntriesPerPacket = 0 },
		"max_entries_per_packet":                       func(p *types.Params) { p.MaxEntriesPerPacket = types.MaxEntriesPerPacket + 1 },
		"max_ops_per_packet is 0":                      func(p *types.Params) { p.MaxOpsPerPacket = 0 },
		"max_ops_per_packet is above":                  func(p *types.Params) { p.MaxOpsPerPacket = types.MaxOpsPerPacket + 1 },
		"max_packets_per_block is 0":                   func(p *types.Params) { p.MaxPacketsPerBlock = 0 },
		"max_packets_per_block is above":               func(p *types.Params) { p.MaxPacketsPerBlock = types.MaxPacketsPerBlock + 1 },
		"max_positions_per_user_and_consumer is 0":     func(p *types.Params) { p.MaxPositionsPerUserAndConsumer = 0 },
		"max_positions_per_user_and_consumer is above": func(p *types.Params) { p.MaxPositionsPerUserAndConsumer = types.MaxPositionsPerUserAndConsumer + 1 },
		"max_entries_per_position is 0":                func(p *types.Params) { p.MaxEntriesPerPosition = 0 },
		"max_entries_per_position is above":            func(p *types.Params) { p.MaxEntriesPerPosition = types.MaxEntriesPerPosition + 1 },
		"max_validators_per_consumer is 0":             func(p *types.Params) { p.MaxValidatorsPerConsumer = 0 },
		"max_validators_per_consumer is above":         func(p *types.Params) { p.MaxValidatorsPerConsumer = types.MaxValidatorsPerConsumer + 1 },
		"max_reward_denoms is 0":                       func(p *types.Params) { p.MaxRewardDenoms = 0 },
		"max_reward_denoms is above":                   func(p *types.Params) { p.MaxRewardDenoms = types.MaxRewardDenoms + 1 },
		"max_releases_per_block is 0":                  func(p *types.Params) { p.MaxReleasesPerBlock = 0 },
		"max_releases_per_block is above":              func(p *types.Params) { p.MaxReleasesPerBlock = types.MaxReleasesPerBlock + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			p := types.DefaultParams()
			change(&p)
			err := p.Validate()
			require.ErrorIs(t, err, types.ErrInvalidParams)
			require.ErrorContains(t, err, strings.Fields(name)[0])
		})
	}
}

func TestTheLargestParamsArePossible(t *testing.T) {
	p := types.DefaultParams()
	p.MaxEntriesPerPacket, p.MaxOpsPerPacket, p.MaxPacketsPerBlock, p.MaxReleasesPerBlock = types.MaxEntriesPerPacket, 2000, 100, 10_000
	p.MaxPositionsPerUserAndConsumer, p.MaxEntriesPerPosition, p.MaxValidatorsPerConsumer, p.MaxRewardDenoms = 256, 256, 2000, 16
	require.NoError(t, p.Validate())
}

// The largest packet that max_entries_per_packet allows must fit, whatever the names and amounts are.
func TestTheLargestPacketFits(t *testing.T) {
	most := math.NewIntFromBigInt(math.OneInt().BigInt().Lsh(math.OneInt().BigInt(), control.MaxAmountBits)).SubRaw(1)
	sync := control.StakeSync{BatchID: ^uint64(0), Reset_: &control.Reset{Chunk: ^uint32(0), Last: true}}
	for i := range types.MaxEntriesPerPacket {
		name := strings.Repeat("v", control.MaxNameBytes-4)
		sync.Entries = append(sync.Entries, control.StakeEntry{Validator: name + string([]byte{byte('a' + i/676%26), byte('a' + i/26%26), byte('a' + i%26), 'x'}), Stake: most})
	}
	_, err := control.EncodeStakeSync(sync)
	require.NoError(t, err)
}
