package tests

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// flowStep is one step of the acceptance vector.
type flowStep struct {
	Do   string
	Want map[string]any
}

// TestCrossStakeFlow drives one user through the whole life of cross-chain stake, as the acceptance vector tells it.
func TestCrossStakeFlow(t *testing.T) {
	bz, err := os.ReadFile("testdata/cross-stake-flow.json")
	require.NoError(t, err)
	var vector struct{ Steps []flowStep }
	require.NoError(t, json.Unmarshal(bz, &vector))
	require.NotEmpty(t, vector.Steps)

	f := &flow{world: newWorld(t)}
	f.user = f.Provider.Users[0]
	f.before = f.Provider.Balance(f.user.Address, f.Provider.Denom)
	for _, step := range vector.Steps {
		if !t.Run(step.Do, func(t *testing.T) { f.run(t, step) }) {
			return
		}
		require.NoError(t, f.check(), step.Do)
	}
}

type flow struct {
	*world
	user twochain.Account
	// before is the user's balance before the step.
	before math.Int
	shown  math.Int
}

func (f *flow) run(t *testing.T, step flowStep) {
	f.before = f.Provider.Balance(f.user.Address, f.Provider.Denom)
	validator := f.validator(0)
	amount := func() int64 {
		n, err := strconv.ParseInt(regexp.MustCompile(`\d{2,}`).FindString(step.Do), 10, 64)
		require.NoError(t, err)
		return n
	}
	is := func(pattern string) bool { return regexp.MustCompile("^" + pattern).MatchString(step.Do) }
	var err error
	switch {
	case is(`deposit \d+$`):
		err = f.deposit(f.user, amount())
	case is(`stake-local \d+$`):
		err = f.stakeLocal(f.user, f.home(0), amount())
	case is(`stake \d+ on an unknown validator$`):
		err = f.stake(f.user, "consvaloper1nobody", amount())
		require.ErrorIs(t, err, externalstakingtypes.ErrUnknownValidator)
	case is(`stake \d+ on validator 1, relay$`):
		err = f.stake(f.user, validator, amount())
		require.NoError(t, f.Relay())
	case is(`unstake \d+, relay$`):
		err = f.unstake(f.user, validator, amount())
		require.NoError(t, f.Relay())
	case is(`consumer epoch$`):
		f.epoch()
	case is(`unbonding period passes \(no user transaction\)$`):
		err = f.Advance(21*day + time.Minute)
	case is(`withdraw \d+$`):
		err = f.withdraw(f.user, amount())
	case is(`consumer epoch, relay, withdraw-rewards$`):
		f.epoch()
		f.Consumer.Blocks(2)
		require.NoError(t, f.Relay())
		f.shown = f.rewards(f.user).AmountOf(f.voucher(f.Consumer.Denom))
		err = f.withdrawRewards(f.user, validator)
	default:
		t.Fatalf("unknown step %q", step.Do)
	}
	if step.Want["error"] == true {
		require.Error(t, err)
	} else {
		require.NoError(t, err)
	}
	for field, want := range step.Want {
		f.compare(t, validator, field, want)
	}
}

func (f *flow) compare(t *testing.T, validator, field string, want any) {
	switch field {
	case "error":
	case "free":
		require.Equal(t, want, f.account(f.user).Free.String(), field)
	case "position_bonded":
		require.Equal(t, want, f.position(f.user, validator).Bonded.String(), field)
	case "virtual_delegated":
		require.Equal(t, want, f.source().Delegated.String(), field)
	case "unbondings":
		amounts := []any{}
		for _, u := range f.unbondings(f.user) {
			amounts = append(amounts, u.Amount.String())
		}
		require.Equal(t, want, amounts, field)
	case "bank_gain":
		require.Equal(t, want, f.Provider.Balance(f.user.Address, f.Provider.Denom).Sub(f.before).String(), field)
	case "voucher_balance":
		require.True(t, f.shown.IsPositive(), "no rewards to withdraw")
		require.Equal(t, f.shown.String(), f.Provider.Balance(f.user.Address, f.voucher(f.Consumer.Denom)).String(), field)
	default:
		t.Fatalf("unknown field %q", field)
	}
}
