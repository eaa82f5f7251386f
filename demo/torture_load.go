package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	tortureUsers = 3
	// userFunds are for fees and collateral, userCollateral is in the vault from the start; base units of the provider.
	userFunds      = 1_000_000_000
	userCollateral = 400_000_000
	// largestMove bounds one stake or unstake, so that many fit.
	largestMove = 10_000_000
)

// user stakes and unstakes, one transaction after the other, and keeps a book of what succeeded.
type user struct {
	key string
	rng *rand.Rand
	// bonded is by validator what was staked minus what was unstaked.
	bonded                     map[string]int64
	stakes, unstakes, collects int
}

// load is what all users do. They talk to the provider's witness.
type load struct {
	users []*user
	over  atomic.Bool
	wait  sync.WaitGroup
}

func newLoad(seed uint64) *load {
	l := &load{}
	for i := range uint64(tortureUsers) {
		l.users = append(l.users, &user{key: fmt.Sprintf("user%d", i+1), rng: rand.New(rand.NewPCG(seed, i+1)), bonded: map[string]int64{}})
	}
	return l
}

// userTx sends a transaction through the witness. It arrives in a block whenever there is one again.
func (t *torture) userTx(ctx context.Context, u *user, args ...string) error {
	_, err := t.provider.txVia(ctx, t.provider.witness(), t.untouched, u.key, args...)
	return err
}

func (t *torture) fundVault(ctx context.Context) (string, error) {
	for _, u := range t.load.users {
		if err := t.userTx(ctx, u, "vault", "deposit", t.provider.coin(userCollateral)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d × %s", len(t.load.users), t.provider.coin(userCollateral)), nil
}

// startLoad lets the users act until stopLoad. A user looks before it acts and asks only for what is possible, so the
// first transaction that fails ends the run.
func (t *torture) startLoad(ctx context.Context, stopAll context.CancelCauseFunc) error {
	for _, u := range t.load.users {
		t.load.wait.Add(1)
		go func() {
			defer t.load.wait.Done()
			for !t.load.over.Load() && ctx.Err() == nil {
				if err := t.act(ctx, u); err != nil && ctx.Err() == nil {
					stopAll(fmt.Errorf("%s: %w", u.key, err))
				}
			}
		}()
	}
	return nil
}

func (t *torture) stopLoad(ctx context.Context) (string, error) {
	t.load.over.Store(true)
	t.load.wait.Wait()
	var stakes, unstakes, collects int
	for _, u := range t.load.users {
		stakes, unstakes, collects = stakes+u.stakes, unstakes+u.unstakes, collects+u.collects
	}
	if stakes == 0 || unstakes == 0 {
		return "", fmt.Errorf("%d stakes and %d unstakes: no load", stakes, unstakes)
	}
	t.results.load = fmt.Sprintf("%d stakes, %d unstakes, %d withdrawals of rewards, none refused", stakes, unstakes, collects)
	return t.results.load, context.Cause(ctx)
}

// act does one random thing that is possible now.
func (t *torture) act(ctx context.Context, u *user) error {
	v := t.validators[u.rng.IntN(len(t.validators))].Operator
	positions, err := t.positions(ctx, u)
	if err != nil {
		return err
	}
	at := positions[v]
	acc, err := t.userAccount(ctx, u)
	if err != nil {
		return err
	}
	// Collateral backs each promise once here, so what is free can be staked.
	canStake, canUnstake := min(acc.Free, largestMove), min(at.Bonded-at.PendingUnstake, largestMove)
	consumer := t.first.consumerID
	switch choice := u.rng.IntN(10); {
	case choice == 0 && len(at.Rewards) > 0:
		if err := t.userTx(ctx, u, "externalstaking", "withdraw-rewards", consumer); err != nil {
			return err
		}
		u.collects++
	case choice < 6 && canStake > 0:
		amount := u.rng.Int64N(canStake) + 1
		if err := t.userTx(ctx, u, "externalstaking", "stake", consumer, v, t.provider.coin(amount)); err != nil {
			return err
		}
		u.bonded[v] += amount
		u.stakes++
	case canUnstake > 0:
		amount := u.rng.Int64N(canUnstake) + 1
		if err := t.userTx(ctx, u, "externalstaking", "unstake", consumer, v, t.provider.coin(amount)); err != nil {
			return err
		}
		u.bonded[v] -= amount
		u.unstakes++
	default:
		return sleep(ctx, pollInterval)
	}
	return nil
}

// userPosition is a position of a user; amounts in base units of the provider.
type userPosition struct {
	Validator      string     `json:"validator"`
	Bonded         int64      `json:"bonded,string"`
	PendingStake   int64      `json:"pending_stake,string"`
	PendingUnstake int64      `json:"pending_unstake,string"`
	Unbondings     []struct{} `json:"unbondings"`
	Rewards        []struct{} `json:"rewards"`
}

// positions of a user by validator.
func (t *torture) positions(ctx context.Context, u *user) (map[string]userPosition, error) {
	var reply struct {
		Positions []userPosition `json:"positions"`
	}
	if err := t.provider.witness().query(ctx, "/mesh/externalstaking/v1/positions/"+t.provider.address(u.key), &reply); err != nil {
		return nil, err
	}
	byValidator := map[string]userPosition{}
	for _, p := range reply.Positions {
		byValidator[p.Validator] = p
	}
	return byValidator, nil
}

// userAccount is a user's side of the vault; before the first deposit it is empty.
func (t *torture) userAccount(ctx context.Context, u *user) (account, error) {
	var reply struct {
		Account account `json:"account"`
	}
	err := t.provider.witness().query(ctx, "/mesh/vault/v1/accounts/"+t.provider.address(u.key), &reply)
	if err != nil && strings.Contains(err.Error(), "not found") {
		return account{}, nil
	}
	return reply.Account, err
}
