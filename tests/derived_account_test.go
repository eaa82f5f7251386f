package tests

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	msgv1 "cosmossdk.io/api/cosmos/msg/v1"
	"cosmossdk.io/math"
	"cosmossdk.io/x/feegrant"
	cosmosproto "github.com/cosmos/cosmos-proto"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	gogoproto "github.com/cosmos/gogoproto/proto"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/mesh-security/mesh/testutil/twochain"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// everyMessage is one message of each kind that the chain handles, signed by an account and else empty.
func everyMessage(t *testing.T, c *twochain.Chain, signer sdk.AccAddress) []sdk.Msg {
	t.Helper()
	registry := c.App.InterfaceRegistry()
	var out []sdk.Msg
	for _, url := range slices.Sorted(slices.Values(registry.ListImplementations(sdk.MsgInterfaceProtoName))) {
		if c.App.MsgServiceRouter().HandlerByTypeURL(url) == nil {
			continue
		}
		descriptor, err := registry.FindDescriptorByName(protoreflect.FullName(url[1:]))
		require.NoError(t, err)
		dynamic := dynamicpb.NewMessage(descriptor.(protoreflect.MessageDescriptor))
		setSigner(t, dynamic, signer)
		bz, err := proto.Marshal(dynamic)
		require.NoError(t, err)
		msg, err := registry.Resolve(url)
		require.NoError(t, err)
		require.NoError(t, gogoproto.Unmarshal(bz, msg), url)
		out = append(out, msg)
	}
	require.Greater(t, len(out), 60, "the chain's messages were not found")
	return out
}

// setSigner fills in the fields that a message says its signer is in.
func setSigner(t *testing.T, msg protoreflect.Message, signer sdk.AccAddress) {
	t.Helper()
	fields := proto.GetExtension(msg.Descriptor().Options(), msgv1.E_Signer).([]string)
	require.NotEmpty(t, fields, msg.Descriptor().FullName())
	for _, name := range fields {
		field := msg.Descriptor().Fields().ByName(protoreflect.Name(name))
		switch {
		case proto.GetExtension(field.Options(), cosmosproto.E_Scalar) == "cosmos.ValidatorAddressString":
			msg.Set(field, protoreflect.ValueOfString(sdk.ValAddress(signer).String()))
		case field.Kind() == protoreflect.StringKind:
			msg.Set(field, protoreflect.ValueOfString(signer.String()))
		case field.IsList():
			element := msg.Mutable(field).List().AppendMutable()
			setSigner(t, element.Message(), signer)
		default:
			setSigner(t, msg.Mutable(field).Message(), signer)
		}
	}
}

// requireNobodyActsFor demands that nobody can have any message of the chain carried out in the name of an account: not by
// a grant, not by governance, and not by a signature, because no key can belong to it.
func requireNobodyActsFor(t *testing.T, c *twochain.Chain, account sdk.AccAddress) {
	t.Helper()
	stranger, wrongSigner := c.Users[2], 0
	for _, msg := range everyMessage(t, c, account) {
		name := sdk.MsgTypeURL(msg)
		_, err := c.App.AuthzKeeper.DispatchActions(c.Ctx(), stranger.Address, []sdk.Msg{msg})
		require.ErrorIs(t, err, authz.ErrNoAuthorizationFound, name)
		_, err = c.App.GovKeeper.SubmitProposal(c.Ctx(), []sdk.Msg{msg}, "", "title", "summary", stranger.Address, false)
		if errors.Is(err, govtypes.ErrInvalidSigner) {
			wrongSigner++
			continue
		}
		// Some have to be filled in before x/gov asks who signs them.
		require.ErrorIs(t, err, govtypes.ErrInvalidProposalMsg, name)
	}
	require.Greater(t, wrongSigner, 40)
	send := banktypes.NewMsgSend(account, stranger.Address, sdk.NewCoins(c.Coin(1)))
	exec := authz.NewMsgExec(stranger.Address, []sdk.Msg{send})
	_, err := c.Deliver(stranger, &exec)
	require.ErrorIs(t, err, authz.ErrNoAuthorizationFound)
	_, err = c.Deliver(twochain.Account{Key: stranger.Key, Address: account}, send)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidPubKey)
	require.Nil(t, c.App.AccountKeeper.GetAccount(c.Ctx(), account).GetPubKey())
	require.Len(t, account, 32, "longer than any address of a key")
}

