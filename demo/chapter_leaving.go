package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

func (st *story) leaving() chapter {
	return chapter{
		title: "6  Alice takes a part back",
		about: "Power goes at the next epoch; the collateral stays liened until the unbonding period is over.",
		steps: []step{
			{"unstake part of it", st.unstake},
			{"voting power on the consumer falls", st.powerFalls},
		},
	}
}

func (st *story) free() chapter {
	return chapter{
		title: "8  The unbonding period is over",
		about: "Nobody has to do anything for the collateral to become free.",
		steps: []step{
			{fmt.Sprintf("unbonding ends by itself (%s)", unbondingPeriod), st.unbond},
			{"withdraw the free collateral", st.withdraw},
			{"withdraw the last rewards", st.lastRewards},
		},
	}
}

func (st *story) unstake(ctx context.Context) (string, error) {
	step, err := st.flow.take("unstake ")
	if err != nil {
		return "", err
	}
	amount, err := step.amount()
	if err != nil {
		return "", err
	}
	if _, err := st.aliceTx(ctx, "externalstaking", "unstake", st.first.consumerID, st.validators[0].Operator, st.provider.coin(amount)); err != nil {
		return "", err
	}
	err = st.wait(ctx, func() error {
		pos, err := st.position(ctx, &st.first, 0)
		if err != nil {
			return err
		}
		entries := make([]string, len(pos.Unbondings))
		for i, e := range pos.Unbondings {
			entries[i] = e.Amount
		}
		if pos.Bonded != step.Want.PositionBonded || strings.Join(entries, ",") != strings.Join(*step.Want.Unbondings, ",") {
			return fmt.Errorf("position: bonded %s, unbonding %v, pending %s; want %s and %v",
				pos.Bonded, entries, pos.PendingUnstake, step.Want.PositionBonded, *step.Want.Unbondings)
		}
		st.entry = pos.Unbondings[0]
		return nil
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d unbonding, %s still bonded", amount, step.Want.PositionBonded), st.expectFree(ctx, step.Want.Free)
}

func (st *story) powerFalls(ctx context.Context) (string, error) {
	step, err := st.flow.take("consumer epoch")
	if err != nil {
		return "", err
	}
	lent := st.snapshots[1]
	if _, err := st.epoch(ctx, 0, lent.virtual[0], step.Want.VirtualDelegated); err != nil {
		return "", err
	}
	power, err := st.expectPower(ctx, 0, step.Want.VirtualDelegated)
	return fmt.Sprintf("%d → %d, says CometBFT", lent.power[0], power), err
}

func (st *story) unbond(ctx context.Context) (string, error) {
	step, err := st.flow.take("unbonding period passes")
	if err != nil {
		return "", err
	}
	var early error
	err = within(ctx, unbondingPeriod+waitLimit, st.alive, func() error {
		// The block time is read first: what is free now was released by then or later.
		_, now, err := st.provider.latest(ctx)
		if err != nil {
			return err
		}
		pos, err := st.position(ctx, &st.first, 0)
		if err != nil {
			return err
		}
		acc, err := st.account(ctx, 0)
		if err != nil {
			return err
		}
		left := st.entry.ReleaseTime.Sub(now)
		st.ui.progress("%.0fs left,", max(0, left.Seconds()))
		if len(pos.Unbondings) > 0 || fmt.Sprint(acc.Free) != step.Want.Free {
			return fmt.Errorf("unbonding %v, free %d; want none and %s", pos.Unbondings, acc.Free, step.Want.Free)
		}
		if left > 2*blockTime {
			early = fmt.Errorf("the collateral was free %s early", left)
		}
		return nil
	})
	return step.Want.Free + " free, without any transaction", errors.Join(err, early)
}

func (st *story) withdraw(ctx context.Context) (string, error) {
	step, err := st.flow.take("withdraw ")
	if err != nil {
		return "", err
	}
	amount, err := step.amount()
	if err != nil {
		return "", err
	}
	alice := st.provider.address(userKey)
	before, err := st.provider.balance(ctx, alice, st.provider.denom)
	if err != nil {
		return "", err
	}
	result, err := st.aliceTx(ctx, "vault", "withdraw", st.provider.coin(amount))
	if err != nil {
		return "", err
	}
	after, err := st.provider.balance(ctx, alice, st.provider.denom)
	if err != nil {
		return "", err
	}
	fee, err := result.fee()
	if err != nil {
		return "", err
	}
	if gain := fmt.Sprint(after - before + fee); gain != step.Want.BankGain {
		return "", fmt.Errorf("alice's balance rose by %s before fees, want %s", gain, step.Want.BankGain)
	}
	return fmt.Sprintf("%s back in alice's account", st.provider.coin(amount)), st.expectFree(ctx, step.Want.Free)
}

func (st *story) lastRewards(ctx context.Context) (string, error) {
	if _, err := st.flow.take("consumer epoch, relay, withdraw-rewards"); err != nil {
		return "", err
	}
	// The epochs of the unbonding period have sent theirs; one more makes it independent of timing.
	if _, err := st.rewardsArrive(ctx); err != nil {
		return "", err
	}
	result, err := st.withdrawRewards(ctx)
	if err != nil {
		return "", err
	}
	return result, st.snapshot(ctx, "after")
}
