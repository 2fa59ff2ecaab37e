package program

import (
	"slices"
	"strings"
	"testing"
)

const accessLines = `10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1" 200 1234
10.0.0.1 - bob smith [21/Nov/2026:15:04:05 +0000] "GET /\"x\" 500 \\" 404 -
2001:db8::1 - - [21/Nov/2026:15:04:05 +0000] "GET /?a=] \"b HTTP/1.1" 302 0 "http://ref \"er\"" "Mozilla/5.0 (X11)"

10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "-" 408 0 "-" "-"
nonsense
10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1" 2x0 12
10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1" 200
10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1`

func TestAccessLog(t *testing.T) {
	want := []string{"10.0.0.1\t3\t2\t0.6667", "2001:db8::1\t1\t0\t0.0000"}
	for _, text := range []string{accessLines, strings.ReplaceAll(accessLines, "\n", "\r\n")} {
		for _, size := range oddSizes {
			if got := run(t, open(t, "accesslog"), lines("f", text, size)); !slices.Equal(got, want) {
				t.Errorf("batches of %d: want %q, have %q", size, want, got)
			}
		}
	}
}

func TestAccessLogCountsMalformedLines(t *testing.T) {
	m, err := open(t, "accesslog").NewMapper(t.Context(), attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	out, _ := collect()
	for _, b := range lines("f", accessLines, 100) {
		if err := m.Map(&b, out); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.(Counting).Counters()["malformed records"]; got != 4 {
		t.Errorf("want 4 malformed records, have %d", got)
	}
}

func TestAccessLogIsStrict(t *testing.T) {
	_, err := mapAll(t, open(t, "accesslog", "strict", "true"), attempt(t), lines("s3://b/log", accessLines, 1))
	user := wantUserError(t, err)
	want := RecordRef{Input: "s3://b/log", Offset: int64(strings.Index(accessLines, "nonsense")), Value: `"nonsense"`}
	if user.Record == nil || *user.Record != want || user.Program != "accesslog" {
		t.Errorf("want %+v, have %+v", want, user)
	}
}
