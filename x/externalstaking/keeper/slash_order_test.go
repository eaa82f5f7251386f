package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// The consumer tombstones at once and the evidence comes later: what has been queued leaves without a packet meanwhile, and
// is hit all the same.
func TestRM01TheTombstoneIsReportedBeforeTheEvidence(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 40))
	require.NoError(t, l.stake(ann, "val1", 7))
	l.report(1, control.StatusTombstoned, "val1")
	l.endBlock()
	l.want(ann, "val1", 60, 0, 0, 100)
	l.pass(time.Hour)
	require.NoError(t, l.unstake(ann, "val1", 10))
	l.slash("val1", 100)
	l.settle(ann)
	p, _ := l.position(ann, "val1")
	require.Equal(t, "25", p.Bonded.String())
	require.Len(t, p.Unbondings, 1, "both are released when the tombstone is a period old")
	require.Equal(t, "25", p.Unbondings[0].Amount.String())
	require.Equal(t, int64(1_000_000-50), l.collateral(ann))
	// What leaves now has been hit, too, and joins what left before.
	require.NoError(t, l.unstake(ann, "val1", 25))
	p, _ = l.position(ann, "val1")
	require.Len(t, p.Unbondings, 1)
	l.pass(ledgerUnbonding - time.Hour)
	l.endBlock()
	require.Zero(t, l.lien(ann))
}

// An offender shields its unbonding by proving a second, later offence of its own first.
func TestRM02ALaterOffenceProvenFirstShieldsNothing(t *testing.T) {
	l := newSlashLedger(t, 1)
	user := l.newUser("offender", 100)
	l.bond(user, "val1", 100)
	require.NoError(t, l.unstake(user, "val1", 100))
	l.endBlock()
	l.acceptAll(1)
	l.applied(2, 26)
	l.endBlock()
	l.slash("val1", 526)
	l.settle(user)
	p, _ := l.position(user, "val1")
	require.Equal(t, "100", p.Unbondings[0].Amount.String(), "it did not count any more at 526")
	require.False(t, p.Unbondings[0].Slashed)
	_, err := l.prove("val1", 27)
	require.ErrorIs(t, err, types.ErrAlreadySlashed, "nor at 27")

	l.hasTyped(l.slash("val1", 26), &types.EventValidatorSlashed{
		ConsumerID: 1, Validator: "val1", Sequence: 2, Height: "1-26", Fraction: "0.500000000000000000", Bonded: "0",
	})
	l.settle(user)
	require.Equal(t, int64(50), l.collateral(user))
	require.Equal(t, int64(50), l.lien(user))
	_, err = l.prove("val1", 25)
	require.ErrorIs(t, err, types.ErrAlreadySlashed, "nothing is left that it could hit")
	res, err := l.query.Validator(l.ctx, &types.QueryValidatorRequest{ConsumerId: 1, Validator: "val1"})
	require.NoError(t, err)
	require.Equal(t, []uint64{26, 526}, []uint64{res.Validator.Slashes[0].Height.RevisionHeight, res.Validator.Slashes[1].Height.RevisionHeight})
}

// However often an offence at a lower height is proven: each entry is hit once, by the first that reaches it, also if its
// owner is settled after all of them.
func TestRM02ManyOffencesInFallingOrder(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late %t", late), func(t *testing.T) {
			l := newSlashLedger(t, 1)
			l.bond(ann, "val1", 1_000)
			for i := range 4 {
				require.NoError(t, l.unstake(ann, "val1", 100))
				l.endBlock()
				l.acceptAll(1)
				l.applied(uint64(2+i), uint64(10+10*i))
				l.pass(24 * time.Hour)
			}
			entries := func() (amounts []string) {
				p, _ := l.position(ann, "val1")
				for _, e := range p.Unbondings {
					amounts = append(amounts, e.Amount.String())
				}
				return append(amounts, p.Bonded.String())
			}
			for _, step := range []struct {
				height   int64
				expected []string
			}{
				{40, []string{"100", "100", "100", "50", "300"}},
				{35, nil},
				{21, []string{"100", "100", "50", "50", "300"}},
				{10, []string{"50", "50", "50", "50", "300"}},
				{9, nil},
			} {
				if step.expected == nil {
					_, err := l.prove("val1", step.height)
					require.ErrorIs(t, err, types.ErrAlreadySlashed)
					continue
				}
				l.slash("val1", step.height)
				if !late {
					l.settle(ann)
				}
				require.Equal(t, step.expected, entries())
				l.pass(time.Minute)
			}
			l.settle(ann)
			require.Equal(t, int64(1_000_000-500), l.collateral(ann))
			require.Equal(t, int64(500), l.lien(ann))
		})
	}
}

