package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// secondStake goes to the consumer's second validator. It is deposited in addition, so that
// what is free stays what the shared vector says.
const (
	secondStake = 20_000_000
	// secondVirtual is secondStake × price × (1 − discount).
	secondVirtual = 9_000_000
)

func (st *story) lending() chapter {
	return chapter{
		title: "4  Alice lends her stake",
		about: "Her coins never leave the provider: they lie in the vault, and a lien follows each promise.",
		steps: []step{
			{"deposit collateral", st.deposit},
			{"a validator nobody knows is refused", st.refuse},
			{"stake on two consumer validators", st.stake},
			{"the consumer's ack binds the stake", st.bond},
			{"epoch: virtual stake is delegated", st.epochBonds},
			{"voting power on the consumer rises", st.powerRises},
		},
	}
}

// aliceTx sends a transaction of alice on the provider.
func (st *story) aliceTx(ctx context.Context, args ...string) (*txResult, error) {
	return st.provider.tx(ctx, userKey, args...)
}

func (st *story) deposit(ctx context.Context) (string, error) {
	if err := st.snapshot(ctx, "before"); err != nil {
		return "", err
	}
	step, err := st.flow.take("deposit ")
	if err != nil {
		return "", err
	}
	amount, err := step.amount()
	if err != nil {
		return "", err
	}
	if _, err := st.aliceTx(ctx, "vault", "deposit", st.provider.coin(amount)); err != nil {
		return "", err
	}
	return st.provider.coin(amount) + " in the vault, all free", st.expectFree(ctx, step.Want.Free)
}

// expectFree asserts alice's free collateral.
func (st *story) expectFree(ctx context.Context, want string) error {
	acc, err := st.account(ctx)
	if err != nil {
		return err
	}
	if fmt.Sprint(acc.Free) != want {
		return fmt.Errorf("free collateral is %d, want %s", acc.Free, want)
	}
	return nil
}

func (st *story) refuse(ctx context.Context) (string, error) {
	step, err := st.flow.take("stake 80000000 on an unknown validator")
	if err != nil {
		return "", err
	}
	amount, err := step.amount()
	if err != nil {
		return "", err
	}
	before, err := st.account(ctx)
	if err != nil {
		return "", err
	}
	_, err = st.aliceTx(ctx, "externalstaking", "stake", st.consumerID, "consvaloper1nobody", st.provider.coin(amount))
	reason, refused := refusal(err)
	if !refused {
		return "", fmt.Errorf("staking on an unknown validator was not refused: %w", errors.Join(err, errors.New("no error of the chain")))
	}
	// The vector's amount here counts a local lien that this story does not have: nothing may change.
	return firstSentence(reason), st.expectFree(ctx, fmt.Sprint(before.Free))
}

// firstSentence of the chain's error, without the layers gRPC puts around it.
func firstSentence(reason string) string {
	if _, inner, found := strings.Cut(reason, "message index: 0: "); found {
		reason = inner
	}
	reason, _, _ = strings.Cut(reason, "\n")
	reason, _, _ = strings.Cut(reason, " [")
	if runes := []rune(reason); len(runes) > 110 {
		reason = string(runes[:110]) + "…"
	}
	return "“" + reason + "”"
}

func (st *story) stake(ctx context.Context) (string, error) {
	step, err := st.flow.take("stake 80000000 on validator 1")
	if err != nil {
		return "", err
	}
	amount, err := step.amount()
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"externalstaking", "stake", st.consumerID, st.validators[0].Operator, st.provider.coin(amount)},
		{"vault", "deposit", st.provider.coin(secondStake)},
		{"externalstaking", "stake", st.consumerID, st.validators[1].Operator, st.provider.coin(secondStake)},
	} {
		if _, err := st.aliceTx(ctx, args...); err != nil {
			return "", err
		}
	}
	// The lien is there before the consumer knows.
	return fmt.Sprintf("%d + %d, liened at once", amount, secondStake), st.expectFree(ctx, step.Want.Free)
}

