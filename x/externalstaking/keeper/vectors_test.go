package keeper_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// slashScenario is a user before and after one slash. Consumers are named c1, c2 and so on.
type slashScenario struct {
	Name       string                               `json:"name"`
	Collateral int64                                `json:"collateral,string"`
	Local      int64                                `json:"local,string"`
	External   map[string]map[string]math.LegacyDec `json:"external"` // the fraction, and the stake by validator
	Before     map[string]string                    `json:"before"`
	Slash      [2]string                            `json:"slash"`
	After      map[string]json.RawMessage           `json:"after"`
}

func consumerOf(name string) uint64 {
	id, err := strconv.ParseUint(name[1:], 10, 64)
	if err != nil {
		panic(err)
	}
	return id
}

// localValidator is a validator of this chain without stake.
func (f *fixture) localValidator() string {
	f.t.Helper()
	key, err := cryptocodec.FromCmtPubKeyInterface(keyOf("local").PubKey())
	require.NoError(f.t, err)
	operator := sdk.ValAddress("local validator_____")
	v, err := stakingtypes.NewValidator(operator.String(), key, stakingtypes.Description{})
	require.NoError(f.t, err)
	require.NoError(f.t, f.staking.SetValidator(f.ctx, v))
	require.NoError(f.t, f.staking.SetValidatorByConsAddr(f.ctx, v))
	require.NoError(f.t, f.distr.Hooks().AfterValidatorCreated(f.ctx, operator))
	return operator.String()
}

// acceptAll sends what is queued for any consumer and has it accepted.
func (f *fixture) acceptAll() {
	f.t.Helper()
	f.nextBlock(time.Second)
	for _, p := range f.ibc.inFlight(f.ctx) {
		id, err := control.ParsePortID(control.ExternalStakingPortPrefix, p.SourcePort)
		require.NoError(f.t, err)
		f.acknowledge(p, f.accepted(id, p.Data))
	}
	f.holds()
}

func TestSL14SlashScenarios(t *testing.T) {
	bz, err := os.ReadFile("testdata/slash-scenarios.json")
	require.NoError(t, err)
	var vectors struct {
		Cases []slashScenario `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(bz, &vectors))
	require.NotEmpty(t, vectors.Cases)
	for _, tc := range vectors.Cases {
		t.Run(tc.Name, func(t *testing.T) {
			f := newProvider(t)
			params, err := f.slashing.GetParams(f.ctx)
			require.NoError(t, err)
			params.SlashFractionDoubleSign = math.LegacyNewDecWithPrec(1, 1)
			require.NoError(t, f.slashing.SetParams(f.ctx, params))
			f.fund(carol, sdk.NewInt64Coin(denom, tc.Collateral))
			f.deposit(carol, tc.Collateral)
			f.mustSend(&vaulttypes.MsgStakeLocal{User: carol.String(), Validator: f.localValidator(), Amount: sdk.NewInt64Coin(denom, tc.Local)}, nil)
			for _, name := range slices.Sorted(maps.Keys(tc.External)) {
				f.lend(carol, consumerOf(name), tc.External[name])
			}
			for figure, want := range tc.Before {
				require.Equal(t, want, f.figures(carol)[figure], figure)
			}
			supply := f.bank.GetSupply(f.ctx, denom).Amount
			consumer, validator := consumerOf(tc.Slash[0]), tc.Slash[1]
			f.mustSend(&types.MsgSubmitDoubleVoting{
				Submitter: bob.String(), ConsumerID: consumer, Evidence: doubleVote(t, keyAt(consumer, validator), 100),
			}, nil)
			f.holds()
			require.NoError(t, f.liens.Settle(f.ctx, carol))
			f.holds()
			after := f.figures(carol)
			for figure, want := range tc.After {
				if figure[0] == 'c' && figure != "collateral" {
					var stakes map[string]string
					require.NoError(t, json.Unmarshal(want, &stakes))
					for v, stake := range stakes {
						require.Equal(t, stake, f.position(carol, consumerOf(figure), v).Bonded.String(), "%s %s", figure, v)
					}
					continue
				}
				var value string
				require.NoError(t, json.Unmarshal(want, &value))
				require.Equal(t, value, after[figure], figure)
			}
			burned := supply.Sub(f.bank.GetSupply(f.ctx, denom).Amount)
			require.Equal(t, fmt.Sprint(tc.Collateral), burned.Add(mustInt(t, after["collateral"])).String(), "what is lost is burned")
		})
	}
}

func mustInt(t *testing.T, text string) math.Int {
	value, ok := math.NewIntFromString(text)
	require.True(t, ok, text)
	return value
}

// keyAt is the key of a consumer's validator; on each it is another.
func keyAt(consumer uint64, validator string) ed25519.PrivKey {
	return keyOf(fmt.Sprintf("%d/%s", consumer, validator))
}

// lend registers and opens the next consumer, which must get the given id, and bonds stake there.
func (f *fixture) lend(user sdk.AccAddress, id uint64, stakes map[string]math.LegacyDec) {
	f.t.Helper()
	port := fmt.Sprintf("converter.%d", id)
	consumer := f.register(func(m *types.MsgRegisterConsumer) { m.CounterpartyPort, m.SlashFraction = port, stakes["fraction"] })
	require.Equal(f.t, id, consumer.ID)
	channelID, _, err := f.try(id, func(h *handshake) { h.counterpartyPort = port })
	require.NoError(f.t, err)
	require.NoError(f.t, f.confirm(id, channelID))
	var updates []control.ValidatorUpdate
	validators := slices.DeleteFunc(slices.Sorted(maps.Keys(stakes)), func(v string) bool { return v == "fraction" })
	for _, v := range validators {
		updates = append(updates, active(v, keyAt(id, v).PubKey().Bytes()))
	}
	require.True(f.t, f.report(id, fullReport(updates...)).Success())
	for _, v := range validators {
		f.mustSend(&types.MsgStake{User: user.String(), ConsumerID: id, Validator: v, Amount: sdk.NewCoin(denom, stakes[v].TruncateInt())}, nil)
	}
	f.acceptAll()
}

// figures are those of a user's vault account that scenarios name.
func (f *fixture) figures(user sdk.AccAddress) map[string]string {
	f.t.Helper()
	account, err := f.vault.Account(f.ctx, user)
	require.NoError(f.t, err)
	return map[string]string{
		"collateral": account.Collateral.String(), "local": vaulttypes.Local(account.Liens).String(), "max_lien": account.MaxLien.String(),
		"slashable": account.Slashable.String(), "free": account.Free.String(),
	}
}

func (f *fixture) position(user sdk.AccAddress, id uint64, validator string) types.PositionInfo {
	f.t.Helper()
	res, err := f.query.Position(f.ctx, &types.QueryPositionRequest{User: user.String(), ConsumerId: id, Validator: validator})
	require.NoError(f.t, err)
	return res.Position
}
