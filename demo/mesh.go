package main

import (
	"context"
	"fmt"
	"time"
)

// account is a user's side of the vault; amounts in base units of the provider.
type account struct {
	Collateral int64 `json:"collateral,string"`
	Free       int64 `json:"free,string"`
	MaxLien    int64 `json:"max_lien,string"`
}

func (st *story) account(ctx context.Context) (account, error) {
	var reply struct {
		Account account `json:"account"`
	}
	err := st.provider.rest(ctx, "/mesh/vault/v1/accounts/"+st.provider.address(userKey), &reply)
	return reply.Account, err
}

// unbonding is stake that has left the consumer and is not free yet.
type unbonding struct {
	Amount      string    `json:"amount"`
	ReleaseTime time.Time `json:"release_time"`
}

// position is a user's stake on one consumer validator; amounts in base units of the provider.
type position struct {
	Bonded         string      `json:"bonded"`
	PendingStake   string      `json:"pending_stake"`
	PendingUnstake string      `json:"pending_unstake"`
	Unbondings     []unbonding `json:"unbondings"`
}

// position of alice on the consumer's i-th validator.
func (st *story) position(ctx context.Context, i int) (position, error) {
	var reply struct {
		Position position `json:"position"`
	}
	err := st.provider.rest(ctx, fmt.Sprintf("/mesh/externalstaking/v1/positions/%s/%s/%s",
		st.provider.address(userKey), st.consumerID, st.validators[i].Operator), &reply)
	return reply.Position, err
}

// rewards alice can withdraw now from all positions, in the voucher denom.
func (st *story) owedRewards(ctx context.Context) (int64, error) {
	var reply struct {
		Rewards []struct {
			Amount []struct {
				Denom  string `json:"denom"`
				Amount int64  `json:"amount,string"`
			} `json:"amount"`
		} `json:"rewards"`
	}
	if err := st.provider.rest(ctx, "/mesh/externalstaking/v1/rewards/"+st.provider.address(userKey), &reply); err != nil {
		return 0, err
	}
	var owed int64
	for _, r := range reply.Rewards {
		for _, coin := range r.Amount {
			if coin.Denom != st.voucher {
				return 0, fmt.Errorf("rewards in %s, expected %s", coin.Denom, st.voucher)
			}
			owed += coin.Amount
		}
	}
	return owed, nil
}

// source is the consumer's side of virtual staking.
type source struct {
	Source struct {
		MaxCap      string `json:"max_cap"`
		NextEpoch   int64  `json:"next_epoch,string"`
		LastEpoch   int64  `json:"last_epoch,string"`
		LastFailure string `json:"last_failure"`
	} `json:"source"`
	Delegated string `json:"delegated"`
}

func (st *story) source(ctx context.Context) (source, error) {
	var reply struct {
		Source source `json:"source"`
	}
	err := st.consumer.rest(ctx, "/mesh/virtualstaking/v1/sources/"+st.converterID, &reply)
	return reply.Source, err
}

// virtual stake on the consumer's i-th validator after the block at height (0: the last one),
// in base units of the consumer.
func (st *story) virtual(ctx context.Context, i int, height int64) (string, error) {
	var reply struct {
		Delegations []struct {
			Validator string `json:"validator"`
			Amount    string `json:"amount"`
		} `json:"delegations"`
	}
	path := fmt.Sprintf("/mesh/virtualstaking/v1/sources/%s/delegations", st.converterID)
	if err := st.consumer.restAt(ctx, path, height, &reply); err != nil {
		return "", err
	}
	for _, d := range reply.Delegations {
		if d.Validator == st.validators[i].Operator {
			return d.Amount, nil
		}
	}
	return "0", nil
}

// power CometBFT gives the consumer's i-th validator.
func (st *story) power(ctx context.Context, i int) (int64, error) {
	powers, err := st.consumer.powers(ctx)
	return powers[st.validators[i].Key.Key], err
}