// derived is all that the chain's modules know of an account, its shares and not what they are worth.
func derived(t *testing.T, c *twochain.Chain, account sdk.AccAddress) string {
	t.Helper()
	ctx, staking := c.Ctx(), c.App.StakingKeeper
	delegations, err := staking.GetAllDelegatorDelegations(ctx, account)
	require.NoError(t, err)
	unbondings, err := staking.GetAllUnbondingDelegations(ctx, account)
	require.NoError(t, err)
	redelegations, err := staking.GetRedelegations(ctx, account, 100)
	require.NoError(t, err)
	receiver, err := c.App.DistrKeeper.GetDelegatorWithdrawAddr(ctx, account)
	require.NoError(t, err)
	granted, err := c.App.AuthzKeeper.GranterGrants(ctx, &authz.QueryGranterGrantsRequest{Granter: account.String()})
	require.NoError(t, err)
	allowed, err := c.App.FeeGrantKeeper.AllowancesByGranter(ctx, &feegrant.QueryAllowancesByGranterRequest{Granter: account.String()})
	require.NoError(t, err)
	return fmt.Sprint(c.App.AccountKeeper.GetAccount(ctx, account), c.App.BankKeeper.GetAllBalances(ctx, account),
		delegations, unbondings, redelegations, receiver, granted.Grants, allowed.Allowances)
}

