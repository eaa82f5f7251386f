package keeper_test

import (
	"testing"

	"cosmossdk.io/math"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

func TestGV01OnlyTheAuthorityUpdatesParams(t *testing.T) {
	f := newVault(t)
	good := types.Params{MaxCollateralUse: math.LegacyNewDecWithPrec(8, 1), MaxConsumersPerUser: 5}
	for _, who := range []string{alice.String(), f.module.String(), "", "gov"} {
		f.refused(govtypes.ErrInvalidSigner, func() error {
			_, err := f.send(&types.MsgUpdateParams{Authority: who, Params: good})
			return err
		})
	}
	for name, bad := range map[string]types.Params{
		"empty":         {},
		"use missing":   {MaxConsumersPerUser: 5},
		"use zero":      {MaxCollateralUse: math.LegacyZeroDec(), MaxConsumersPerUser: 5},
		"use negative":  {MaxCollateralUse: math.LegacyNewDec(-1), MaxConsumersPerUser: 5},
		"use above one": {MaxCollateralUse: math.LegacyOneDec().Add(math.LegacySmallestDec()), MaxConsumersPerUser: 5},
		"no liens":      {MaxCollateralUse: math.LegacyOneDec()},
		"many liens":    {MaxCollateralUse: math.LegacyOneDec(), MaxConsumersPerUser: types.MaxLiensPerUser + 1},
	} {
		t.Run(name, func(t *testing.T) {
			f.refused(types.ErrInvalidParams, func() error {
				_, err := f.send(&types.MsgUpdateParams{Authority: f.authority, Params: bad})
				return err
			})
		})
	}

	events, err := f.send(&types.MsgUpdateParams{Authority: f.authority, Params: good})
	require.NoError(t, err)
	f.hasEvent(events, &types.EventParamsUpdated{Params: good})
	params, err := f.k.Params.Get(f.ctx)
	require.NoError(t, err)
	require.Equal(t, good, params)
	require.Equal(t, f.authority, f.k.Authority())
}
