package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

const (
	// ownDelegation is what alice has staked herself, without the vault.
	ownDelegation = 40_000_000
	// moreVirtual is what the second validator has once ownDelegation is lent to it, too.
	moreVirtual = 27_000_000
)

func (st *story) atHome() chapter {
	return chapter{
		title: "7  Meanwhile: the stake she has at home",
		about: "What is staked on the provider already secures the consumer, too. It is never liquid in between, and still votes.",
		steps: []step{
			{"alice has an ordinary delegation", st.delegate},
			{"move it into the vault", st.depositDelegation},
			{"lend it to the consumer, too", st.lendDelegation},
			{"vote with it on the provider", st.vote},
			{"voting power on the consumer rises again", st.powerRisesAgain},
			{"the proposal passes with her votes alone", st.proposalPasses},
		},
	}
}

// delegated is what alice has delegated herself after the provider's block at height (0: the last one).
func (st *story) delegated(ctx context.Context, height int64) (int64, error) {
	var reply struct {
		Delegations []struct {
			Balance struct {
				Amount int64 `json:"amount,string"`
			} `json:"balance"`
		} `json:"delegation_responses"`
	}
	err := st.provider.restAt(ctx, "/cosmos/staking/v1beta1/delegations/"+st.provider.address(userKey), height, &reply)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, d := range reply.Delegations {
		total += d.Balance.Amount
	}
	return total, nil
}

// bonded is all stake of the provider's bonded validators after the block at height.
func (st *story) bonded(ctx context.Context, height int64) (int64, error) {
	var reply struct {
		Pool struct {
			Bonded int64 `json:"bonded_tokens,string"`
		} `json:"pool"`
	}
	err := st.provider.restAt(ctx, "/cosmos/staking/v1beta1/pool", height, &reply)
	return reply.Pool.Bonded, err
}

func (st *story) delegate(ctx context.Context) (string, error) {
	if _, err := st.aliceTx(ctx, "staking", "delegate", st.home, st.provider.coin(ownDelegation)); err != nil {
		return "", err
	}
	own, err := st.delegated(ctx, 0)
	if err != nil {
		return "", err
	}
	if own != ownDelegation {
		return "", fmt.Errorf("x/staking knows %d of alice's, want %d", own, ownDelegation)
	}
	return fmt.Sprintf("%d by x/staking, not in the vault", own), nil
}

// depositDelegation compares the block of the move with the one before it.
func (st *story) depositDelegation(ctx context.Context) (string, error) {
	result, err := st.aliceTx(ctx, "vault", "deposit-delegation", st.home, st.provider.coin(ownDelegation))
	if err != nil {
		return "", err
	}
	var accounts [2]account
	var own, bonded [2]int64
	for i, height := range []int64{result.Height - 1, result.Height} {
		if accounts[i], err = st.account(ctx, height); err != nil {
			return "", err
		}
		if own[i], err = st.delegated(ctx, height); err != nil {
			return "", err
		}
		if bonded[i], err = st.bonded(ctx, height); err != nil {
			return "", err
		}
	}
	before, after := accounts[0], accounts[1]
	switch {
	case own != [2]int64{ownDelegation, 0}:
		return "", fmt.Errorf("alice's own delegation went from %d to %d, want all %d of it moved", own[0], own[1], ownDelegation)
	case after.Collateral-before.Collateral != ownDelegation || after.lien(localHolder)-before.lien(localHolder) != ownDelegation:
		return "", fmt.Errorf("collateral went from %d to %d and its stake at home from %d to %d, want both to grow by %d",
			before.Collateral, after.Collateral, before.lien(localHolder), after.lien(localHolder), ownDelegation)
	case after.Liquid != before.Liquid || bonded[0] != bonded[1]:
		return "", fmt.Errorf("liquid collateral went from %d to %d and bonded stake from %d to %d, want neither to change",
			before.Liquid, after.Liquid, bonded[0], bonded[1])
	}
	return fmt.Sprintf("%d staked at home by the vault now, never liquid", after.lien(localHolder)), st.expectLocal(ctx, after.lien(localHolder))
}

func (st *story) lendDelegation(ctx context.Context) (string, error) {
	_, err := st.aliceTx(ctx, "externalstaking", "stake", st.first.consumerID, st.validators[1].Operator, st.provider.coin(ownDelegation))
	if err != nil {
		return "", err
	}
	if err := st.expectBonded(ctx, &st.first, 1, fmt.Sprint(secondStake+ownDelegation)); err != nil {
		return "", err
	}
	// It secures both chains at once.
	acc, err := st.account(ctx, 0)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bonded there as well", ownDelegation), st.expectLocal(ctx, acc.lien(localHolder))
}

// vote counts twice: nobody but alice votes, and she has no delegation of her own.
func (st *story) vote(ctx context.Context) (string, error) {
	proposal, err := json.Marshal(map[string]any{
		"messages": []any{}, "metadata": "a text without consequences", "title": "Stakers who lend abroad vote at home",
		"summary": "Passes if stake in the vault votes.", "deposit": st.provider.coin(proposalDeposit),
	})
	if err != nil {
		return "", err
	}
	if st.textProposal, err = st.provider.propose(ctx, st.dir, userKey, proposal); err != nil {
		return "", err
	}
	if err := st.provider.expectYes(ctx, st.textProposal, 0); err != nil {
		return "", err
	}
	if _, err := st.aliceTx(ctx, "gov", "vote", st.textProposal, "yes"); err != nil {
		return "", err
	}
	own, err := st.delegated(ctx, 0)
	if err != nil {
		return "", err
	}
	votes, err := st.localStake(ctx)
	if err != nil {
		return "", err
	}
	if own != 0 || votes == 0 {
		return "", fmt.Errorf("alice has delegated %d herself and %d through the vault, want none and some", own, votes)
	}
	return fmt.Sprintf("tally 0 → %d yes, all of it the vault's", votes), st.provider.expectYes(ctx, st.textProposal, votes)
}

func (st *story) powerRisesAgain(ctx context.Context) (string, error) {
	virtual := strconv.Itoa(moreVirtual)
	if _, err := st.epoch(ctx, 1, strconv.Itoa(secondVirtual), virtual); err != nil {
		return "", err
	}
	after, err := st.expectPower(ctx, 1, virtual)
	return fmt.Sprintf("%d → %d, says CometBFT", st.snapshots[1].power[1], after), err
}

// proposalPasses only if the quorum is reached, which is a third of all stake: alice's votes at home must count.
func (st *story) proposalPasses(ctx context.Context) (string, error) {
	if err := st.passed(ctx, st.provider, st.textProposal); err != nil {
		return "", err
	}
	votes, err := st.localStake(ctx)
	if err != nil {
		return "", err
	}
	height, _, err := st.provider.latest(ctx)
	if err != nil {
		return "", err
	}
	bonded, err := st.bonded(ctx, height-1)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("proposal %s: %d of %d voted", st.textProposal, votes, bonded), st.provider.expectYes(ctx, st.textProposal, votes)
}
