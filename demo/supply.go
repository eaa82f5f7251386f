package main

import (
	"context"
	"fmt"
	"strconv"
)

// supply of the consumer's bond denom, in base units.
type supply struct {
	Total   int64 `json:"total,string"`
	Virtual int64 `json:"virtual,string"`
	Native  int64 `json:"native,string"`
}

// supply after the consumer's block at height.
func (st *story) supply(ctx context.Context, height int64) (s supply, err error) {
	err = st.consumer.restAt(ctx, "/mesh/virtualstaking/v1/supply", height, &s)
	return s, err
}

// minted is what inflation has added in the consumer's block at height.
func (st *story) minted(ctx context.Context, height int64) (int64, error) {
	var results struct {
		Events []event `json:"finalize_block_events"`
	}
	if err := st.consumer.rpc(ctx, fmt.Sprintf("/block_results?height=%d", height), &results); err != nil {
		return 0, err
	}
	return strconv.ParseInt(attribute(results.Events, "mint", "amount"), 10, 64)
}

// supplyIsHonest looks at the block in which virtual stake grew: the chain's supply has grown by it, the native supply
// only by what inflation minted in that block.
func (st *story) supplyIsHonest(ctx context.Context) (string, error) {
	before, err := st.supply(ctx, st.bondedAt-1)
	if err != nil {
		return "", err
	}
	after, err := st.supply(ctx, st.bondedAt)
	if err != nil {
		return "", err
	}
	minted, err := st.minted(ctx, st.bondedAt)
	if err != nil {
		return "", err
	}
	source, err := st.source(ctx, st.bondedAt)
	if err != nil {
		return "", err
	}
	grown := after.Virtual - before.Virtual
	switch {
	case grown <= 0 || after.Virtual != source.Delegated+source.Unbonding:
		return "", fmt.Errorf("virtual supply went from %d to %d in block %d, the source has %d and %d unbonding",
			before.Virtual, after.Virtual, st.bondedAt, source.Delegated, source.Unbonding)
	case after.Total != after.Virtual+after.Native || after.Total-before.Total != grown+minted:
		return "", fmt.Errorf("block %d minted %d and %d of virtual stake, total supply went from %d to %d, native to %d",
			st.bondedAt, minted, grown, before.Total, after.Total, after.Native)
	case after.Native-before.Native != minted:
		return "", fmt.Errorf("block %d minted %d, native supply went from %d to %d", st.bondedAt, minted, before.Native, after.Native)
	}
	return fmt.Sprintf("supply + %d, native supply + %d: what block %d minted", grown+minted, minted, st.bondedAt), nil
}
