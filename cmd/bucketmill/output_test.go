package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/layout"
)

// part is a part of an output.
type part struct {
	name string
	data []byte
}

// lines returns a part's lines without their ends.
func (p part) lines() []string {
	var lines []string
	for line := range bytes.Lines(p.data) {
		lines = append(lines, string(bytes.TrimSuffix(line, []byte("\n"))))
	}
	return lines
}

// checkOutput reads an output folder, compares it with its _SUCCESS, and checks that the folder
// contains nothing else.
func checkOutput(t testing.TB, folder string) []part {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, layout.SuccessName))
	if err != nil {
		t.Fatal(err)
	}
	var success layout.Success
	if err := json.Unmarshal(text, &success); err != nil {
		t.Fatal(err)
	}
	want := []string{layout.SuccessName}
	var parts []part
	var size, records int64
	for i, p := range success.Parts {
		if p.Name != fmt.Sprintf("part-%05d", i) {
			t.Errorf("part %d is called %s", i, p.Name)
		}
		want = append(want, p.Name)
		data, err := os.ReadFile(filepath.Join(folder, p.Name))
		if err != nil {
			t.Fatal(err)
		}
		got := layout.SuccessPart{
			Name: p.Name, Bytes: int64(len(data)), Records: int64(bytes.Count(data, []byte("\n"))),
			Checksum: fmt.Sprintf("xxh64:%016x", xxhash.Sum64(data)),
		}
		if got != p {
			t.Errorf("_SUCCESS says %+v, the file is %+v", p, got)
		}
		size, records = size+got.Bytes, records+got.Records
		parts = append(parts, part{name: p.Name, data: data})
	}
	if success.Bytes != size || success.Records != records {
		t.Errorf("_SUCCESS says %d bytes, %d records; the parts have %d and %d", success.Bytes, success.Records, size, records)
	}
	if got := tree(t, folder); !slices.Equal(got, want) {
		t.Errorf("the output folder has %q, not %q", got, want)
	}
	return parts
}

// checkSorted checks that each part is in byte order of its keys.
func checkSorted(t testing.TB, parts []part) {
	t.Helper()
	for _, p := range parts {
		var before []byte
		for line := range bytes.Lines(p.data) {
			key, _, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
			if bytes.Compare(before, key) > 0 {
				t.Errorf("%s: %q is before %q", p.name, before, key)
			}
			before = key
		}
	}
}

// joined returns all lines of an output, in byte order.
func joined(parts []part) []string {
	var all []string
	for _, p := range parts {
		all = append(all, p.lines()...)
	}
	slices.Sort(all)
	return all
}

// sameLines compares the lines of two outputs and shows the first difference.
func sameLines(t testing.TB, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("line %d of %d is %.120q, want %.120q", i, len(got), got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
}
