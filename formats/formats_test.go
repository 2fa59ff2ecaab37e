package formats_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]string{
		"":              "text",
		"text":          "text",
		"jsonl":         "jsonl",
		"csv":           "csv",
		"csv-multiline": "csv-multiline",
		"whole":         "whole",
		"fixed:1":       "fixed:1",
		"fixed:0100":    "fixed:100",
	} {
		if got, err := formats.Inputs.Parse(name, ""); err != nil || got.String() != want || got.AsIs {
			t.Errorf("%q is %v, %v; want %v", name, got, err, want)
		}
	}
	const names = "want text, jsonl, csv, csv-multiline, whole or fixed:N"
	for name, says := range map[string]string{
		"parquet":                     names,
		"Text":                        names,
		"fixed":                       names,
		"fixed:":                      "fixed:100",
		"fixed:ten":                   "fixed:100",
		"fixed:N":                     "fixed:100",
		"fixed:0":                     "1 to 2147483647 bytes",
		"fixed:-3":                    "1 to 2147483647 bytes",
		"fixed:2147483648":            "1 to 2147483647 bytes",
		"fixed:99999999999999999999":  "1 to 2147483647 bytes",
		"fixed:-99999999999999999999": "1 to 2147483647 bytes",
		"raw":                         "unknown input format \"raw\": to read",
	} {
		if got, err := formats.Inputs.Parse(name, ""); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is %v, %v; want an error that says %q", name, got, err, says)
		}
	}
}

func TestParseCompression(t *testing.T) {
	for compression, asIs := range map[string]bool{"": false, "auto": false, "none": true} {
		if got, err := formats.Inputs.Parse("fixed:7", compression); err != nil || got.String() != "fixed:7" || got.AsIs != asIs {
			t.Errorf("%q is %+v, %v", compression, got, err)
		}
	}
	for _, c := range [][2]string{{"text", "gzip"}, {"text", "None"}, {"parquet", "none"}, {"raw", ""}} {
		if got, err := formats.Inputs.Parse(c[0], c[1]); err == nil || !strings.Contains(err.Error(), "unknown") {
			t.Errorf("%q is %+v, %v", c, got, err)
		}
	}
}

func TestSplittable(t *testing.T) {
	for _, c := range []struct {
		name, format string
		want         bool
	}{
		{"a.txt", "text", true},
		{"a.txt", "jsonl", true},
		{"a.csv", "csv", true},
		{"a.bin", "fixed:3", true},
		{"a.csv", "csv-multiline", false},
		{"a.txt", "whole", false},
		{"a.bz2", "fixed:3", false},
		{"a.zst", "csv", false},

		{"a", "text", true},
		{"gz", "text", true},
		{"a.gz/b", "text", true},
		{"a.gzip", "text", true},
		{"s3://b/a.gz", "text", false},
		{"A.TXT.GZ", "text", false},
		{"a.bz2", "text", false},
		{"a.zst", "text", false},
		{"a.zstd", "text", false},
	} {
		for compression, want := range map[string]bool{"": c.want, "none": c.want || c.format != "csv-multiline" && c.format != "whole"} {
			f, err := formats.Inputs.Parse(c.format, compression)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Splittable(c.name); got != want {
				t.Errorf("%s as %s, compression %q: %v, want %v", c.name, c.format, compression, got, want)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "text", "fixed:10", "fixed:010", "fixed:+1", "fixed:1e3", "csv-multiline"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := formats.Inputs.Parse(s, "")
		if err != nil {
			if got != (input.Format{}) {
				t.Errorf("%q is %v with error %v", s, got, err)
			}
			return
		}
		if again, err := formats.Inputs.Parse(got.String(), ""); err != nil || again != got {
			t.Errorf("%q is %v, which reads as %v, %v", s, got, again, err)
		}
	})
}

// TestPagesNameAllFormats holds the pages that list the formats to the table.
func TestPagesNameAllFormats(t *testing.T) {
	page := func(name string) string {
		t.Helper()
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	inputs, api := page("../docs/inputs.md"), page("../api/server/openapi.yaml")
	for _, name := range formats.Inputs.Names() {
		if !strings.Contains(inputs, "`"+name+"`") {
			t.Errorf("docs/inputs.md does not explain %s", name)
		}
		kind, _, _ := strings.Cut(name, ":")
		if !regexp.MustCompile(`format: .*\^\(.*\b` + regexp.QuoteMeta(kind) + `\b.*\)\$`).MatchString(api) {
			t.Errorf("openapi.yaml does not allow the format %s", name)
		}
	}
	for _, c := range formats.Inputs.Compressions {
		if suffix := c.Suffixes()[0]; !strings.Contains(inputs, "`"+suffix+"`") {
			t.Errorf("docs/inputs.md does not name %s", suffix)
		}
	}
}
