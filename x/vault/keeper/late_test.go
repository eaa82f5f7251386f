package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/vault/types"
)

// step is an operation of one user, or a slash, that is done to several vaults alike.
type step struct {
	op        string
	user      sdk.AccAddress
	other     bool // the second holder
	id        string
	validator string
	amount    int64
}

var consumerFractions = map[string]string{"1": "0.05", "2": "0.5", "3": "1"}

func drawStep(rt *rapid.T, ops ...string) step {
	return step{
		op:        rapid.SampledFrom(ops).Draw(rt, "op"),
		user:      rapid.SampledFrom([]sdk.AccAddress{alice, bob}).Draw(rt, "user"),
		other:     rapid.Bool().Draw(rt, "other"),
		id:        rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "id"),
		validator: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "validator"),
		amount:    rapid.Int64Range(1, 500).Draw(rt, "amount"),
	}
}

// do does a step as a block would: an operation that is refused leaves nothing behind. Users are settled by what touches
// them only.
func (f *fixture) do(s step) {
	f.t.Helper()
	h := f.holder
	if s.other {
		h = f.other
	}
	amount, fraction := math.NewInt(s.amount), math.LegacyMustNewDecFromStr(consumerFractions[s.id])
	ctx, write := f.ctx.CacheContext()
	var err error
	switch s.op {
	case "deposit":
		_, err = f.k.Deposit(ctx, s.user, sdk.NewCoin(denom, amount))
	case "withdraw":
		_, err = f.k.Withdraw(ctx, s.user, sdk.NewCoin(denom, amount))
	case "stake":
		err = h.stake(ctx, s.user, s.id, s.validator, amount, fraction)
	case "unstake":
		require.NoError(f.t, h.handle.Settle(ctx, s.user))
		if bonded := h.bonded(ctx, s.user, s.id, s.validator); bonded > 0 {
			h.unstake(ctx, s.user, s.id, s.validator, math.NewInt(min(s.amount, bonded)), ctx.BlockTime().Add(time.Minute*time.Duration(s.amount)))
		}
	case "settle":
		err = h.handle.Settle(ctx, s.user)
		require.NoError(f.t, err)
	case "wait":
		f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().Add(time.Minute * time.Duration(s.amount)))
		return
	case "slash":
		h.slash(ctx, f.t, s.id, s.validator, fraction.String())
	}
	if err == nil {
		write()
	}
}

// outcome is what is left of a user, settled on a branch.
func (f *fixture) outcome(user sdk.AccAddress) string {
	f.t.Helper()
	ctx, _ := f.ctx.CacheContext()
	require.NoError(f.t, f.holder.handle.Settle(ctx, user))
	account, err := f.k.Account(ctx, user)
	require.NoError(f.t, err)
	require.False(f.t, account.Collateral.IsNegative())
	out := fmt.Sprintf("collateral %s, local %s, debt %s", account.Collateral, types.Local(account.Liens), account.Debt)
	for _, h := range []*fakeHolder{f.holder, f.other} {
		for _, id := range []string{"1", "2", "3"} {
			lien, err := h.handle.Lien(ctx, user, id)
			require.NoError(f.t, err)
			require.Equal(f.t, h.total(ctx, user, id).String(), lien.String())
			out += fmt.Sprintf("; %s/%s %s: a %d, b %d", h.key.Name(), id, lien, h.bonded(ctx, user, id, "a"), h.bonded(ctx, user, id, "b"))
		}
	}
	return out
}