// An offence that reaches only entries which are due, or none of this validator, adds nothing.
func TestRM02ALowerHeightMustReachAnEntryThatIsNotDue(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	l.bond(ann, "val2", 100)
	require.NoError(t, l.unstake(ann, "val1", 50))
	l.endBlock()
	l.acceptAll(1)
	l.applied(3, 20)
	l.pass(24 * time.Hour)
	require.NoError(t, l.unstake(ann, "val2", 50))
	l.endBlock()
	l.acceptAll(1)
	l.applied(4, 30)
	l.slash("val1", 31)
	_, err := l.prove("val1", 30)
	require.ErrorIs(t, err, types.ErrAlreadySlashed, "only val2 has an entry that still counted at 30")
	ctx, _ := l.ctx.CacheContext()
	_, err = l.msgs.SubmitDoubleVoting(ctx, &types.MsgSubmitDoubleVoting{Submitter: eve.String(), ConsumerID: 1, Evidence: doubleVote(t, keyOf("val1"), 20)})
	require.NoError(t, err)
	l.pass(ledgerUnbonding - 24*time.Hour)
	_, err = l.prove("val1", 20)
	require.ErrorIs(t, err, types.ErrAlreadySlashed, "the entry is due")
	require.Len(t, l.slashes(1), 1)
}

func TestRM07InFlightStakeIsClippedByASlashElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name   string
		end    func(l *ledger)
		bonded int64
	}{
		{"accepted", func(l *ledger) { l.acceptAll(1) }, 50},
		{"refused", func(l *ledger) { l.ack(refusal) }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newSlashLedger(t, 2)
			user := l.newUser("thin", 100)
			l.bondOn(2, user, "val1", 100)
			require.NoError(t, l.stake(user, "val1", 100))
			l.endBlock()
			l.slashOn(2, "val1", 100)
			tc.end(l)
			require.Equal(t, int64(50), l.collateral(user))
			l.want(user, "val1", tc.bonded, 0, 0, tc.bonded)
			require.Equal(t, int64(50), l.lienOn(2, user))
			// The consumer learns what is left.
			l.ctx = l.ctx.WithBlockHeight(l.ctx.BlockHeight() + 5)
			l.endBlock()
			l.acceptAll(1)
			require.Equal(t, tc.bonded, l.pool("val1").Synced.Int64())
		})
	}
}

func TestRM08AnUnstakeInFlightIsSlashedWithItsStake(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 100))
	l.endBlock()
	l.slash("val1", 100)
	l.acceptAll(1)
	p, _ := l.position(ann, "val1")
	require.Len(t, p.Unbondings, 1)
	require.Equal(t, "50", p.Unbondings[0].Amount.String())
	l.want(ann, "val1", 0, 0, 0, 50)
}

func TestRM11LossesBeyondWhatIsLeft(t *testing.T) {
	run := func(settle bool) (int64, []int64) {
		l := newSlashLedger(t, 2)
		l.setConsumer(1, func(c *types.Consumer) { c.SlashFraction = math.LegacyNewDecWithPrec(8, 1) })
		l.setConsumer(2, func(c *types.Consumer) { c.SlashFraction = math.LegacyNewDecWithPrec(5, 2) })
		user := l.newUser("poor", 2)
		l.bondOn(1, user, "val1", 1)
		l.bondOn(2, user, "val1", 1)
		l.bondOn(2, user, "val2", 1)
		for _, slash := range []func(){
			func() { l.slashOn(1, "val1", 100) }, func() { l.slashOn(2, "val1", 100) }, func() { l.slashOn(2, "val2", 100) },
		} {
			slash()
			if settle {
				l.settle(user)
			}
		}
		l.settle(user)
		return l.collateral(user), []int64{l.lienOn(1, user), l.lienOn(2, user)}
	}
	lateCollateral, lateLiens := run(false)
	collateral, liens := run(true)
	require.Equal(t, collateral, lateCollateral)
	require.Equal(t, liens, lateLiens)
	require.GreaterOrEqual(t, collateral, int64(0))
}

