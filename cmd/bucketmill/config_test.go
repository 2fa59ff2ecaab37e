package main

import (
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// settings returns flags of all kinds, set from a file.
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
		{"uploads: [7, 8]", "", "uploads takes one value, not 2"},
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

// --config reads what --print-config prints, and gives the same settings, whatever they are.
func TestPrintedSettingsAreReadBack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"controller", "executor", "dev"} {
		for range 60 {
			args := []string{name, "--print-config"}
			cmd := findCommand(t, name)
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if notSettings[f.Name] || secretSettings[f.Name] || random.IntN(2) == 0 {
					return
				}
				for range 1 + random.IntN(3) {
					if value := randomValue(random, f); f.Value.Set(value) == nil { // a user's name may not exist
						args = append(args, "--"+f.Name+"="+value)
					}
				}
			})
			first := command(t.Context(), args...) // it may fail, but it prints
			file := filepath.Join(t.TempDir(), "settings.yaml")
			writeFile(t, file, first.stdout)
			second := command(t.Context(), name, "--print-config", "--config", file)
			if first.stdout == "" || first != second {
				t.Fatalf("%q printed\n%s%s\nread back\n%s%s", args, first.stdout, first.stderr, second.stdout, second.stderr)
			}
		}
	}
}

func findCommand(t *testing.T, name string) *cobra.Command {
	t.Helper()
	cmd, _, err := newRootCommand().Find([]string{name})
	must(t, err)
	return cmd
}

// randomValue returns a value that a flag accepts.
func randomValue(random *rand.Rand, f *pflag.Flag) string {
	texts := []string{
		"", "x", "007", "1e3", "yes", "null", "~", "[a]", "{b: c}", "- d", "# e", "f # g", "h: i", "'", `"`, "a,b", " space ", "2026-11-01", "Zoë", "tab\tbed",
		"s3://b/{x,y}*.txt", "!!binary x", "*a", "&a", "@a", "`a`", "%a", "line\nend", "0x10", "true", "=",
	}
	switch f.Value.Type() {
	case "int":
		return strconv.Itoa(random.IntN(2000) - 500)
	case "float64":
		return strconv.FormatFloat(random.ExpFloat64()*1e7, 'g', -1, 64)
	case "bool":
		return strconv.FormatBool(random.IntN(2) == 0)
	case "duration":
		return time.Duration(random.Int64()).String()
	case "size":
		return strconv.FormatInt(random.Int64()>>(3+random.IntN(60)), 10)
	case "stringSlice":
		return `"` + strings.ReplaceAll(texts[random.IntN(len(texts))], `"`, `""`) + `"`
	}
	if f.Name == "log-level" {
		return []string{"DEBUG", "INFO", "WARN+2", "ERROR"}[random.IntN(4)]
	}
	return texts[random.IntN(len(texts))]
}

func TestPrintedSettingsKeepTheirTypes(t *testing.T) {
	t.Parallel()
	r := command(t.Context(), "controller", "--print-config", "--redis", "redis://u:secret@h", "--store", "s3://work", "--allow", "s3://aaa,s3://bbb/1.10",
		"--rate", "0.5", "--no-auth", "--s3-path-style=false", "--webhook-secret", "secret")
	if r.code != exitDone || strings.Contains(r.stdout, "secret@") {
		t.Fatalf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	var settings map[string]any
	must(t, yaml.Unmarshal([]byte(r.stdout), &settings))
	for name, want := range map[string]any{
		"rate": 0.5, "no-auth": true, "uploads": 32, "s3-path-style": false, "store": "s3://work", "redis": "redis://u:xxxxx@h", "tokens": nil, "webhook-secret": nil,
		"allow": []any{"s3://aaa", "s3://bbb/1.10"},
	} {
		if !reflect.DeepEqual(settings[name], want) {
			t.Errorf("%s is %#v, want %#v", name, settings[name], want)
		}
	}
	if !strings.Contains(r.stdout, "# webhook-secret is set, but not shown\n") {
		t.Errorf("the secret is not mentioned: %s", r.stdout)
	}
}

// --print-config also checks the settings.
func TestPrintedSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, says string }{
		{"controller", "--store is missing"},
		{"controller --store s3://work --redis http://x", "--redis"},
		{"controller --store s3://work --listen nowhere", "--listen"},
		{"controller --store s3://work --listen 0.0.0.0:1", "--tokens"},
		{"controller --store s3://work --allow inbox", `--allow "inbox": use a URL`},
		{"controller --store s3://work --uploads 0", "--uploads"},
		{"controller --store s3://work --rate -1", "--rate"},
		{"controller --store s3://work --s3-driver gcs", "gcs"},
		{"controller --store s3://w", "3 to 63"},
		{"controller --store s3://work --s3-endpoint nowhere", "endpoint"},
		{"controller --store s3://work --interval -1s", "--interval"},
		{"controller --store s3://work --log-format xml", "--log-format"},
		{"executor --store s3://work --slots 0", "--slots"},
		{"executor --store s3://work --heartbeat 20s", "--heartbeat"},
		{"executor --store s3://work --grace -1s", "--grace"},
		{"dev --slots 0", "--slots"},
		{"dev --listen nowhere", "--listen"},
		{"dev --data s3://w", "--data"},
	} {
		r := command(t.Context(), append(strings.Fields(c.args), "--print-config")...)
		if r.code != exitUsage {
			t.Errorf("%s: exit code %d", c.args, r.code)
		}
		r.stdout = ""
		checkComplaint(t, r, c.says)
	}
}
