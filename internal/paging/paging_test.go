package paging_test

import (
	"testing"

	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/paging"
)

func TestClampBoundsThePageAndKeepsThePlace(t *testing.T) {
	for _, tc := range []struct {
		name string
		req  *query.PageRequest
		want query.PageRequest
	}{
		{name: "none", want: query.PageRequest{Limit: paging.MaxLimit}},
		{name: "no limit", req: &query.PageRequest{Key: []byte("k")}, want: query.PageRequest{Key: []byte("k"), Limit: paging.MaxLimit}},
		{name: "small", req: &query.PageRequest{Limit: 3, Reverse: true}, want: query.PageRequest{Limit: 3, Reverse: true}},
		{name: "2^32", req: &query.PageRequest{Limit: 1 << 32, Offset: 7}, want: query.PageRequest{Limit: paging.MaxLimit, Offset: 7}},
		{name: "count", req: &query.PageRequest{Limit: 1, CountTotal: true}, want: query.PageRequest{Limit: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, *paging.Clamp(tc.req))
		})
	}
}
