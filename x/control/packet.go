package control

import (
	"crypto/ed25519"

	errorsmod "cosmossdk.io/errors"
)

// EncodeStakeSync returns the packet data of a valid s.
func EncodeStakeSync(s StakeSync) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return encode("packet", &ProviderPacket{Packet: &ProviderPacket_StakeSync{StakeSync: &s}}, MaxPacketBytes)
}

// DecodeStakeSync reads and validates packet data from the provider.
func DecodeStakeSync(bz []byte) (StakeSync, error) {
	var p ProviderPacket
	if err := decode("packet", bz, &p, MaxPacketBytes); err != nil {
		return StakeSync{}, err
	}
	s := p.GetStakeSync()
	if s == nil {
		return StakeSync{}, errorsmod.Wrap(ErrInvalidPacket, "a provider's packet must hold stake_sync")
	}
	return *s, s.Validate()
}

// Validate checks ids, bounds, names and that no validator is named twice.
func (s StakeSync) Validate() error {
	if s.BatchID == 0 {
		return errorsmod.Wrap(ErrInvalidPacket, "batch_id 0; ids count from 1")
	}
	if err := validateCount(len(s.Entries)); err != nil {
		return err
	}
	names := make(uniqueNames, len(s.Entries))
	for _, e := range s.Entries {
		if err := ValidateName(e.Validator); err != nil {
			return err
		}
		if err := names.add(e.Validator); err != nil {
			return err
		}
		if err := validateAmount(e.Validator, e.Stake); err != nil {
			return err
		}
	}
	return nil
}

// EncodeValidatorSync returns the packet data of a valid s.
func EncodeValidatorSync(s ValidatorSync) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return encode("packet", &ConsumerPacket{Packet: &ConsumerPacket_ValidatorSync{ValidatorSync: &s}}, MaxPacketBytes)
}

// DecodeValidatorSync reads packet data from the consumer and validates all but its validators: a bad one of those must
// not block the others, so the receiver validates each with ValidatorUpdate.Validate and skips it alone.
func DecodeValidatorSync(bz []byte) (ValidatorSync, error) {
	var p ConsumerPacket
	if err := decode("packet", bz, &p, MaxPacketBytes); err != nil {
		return ValidatorSync{}, err
	}
	s := p.GetValidatorSync()
	if s == nil {
		return ValidatorSync{}, errorsmod.Wrap(ErrInvalidPacket, "a consumer's packet must hold validator_sync")
	}
	return *s, s.Validate()
}

// Validate checks everything but the single validators.
func (s ValidatorSync) Validate() error {
	if s.Height.RevisionHeight == 0 {
		return errorsmod.Wrap(ErrInvalidPacket, "height is missing")
	}
	if err := validateUnbonding(s.UnbondingPeriod); err != nil {
		return err
	}
	if s.Applied != nil {
		if s.Applied.BatchID == 0 {
			return errorsmod.Wrap(ErrInvalidPacket, "applied names batch_id 0; ids count from 1")
		}
		if s.Applied.Height.RevisionHeight == 0 {
			return errorsmod.Wrap(ErrInvalidPacket, "applied names no height")
		}
	}
	return validateCount(len(s.Validators))
}

// Validate checks one validator's name, key and status. Consensus keys are raw ed25519, 32 bytes; a removed validator
// may come without one.
func (u ValidatorUpdate) Validate() error {
	if err := ValidateName(u.Validator); err != nil {
		return err
	}
	if u.Status < StatusActive || u.Status > StatusRemoved {
		return errorsmod.Wrapf(ErrInvalidPacket, "validator %s: status %d is unknown", u.Validator, u.Status)
	}
	if len(u.ConsPubkey) == 0 && u.Status == StatusRemoved {
		return nil
	}
	if len(u.ConsPubkey) != ed25519.PublicKeySize {
		return errorsmod.Wrapf(ErrInvalidPacket, "validator %s: key has %d bytes, an ed25519 key has %d", u.Validator, len(u.ConsPubkey), ed25519.PublicKeySize)
	}
	return nil
}
