package jobfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bucketmill/bucketmill/job/yamltext"
)

// checkJSON refuses texts that package encoding/json would silently change: bytes that are not
// UTF-8 and halves of surrogate pairs (both become U+FFFD), names that are given twice (the last
// wins) or in another case, and null in a list (an empty text). It accepts malformed JSON, which
// the decoder refuses.
func checkJSON(text []byte, t reflect.Type) error {
	if !utf8.Valid(text) {
		return errors.New("it is not UTF-8")
	}
	if err := checkSurrogates(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err := checkValue(d, t, "", false)
	if _, malformed := errors.AsType[notChecked](err); malformed {
		return nil
	}
	return err
}

// notChecked wraps an error that the decoder will report.
type notChecked struct{ error }

// checkValue reads one value, no deeper than the type t.
func checkValue(d *json.Decoder, t reflect.Type, name string, item bool) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	token, err := d.Token()
	if err != nil {
		return notChecked{err}
	}
	switch {
	case token == nil && item:
		return fmt.Errorf("%s is null: write \"\" for an empty text", name)
	case token == json.Delim('{') && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map):
		return checkObject(d, t, name)
	case token == json.Delim('[') && t.Kind() == reflect.Slice:
		for i := 0; d.More(); i++ {
			if err := checkValue(d, t.Elem(), fmt.Sprintf("%s[%d]", name, i), true); err != nil {
				return err
			}
		}
	case token == json.Delim('{'), token == json.Delim('['):
		return notChecked{errors.New("of another type")} // the decoder reports it, too
	default:
		return nil
	}
	return closing(d)
}

func checkObject(d *json.Decoder, t reflect.Type, name string) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return notChecked{err}
		}
		key, ok := token.(string)
		if !ok {
			return notChecked{errors.New("no key")}
		}
		inside := key
		if name != "" {
			inside = name + "." + key
		}
		if seen[key] {
			return fmt.Errorf("%.80q is given twice", inside)
		}
		seen[key] = true
		of, known := yamltext.Member(t, key)
		if !known {
			return yamltext.Unknown(t, strings.TrimPrefix(name+".", "."), key)
		}
		if err := checkValue(d, of, inside, false); err != nil {
			return err
		}
	}
	return closing(d)
}

// closing reads the end of a list or an object.
func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return notChecked{err}
	}
	return nil
}

// checkSurrogates refuses an escape like \ud83d that no second half follows.
func checkSurrogates(text []byte) error {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch unit := escaped(text[i:]); {
		case unit >= 0xd800 && unit < 0xdc00:
			if next := escaped(text[min(i+6, len(text)):]); next < 0xdc00 || next > 0xdfff {
				return fmt.Errorf("%s is half a character: its other half is missing", text[i:i+6])
			}
			i += 11
		case unit >= 0xdc00 && unit <= 0xdfff:
			return fmt.Errorf("%s is half a character: its other half is missing", text[i:i+6])
		default:
			i++ // the escaped byte may be a backslash
		}
	}
	return nil
}

// escaped returns the UTF-16 unit of an escape like \u00fc; 0 for anything else.
func escaped(text []byte) uint64 {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return unit
}
