package keeper_test

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/apportion"
	"github.com/mesh-security/mesh/x/vault/keeper"
	"github.com/mesh-security/mesh/x/vault/types"
)

// anyone is the validator of stake in tests that do not care.
const anyone = "v"

// fakeHolder is a lien holder as simple as can be. Behind each lien it keeps stake with validators, bonded or unbonding,
// and each lien's id stands for a consumer whose validators can be slashed. It keeps all of it in a store, so that what it
// did is undone with everything else.
type fakeHolder struct {
	key    storetypes.StoreKey
	handle keeper.Handle
	// settled are the ids it was asked to mature.
	settled []string
	// err is returned instead of an answer, for everyone or for poisoned only.
	err      error
	poisoned sdk.AccAddress
	// burns is a user whose settle needs more gas than there is.
	burns sdk.AccAddress
	// sweep is its Sweep, if it has one.
	sweep func(ctx sdk.Context, budget int) int
}

// fakePiece is bonded stake with a validator, or what unbonds until Release.
type fakePiece struct {
	Validator string
	Amount    math.Int
	Release   *time.Time
}

// fakeSlash is a slash of a consumer's validator.
type fakeSlash struct {
	Sequence  uint64
	Time      time.Time
	Validator string
	Fraction  math.LegacyDec
}

func (s fakeSlash) hits(p fakePiece) bool {
	return p.Validator == s.Validator && p.Amount.IsPositive() && (p.Release == nil || p.Release.After(s.Time))
}

func newFakeHolder(key storetypes.StoreKey) *fakeHolder { return &fakeHolder{key: key} }

func (h *fakeHolder) fails(user sdk.AccAddress) error {
	if h.poisoned == nil || h.poisoned.Equals(user) {
		return h.err
	}
	return nil
}

func (h *fakeHolder) NextLoss(ctx context.Context, user sdk.AccAddress, id string, settled uint64) (types.PendingLoss, bool, error) {
	if err := h.fails(user); err != nil {
		return types.PendingLoss{}, false, err
	}
	pieces := h.pieces(ctx, user, id)
	for _, s := range h.slashes(ctx, id) {
		if s.Sequence > settled && slices.ContainsFunc(pieces, s.hits) {
			return types.PendingLoss{Sequence: s.Sequence, Time: s.Time}, true, nil
		}
	}
	return types.PendingLoss{}, false, nil
}

func (h *fakeHolder) ApplyLoss(ctx context.Context, user sdk.AccAddress, id string, sequence uint64) (math.Int, error) {
	pieces, lost := h.pieces(ctx, user, id), math.ZeroInt()
	for _, s := range h.slashes(ctx, id) {
		for i, p := range pieces {
			if s.Sequence == sequence && s.hits(p) {
				left := math.LegacyOneDec().Sub(s.Fraction).MulInt(p.Amount).TruncateInt()
				lost = lost.Add(p.Amount.Sub(left))
				pieces[i].Amount = left
			}
		}
	}
	h.setPieces(ctx, user, id, pieces)
	return lost, nil
}

func (h *fakeHolder) Mature(ctx context.Context, user sdk.AccAddress, id string, at time.Time) (math.Int, error) {
	h.settled = append(h.settled, id)
	if h.burns.Equals(user) {
		sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(1e12, "endless work")
	}
	if err := h.fails(user); err != nil {
		return math.Int{}, err
	}
	released, due := math.ZeroInt(), false
	left := slices.DeleteFunc(h.pieces(ctx, user, id), func(p fakePiece) bool {
		if p.Release == nil || p.Release.After(at) {
			return false
		}
		released, due = released.Add(p.Amount), true
		return true
	})
	if due {
		h.setPieces(ctx, user, id, left)
	}
	return released, nil
}

func (h *fakeHolder) Reduce(ctx context.Context, user sdk.AccAddress, id string, amount math.Int) error {
	pieces := h.pieces(ctx, user, id)
	var amounts []math.Int
	for _, p := range pieces {
		amounts = append(amounts, p.Amount)
	}
	for i, left := range apportion.Scale(amounts, h.total(ctx, user, id).Sub(amount)) {
		pieces[i].Amount = left
	}
	h.setPieces(ctx, user, id, pieces)
	return nil
}

func (h *fakeHolder) Sweep(ctx sdk.Context, budget int) int {
	if h.sweep == nil {
		return 0
	}
	return h.sweep(ctx, budget)
}

// add stakes amount with anyone.
func (h *fakeHolder) add(f *fixture, user sdk.AccAddress, id string, amount int64, fraction string) error {
	return h.stake(f.ctx, user, id, anyone, math.NewInt(amount), math.LegacyMustNewDecFromStr(fraction))
}

