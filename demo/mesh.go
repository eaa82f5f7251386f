package main

import (
	"context"
	"fmt"
	"time"
)

// localHolder is the lien of stake at home.
const localHolder = "local"

// account is a user's side of the vault; amounts in base units of the provider.
type account struct {
	Collateral int64 `json:"collateral,string"`
	Liquid     int64 `json:"liquid,string"`
	Free       int64 `json:"free,string"`
	Liens      []struct {
		Holder string `json:"holder"`
		Amount int64  `json:"amount,string"`
	} `json:"liens"`
}

// lien of one holder, 0 if there is none.
func (a account) lien(holder string) int64 {
	for _, l := range a.Liens {
		if l.Holder == holder {
			return l.Amount
		}
	}
	return 0
}

// account of alice after the block at height (0: the last one).
func (st *story) account(ctx context.Context, height int64) (account, error) {
	var reply struct {
		Account account `json:"account"`
	}
	err := st.provider.restAt(ctx, "/mesh/vault/v1/accounts/"+st.provider.address(userKey), height, &reply)
	return reply.Account, err
}

// localStake is what alice's collateral has delegated to the provider's validator.
func (st *story) localStake(ctx context.Context) (int64, error) {
	var reply struct {
		Stakes []struct {
			Validator string `json:"validator"`
			Amount    int64  `json:"amount,string"`
		} `json:"stakes"`
	}
	err := st.provider.rest(ctx, "/mesh/vault/v1/accounts/"+st.provider.address(userKey)+"/local_stake", &reply)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, s := range reply.Stakes {
		if s.Validator != st.home {
			return 0, fmt.Errorf("stake on %s, expected only on %s", s.Validator, st.home)
		}
		total += s.Amount
	}
	return total, nil
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
func (st *story) position(ctx context.Context, r *registration, i int) (position, error) {
	var reply struct {
		Position position `json:"position"`
	}
	err := st.provider.rest(ctx, fmt.Sprintf("/mesh/externalstaking/v1/positions/%s/%s/%s",
		st.provider.address(userKey), r.consumerID, st.validators[i].Operator), &reply)
	return reply.Position, err
}

// expectBonded waits until alice's position on the i-th validator is bonded and nothing of it is on its way.
func (st *story) expectBonded(ctx context.Context, r *registration, i int, want string) error {
	return st.wait(ctx, func() error {
		pos, err := st.position(ctx, r, i)
		if err != nil {
			return err
		}
		if pos.Bonded != want || pos.PendingStake != "0" {
			return fmt.Errorf("position on validator %d: bonded %s of %s, pending %s", i+1, pos.Bonded, want, pos.PendingStake)
		}
		return nil
	})
}

// remoteStake is what a converter counts on the consumer's i-th validator, in base units of the provider.
func (st *story) remoteStake(ctx context.Context, r *registration, i int) (string, error) {
	var reply struct {
		Stake []struct {
			Validator string `json:"validator"`
			Stake     string `json:"stake"`
		} `json:"stake"`
	}
	if err := st.consumer.rest(ctx, "/mesh/converter/v1/converters/"+r.converterID+"/remote_stake", &reply); err != nil {
		return "", err
	}
	for _, v := range reply.Stake {
		if v.Validator == st.validators[i].Operator {
			return v.Stake, nil
		}
	}
	return "0", nil
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
	Delegated int64 `json:"delegated,string"`
	Unbonding int64 `json:"unbonding,string"`
}

// source after the block at height (0: the last one).
func (st *story) source(ctx context.Context, height int64) (source, error) {
	var reply struct {
		Source source `json:"source"`
	}
	err := st.consumer.restAt(ctx, "/mesh/virtualstaking/v1/sources/"+st.first.converterID, height, &reply)
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
	path := fmt.Sprintf("/mesh/virtualstaking/v1/sources/%s/delegations", st.first.converterID)
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
