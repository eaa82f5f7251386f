package paging_test

import (
	"testing"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
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

func TestSliceVisitsEveryItemOnce(t *testing.T) {
	items := []int{1, 2, 3, 4, 5}
	for _, reverse := range []bool{false, true} {
		var seen []int
		req := &query.PageRequest{Limit: 2, Reverse: reverse}
		for {
			page, res, err := paging.Slice(items, req)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), 2)
			seen = append(seen, page...)
			if res.NextKey == nil {
				break
			}
			req.Key = res.NextKey
		}
		want := items
		if reverse {
			want = []int{5, 4, 3, 2, 1}
		}
		require.Equal(t, want, seen)
	}
	require.Equal(t, []int{1, 2, 3, 4, 5}, items, "the list is not changed")
}

func TestSliceBoundsPages(t *testing.T) {
	items := make([]int, paging.MaxLimit+1)
	page, res, err := paging.Slice(items, nil)
	require.NoError(t, err)
	require.Len(t, page, paging.MaxLimit)
	require.NotNil(t, res.NextKey)
	page, res, err = paging.Slice(items, &query.PageRequest{Offset: paging.MaxLimit})
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.Nil(t, res.NextKey)
	page, _, err = paging.Slice(items, &query.PageRequest{Offset: 1 << 63, Limit: 1})
	require.NoError(t, err)
	require.Empty(t, page)
	for _, bad := range []*query.PageRequest{{Key: []byte("short")}, {Key: make([]byte, 8), Offset: 1}} {
		_, _, err = paging.Slice(items, bad)
		require.ErrorIs(t, err, sdkerrors.ErrInvalidRequest)
	}
}
