package tests

import (
	"slices"

	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
)

// action is one kind of step.
type action struct {
	name   string
	weight int
	do     func(*machine)
}

// actions are all kinds of steps; a test that ends without one of them fails.
var actions = []action{
	{"wait", 2, (*machine).wait},
	{"time passes", 5, (*machine).timePasses},
	{"settle", 1, (*machine).settleAll},

	{"deposit", 8, (*machine).depositSome},
	{"withdraw", 6, (*machine).withdrawSome},
	{"stake", 16, (*machine).stakeSome},
	{"unstake", 12, (*machine).unstakeSome},
	{"many operations in one block", 4, (*machine).manyOperations},
	{"withdraw rewards", 5, (*machine).withdrawSomeRewards},

	{"stake locally", 10, (*machine).stakeSomeLocally},
	{"unstake locally", 7, (*machine).unstakeSomeLocally},
	{"unstake locally too often", 1, (*machine).unstakeLocallyTooOften},
	{"restake locally", 4, (*machine).restakeSomeLocally},
	{"withdraw local rewards", 3, (*machine).withdrawSomeLocalRewards},
	{"delegate at home", 4, (*machine).delegateAtHome},
	{"leave a delegation at home", 3, (*machine).leaveDelegationAtHome},
	{"deposit a delegation", 5, (*machine).depositSomeDelegation},
	{"withdraw a delegation", 4, (*machine).withdrawSomeDelegation},
	{"donate to a staking account", 1, (*machine).donate},

	{"receive on consumer", 9, func(m *machine) { m.receive(m.Provider, controlPort) }},
	{"refuse on consumer", 3, (*machine).refuse},
	{"acknowledge on provider", 9, func(m *machine) { m.acknowledge(m.Provider, controlPort) }},
	{"receive on provider", 7, func(m *machine) { m.receive(m.Consumer, controlPort) }},
	{"acknowledge on consumer", 7, func(m *machine) { m.acknowledge(m.Consumer, controlPort) }},
	{"receive rewards", 6, func(m *machine) { m.receive(m.Consumer, transferPort) }},
	{"acknowledge rewards", 6, func(m *machine) { m.acknowledge(m.Consumer, transferPort) }},
	{"relay everything", 4, (*machine).relayAll},
	{"rewards time out", 1, (*machine).rewardsTimeOut},

	{"relayer down", 3, (*machine).relayerDown},
	{"control packets time out", 1, (*machine).controlTimesOut},
	{"tell of timeouts", 3, (*machine).tellLost},
	{"close on the provider", 1, (*machine).closeOnProvider},
	{"close on the consumer", 1, (*machine).closeOnConsumer},
	{"confirm a closure", 2, (*machine).confirmClosure},
	{"open again", 4, (*machine).reopen},
	{"freeze a client", 1, (*machine).freeze},
	{"recover clients", 2, (*machine).recoverClients},
	{"byzantine packet", 4, (*machine).byzantine},
	{"cancel stake", 4, (*machine).cancelSome},
	{"pause", 2, (*machine).pause},
	{"retire", 1, (*machine).retire},
	{"restart a node", 1, (*machine).restartNode},
	{"export and import", 1, (*machine).reimport},

	{"epoch", 8, (*machine).runEpoch},
	{"price", 5, (*machine).changePrice},
	{"cap", 5, (*machine).changeCap},
	{"governance weight", 3, (*machine).changeWeight},
	{"fees", 4, (*machine).payFees},
	{"minimum stake", 1, (*machine).changeMinimum},
	{"vote at home", 3, func(m *machine) { m.voteOn(m.Provider) }},
	{"vote on the consumer", 3, func(m *machine) { m.voteOn(m.Consumer) }},

	{"downtime", 2, func(m *machine) { m.downtime(m.Consumer) }},
	{"jail", 2, func(m *machine) { m.jail(m.Consumer) }},
	{"unjail", 5, func(m *machine) { m.unjail(m.Consumer) }},
	{"double sign", 3, (*machine).doubleSign},
	{"punish a double sign", 2, (*machine).punish},
	{"prove a double sign", 4, (*machine).prove},
	{"shield with a later double sign", 1, (*machine).shield},
	{"withhold acks from a double sign", 1, (*machine).withhold},
	{"false evidence", 2, (*machine).proveFalsely},
	{"new validator", 2, func(m *machine) { m.newValidator(m.Consumer) }},
	{"validator leaves", 2, func(m *machine) { m.validatorLeaves(m.Consumer) }},
	{"native delegation", 3, (*machine).nativeDelegation},

	{"downtime at home", 4, func(m *machine) { m.downtime(m.Provider) }},
	{"jail at home", 1, func(m *machine) { m.jail(m.Provider) }},
	{"unjail at home", 4, func(m *machine) { m.unjail(m.Provider) }},
	{"double sign at home", 2, (*machine).doubleSignAtHome},
	{"new validator at home", 2, func(m *machine) { m.newValidator(m.Provider) }},
	{"validator leaves at home", 2, func(m *machine) { m.validatorLeaves(m.Provider) }},
}

// weighted lists each action as often as its weight.
var weighted = func() []action {
	var out []action
	for _, a := range actions {
		for range a.weight {
			out = append(out, a)
		}
	}
	return out
}()

