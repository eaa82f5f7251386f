package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
)

const (
	// cheat is the index of the consumer's small validator.
	cheat = 2
	// cheatVirtual is what all that alice has free after the shared vector counts on the consumer.
	cheatVirtual = 9_000_000
)

func (st *story) doubleSign() chapter {
	return chapter{
		title: "9  A validator signs twice",
		about: "Votes for two blocks of one height prove it. Anybody may bring them to the provider; all that was promised shrinks.",
		steps: []step{
			{"alice also backs a small validator", st.backCheat},
			{"all of it backs another registration, too", st.lendElsewhere},
			{"an observer follows the consumer", st.observe},
			{"voting power of the small validator rises", st.cheatRises},
			{"it votes for two blocks of one height", st.signTwice},
			{"the observer brings the votes", st.evidenceArrives},
			{"alice's account answers for it", st.lose},
			{"her lien elsewhere shrinks with it", st.lienShrinks},
		},
	}
}

// harm is what a double sign can change: alice's account and what follows from it.
type harm struct {
	account account
	// cheat is her stake on the cheat, elsewhere that on the first validator through the second registration; counted
	// is what the consumer counts of the latter.
	cheat, elsewhere, counted string
	burned                    string
	power                     int64
}

func (st *story) harm(ctx context.Context) (h harm, err error) {
	if h.account, err = st.account(ctx, 0); err != nil {
		return h, err
	}
	for _, stake := range []struct {
		amount *string
		r      *registration
		i      int
	}{{&h.cheat, &st.first, cheat}, {&h.elsewhere, &st.second, 0}} {
		pos, err := st.position(ctx, stake.r, stake.i)
		if err != nil {
			return h, err
		}
		*stake.amount = pos.Bonded
	}
	if h.counted, err = st.remoteStake(ctx, &st.second, 0); err != nil {
		return h, err
	}
	var totals struct {
		Totals struct {
			Burned string `json:"burned"`
		} `json:"totals"`
	}
	if err := st.provider.rest(ctx, "/mesh/vault/v1/totals", &totals); err != nil {
		return h, err
	}
	h.burned = totals.Totals.Burned
	h.power, err = st.power(ctx, cheat)
	return h, err
}

