package input_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

func TestParseFormat(t *testing.T) {
	for name, want := range map[string]input.Format{
		"":              {},
		"text":          {Kind: input.Text},
		"jsonl":         {Kind: input.JSONL},
		"csv":           {Kind: input.CSV},
		"csv-multiline": {Kind: input.CSVMultiline},
		"whole":         {Kind: input.Whole},
		"fixed:1":       {Kind: input.Fixed, RecordLen: 1},
		"fixed:100":     {Kind: input.Fixed, RecordLen: 100},
	} {
		if got, err := input.ParseFormat(name); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", name, got, err, want)
		}
	}
	for name, says := range map[string]string{
		"parquet":                     "want text, jsonl",
		"Text":                        "want text, jsonl",
		"fixed":                       "fixed:N",
		"fixed:":                      "fixed:100",
		"fixed:ten":                   "fixed:100",
		"fixed:0":                     "1 to 2147483647 bytes",
		"fixed:-3":                    "1 to 2147483647 bytes",
		"fixed:2147483648":            "1 to 2147483647 bytes",
		"fixed:99999999999999999999":  "1 to 2147483647 bytes",
		"fixed:-99999999999999999999": "1 to 2147483647 bytes",
	} {
		if got, err := input.ParseFormat(name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is %v, %v; want an error that says %q", name, got, err, says)
		}
	}
}

func TestParseInput(t *testing.T) {
	for compression, asIs := range map[string]bool{"": false, "auto": false, "none": true} {
		if got, err := input.ParseInput("fixed:7", compression); err != nil || got != (input.Format{Kind: input.Fixed, RecordLen: 7, AsIs: asIs}) {
			t.Errorf("%q is %+v, %v", compression, got, err)
		}
	}
	for _, c := range [][2]string{{"text", "gzip"}, {"text", "None"}, {"parquet", "none"}, {"raw", ""}} {
		if got, err := input.ParseInput(c[0], c[1]); err == nil || !strings.Contains(err.Error(), "unknown") {
			t.Errorf("%q is %+v, %v", c, got, err)
		}
	}
}

func TestFormatInJSON(t *testing.T) {
	var spec struct{ Input input.Format }
	if err := json.Unmarshal([]byte(`{"Input":"fixed:12"}`), &spec); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(spec); err != nil || string(got) != `{"Input":"fixed:12"}` {
		t.Errorf("written as %s, %v", got, err)
	}
	if _, err := json.Marshal(input.Format{Kind: input.Fixed}); err == nil {
		t.Error("a fixed format without a length is written")
	}
	if _, err := json.Marshal(input.Format{AsIs: true}); err == nil {
		t.Error("a format is written without what its name does not tell")
	}
}

func TestCompressionOf(t *testing.T) {
	for name, want := range map[string]input.Compression{
		"a": input.Uncompressed, "gz": input.Uncompressed, "a.gz/b": input.Uncompressed, "a.gzip": input.Uncompressed,
		"s3://b/a.gz": input.Gzip, "A.TXT.GZ": input.Gzip, "a.bz2": input.Bzip2, "a.zst": input.Zstd, "a.zstd": input.Zstd,
	} {
		if got := input.CompressionOf(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
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
		{"a.gz", "text", false},
		{"a.bz2", "fixed:3", false},
		{"a.zst", "csv", false},
	} {
		f, err := input.ParseFormat(c.format)
		if err != nil {
			t.Fatal(err)
		}
		if got := input.Splittable(c.name, f); got != c.want {
			t.Errorf("%s as %s: %v, want %v", c.name, c.format, got, c.want)
		}
	}
}

func FuzzParseFormat(f *testing.F) {
	for _, s := range []string{"", "text", "fixed:10", "fixed:010", "fixed:+1", "fixed:1e3", "csv-multiline"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := input.ParseFormat(s)
		if err != nil {
			if got != (input.Format{}) {
				t.Errorf("%q is %v with error %v", s, got, err)
			}
			return
		}
		if again, err := input.ParseFormat(got.String()); err != nil || again != got {
			t.Errorf("%q is %v, which reads as %v, %v", s, got, again, err)
		}
	})
}
