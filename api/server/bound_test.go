package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
)

// The problem of every request is short, and still says what is wrong.
func TestDetailsAreBounded(t *testing.T) {
	for _, piece := range []string{"A", "ü", "<", "\x00", `"`, `\`, " x", "é\n", "\xff", "s3://"} {
		long := strings.Repeat(piece, 300_000)
		for format, end := range map[string]string{
			"%q is not a URL":        "is not a URL",
			"content type %q: wrong": ": wrong",
			"%s":                     "",
			"name %.80q":             "",
		} {
			p := newProblem(api.CodeInvalidSpec, format, long)
			text, err := json.Marshal(p)
			if err != nil || len(text) > 4<<10 || !strings.HasSuffix(p.Detail, end) {
				t.Errorf("%q in %q: %d bytes, %.100q", piece, format, len(text), p.Detail)
			}
		}
	}
	for _, short := range []string{"", "job x is FAILED", `"a" is not one of "b", "c"`, strings.Repeat("word ", 100)} {
		if got := bound(short); got != short {
			t.Errorf("%q became %q", short, got)
		}
	}
}
