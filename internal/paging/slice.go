package paging

import (
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
)

// Slice returns the page of items that req asks for, clamped: for lists that are put together in memory because they are
// short. The next page's key is a position.
func Slice[T any](items []T, req *query.PageRequest) ([]T, *query.PageResponse, error) {
	page := Clamp(req)
	if page.Reverse {
		items = slices.Clone(items)
		slices.Reverse(items)
	}
	first := page.Offset
	switch {
	case len(page.Key) == 0:
	case page.Offset > 0:
		return nil, nil, sdkerrors.ErrInvalidRequest.Wrap("invalid page: either offset or key, not both")
	case len(page.Key) != 8:
		return nil, nil, sdkerrors.ErrInvalidRequest.Wrap("invalid page: the key is not one of this list")
	default:
		first = sdk.BigEndianToUint64(page.Key)
	}
	all := uint64(len(items))
	first = min(first, all)
	end := min(first+page.Limit, all)
	next := &query.PageResponse{}
	if end < all {
		next.NextKey = sdk.Uint64ToBigEndian(end)
	}
	return items[first:end], next, nil
}