func (st *story) bond(ctx context.Context) (string, error) {
	want := [2]string{st.flow.last().Want.PositionBonded, fmt.Sprint(secondStake)}
	for i, bonded := range want {
		err := st.wait(ctx, func() error {
			pos, err := st.position(ctx, i)
			if err != nil {
				return err
			}
			if pos.Bonded != bonded || pos.PendingStake != "0" {
				return fmt.Errorf("position on validator %d: bonded %s of %s, pending %s", i+1, pos.Bonded, bonded, pos.PendingStake)
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return strings.Join(want[:], " + ") + " bonded", st.expectFree(ctx, st.flow.last().Want.Free)
}

// epoch waits until the virtual stake of the i-th validator is want, and checks that it was
// before in the block before.
func (st *story) epoch(ctx context.Context, i int, before, want string) error {
	var epoch int64
	err := st.wait(ctx, func() error {
		src, err := st.source(ctx)
		if err != nil {
			return err
		}
		now, err := st.virtual(ctx, i, 0)
		if err != nil {
			return err
		}
		if height, _, err := st.consumer.latest(ctx); err == nil && src.Source.NextEpoch > height {
			st.ui.progress("epoch in %d blocks,", src.Source.NextEpoch-height)
		}
		if now != want {
			return fmt.Errorf("virtual stake on validator %d is %s, want %s (last failure %q)", i+1, now, want, src.Source.LastFailure)
		}
		epoch = src.Source.LastEpoch
		return nil
	})
	if err != nil {
		return err
	}
	// Further epochs may have run since; they change nothing, so step over them.
	for ; epoch > epochLength; epoch -= epochLength {
		switch earlier, err := st.virtual(ctx, i, epoch-1); {
		case err != nil:
			return err
		case earlier == before:
			return nil
		case earlier != want:
			return fmt.Errorf("virtual stake on validator %d was %s before the epoch, want %s", i+1, earlier, before)
		}
	}
	return fmt.Errorf("no epoch has changed the virtual stake on validator %d from %s to %s", i+1, before, want)
}

func (st *story) epochBonds(ctx context.Context) (string, error) {
	before := st.flow.last().Want.VirtualDelegated
	step, err := st.flow.take("consumer epoch")
	if err != nil {
		return "", err
	}
	if err := st.epoch(ctx, 0, before, step.Want.VirtualDelegated); err != nil {
		return "", err
	}
	second := fmt.Sprint(secondVirtual)
	if err := st.epoch(ctx, 1, "0", second); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s + %s ucons (× %s × (1 − %s))", step.Want.VirtualDelegated, second, price, discount), nil
}

// expectPower waits until CometBFT counts the validator's own stake plus virtual stake; one
// unit of power is a million base units.
func (st *story) expectPower(ctx context.Context, i int, virtual string) (int64, error) {
	amount, err := strconv.ParseInt(virtual, 10, 64)
	if err != nil {
		return 0, err
	}
	want := (st.consumer.stakes[i] + amount) / 1_000_000
	return want, st.wait(ctx, func() error {
		power, err := st.power(ctx, i)
		if err != nil {
			return err
		}
		if power != want {
			return fmt.Errorf("validator %d has power %d, want %d", i+1, power, want)
		}
		return nil
	})
}

func (st *story) powerRises(ctx context.Context) (string, error) {
	first, err := st.expectPower(ctx, 0, st.flow.last().Want.VirtualDelegated)
	if err != nil {
		return "", err
	}
	second, err := st.expectPower(ctx, 1, fmt.Sprint(secondVirtual))
	if err != nil {
		return "", err
	}
	before := st.snapshots[0].power
	return fmt.Sprintf("%d → %d and %d → %d, says CometBFT", before[0], first, before[1], second), st.snapshot(ctx, "lending")
}

func (st *story) rewards() chapter {
	return chapter{
		title: "5  Alice earns",
		about: "The consumer's staking rewards travel to the provider as ordinary ICS20 tokens.",
		steps: []step{
			{"rewards arrive as vouchers", st.rewardsArrive},
			{"withdraw them", st.withdrawRewards},
		},
	}
}

func (st *story) rewardsArrive(ctx context.Context) (string, error) {
	before, err := st.owedRewards(ctx)
	if err != nil {
		return "", err
	}
	var owed int64
	err = st.wait(ctx, func() (err error) {
		if owed, err = st.owedRewards(ctx); err != nil {
			return err
		}
		if owed <= before {
			return fmt.Errorf("alice is owed %d, as before", owed)
		}
		return nil
	})
	return fmt.Sprintf("%d %s… (ucons)", owed, st.voucher[:10]), err
}

// withdrawRewards checks that alice's balance rises by exactly what the query showed. Rewards
// that arrive between query and withdrawal make the two differ; then the next ones are tried.
func (st *story) withdrawRewards(ctx context.Context) (string, error) {
	const attempts = 3
	alice := st.provider.address(userKey)
	for attempt := 1; ; attempt++ {
		balance, err := st.provider.balance(ctx, alice, st.voucher)
		if err != nil {
			return "", err
		}
		owed, err := st.owedRewards(ctx)
		if err != nil {
			return "", err
		}
		if owed == 0 {
			return "", errors.New("there are no rewards to withdraw")
		}
		if _, err := st.aliceTx(ctx, "externalstaking", "withdraw-rewards", st.consumerID); err != nil {
			return "", err
		}
		after, err := st.provider.balance(ctx, alice, st.voucher)
		if err != nil {
			return "", err
		}
		if gain := after - balance; gain == owed {
			return fmt.Sprintf("voucher balance %d → %d", balance, after), nil
		} else if attempt == attempts {
			return "", fmt.Errorf("voucher balance rose by %d, the query showed %d", gain, owed)
		}
		if _, err := st.rewardsArrive(ctx); err != nil {
			return "", err
		}
	}
}

func (st *story) leaving() chapter {
	return chapter{
		title: "6  Alice leaves",
		about: "Power goes at the next epoch; the collateral stays liened until the unbonding period is over.",
		steps: []step{
			{"unstake part of it", st.unstake},
			{"voting power on the consumer falls", st.powerFalls},
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
	if _, err := st.aliceTx(ctx, "externalstaking", "unstake", st.consumerID, st.validators[0].Operator, st.provider.coin(amount)); err != nil {
		return "", err
	}
	err = st.wait(ctx, func() error {
		pos, err := st.position(ctx, 0)
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
	if err := st.epoch(ctx, 0, lent.virtual[0], step.Want.VirtualDelegated); err != nil {
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
		pos, err := st.position(ctx, 0)
		if err != nil {
			return err
		}
		acc, err := st.account(ctx)
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