// repairs are the actions that do something about what is broken now for the registration.
func (m *machine) repairs() []action {
	var names []string
	if !m.Sees(m.Provider) || !m.Sees(m.Consumer) {
		names = append(names, "recover clients")
	}
	provider, consumer := m.ends()
	switch {
	case m.retired():
	case provider.State == channeltypes.CLOSED && consumer.State == channeltypes.CLOSED, m.handshakes[m.world] != nil:
		names = append(names, "open again")
	case provider.State == channeltypes.CLOSED || consumer.State == channeltypes.CLOSED:
		names = append(names, "confirm a closure")
	}
	var out []action
	for _, a := range actions {
		if slices.Contains(names, a.name) {
			out = append(out, a)
		}
	}
	return out
}

// Outcomes that the steps must reach.
const (
	refusedInput      = "refused: invalid input"
	refusedLimit      = "refused: limit"
	stakeCommitted    = "stake committed"
	stakeRejected     = "stake rejected and rolled back"
	batchRefused      = "batch refused"
	entryRejected     = "entry rejected by the consumer"
	unstakeEntry      = "unbonding entry made"
	unstakeDone       = "unbonding entry released"
	rewardsPaid       = "rewards paid"
	rewardTimeout     = "reward transfer timed out"
	removedSeen       = "validator removed on the provider"
	tombstoneSeen     = "validator tombstoned on the provider"
	jailedSeen        = "validator jailed on the provider"
	scaledToCap       = "targets scaled to the cap"
	stalePrice        = "epoch with a stale price"
	refusedPrice      = "refused: price"
	refusedCap        = "refused: cap"
	localMatured      = "local stake matured"
	lostAtHome        = "collateral lost at home"
	lienReduced       = "lien reduced because collateral was lost"
	movedIn           = "delegation moved into the vault"
	movedOut          = "delegation moved out of the vault"
	localRewardsPaid  = "local rewards paid"
	refusedImmature   = "refused: can still be slashed elsewhere"
	refusedUnbondings = "refused: too many unbondings"
	voteCounted       = "vote counted"
	votedNothing      = "virtual stake of weight 0 under a vote of its validator"
	votedPart         = "virtual stake of a weight between under a vote of its validator"
	votedFull         = "virtual stake of weight 1 under a vote of its validator"
	lostAbroad        = "collateral lost abroad"
	offenceProven     = "double sign proven"
	earlierProven     = "earlier double sign proven after a later one"
	alreadyProven     = "refused: already slashed"
	falseEvidence     = "refused: false evidence"
	entryHit          = "unbonding entry slashed"
	provenBeforeTold  = "double sign proven before the consumer reported it"
	provenAfterTold   = "double sign proven after the consumer reported it"
	provenWithheld    = "double sign proven while acks are withheld"

	clientExpired      = "client expired"
	clientFrozen       = "client frozen"
	clientRecovered    = "client recovered"
	controlTimeout     = "control packet timed out"
	refusedByClosed    = "packet refused by a closed end"
	closedByTimeout    = "control channel closed by a timeout"
	closedByAuthority  = "control channel closed by an authority"
	closedAgain        = "control channel closed while it opens again"
	closureConfirmed   = "closure confirmed"
	halfOpen           = "handshake left half open"
	handshakeRefused   = "step of a handshake refused"
	reopened           = "control channel opened again"
	snapshotApplied    = "snapshot applied"
	batchTimedOut      = "batch timed out"
	batchUndecided     = "batch decided by the next handshake"
	forcedOut          = "operations ended by force"
	unwound            = "virtual stake unwound by silence"
	restored           = "virtual stake restored by a snapshot"
	stakeCancelled     = "stake cancelled"
	refusedPaused      = "refused: paused"
	refusedUnreachable = "refused: consumer cannot be reached"
	injected           = "byzantine packet sent"
	resetSpam          = "snapshot asked for without need"
	consumerRetired    = "consumer retired"
	retiredCleared     = "retired consumer cleared"
	userLeft           = "user left with everything"
)

var outcomes = []string{
	refusedInput, refusedLimit, stakeCommitted, stakeRejected, batchRefused, entryRejected, unstakeEntry, unstakeDone, rewardsPaid, rewardTimeout,
	removedSeen, tombstoneSeen, jailedSeen, scaledToCap, stalePrice, refusedPrice, refusedCap,
	localMatured, lostAtHome, lienReduced, movedIn, movedOut, localRewardsPaid, refusedImmature, refusedUnbondings,
	voteCounted, votedNothing, votedPart, votedFull,
	lostAbroad, offenceProven, earlierProven, alreadyProven, falseEvidence, entryHit, provenBeforeTold, provenAfterTold, provenWithheld,
	clientExpired, clientFrozen, clientRecovered, controlTimeout, refusedByClosed, closedByTimeout, closedByAuthority, closedAgain,
	closureConfirmed, halfOpen, handshakeRefused, reopened, snapshotApplied, batchTimedOut, batchUndecided, forcedOut, unwound, restored,
	stakeCancelled, refusedPaused, refusedUnreachable, injected, resetSpam, consumerRetired, retiredCleared, userLeft,
}

// Kinds of packets.
const (
	controlPort  = "control"
	transferPort = "transfer"
)

func (m *machine) wait() {
	oneOf(m, m.chains()).Blocks(1 + m.pick(3, "blocks"))
}
