package observer

import (
	"context"
	"errors"
	"fmt"
	"time"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/log"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	// blocksPerRound bounds what is read before submissions get their turn and the resume height is saved.
	blocksPerRound = 1000
	// maxBackOff is the longest time between two attempts.
	maxBackOff = time.Minute
)

// errUnknownEvidence is for kinds of evidence that a later CometBFT may have.
var errUnknownEvidence = errors.New("unknown kind of evidence")

// Config is what an operator chooses.
type Config struct {
	// StateFile keeps the resume height.
	StateFile string
	// StartHeight is the first block to look at, whatever the state file says; 0 to resume, or to begin with the
	// consumer's present block if there is nothing to resume.
	StartHeight int64
	// Poll is the time between two looks at the consumer's height.
	Poll time.Duration
}

// Observer follows one consumer for one registration on the provider.
type Observer struct {
	cfg      Config
	consumer *Consumer
	provider *Provider
	logger   log.Logger

	// next is the next block to look at, open is the evidence that is not dealt with, in the order of blocks.
	next int64
	open []finding
	// saved is what the state file says.
	saved state
}

// finding is evidence in a block of the consumer.
type finding struct {
	evidence cmttypes.Evidence
	// height of the block.
	height   int64
	attempts int
	// due is the time of the next attempt.
	due time.Time
}

// New checks that the consumer's node is of the chain that the registration's light client follows, and resumes.
func New(ctx context.Context, cfg Config, consumer *Consumer, provider *Provider, logger log.Logger) (*Observer, error) {
	client, err := provider.client(ctx)
	if err != nil {
		return nil, fmt.Errorf("consumer %d on %s: %w", provider.consumerID, provider.ctx.ChainID, err)
	}
	if client.ChainID != consumer.ChainID {
		return nil, fmt.Errorf("the consumer node is of %s, light client %s of consumer %d follows %s",
			consumer.ChainID, client.ID, provider.consumerID, client.ChainID)
	}
	o := &Observer{
		cfg: cfg, consumer: consumer, provider: provider, logger: logger,
		saved: state{Provider: provider.ctx.ChainID, Consumer: consumer.ChainID, ConsumerID: provider.consumerID},
	}
	if err := o.saved.load(cfg.StateFile); err != nil {
		return nil, err
	}
	if o.next = o.saved.Next; cfg.StartHeight > 0 {
		o.next = cfg.StartHeight
	}
	return o, nil
}

// Run follows the consumer until the context ends. Nothing but that ends it.
func (o *Observer) Run(ctx context.Context) {
	o.logger.Info("observing", "consumer", o.consumer.ChainID, "provider", o.provider.ctx.ChainID,
		"consumer_id", o.provider.consumerID, "submitter", o.provider.sender(), "next_height", o.next)
	failures := 0
	for {
		pause := o.cfg.Poll
		if err := o.round(ctx); err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			pause = o.backOff(failures)
			failures++
			o.logger.Error("the consumer cannot be followed", "next_height", o.next, "retry_in", pause.String(), "err", err)
		}
		select {
		case <-ctx.Done():
			o.logger.Info("stopped", "next_height", o.saved.Next, "open", len(o.open))
			return
		case <-time.After(pause):
		}
	}
}

// round reads new blocks, tries what is open and due, and saves how far that got.
func (o *Observer) round(ctx context.Context) error {
	err := o.read(ctx)
	o.submit(ctx)
	return errors.Join(err, o.save())
}

// read collects the evidence of new blocks.
func (o *Observer) read(ctx context.Context) error {
	first, last, err := o.consumer.heights(ctx)
	if err != nil {
		return err
	}
	if o.next == 0 {
		o.next = last
	}
	if o.next < first {
		o.logger.Error("the consumer node does not have all blocks any more: evidence in them will be missed, unless another node is asked",
			"from", o.next, "to", first-1)
		o.next = first
	}
	for end := min(last, o.next+blocksPerRound-1); o.next <= end; o.next++ {
		found, err := o.consumer.evidence(ctx, o.next)
		if err != nil {
			return err
		}
		for _, ev := range found {
			o.logger.Info("evidence found", describe(ev, o.next)...)
			o.open = append(o.open, finding{evidence: ev, height: o.next})
		}
	}
	return nil
}

// submit tries everything that is due and keeps what has to be tried again. One that fails holds up no other.
func (o *Observer) submit(ctx context.Context) {
	var open []finding
	for _, found := range o.open {
		if ctx.Err() != nil || time.Now().Before(found.due) || !o.dealWith(ctx, &found) {
			open = append(open, found)
		}
	}
	o.open = open
}

// dealWith submits evidence and tells whether nothing is left to be done about it.
func (o *Observer) dealWith(ctx context.Context, found *finding) bool {
	hash, err := o.send(ctx, *found)
	about := describe(found.evidence, found.height)
	switch {
	case err == nil:
		o.logger.Info("evidence submitted", append(about, "tx", hash)...)
		return true
	case errors.Is(err, externaltypes.ErrAlreadySlashed):
		o.logger.Info("the provider knows already", about...)
		return true
	case final(err):
		o.logger.Error("the provider refuses the evidence for good", append(about, "err", err)...)
		return true
	case ctx.Err() != nil:
		return false
	}
	pause := o.backOff(found.attempts)
	found.attempts++
	found.due = time.Now().Add(pause)
	o.logger.Error("evidence could not be submitted", append(about, "attempt", found.attempts, "retry_in", pause.String(), "err", err)...)
	return false
}

func (o *Observer) send(ctx context.Context, found finding) (hash string, err error) {
	msgs, err := o.messages(ctx, found)
	if err != nil {
		return "", err
	}
	return o.provider.send(ctx, msgs...)
}

// final tells whether the same evidence will be refused again, whatever happens meanwhile.
func final(err error) bool {
	if errorsmod.IsOf(err, errUnknownEvidence, externaltypes.ErrClientRefused) {
		return true
	}
	codespace, _, _ := errorsmod.ABCIInfo(err, false)
	return codespace == evidence.Codespace && !errors.Is(err, evidence.ErrAboveClient)
}

// backOff doubles with every failure, from the polling interval up to maxBackOff.
func (o *Observer) backOff(failures int) time.Duration {
	pause := o.cfg.Poll
	for range failures {
		if pause >= maxBackOff {
			break
		}
		pause *= 2
	}
	return min(pause, maxBackOff)
}

// save keeps the first height that has to be looked at again after a restart.
func (o *Observer) save() error {
	resume := o.saved
	if resume.Next = o.next; len(o.open) > 0 {
		resume.Next = o.open[0].height
	}
	if resume == o.saved {
		return nil
	}
	if err := resume.save(o.cfg.StateFile); err != nil {
		return err
	}
	o.saved = resume
	return nil
}

// describe is what the log says about evidence. Validators are named by their CometBFT address: how the consumer writes
// its addresses is not known here.
func describe(ev cmttypes.Evidence, height int64) []any {
	about := []any{"block", height, "offence_height", ev.Height()}
	switch ev := ev.(type) {
	case *cmttypes.DuplicateVoteEvidence:
		return append(about, "kind", "double voting", "validator", ev.VoteA.ValidatorAddress.String())
	case *cmttypes.LightClientAttackEvidence:
		return append(about, "kind", "light-client attack", "attack_height", ev.ConflictingBlock.Height)
	}
	return append(about, "kind", fmt.Sprintf("%T", ev))
}