// backCheat lends all that is free to the small validator.
func (st *story) backCheat(ctx context.Context) (string, error) {
	acc, err := st.account(ctx, 0)
	if err != nil {
		return "", err
	}
	_, err = st.aliceTx(ctx, "externalstaking", "stake", st.first.consumerID, st.validators[cheat].Operator, st.provider.coin(acc.Free))
	if err != nil {
		return "", err
	}
	if err := st.expectBonded(ctx, &st.first, cheat, fmt.Sprint(acc.Free)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bonded, nothing free any more", acc.Free), st.expectFree(ctx, "0")
}

// lendElsewhere promises the whole collateral once more; the second promise needs nothing free.
func (st *story) lendElsewhere(ctx context.Context) (string, error) {
	acc, err := st.account(ctx, 0)
	if err != nil {
		return "", err
	}
	whole := acc.Collateral
	_, err = st.aliceTx(ctx, "externalstaking", "stake", st.second.consumerID, st.validators[0].Operator, st.provider.coin(whole))
	if err != nil {
		return "", err
	}
	if err := st.expectBonded(ctx, &st.second, 0, fmt.Sprint(whole)); err != nil {
		return "", err
	}
	if acc, err = st.account(ctx, 0); err != nil {
		return "", err
	}
	if one, other := acc.lien(st.first.holder()), acc.lien(st.second.holder()); one != whole || other != whole {
		return "", fmt.Errorf("liens of %d and %d, want both to be the whole collateral %d", one, other, whole)
	}
	return fmt.Sprintf("%d of collateral, two liens of %d", whole, whole), nil
}

func (st *story) observe(ctx context.Context) (string, error) {
	if err := st.observer.start(st.consumer, st.provider, &st.first); err != nil {
		return "", err
	}
	var next int64
	err := st.wait(ctx, func() (err error) {
		next, err = st.observer.next()
		return err
	})
	return fmt.Sprintf("meshd observe, has looked at block %d", next-1), err
}

func (st *story) cheatRises(ctx context.Context) (string, error) {
	virtual := strconv.Itoa(cheatVirtual)
	if _, err := st.epoch(ctx, cheat, "0", virtual); err != nil {
		return "", err
	}
	power, err := st.expectPower(ctx, cheat, virtual)
	if err != nil {
		return "", err
	}
	st.before, err = st.harm(ctx)
	return fmt.Sprintf("%d → %d, says CometBFT", st.consumer.stakes[cheat]/1_000_000, power), err
}

// signTwice gives a consumer node both votes. It believes them only if they are genuine.
func (st *story) signTwice(ctx context.Context) (string, error) {
	rpc, err := rpchttp.New(st.consumer.nodes[0].rpcURL(), "/websocket")
	if err != nil {
		return "", err
	}
	err = st.wait(ctx, func() error {
		latest, _, err := st.consumer.latest(ctx)
		if err != nil {
			return err
		}
		// A slow node may have missed the block before: then the next one will do.
		evidence, err := st.consumer.doubleVote(ctx, st.consumer.nodes[cheat], rpc, latest-1)
		if err != nil {
			return err
		}
		if evidence.ValidatorPower != st.before.power {
			return fmt.Errorf("validator %d signed block %d with power %d, want %d", cheat+1, evidence.Height(), evidence.ValidatorPower, st.before.power)
		}
		st.offence = evidence.Height()
		_, err = rpc.BroadcastEvidence(ctx, evidence)
		return err
	})
	if err != nil {
		return "", err
	}
	address, err := run(ctx, st.consumer.meshd, "comet", "show-address", "--home", st.consumer.nodes[cheat].home)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("block %d; the consumer tombstones it", st.offence), st.wait(ctx, func() error {
		var reply struct {
			Info struct {
				Tombstoned bool `json:"tombstoned"`
			} `json:"val_signing_info"`
		}
		if err := st.consumer.rest(ctx, "/cosmos/slashing/v1beta1/signing_infos/"+strings.TrimSpace(string(address)), &reply); err != nil {
			return err
		}
		power, err := st.power(ctx, cheat)
		if err != nil {
			return err
		}
		if !reply.Info.Tombstoned || power != 0 {
			return fmt.Errorf("tombstoned: %t, power %d", reply.Info.Tombstoned, power)
		}
		return nil
	})
}

// slash is a proven offence, as the provider keeps it.
type slash struct {
	Validator string `json:"validator"`
	Slash     struct {
		Height struct {
			Height int64 `json:"revision_height,string"`
		} `json:"height"`
		Fraction string `json:"fraction"`
		Bonded   string `json:"bonded"`
	} `json:"slash"`
}

func (st *story) slashes(ctx context.Context, r *registration) ([]slash, error) {
	var reply struct {
		Slashes []slash `json:"slashes"`
	}
	err := st.provider.rest(ctx, "/mesh/externalstaking/v1/consumers/"+r.consumerID+"/slashes", &reply)
	return reply.Slashes, err
}

func (st *story) evidenceArrives(ctx context.Context) (string, error) {
	var slashes []slash
	err := st.wait(ctx, func() (err error) {
		if slashes, err = st.slashes(ctx, &st.first); err != nil {
			return err
		}
		if len(slashes) == 0 {
			return errors.New("no slash on the provider")
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	s := slashes[0]
	if len(slashes) != 1 || s.Validator != st.validators[cheat].Operator || s.Slash.Height.Height != st.offence || s.Slash.Bonded != st.before.cheat {
		return "", fmt.Errorf("slashes %+v, want one of %s at height %d with %s bonded", slashes, st.validators[cheat].Operator, st.offence, st.before.cheat)
	}
	sent, err := st.provider.sent(ctx, st.provider.address(observerKey))
	if err != nil {
		return "", err
	}
	if sent == 0 {
		return "", errors.New("the observer has sent no transaction")
	}
	return fmt.Sprintf("slash of %s at height %d, of %s bonded", strings.TrimRight(s.Slash.Fraction, "0"), s.Slash.Height.Height, s.Slash.Bonded), nil
}

// lose checks what the slash cost alice, in all places that tell. It happens by itself, without a transaction of hers.
func (st *story) lose(ctx context.Context) (string, error) {
	bonded, err := strconv.ParseInt(st.before.cheat, 10, 64)
	if err != nil {
		return "", err
	}
	lost := bonded / slashedOneOf
	collateral := st.before.account.Collateral
	err = st.wait(ctx, func() error {
		var reply struct {
			Losses []struct {
				Holder string `json:"holder"`
				Amount int64  `json:"amount,string"`
			} `json:"losses"`
		}
		if err := st.provider.rest(ctx, "/mesh/vault/v1/accounts/"+st.provider.address(userKey)+"/losses", &reply); err != nil {
			return err
		}
		if len(reply.Losses) != 1 || reply.Losses[0].Holder != st.first.holder() || reply.Losses[0].Amount != lost {
			return fmt.Errorf("losses %+v, want %d of %s", reply.Losses, lost, st.first.holder())
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	now, err := st.harm(ctx)
	if err != nil {
		return "", err
	}
	if now.account.Collateral != collateral-lost || now.cheat != fmt.Sprint(bonded-lost) || now.burned != fmt.Sprint(lost) {
		return "", fmt.Errorf("collateral %d → %d, stake on the cheat %d → %s, burned %s; want to lose %d",
			collateral, now.account.Collateral, bonded, now.cheat, now.burned, lost)
	}
	return fmt.Sprintf("collateral %d → %d, %d burned", collateral, now.account.Collateral, lost),
		st.expectLocal(ctx, st.before.account.lien(localHolder))
}

// lienShrinks: the second registration has no slash, but the collateral behind its lien is gone.
func (st *story) lienShrinks(ctx context.Context) (string, error) {
	slashes, err := st.slashes(ctx, &st.second)
	if err != nil {
		return "", err
	}
	if len(slashes) > 0 {
		return "", fmt.Errorf("slashes of %s: %+v, want none", st.second.name, slashes)
	}
	holder := st.second.holder()
	err = st.wait(ctx, func() (err error) {
		if st.after, err = st.harm(ctx); err != nil {
			return err
		}
		want := fmt.Sprint(st.after.account.Collateral)
		if lien := st.after.account.lien(holder); fmt.Sprint(lien) != want || st.after.elsewhere != want || st.after.counted != want {
			return fmt.Errorf("lien of %s is %d, its position %s, the consumer counts %s; want %s", holder, lien, st.after.elsewhere, st.after.counted, want)
		}
		return nil
	})
	return fmt.Sprintf("%s: %d → %d, the consumer counts %s", holder, st.before.account.lien(holder), st.after.account.lien(holder), st.after.counted), err
}
