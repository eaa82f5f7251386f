// Package paging caps what one list query returns.
package paging

import "github.com/cosmos/cosmos-sdk/types/query"

// MaxLimit is the largest page any list query returns; it is also the page size when none is asked for.
const MaxLimit = 100

// Clamp returns req with its limit in 1..MaxLimit and without counting the total, which would read the whole list.
func Clamp(req *query.PageRequest) *query.PageRequest {
	out := query.PageRequest{Limit: MaxLimit}
	if req != nil {
		out = *req
		out.CountTotal = false
		if out.Limit == 0 || out.Limit > MaxLimit {
			out.Limit = MaxLimit
		}
	}
	return &out
}