func TestRM12SettlingBetweenTwoSlashesOrAfterBoth(t *testing.T) {
	l := newSlashLedger(t, 2)
	users := []sdk.AccAddress{l.newUser("early", 100), l.newUser("late", 100)}
	for _, user := range users {
		l.bondOn(1, user, "val1", 100)
		l.bondOn(2, user, "val1", 100)
	}
	l.slashOn(1, "val1", 100)
	l.settle(users[0])
	l.slashOn(2, "val1", 100)
	l.settle(users...)
	for _, user := range users {
		require.Equal(t, int64(25), l.collateral(user))
		require.Equal(t, int64(24), l.lienOn(1, user), "two halves of 25, rounded up, would not be covered")
		require.Equal(t, int64(24), l.lienOn(2, user))
	}
}

func TestRM15DustOfUnsettledPositionsDilutesNobody(t *testing.T) {
	for _, tc := range []struct {
		stake   int64
		bonded  []int64
		rewards int64
	}{
		{1, []int64{1, 0, 0}, 0},
		{3, []int64{3, 2, 2}, 500_000},
	} {
		t.Run(fmt.Sprint(tc.stake), func(t *testing.T) {
			l := newSlashLedger(t, 1)
			l.bond(ann, "val1", tc.stake)
			l.bond(ben, "val1", tc.stake)
			l.slash("val1", 100)
			require.Equal(t, tc.bonded[0], l.pool("val1").Bonded.Int64())
			l.reward(share("val1", 1_000_000))
			require.Equal(t, "1000000", l.pool("val1").HeldOver().AmountOf(l.voucher()).String())
			l.settle(ann)
			require.Equal(t, tc.bonded[1], l.pool("val1").Bonded.Int64())
			require.Equal(t, "1000000", l.pool("val1").HeldOver().AmountOf(l.voucher()).String())
			l.settle(ben)
			require.Equal(t, tc.bonded[2], l.pool("val1").Bonded.Int64())
			for _, user := range []sdk.AccAddress{ann, ben} {
				before := l.balance(user, l.voucher())
				if p, found := l.position(user, "val1"); found {
					require.NotNil(t, p)
					_, err := l.withdrawRewards(user, "val1")
					require.NoError(t, err)
				}
				require.Equal(t, tc.rewards, l.balance(user, l.voucher())-before)
			}
		})
	}
}

func TestRM16AnEntryThatIsDueIsNotHit(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 40))
	l.endBlock()
	l.acceptAll(1)
	l.pass(ledgerUnbonding)
	// Due, but nobody has released it yet.
	l.slash("val1", 100)
	l.pass(time.Hour)
	l.settle(ann)
	l.want(ann, "val1", 30, 0, 0, 30)
	require.Equal(t, int64(1_000_000-30), l.collateral(ann))
}

// A confirmation that comes after the evidence spares nothing, whenever the owner of the entry is settled.
func TestAConfirmationAfterTheEvidenceComesTooLate(t *testing.T) {
	for _, late := range []bool{false, true} {
		l := newSlashLedger(t, 1)
		l.bond(ann, "val1", 100)
		require.NoError(t, l.unstake(ann, "val1", 100))
		l.endBlock()
		l.acceptAll(1)
		l.slash("val1", 100)
		if !late {
			l.settle(ann)
		}
		l.applied(2, 50)
		l.settle(ann)
		require.Equal(t, int64(50), l.lien(ann))
	}
}

// What is hit and what is spared can be due at the same time: they stay apart.
func TestEntriesHitAndSparedDoNotMerge(t *testing.T) {
	l := newSlashLedger(t, 1)
	l.bond(ann, "val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 40))
	l.endBlock()
	l.applied(2, 50)
	l.acceptAll(1)
	l.slash("val1", 100)
	require.NoError(t, l.unstake(ann, "val1", 30))
	p, _ := l.position(ann, "val1")
	require.Len(t, p.Unbondings, 2)
	require.Equal(t, []bool{false, true}, []bool{p.Unbondings[0].Slashed, p.Unbondings[1].Slashed})
	require.Equal(t, time.Nanosecond, p.Unbondings[1].ReleaseTime.Sub(p.Unbondings[0].ReleaseTime))
	l.holds()
	l.slash("val1", 50)
	l.settle(ann)
	l.want(ann, "val1", 0, 0, 0, 50)
}
