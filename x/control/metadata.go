package control

import (
	"strconv"
	"strings"
	"time"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

const (
	// Protocol names this protocol in a channel version.
	Protocol = "mesh-security"
	// Version is the highest protocol version this code speaks.
	Version = "1.0.0"
)

// NewProposal is what a consumer proposes at Init: its bond denom, its own unbonding period and the last batch it
// processed (0 at first).
func NewProposal(denom string, unbonding time.Duration, lastBatchID uint64) Metadata {
	return Metadata{
		Protocol: Protocol, Version: Version,
		Denom: denom, UnbondingPeriod: unbonding, LastBatchID: lastBatchID,
	}
}

// Encode returns the channel version that holds m.
func (m Metadata) Encode() (string, error) {
	bz, err := encode("channel version", &m, MaxVersionBytes)
	return string(bz), err
}

// ParseMetadata reads a channel version: its length first, then that it is this protocol in a supported major version.
// Unknown fields are allowed. The other fields are not checked here: which of them must be set depends on the step of
// the handshake.
func ParseMetadata(version string) (Metadata, error) {
	var m Metadata
	if err := decode("channel version", []byte(version), &m, MaxVersionBytes); err != nil {
		return Metadata{}, err
	}
	if m.Protocol != Protocol {
		return Metadata{}, errorsmod.Wrapf(ErrVersion, "protocol %q was proposed, only %q is spoken here", m.Protocol, Protocol)
	}
	if _, err := negotiate(m.Version); err != nil {
		return Metadata{}, err
	}
	return m, nil
}

// Answer is what the provider answers at Try: the proposal, the lower of the two versions, the consumer's id here and
// the account rewards must be sent to.
func Answer(proposal Metadata, consumerID uint64, rewardReceiver string) (Metadata, error) {
	version, err := negotiate(proposal.Version)
	if err != nil {
		return Metadata{}, err
	}
	if err := proposal.validateProposal(); err != nil {
		return Metadata{}, err
	}
	answer := proposal
	answer.Version, answer.ConsumerID, answer.RewardReceiver = version, consumerID, rewardReceiver
	return answer, answer.validateAnswer()
}

// VerifyAnswer checks at Ack that the provider answered the consumer's own proposal: nothing proposed was changed, the
// version is not above the proposed one, and the provider's part is there.
func VerifyAnswer(proposal, answer Metadata) error {
	proposed, err := parseVersion(proposal.Version)
	if err != nil {
		return err
	}
	answered, err := parseVersion(answer.Version)
	if err != nil {
		return err
	}
	switch {
	case answer.Protocol != proposal.Protocol:
		return errorsmod.Wrapf(ErrVersion, "protocol %q was answered to %q", answer.Protocol, proposal.Protocol)
	case answered.major != proposed.major || proposed.less(answered):
		return errorsmod.Wrapf(ErrVersion, "version %s was answered to %s; at most the proposed one of the same major is possible", answer.Version, proposal.Version)
	case answer.Denom != proposal.Denom, answer.UnbondingPeriod != proposal.UnbondingPeriod:
		return errorsmod.Wrapf(ErrVersion, "the answer changed the proposed denom or unbonding period: %s, %s", answer.Denom, answer.UnbondingPeriod)
	case answer.LastBatchID != proposal.LastBatchID:
		return errorsmod.Wrapf(ErrVersion, "last batch %d was answered, it is %d now: start the handshake again", answer.LastBatchID, proposal.LastBatchID)
	}
	return answer.validateAnswer()
}

func (m Metadata) validateProposal() error {
	if err := sdk.ValidateDenom(m.Denom); err != nil {
		return errorsmod.Wrapf(ErrVersion, "denom: %s", err)
	}
	return validateUnbonding(m.UnbondingPeriod)
}

func (m Metadata) validateAnswer() error {
	if m.ConsumerID == 0 {
		return errorsmod.Wrap(ErrVersion, "consumer_id is missing from the answer")
	}
	if err := ValidateName(m.RewardReceiver); err != nil {
		return errorsmod.Wrapf(ErrVersion, "reward_receiver: %s", err)
	}
	return nil
}

func validateUnbonding(d time.Duration) error {
	if d <= 0 || d > MaxUnbondingDays*24*time.Hour {
		return errorsmod.Wrapf(ErrInvalidPacket, "unbonding period %s: above 0 and up to %d days are possible", d, MaxUnbondingDays)
	}
	return nil
}

// semver is a protocol version; every part is below 10,000.
type semver struct{ major, minor, patch uint64 }

func parseVersion(s string) (semver, error) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return semver{}, errorsmod.Wrapf(ErrVersion, "version %q is not major.minor.patch", s)
	}
	var n [3]uint64
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 10, 16)
		if err != nil || v >= 10_000 || strconv.FormatUint(v, 10) != part {
			return semver{}, errorsmod.Wrapf(ErrVersion, "version %q is not major.minor.patch", s)
		}
		n[i] = v
	}
	return semver{n[0], n[1], n[2]}, nil
}

func (v semver) less(o semver) bool {
	if v.major != o.major {
		return v.major < o.major
	}
	if v.minor != o.minor {
		return v.minor < o.minor
	}
	return v.patch < o.patch
}

// negotiate returns the lower of the proposed and the own version; they must share the major version.
func negotiate(proposed string) (string, error) {
	theirs, err := parseVersion(proposed)
	if err != nil {
		return "", err
	}
	ours, err := parseVersion(Version)
	if err != nil {
		return "", err
	}
	if theirs.major != ours.major {
		return "", errorsmod.Wrapf(ErrVersion, "version %s was proposed, %d.x.y is spoken here", proposed, ours.major)
	}
	if theirs.less(ours) {
		return proposed, nil
	}
	return Version, nil
}
