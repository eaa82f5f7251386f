package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// memoKey is the key a reward memo stands under, beside whatever other middlewares put into a transfer's memo.
const memoKey = "mesh_rewards"

// maxMemoDepth bounds the nesting of a memo; a reward memo itself needs four levels.
const maxMemoDepth = 8

// EncodeRewardMemo returns the transfer memo that carries a valid m.
func EncodeRewardMemo(m RewardMemo) (string, error) {
	if _, err := m.Total(); err != nil {
		return "", err
	}
	inner, err := encode("memo", &m, MaxMemoBytes)
	if err != nil {
		return "", err
	}
	bz, err := json.Marshal(map[string]json.RawMessage{memoKey: inner})
	if err != nil {
		return "", errorsmod.Wrap(ErrInvalidMemo, err.Error())
	}
	return string(bz), checkLength("memo", len(bz), MaxMemoBytes)
}

// DecodeRewardMemo reads the memo of a reward transfer and validates it. A memo that is too long, too deep, not UTF-8,
// not a JSON object, has a key twice in one object, or does not hold the reward key is an error.
func DecodeRewardMemo(memo string) (RewardMemo, error) {
	if err := checkLength("memo", len(memo), MaxMemoBytes); err != nil {
		return RewardMemo{}, err
	}
	if !utf8.ValidString(memo) {
		return RewardMemo{}, errorsmod.Wrap(ErrInvalidMemo, "not UTF-8")
	}
	if err := checkStructure(memo); err != nil {
		return RewardMemo{}, errorsmod.Wrap(ErrInvalidMemo, err.Error())
	}
	var outer map[string]json.RawMessage
	if err := json.Unmarshal([]byte(memo), &outer); err != nil {
		return RewardMemo{}, errorsmod.Wrap(ErrInvalidMemo, err.Error())
	}
	inner, found := outer[memoKey]
	if !found {
		return RewardMemo{}, errorsmod.Wrapf(ErrInvalidMemo, "no %s in it", memoKey)
	}
	var m RewardMemo
	if err := decode("memo", inner, &m, MaxMemoBytes); err != nil {
		return RewardMemo{}, errorsmod.Wrap(ErrInvalidMemo, err.Error())
	}
	_, err := m.Total()
	return m, err
}

// Total validates m and returns the sum of its entries: at least one entry, each above zero and named once.
func (m RewardMemo) Total() (math.Int, error) {
	if m.ConsumerID == 0 || len(m.Entries) == 0 {
		return math.Int{}, errorsmod.Wrap(ErrInvalidMemo, "a consumer_id and at least one entry are needed")
	}
	if err := validateCount(len(m.Entries)); err != nil {
		return math.Int{}, errorsmod.Wrap(ErrInvalidMemo, err.Error())
	}
	total := math.ZeroInt()
	names := make(uniqueNames, len(m.Entries))
	for _, e := range m.Entries {
		for _, err := range []error{ValidateName(e.Validator), names.add(e.Validator), validateAmount(e.Validator, e.Amount)} {
			if err != nil {
				return math.Int{}, errorsmod.Wrap(ErrInvalidMemo, err.Error())
			}
		}
		if e.Amount.IsZero() {
			return math.Int{}, errorsmod.Wrapf(ErrInvalidMemo, "%s: amount is zero", e.Validator)
		}
		total = total.Add(e.Amount)
	}
	return total, nil
}

// checkStructure walks the tokens of a JSON document and refuses deep nesting and repeated keys, which parsers are free
// to resolve differently.
func checkStructure(doc string) error {
	dec := json.NewDecoder(bytes.NewReader([]byte(doc)))
	// One frame per open object or array; keys is nil for an array.
	type frame struct {
		keys    map[string]struct{}
		wantKey bool
	}
	var open []frame
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n := len(open); n > 0 && open[n-1].keys != nil {
			top := &open[n-1]
			if key, isKey := token.(string); isKey && top.wantKey {
				if _, seen := top.keys[key]; seen {
					return errorsmod.Wrapf(ErrInvalidMemo, "key %q twice", key)
				}
				top.keys[key] = struct{}{}
				top.wantKey = false
				continue
			}
			// A value of this object, or its end: a key is next.
			top.wantKey = true
		}
		delim, isDelim := token.(json.Delim)
		if !isDelim {
			continue
		}
		switch delim {
		case '{', '[':
			if len(open) == maxMemoDepth {
				return errorsmod.Wrapf(ErrInvalidMemo, "nested deeper than %d", maxMemoDepth)
			}
			f := frame{}
			if delim == '{' {
				f = frame{keys: map[string]struct{}{}, wantKey: true}
			}
			open = append(open, f)
		case '}', ']':
			open = open[:len(open)-1]
		}
	}
}