// stake adds to the lien and bonds as much with a validator.
func (h *fakeHolder) stake(ctx context.Context, user sdk.AccAddress, id, validator string, amount math.Int, fraction math.LegacyDec) error {
	if err := h.handle.Add(ctx, user, id, amount, fraction); err != nil {
		return err
	}
	h.change(ctx, user, id, validator, amount)
	return nil
}

// release takes amount off what is bonded with anyone.
func (h *fakeHolder) release(f *fixture, user sdk.AccAddress, id string, amount int64) error {
	if err := h.handle.Release(f.ctx, user, id, math.NewInt(amount)); err != nil {
		return err
	}
	h.change(f.ctx, user, id, anyone, math.NewInt(-amount))
	return nil
}

// mature makes the next settle release amount of what is bonded with anyone.
func (h *fakeHolder) mature(ctx context.Context, user sdk.AccAddress, id string, amount int64) {
	h.unstake(ctx, user, id, anyone, math.NewInt(amount), sdk.UnwrapSDKContext(ctx).BlockTime())
}

// unstake makes what is bonded unbond until release.
func (h *fakeHolder) unstake(ctx context.Context, user sdk.AccAddress, id, validator string, amount math.Int, release time.Time) {
	h.change(ctx, user, id, validator, amount.Neg())
	h.setPieces(ctx, user, id, append(h.pieces(ctx, user, id), fakePiece{Validator: validator, Amount: amount, Release: &release}))
}

// slash records a slash of a consumer's validator and returns its sequence. Nobody is settled by that.
func (h *fakeHolder) slash(ctx context.Context, t require.TestingT, id, validator, fraction string) uint64 {
	sequence, err := h.handle.NextLossSequence(ctx)
	require.NoError(t, err)
	slash := fakeSlash{
		Sequence: sequence, Time: sdk.UnwrapSDKContext(ctx).BlockTime(), Validator: validator, Fraction: math.LegacyMustNewDecFromStr(fraction),
	}
	h.write(ctx, slashKey(id), append(h.slashes(ctx, id), slash))
	return sequence
}

// bonded is what the user has bonded with a validator.
func (h *fakeHolder) bonded(ctx context.Context, user sdk.AccAddress, id, validator string) int64 {
	for _, p := range h.pieces(ctx, user, id) {
		if p.Release == nil && p.Validator == validator {
			return p.Amount.Int64()
		}
	}
	return 0
}

// total is the sum of the pieces behind a lien.
func (h *fakeHolder) total(ctx context.Context, user sdk.AccAddress, id string) math.Int {
	sum := math.ZeroInt()
	for _, p := range h.pieces(ctx, user, id) {
		sum = sum.Add(p.Amount)
	}
	return sum
}

// change adds to what is bonded with a validator.
func (h *fakeHolder) change(ctx context.Context, user sdk.AccAddress, id, validator string, by math.Int) {
	pieces := h.pieces(ctx, user, id)
	i := slices.IndexFunc(pieces, func(p fakePiece) bool { return p.Release == nil && p.Validator == validator })
	if i < 0 {
		i, pieces = len(pieces), append(pieces, fakePiece{Validator: validator, Amount: math.ZeroInt()})
	}
	pieces[i].Amount = pieces[i].Amount.Add(by)
	h.setPieces(ctx, user, id, pieces)
}

func (h *fakeHolder) pieces(ctx context.Context, user sdk.AccAddress, id string) (pieces []fakePiece) {
	h.read(ctx, pieceKey(user, id), &pieces)
	return pieces
}

func (h *fakeHolder) setPieces(ctx context.Context, user sdk.AccAddress, id string, pieces []fakePiece) {
	h.write(ctx, pieceKey(user, id), pieces)
}

func (h *fakeHolder) slashes(ctx context.Context, id string) (slashes []fakeSlash) {
	h.read(ctx, slashKey(id), &slashes)
	return slashes
}

func (h *fakeHolder) read(ctx context.Context, key []byte, into any) {
	if bz := sdk.UnwrapSDKContext(ctx).KVStore(h.key).Get(key); bz != nil {
		if err := json.Unmarshal(bz, into); err != nil {
			panic(err)
		}
	}
}

func (h *fakeHolder) write(ctx context.Context, key []byte, value any) {
	bz, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	sdk.UnwrapSDKContext(ctx).KVStore(h.key).Set(key, bz)
}

func pieceKey(user sdk.AccAddress, id string) []byte {
	return append([]byte("pieces/"+id+"/"), user...)
}
func slashKey(id string) []byte { return []byte("slashes/" + id) }
