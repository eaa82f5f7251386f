package main

import (
	"context"
	"errors"
	"fmt"
)

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
		if _, err := st.aliceTx(ctx, "externalstaking", "withdraw-rewards", st.first.consumerID); err != nil {
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
