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
	good := types.Params{
		MaxCollateralUse: math.LegacyNewDecWithPrec(8, 1), MaxConsumersPerUser: 5, MaxValidatorsPerStakingAccount: 7,
		MaxSettlementsPerBlock: 11, SlashDestination: types.SlashDestinationCommunityPool,
	}
	for _, who := range []string{alice.String(), f.module.String(), "", "gov"} {
		f.refused(govtypes.ErrInvalidSigner, func() error {
			_, err := f.send(&types.MsgUpdateParams{Authority: who, Params: good})
			return err
		})
	}
	for name, spoil := range map[string]func(*types.Params){
		"empty":               func(p *types.Params) { *p = types.Params{} },
		"use missing":         func(p *types.Params) { p.MaxCollateralUse = math.LegacyDec{} },
		"use zero":            func(p *types.Params) { p.MaxCollateralUse = math.LegacyZeroDec() },
		"use negative":        func(p *types.Params) { p.MaxCollateralUse = math.LegacyNewDec(-1) },
		"use above one":       func(p *types.Params) { p.MaxCollateralUse = math.LegacyOneDec().Add(math.LegacySmallestDec()) },
		"no liens":            func(p *types.Params) { p.MaxConsumersPerUser = 0 },
		"many liens":          func(p *types.Params) { p.MaxConsumersPerUser = types.MaxLiensPerUser + 1 },
		"no validators":       func(p *types.Params) { p.MaxValidatorsPerStakingAccount = 0 },
		"many validators":     func(p *types.Params) { p.MaxValidatorsPerStakingAccount = types.MaxStakingValidators + 1 },
		"no settlements":      func(p *types.Params) { p.MaxSettlementsPerBlock = 0 },
		"many settlements":    func(p *types.Params) { p.MaxSettlementsPerBlock = types.MaxSettlements + 1 },
		"no destination":      func(p *types.Params) { p.SlashDestination = types.SlashDestinationUnspecified },
		"unknown destination": func(p *types.Params) { p.SlashDestination = 3 },
	} {
		bad := good
		spoil(&bad)
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
