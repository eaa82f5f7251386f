package tests

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// watchOutcomes counts what the provider's blocks report.
func (m *machine) watchOutcomes() {
	m.Provider.Observe = func(*abci.ResponseFinalizeBlock) {
		events := m.Provider.LastEvents()
		m.watchMoney(events)
		m.watchReleases(events)
		m.counts[stakeCommitted] += len(twochain.Events[externalstakingtypes.EventStakeCommitted](events))
		m.counts[stakeRejected] += len(twochain.Events[externalstakingtypes.EventStakeRolledBack](events))
		for _, e := range twochain.Events[externalstakingtypes.EventBatchResolved](events) {
			m.counts[entryRejected] += int(e.Rejected)
			switch e.Outcome {
			case "timed out":
				m.counts[batchTimedOut]++
			case "undecided":
				m.counts[batchUndecided]++
			}
		}
		for _, e := range twochain.Events[externalstakingtypes.EventChannelClosed](events) {
			if e.Reason == "a packet timed out" {
				m.counts[closedByTimeout]++
			}
		}
		m.counts[forcedOut] += len(twochain.Events[externalstakingtypes.EventOperationForced](events))
		m.counts[snapshotApplied] += len(twochain.Events[externalstakingtypes.EventSnapshotApplied](events))
		m.counts[unstakeEntry] += len(twochain.Events[externalstakingtypes.EventUnstakeCommitted](events))
		m.counts[unstakeDone] += len(twochain.Events[externalstakingtypes.EventUnbondingReleased](events))
		m.counts[rewardsPaid] += len(twochain.Events[externalstakingtypes.EventRewardsWithdrawn](events))
		m.counts[localMatured] += len(twochain.Events[vaulttypes.EventLocalMatured](events))
		m.counts[localRewardsPaid] += len(twochain.Events[vaulttypes.EventLocalRewardsWithdrawn](events))
		m.counts[lienReduced] += len(twochain.Events[vaulttypes.EventLienReduced](events))
		m.counts[movedIn] += len(twochain.Events[vaulttypes.EventDelegationDeposited](events))
		m.counts[movedOut] += len(twochain.Events[vaulttypes.EventDelegationWithdrawn](events))
		for _, e := range twochain.Events[vaulttypes.EventLost](events) {
			if e.Holder == vaulttypes.LocalHolder {
				m.counts[lostAtHome]++
			} else {
				m.counts[lostAbroad]++
			}
		}
		for _, e := range twochain.Events[externalstakingtypes.EventValidatorUpdated](events) {
			switch e.Status {
			case control.StatusRemoved:
				m.counts[removedSeen]++
			case control.StatusTombstoned:
				m.counts[tombstoneSeen]++
			case control.StatusJailed:
				m.counts[jailedSeen]++
			}
		}
	}
}

// entry is an unbonding entry that the machine saw being made.
type entry struct {
	release time.Time
	amount  math.Int
}

// watchReleases checks E6 from outside: an entry waits a full unbonding period from its commitment, or, on a tombstoned
// validator, from when the tombstone was learned; and no more is released than was due.
func (m *machine) watchReleases(events blockEvents) {
	now := m.Provider.Ctx().BlockTime()
	// That of all registrations.
	period := m.Config().Consumer.UnbondingTime
	for _, e := range twochain.Events[externalstakingtypes.EventUnstakeCommitted](events) {
		start := now
		validator, err := m.Provider.App.ExternalStakingKeeper.Validators.Get(m.Provider.Ctx(), collections.Join(e.ConsumerID, e.Validator))
		require.NoError(m.r, err)
		if validator.Status == control.StatusTombstoned && validator.EndedAt != nil {
			start = *validator.EndedAt
		}
		if e.ReleaseTime.Before(start.Add(period)) {
			m.broken = errors.Join(m.broken, fmt.Errorf("E6: %s made at %s is released at %s", e.Amount, now, e.ReleaseTime))
		}
		key := fmt.Sprintf("%s/%d/%s", e.User, e.ConsumerID, e.Validator)
		m.entries[key] = append(m.entries[key], entry{e.ReleaseTime, intOf(m.r, e.Amount)})
	}
	for _, e := range twochain.Events[externalstakingtypes.EventUnbondingReleased](events) {
		key := fmt.Sprintf("%s/%d/%s", e.User, e.ConsumerID, e.Validator)
		left := intOf(m.r, e.Amount)
		var kept []entry
		for _, known := range m.entries[key] {
			if !known.release.After(now) && left.IsPositive() {
				taken := math.MinInt(left, known.amount)
				left, known.amount = left.Sub(taken), known.amount.Sub(taken)
			}
			if known.amount.IsPositive() {
				kept = append(kept, known)
			}
		}
		m.entries[key] = kept
		if left.IsPositive() {
			m.broken = errors.Join(m.broken, fmt.Errorf("E6: %s of %s released before its time", e.Amount, key))
		}
	}
}

func intOf(t require.TestingT, amount string) math.Int {
	n, ok := math.NewIntFromString(amount)
	require.True(t, ok, amount)
	return n
}

// watchSupply checks K2 around every block of the consumer: the supply without virtual stake changes by inflation and by
// slashes of native stake only.
func (m *machine) watchSupply() {
	native := m.nativeSupply()
	m.Consumer.Observe = func(*abci.ResponseFinalizeBlock) {
		now := m.nativeSupply()
		minted, burned, changes := m.supplyEvents()
		m.slashed = m.slashed || burned.IsPositive()
		// x/staking leaves up to a unit with other delegators at every change of a delegation that was slashed before.
		dust := math.ZeroInt()
		if m.slashed {
			dust = math.NewInt(int64(2*changes + 2*len(m.Consumer.Validators)))
		}
		diff := now.Sub(native).Sub(minted)
		if diff.GT(dust) || diff.LT(burned.Add(dust).Neg()) {
			m.broken = errors.Join(m.broken, fmt.Errorf("K2: at height %d the native supply went from %s to %s, minted %s, slashed %s",
				m.Consumer.App.LastBlockHeight(), native, now, minted, burned))
		}
		native = now
		m.counts[unwound] += len(twochain.Events[virtualstakingtypes.EventUnwound](m.Consumer.LastEvents()))
		m.counts[restored] += len(twochain.Events[virtualstakingtypes.EventRestored](m.Consumer.LastEvents()))
	}
}

func (m *machine) nativeSupply() math.Int {
	ctx := m.Consumer.Ctx()
	outstanding, err := m.Consumer.App.VirtualStakingKeeper.VirtualOutstanding(ctx)
	require.NoError(m.r, err)
	return m.Consumer.App.BankKeeper.GetSupply(ctx, m.Consumer.Denom).Amount.Sub(outstanding)
}

// supplyEvents sums inflation, the burns of slashes, and counts the changes of virtual stake in the consumer's last block.
func (m *machine) supplyEvents() (minted, burned math.Int, changes int) {
	minted, burned = math.ZeroInt(), math.ZeroInt()
	for _, e := range bankEvents(m.Consumer, "coinbase") {
		if e.attributes["minter"] == authtypes.NewModuleAddress(minttypes.ModuleName).String() {
			minted = minted.Add(e.amount)
		}
	}
	for _, e := range bankEvents(m.Consumer, "burn") {
		if e.attributes["burner"] != authtypes.NewModuleAddress(virtualstakingtypes.ModuleName).String() {
			burned = burned.Add(e.amount)
		}
	}
	for _, e := range m.Consumer.LastEvents() {
		if strings.HasPrefix(e.Type, "mesh.virtualstaking.v1.EventVirtual") {
			changes++
		}
	}
	return minted, burned, changes
}
