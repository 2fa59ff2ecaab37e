package badrecords

import (
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	long := strings.Repeat("é", 40)
	for _, test := range []struct {
		data, text, base64 string
	}{
		{"", "", ""},
		{"plain", "plain", ""},
		{long, long[:62], ""},
		{"x" + long, "x" + long[:62], ""},
		{"\xff\x00", "", "\xff\x00"},
		{"half\xc3", "", "half\xc3"},
		{strings.Repeat("\x80", 80), "", strings.Repeat("\x80", 63)},
	} {
		s := Show([]byte(test.data), 63)
		if s.Text != test.text || string(s.Base64) != test.base64 || s.Bytes != len(test.data) {
			t.Errorf("%q is shown as %+v", test.data, s)
		}
	}
}