// Whatever a stranger, governance or another chain does to a user's staking account, nothing happens to it, to the user's
// collateral, or to what can be withdrawn in the end; coins sent there are the user's.
func TestStakingAccountIsBeyondEveryMessage(t *testing.T) {
	w := newWorld(t)
	c := w.Provider
	user, stranger, account := c.Users[1], c.Users[2], vaulttypes.StakingAccountAddress(c.Users[1].Address)
	const collateral = 300_000_000
	require.NoError(t, w.deposit(user, collateral))
	require.NoError(t, w.stakeLocal(user, w.home(0), collateral))
	require.NoError(t, w.restakeLocal(user, w.home(0), w.home(1), 100_000_000))
	require.NoError(t, w.unstakeLocal(user, w.home(0), 50_000_000))
	require.NoError(t, w.delegate(stranger, w.home(0), 200_000_000))
	c.Blocks(3)
	requireNobodyActsFor(t, c, account)

	coins, later := sdk.NewCoins(c.Coin(1_000)), c.Ctx().BlockTime().Add(time.Hour)
	grant, err := authz.NewMsgGrant(stranger.Address, account, authz.NewGenericAuthorization(sdk.MsgTypeURL(&banktypes.MsgSend{})), &later)
	require.NoError(t, err)
	allowance, err := feegrant.NewMsgGrantAllowance(&feegrant.BasicAllowance{}, stranger.Address, account)
	require.NoError(t, err)
	for _, tc := range []struct {
		name string
		do   func() error
		// gets is what the user receives of it; more says that fractions come with it.
		gets int64
		more bool
		err  error
	}{
		{name: "send", gets: 1_000, do: func() error {
			_, err := c.Deliver(stranger, banktypes.NewMsgSend(stranger.Address, account, coins))
			return err
		}},
		{name: "multi-send", gets: 1_000, do: func() error {
			_, err := c.Deliver(stranger, banktypes.NewMsgMultiSend(banktypes.NewInput(stranger.Address, coins), []banktypes.Output{banktypes.NewOutput(account, coins)}))
			return err
		}},
		{name: "transfer from another chain", do: func() error {
			from, timeout := w.Consumer.Users[1], uint64(w.Coordinator.CurrentTime.Add(day).UnixNano())
			_, err := w.Consumer.Deliver(from, transfertypes.NewMsgTransfer("transfer", w.Transfer.EndpointB.ChannelID,
				w.Consumer.Coin(77), from.String(), account.String(), clienttypes.ZeroHeight(), timeout, ""))
			if err == nil {
				err = w.Relay()
			}
			return err
		}},
		{name: "continuous vesting", err: sdkerrors.ErrInvalidRequest, do: func() error {
			_, err := c.Deliver(stranger, vestingtypes.NewMsgCreateVestingAccount(stranger.Address, account, coins, later.Unix(), false))
			return err
		}},
		{name: "delayed vesting", err: sdkerrors.ErrInvalidRequest, do: func() error {
			_, err := c.Deliver(stranger, vestingtypes.NewMsgCreateVestingAccount(stranger.Address, account, coins, later.Unix(), true))
			return err
		}},
		{name: "periodic vesting", err: sdkerrors.ErrInvalidRequest, do: func() error {
			_, err := c.Deliver(stranger, vestingtypes.NewMsgCreatePeriodicVestingAccount(stranger.Address, account, later.Unix(),
				[]vestingtypes.Period{{Length: 10, Amount: coins}}))
			return err
		}},
		{name: "permanently locked", err: sdkerrors.ErrInvalidRequest, do: func() error {
			_, err := c.Deliver(stranger, vestingtypes.NewMsgCreatePermanentLockedAccount(stranger.Address, account, coins))
			return err
		}},
		{name: "authz grant to it", do: func() error { _, err := c.Deliver(stranger, grant); return err }},
		{name: "fee grant to it", do: func() error { _, err := c.Deliver(stranger, allowance); return err }},
		{name: "rewards of a delegation", gets: 1, more: true, do: func() error {
			_, err := c.Deliver(stranger,
				distrtypes.NewMsgSetWithdrawAddress(stranger.Address, account), distrtypes.NewMsgWithdrawDelegatorReward(stranger.String(), w.home(0)))
			return err
		}},
		{name: "rewards paid by an ordinary unbonding", gets: 1, more: true, do: func() error {
			_, err := c.Deliver(stranger, stakingtypes.NewMsgUndelegate(stranger.String(), w.home(0), c.Coin(100_000_000)))
			return err
		}},
		{name: "community pool spend", gets: 1_000, do: func() error {
			if _, err := c.Deliver(stranger, distrtypes.NewMsgFundCommunityPool(coins, stranger.String())); err != nil {
				return err
			}
			return authority(c, &distrtypes.MsgCommunityPoolSpend{Authority: twochain.Authority(), Recipient: account.String(), Amount: coins})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, vault, had := derived(t, c, account), w.account(user), c.Balance(user.Address, c.Denom)
			err := tc.do()
			if tc.err != nil {
				require.ErrorIs(t, err, tc.err)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, before, derived(t, c, account))
			require.Equal(t, vault, w.account(user))
			got := c.Balance(user.Address, c.Denom).Sub(had).Int64()
			if tc.more {
				require.GreaterOrEqual(t, got, tc.gets)
			} else {
				require.Equal(t, tc.gets, got)
			}
			require.NoError(t, w.check())
		})
	}
	require.Equal(t, "77", c.Balance(user.Address, w.voucher(w.Consumer.Denom)).String(), "coins of another chain are the user's too")

	// Everything leaves: exactly what was put in.
	require.NoError(t, w.unstakeLocal(user, w.home(0), 150_000_000))
	require.NoError(t, w.unstakeLocal(user, w.home(1), 100_000_000))
	require.NoError(t, w.Advance(22*day))
	require.Equal(t, math.NewInt(collateral), w.account(user).Free)
	require.NoError(t, w.withdraw(user, collateral))
	require.Empty(t, c.App.BankKeeper.GetAllBalances(c.Ctx(), account))
	require.NoError(t, w.check())
}

