package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// settings is a set of flags of all kinds, with the settings of a file in it.
func settings(t *testing.T, text string) (*pflag.FlagSet, error) {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	fs.String("namespace", "bm", "")
	fs.StringSlice("allow", nil, "")
	fs.Int("uploads", 32, "")
	fs.Float64("rate", 0, "")
	fs.Bool("no-backup", false, "")
	fs.Duration("history", time.Hour, "")
	file := filepath.Join(t.TempDir(), "settings.yaml")
	writeFile(t, file, text)
	return fs, readConfig(fs, file, func(string) (string, bool) { return "", false })
}

func TestSettingsKeepTheirText(t *testing.T) {
	for _, c := range []struct{ text, name, want string }{
		{"namespace: 2026-11-01", "namespace", "2026-11-01"},
		{"namespace: 01234", "namespace", "01234"},
		{"namespace: 1.10", "namespace", "1.10"},
		{"namespace: yes", "namespace", "yes"},
		{"namespace: ''", "namespace", ""},
		{"namespace:", "namespace", "bm"},
		{"# nothing", "namespace", "bm"},
		{"allow: [s3://a/1.10, 01]", "allow", "[s3://a/1.10,01]"},
		{"allow: s3://a", "allow", "[s3://a]"},
		{"uploads: 7", "uploads", "7"},
		{"rate: 1e3", "rate", "1000"},
		{"no-backup: true", "no-backup", "true"},
		{"history: 36h", "history", "36h0m0s"},
		{"a: &a 36h", "", `line 1: there is no setting "a"`},
		{"uploads: &n 7\nrate: *n", "rate", "7"},
		{"uploads: 7\nuploads: 8", "", "line 2: uploads is given twice"},
		{"uploads: 7\n---\nuploads: 8", "", "a second document begins"},
		{"uploads: [7, 8]", "", "uploads takes one value, and the file has 2"},
		{"uploads: {a: 7}", "", "uploads must be text, or a list of texts"},
		{"namespace: ~", "", "namespace is null"},
		{"upload: 7", "", `there is no setting "upload"`},
		{"config: 7", "", `there is no setting "config"`},
		{"[7]", "", "the document must be a map"},
		{"uploads: many", "", "uploads: "},
	} {
		fs, err := settings(t, c.text)
		if c.name == "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v, want %q", c.text, err, c.want)
			}
			continue
		}
		if got := fs.Lookup(c.name).Value.String(); err != nil || got != c.want {
			t.Errorf("%q: %s is %q, %v", c.text, c.name, got, err)
		}
	}
}

func TestEndlessJobFile(t *testing.T) {
	t.Parallel()
	r := command(t.Context(), "run", "--file", "/dev/zero")
	if r.code != exitUsage || !strings.Contains(r.stderr, "/dev/zero has more than") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}
