package tests

import (
	"time"

	"cosmossdk.io/math"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// messenger brings evidence; anybody may.
func (w *world) messenger() twochain.Account { return w.Provider.Users[len(w.Provider.Users)-1] }

// submit brings evidence of a double vote to the provider.
func (w *world) submit(evidence *cmtproto.DuplicateVoteEvidence) error {
	_, err := w.Provider.Deliver(w.messenger(), &externalstakingtypes.MsgSubmitDoubleVoting{
		Submitter: w.messenger().String(), ConsumerID: w.ConsumerID, Evidence: evidence,
	})
	return err
}

// submitAttack brings evidence of a light-client attack to the provider.
func (w *world) submitAttack(attack *ibctm.Misbehaviour) error {
	packed, err := codectypes.NewAnyWithValue(attack)
	require.NoError(w.T, err)
	_, err = w.Provider.Deliver(w.messenger(), &externalstakingtypes.MsgSubmitMisbehaviour{
		Submitter: w.messenger().String(), ConsumerID: w.ConsumerID, Misbehaviour: packed,
	})
	return err
}

// doubleVote is what a validator of the consumer signs twice, now: the provider's client has seen the height.
func (w *world) doubleVote(v *twochain.Validator) *cmtproto.DuplicateVoteEvidence {
	w.Consumer.NextBlock()
	height := w.Consumer.App.LastBlockHeight()
	require.NoError(w.T, w.UpdateClient(w.Provider))
	return w.Consumer.DoubleVote(v, height)
}

// punished lets the consumer punish a validator for its double vote.
func (w *world) punished(v *twochain.Validator, evidence *cmtproto.DuplicateVoteEvidence) {
	w.Consumer.DoubleSignAt(v, evidence.VoteA.Height)
	w.Consumer.NextBlock()
	require.True(w.T, w.Consumer.App.SlashingKeeper.IsTombstoned(w.Consumer.Ctx(), v.ConsAddress))
	require.NoError(w.T, w.UpdateClient(w.Provider))
}

func (w *world) slashes() []externalstakingtypes.SlashInfo {
	res, err := externalstakingtypes.NewQueryClient(querier(w.Provider)).Slashes(w.Provider.Ctx(), &externalstakingtypes.QuerySlashesRequest{ConsumerId: w.ConsumerID})
	require.NoError(w.T, err)
	return res.Slashes
}

func (w *world) sweepsAbroad() []externalstakingtypes.SweepInfo {
	res, err := externalstakingtypes.NewQueryClient(querier(w.Provider)).Sweeps(w.Provider.Ctx(), &externalstakingtypes.QuerySweepsRequest{})
	require.NoError(w.T, err)
	return res.Sweeps
}

// collateral is what a user has in the vault, as written down: nobody has asked for it to be settled.
func (w *world) collateral(user twochain.Account) math.Int {
	amount, err := w.Provider.App.VaultKeeper.Collateral.Get(w.Provider.Ctx(), user.Address)
	require.NoError(w.T, err)
	return amount
}

// vesting makes all coins of one of the provider's users vest in a year.
func vesting(user int, amount int64) func(*twochain.Config) {
	return func(cfg *twochain.Config) {
		before := cfg.Provider.Genesis
		cfg.Provider.Genesis = func(cdc codec.Codec, genesis app.GenesisState) {
			before(cdc, genesis)
			twochain.Edit(cdc, genesis, authtypes.ModuleName, func(g *authtypes.GenesisState) {
				// The relayer comes first.
				base, ok := g.Accounts[user+1].GetCachedValue().(*authtypes.BaseAccount)
				if !ok {
					panic("not a plain account")
				}
				coins := sdk.NewCoins(sdk.NewInt64Coin(cfg.Provider.Denom, amount))
				account, err := vestingtypes.NewDelayedVestingAccount(base, coins, time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
				if err != nil {
					panic(err)
				}
				if g.Accounts[user+1], err = codectypes.NewAnyWithValue(account); err != nil {
					panic(err)
				}
			})
		}
	}
}