// Before a user's first local stake anyone can make an account at the address, of any kind. It is the vault's from then on,
// and what it held is the user's.
func TestStakingAccountMadeByAStrangerBefore(t *testing.T) {
	w := unconnected(t)
	c := w.Provider
	stranger := c.Users[0]
	later := c.Ctx().BlockTime().Add(time.Hour).Unix()
	for i, create := range []func(account sdk.AccAddress, coins sdk.Coins) sdk.Msg{
		func(account sdk.AccAddress, coins sdk.Coins) sdk.Msg {
			return vestingtypes.NewMsgCreateVestingAccount(stranger.Address, account, coins, later, false)
		},
		func(account sdk.AccAddress, coins sdk.Coins) sdk.Msg {
			return vestingtypes.NewMsgCreateVestingAccount(stranger.Address, account, coins, later, true)
		},
		func(account sdk.AccAddress, coins sdk.Coins) sdk.Msg {
			return vestingtypes.NewMsgCreatePeriodicVestingAccount(stranger.Address, account, later, []vestingtypes.Period{{Length: 10, Amount: coins}})
		},
		func(account sdk.AccAddress, coins sdk.Coins) sdk.Msg {
			return vestingtypes.NewMsgCreatePermanentLockedAccount(stranger.Address, account, coins)
		},
	} {
		user := c.Users[1+i]
		account := vaulttypes.StakingAccountAddress(user.Address)
		msg := create(account, sdk.NewCoins(c.Coin(1_000)))
		_, err := c.Deliver(stranger, msg)
		require.NoError(t, err, "%T", msg)
		require.NoError(t, w.deposit(user, 5_000_000))
		had := c.Balance(user.Address, c.Denom)
		require.NoError(t, w.stakeLocal(user, w.home(0), 5_000_000))
		require.Equal(t, had.AddRaw(1_000), c.Balance(user.Address, c.Denom))
		require.IsType(t, &authtypes.BaseAccount{}, c.App.AccountKeeper.GetAccount(c.Ctx(), account))
		require.NoError(t, w.unstakeLocal(user, w.home(0), 5_000_000))
		require.NoError(t, w.CheckInvariants())
	}
	c.Coordinator.IncrementTimeBy(22 * day)
	c.Blocks(2)
	for i := range 4 {
		require.NoError(t, w.withdraw(c.Users[1+i], 5_000_000))
	}
	require.NoError(t, w.CheckInvariants())
}

// Nor does anybody act for the account that holds virtual stake, and it can be sent nothing at all.
func TestVS10VirtualAccountIsBeyondEveryMessage(t *testing.T) {
	w := newWorld(t)
	w.staked(t, w.Provider.Users[1], w.validator(0), 80_000_000)
	w.epoch()
	c, account := w.Consumer, virtualstakingtypes.VirtualAccount(w.ConverterID)
	require.True(t, w.source().Delegated.IsPositive())
	requireNobodyActsFor(t, c, account)

	stranger, coins, later := c.Users[2], sdk.NewCoins(c.Coin(1_000)), c.Ctx().BlockTime().Add(time.Hour).Unix()
	before := derived(t, c, account)
	for _, msg := range []sdk.Msg{
		banktypes.NewMsgSend(stranger.Address, account, coins),
		banktypes.NewMsgMultiSend(banktypes.NewInput(stranger.Address, coins), []banktypes.Output{banktypes.NewOutput(account, coins)}),
		vestingtypes.NewMsgCreateVestingAccount(stranger.Address, account, coins, later, false),
		vestingtypes.NewMsgCreateVestingAccount(stranger.Address, account, coins, later, true),
		vestingtypes.NewMsgCreatePeriodicVestingAccount(stranger.Address, account, later, []vestingtypes.Period{{Length: 10, Amount: coins}}),
		vestingtypes.NewMsgCreatePermanentLockedAccount(stranger.Address, account, coins),
	} {
		_, err := c.Deliver(stranger, msg)
		require.Error(t, err, "%T", msg)
		require.Equal(t, before, derived(t, c, account), "%T", msg)
	}
	allowance, err := codectypes.NewAnyWithValue(&feegrant.BasicAllowance{})
	require.NoError(t, err)
	_, err = c.Deliver(stranger, &feegrant.MsgGrantAllowance{Granter: stranger.String(), Grantee: account.String(), Allowance: allowance})
	require.NoError(t, err)
	require.Equal(t, before, derived(t, c, account))
	require.NoError(t, w.check())
}
