package builtin

import (
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
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
			if got := programtest.Run(t, open(t, "accesslog"), programtest.Lines("f", text, size)); !slices.Equal(got, want) {
				t.Errorf("batches of %d: want %q, have %q", size, want, got)
			}
		}
	}
}

func TestAccessLogCountsMalformedLines(t *testing.T) {
	m, err := open(t, "accesslog").NewMapper(t.Context(), programtest.Attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	out, _ := programtest.Collect()
	for _, b := range programtest.Lines("f", accessLines, 100) {
		if err := m.Map(&b, out); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.(program.Counting).Counters()["malformed records"]; got != 4 {
		t.Errorf("want 4 malformed records, have %d", got)
	}
}

func TestAccessLogIsStrict(t *testing.T) {
	_, err := programtest.MapAll(t, open(t, "accesslog", "strict", "true"), programtest.Attempt(t), programtest.Lines("s3://b/log", accessLines, 1))
	user := programtest.WantUserError(t, err)
	want := program.RecordRef{Input: "s3://b/log", Offset: int64(strings.Index(accessLines, "nonsense")), Value: `"nonsense"`}
	if user.Record == nil || *user.Record != want || user.Program != "accesslog" {
		t.Errorf("want %+v, have %+v", want, user)
	}
}

func TestAccessLogClients(t *testing.T) {
	for head, want := range map[string]string{
		"198.51.100.7 - -":          "198.51.100.7",
		"198.51.100.7 - john smith": "198.51.100.7",
		"198.51.100.7 ident john":   "198.51.100.7",
		"198.51.100.7 - - - -":      "198.51.100.7", // a user "- - -"
		"host.example.net - -":      "host.example.net",
		"localhost - -":             "localhost",
		"2001:db8::1 - -":           "2001:db8::1",
		"fe80::1%eth0 - -":          "fe80::1%eth0",
		"::ffff:198.51.100.7 - -":   "::ffff:198.51.100.7",
		"unix: - -":                 "unix:",
		"- - -":                     "-",

		// vhost_combined, also with the names of clients, and without ports.
		"www.example.org:443 198.51.100.7 - -":       "198.51.100.7",
		"www.example.org:443 2001:db8::1 - john b":   "2001:db8::1",
		"www.example.org:443 client.example.net - -": "client.example.net",
		"203.0.113.1:80 198.51.100.7 - -":            "198.51.100.7",
		"[2001:db8::2]:443 198.51.100.7 - -":         "198.51.100.7",
		"_:80 198.51.100.7 - -":                      "198.51.100.7",
		"www.example.org 198.51.100.7 - -":           "198.51.100.7",
		"198.51.100.7 www.example.org - -":           "198.51.100.7",

		// X-Forwarded-For.
		"198.51.100.7, 10.0.0.1 - -":                         "198.51.100.7",
		"198.51.100.7, 10.0.0.1, 10.0.0.2 - john":            "198.51.100.7",
		"198.51.100.7,10.0.0.1 - -":                          "198.51.100.7",
		"www.example.org:443 198.51.100.7, 10.0.0.1 - -":     "198.51.100.7",
		"www.example.org 2001:db8::1, 10.0.0.1, unknown - -": "2001:db8::1",

		// What it can't tell is malformed.
		"www.example.org:443 - -":            "",
		"www.example.org:443 198.51.100.7 -": "",
		"198.51.100.7:53122 - -":             "",
		"198.51.100.7 203.0.113.1 - -":       "",
		"www.example.org other.example - -":  "",
		"198.51.100.7,":                      "",
		", 198.51.100.7 - -":                 "",
		"198.51.100.7 -":                     "",
		"198.51.100.7":                       "",
		"":                                   "",
	} {
		client, status, ok := parseAccess([]byte(head + ` [04/Oct/2026:04:34:49 +0200] "GET / HTTP/1.1" 200 12 "-" "x"`))
		if ok != (want != "") || ok && (string(client) != want || status != 200) {
			t.Errorf("%s: want %q, have %q, %d, %v", head, want, client, status, ok)
		}
	}
}

func TestAccessLogRefusesOtherFormats(t *testing.T) {
	for _, line := range []string{
		"#Fields: date time c-ip sc-status",
		"2026-10-04 04:00:01 198.51.100.7 GET / - 443 - 203.0.113.9 Mozilla/5.0 - 200 0 0 15",
		`79a5 mybucket [06/Feb/2026:00:00:38 +0000] 192.0.2.3 79a5 3E57 REST.GET.VERSIONING - "GET /?versioning HTTP/1.1" 200 - 113 - 7 - "-" "S3Console" -`,
		`http 2026-10-04T04:00:01.1Z app/lb/50dc6c495c0c9188 198.51.100.7:2817 10.0.0.1:80 0 0 0 200 200 34 366 "GET http://a:80/ HTTP/1.1" "curl" - -`,
		`{"client":"198.51.100.7","status":200}`,
	} {
		if client, _, ok := parseAccess([]byte(line)); ok {
			t.Errorf("%s: the client is %q", line, client)
		}
	}
}

func BenchmarkParseAccess(b *testing.B) {
	line := []byte(`198.51.100.7 - - [21/Nov/2026:15:04:05 +0000] "GET /some/path?with=query HTTP/1.1" 200 1234 "http://ref" "Mozilla/5.0 (X11)"`)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, _, ok := parseAccess(line); !ok {
			b.Fatal("malformed")
		}
	}
}