// Two vaults see the same operations and slashes. In one everybody is settled after every single one, in the other only
// who is touched. Nobody can tell the difference.
func TestPropertySettlingLateEqualsSettlingAtOnce(t *testing.T) {
	users := []sdk.AccAddress{alice, bob}
	rapid.Check(t, func(rt *rapid.T) {
		once, late := newVault(t), newVault(t)
		for _, f := range []*fixture{once, late} {
			f.deposit(alice, 500)
			f.deposit(bob, 300)
		}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			s := drawStep(rt, "deposit", "withdraw", "stake", "stake", "stake", "unstake", "settle", "wait", "slash", "slash")
			once.do(s)
			for _, user := range users {
				require.NoError(rt, once.holder.handle.Settle(once.ctx, user))
			}
			late.do(s)
			for _, user := range users {
				require.Equal(rt, once.outcome(user), late.outcome(user), "after %+v", s)
			}
			once.holds()
			late.holds()
		}
		for _, user := range users {
			require.NoError(rt, late.holder.handle.Settle(late.ctx, user))
		}
		require.Equal(rt, once.supply(), late.supply())
		require.Equal(rt, once.balance(once.module), late.balance(late.module))
	})
}

// doLocal does a step of local stake, or slashes a validator of this chain.
func (c *chain) doLocal(s step) {
	c.t.Helper()
	v, w := c.vals[0], c.vals[1]
	if s.other {
		v, w = w, v
	}
	var msg sdk.Msg
	switch s.op {
	case "slash home":
		c.slash(v, c.ctx.BlockHeight()-1, []string{"0.01", "0.1", "0.5"}[s.amount%3])
		return
	case "stake home":
		msg = &types.MsgStakeLocal{User: s.user.String(), Validator: v.name, Amount: coin(s.amount)}
	case "unstake home":
		msg = &types.MsgUnstakeLocal{User: s.user.String(), Validator: v.name, Amount: coin(s.amount)}
	case "restake home":
		msg = &types.MsgRestakeLocal{User: s.user.String(), ValidatorSrc: v.name, ValidatorDst: w.name, Amount: coin(s.amount)}
	default:
		c.do(s)
		return
	}
	_, _ = c.try(msg) // often refused, alike everywhere
}

// With slashes of this chain in between, settling late is as if these had come first, all at once: settle sees what local
// stake has lost, not when. By how much that can differ from settling after each is bounded by what they cost.
func TestPropertyHomeSlashesCountAsTheFirst(t *testing.T) {
	users := []sdk.AccAddress{alice, bob}
	settle := func(c *chain) {
		for _, user := range users {
			require.NoError(c.t, c.holder.handle.Settle(c.ctx, user))
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		late, first, once := newChain(t, 2), newChain(t, 2), newChain(t, 2)
		all := []*chain{late, first, once}
		for _, c := range all {
			c.deposit(alice, 1000)
			c.deposit(bob, 600)
		}
		for range rapid.IntRange(1, 10).Draw(rt, "operations") {
			s := drawStep(rt, "stake", "stake", "unstake", "stake home", "stake home", "unstake home", "restake home")
			for _, c := range all {
				c.doLocal(s)
			}
		}
		for _, c := range all {
			c.block(time.Second)
		}
		before := once.account(alice).Collateral.Add(once.account(bob).Collateral)
		var slashes []step
		for range rapid.IntRange(1, 6).Draw(rt, "slashes") {
			slashes = append(slashes, drawStep(rt, "slash", "slash home"))
		}
		for _, s := range slashes {
			late.doLocal(s)
			once.doLocal(s)
			settle(once)
			if s.op == "slash home" {
				first.doLocal(s)
			}
		}
		settle(first)
		home := before.Sub(first.account(alice).Collateral).Sub(first.account(bob).Collateral)
		for _, s := range slashes {
			if s.op == "slash" {
				first.doLocal(s)
				settle(first)
			}
		}
		for _, user := range users {
			require.Equal(rt, first.outcome(user), late.outcome(user))
		}
		settle(late)
		require.Equal(rt, first.supply(), late.supply())
		apart := late.account(alice).Collateral.Add(late.account(bob).Collateral).Sub(once.account(alice).Collateral).Sub(once.account(bob).Collateral)
		require.True(rt, apart.Abs().LTE(home), "%s apart, slashes of this chain cost %s", apart, home)
		for _, c := range all {
			c.block(time.Second)
		}
	})
}
