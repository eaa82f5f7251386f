package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// secondStake goes to the consumer's second validator. It is deposited in addition, so that
	// what is free stays what the shared vector says.
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
			{"stake a part of it at home", st.stakeLocal},
			{"a validator nobody knows is refused", st.refuse},
			{"stake on two consumer validators", st.stake},
			{"the consumer's ack binds the stake", st.bond},
			{"epoch: virtual stake is delegated", st.epochBonds},
			{"voting power on the consumer rises", st.powerRises},
			{"the consumer's inflation does not see it", st.supplyIsHonest},
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
	acc, err := st.account(ctx, 0)
	if err != nil {
		return err
	}
	if fmt.Sprint(acc.Free) != want {
		return fmt.Errorf("free collateral is %d, want %s", acc.Free, want)
	}
	return nil
}

func (st *story) stakeLocal(ctx context.Context) (string, error) {
	step, err := st.flow.take("stake-local ")
	if err != nil {
		return "", err
	}
	amount, err := step.amount()
	if err != nil {
		return "", err
	}
	if _, err := st.aliceTx(ctx, "vault", "stake-local", st.home, st.provider.coin(amount)); err != nil {
		return "", err
	}
	if err := st.expectLocal(ctx, amount); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d on the provider's own validator, a lien like any other", amount), st.expectFree(ctx, step.Want.Free)
}

// expectLocal asserts that alice's collateral stakes so much at home, and that a lien says so.
func (st *story) expectLocal(ctx context.Context, want int64) error {
	acc, err := st.account(ctx, 0)
	if err != nil {
		return err
	}
	staked, err := st.localStake(ctx)
	if err != nil {
		return err
	}
	if staked != want || acc.lien(localHolder) != want {
		return fmt.Errorf("%d staked at home with a lien of %d, want %d", staked, acc.lien(localHolder), want)
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
	_, err = st.aliceTx(ctx, "externalstaking", "stake", st.first.consumerID, "consvaloper1nobody", st.provider.coin(amount))
	reason, refused := refusal(err)
	if !refused {
		return "", fmt.Errorf("staking on an unknown validator was not refused: %w", errors.Join(err, errors.New("no error of the chain")))
	}
	return firstSentence(reason), st.expectFree(ctx, step.Want.Free)
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
		{"externalstaking", "stake", st.first.consumerID, st.validators[0].Operator, st.provider.coin(amount)},
		{"vault", "deposit", st.provider.coin(secondStake)},
		{"externalstaking", "stake", st.first.consumerID, st.validators[1].Operator, st.provider.coin(secondStake)},
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
		if err := st.expectBonded(ctx, &st.first, i, bonded); err != nil {
			return "", err
		}
	}
	return strings.Join(want[:], " + ") + " bonded", st.expectFree(ctx, st.flow.last().Want.Free)
}

// epoch waits until the virtual stake of the i-th validator is want, and returns the block that made it so: an epoch, in
// which it rose or fell from before.
func (st *story) epoch(ctx context.Context, i int, before, want string) (int64, error) {
	var height int64
	err := st.wait(ctx, func() (err error) {
		if height, _, err = st.consumer.latest(ctx); err != nil {
			return err
		}
		src, err := st.source(ctx, height)
		if err != nil {
			return err
		}
		st.ui.progress("epoch in %d blocks,", src.Source.NextEpoch-height)
		now, err := st.virtual(ctx, i, height)
		if err != nil {
			return err
		}
		if now != want {
			return fmt.Errorf("virtual stake on validator %d is %s, want %s (last failure %q)", i+1, now, want, src.Source.LastFailure)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for ; ; height-- {
		earlier, err := st.virtual(ctx, i, height-1)
		if err != nil {
			return 0, err
		}
		if earlier == want {
			continue
		}
		src, err := st.source(ctx, height)
		if err != nil {
			return 0, err
		}
		if earlier != before || src.Source.LastEpoch != height {
			return 0, fmt.Errorf("virtual stake on validator %d went from %s to %s in block %d, the last epoch was in block %d; want it to go from %s in an epoch",
				i+1, earlier, want, height, src.Source.LastEpoch, before)
		}
		return height, nil
	}
}

func (st *story) epochBonds(ctx context.Context) (string, error) {
	before := st.flow.last().Want.VirtualDelegated
	step, err := st.flow.take("consumer epoch")
	if err != nil {
		return "", err
	}
	if st.bondedAt, err = st.epoch(ctx, 0, before, step.Want.VirtualDelegated); err != nil {
		return "", err
	}
	second := fmt.Sprint(secondVirtual)
	if _, err := st.epoch(ctx, 1, "0", second); err != nil {
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
