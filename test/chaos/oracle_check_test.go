package chaos

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
)

// outputOf returns the correct output of the job with that id.
func outputOf(t *testing.T, id job.ID, records int64, parts ...string) output {
	t.Helper()
	out := output{}
	success := layout.Success{Job: id, Counters: map[string]int64{"map_input_records": records}}
	for i, text := range parts {
		p := layout.SuccessPart{
			Name: layout.PartName(i), Bytes: int64(len(text)), Records: int64(strings.Count(text, "\n")),
			Checksum: fmt.Sprintf("xxh64:%016x", xxhash.Sum64String(text)),
		}
		success.Parts, success.Records = append(success.Parts, p), success.Records+p.Records
		out[p.Name] = []byte(text)
	}
	text, err := success.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out[layout.SuccessName] = text
	return out
}

// TestOracle checks that the oracle accepts correct outputs, and refuses slightly wrong ones.
func TestOracle(t *testing.T) {
	want := expectation{lines: countWords(linesOf([]byte("b a b\nc"))), parts: 2, records: 2}
	right := func() output { return outputOf(t, "j", 2, "b\t2\n", "a\t1\nc\t1\n") }
	if err := want.check(right(), "j"); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]output{
		"another count":         outputOf(t, "j", 2, "b\t1\n", "a\t1\nc\t1\n"),
		"a line too few":        outputOf(t, "j", 2, "b\t2\n", "a\t1\n"),
		"a line too many":       outputOf(t, "j", 2, "b\t2\n", "a\t1\nc\t1\nd\t1\n"),
		"a line twice":          outputOf(t, "j", 2, "b\t2\n", "a\t1\na\t1\nc\t1\n"),
		"a key in two parts":    outputOf(t, "j", 2, "a\t1\nb\t2\n", "a\t1\nc\t1\n"),
		"not sorted":            outputOf(t, "j", 2, "b\t2\n", "c\t1\na\t1\n"),
		"a part too few":        outputOf(t, "j", 2, "a\t1\nb\t2\nc\t1\n"),
		"no end":                outputOf(t, "j", 2, "b\t2\n", "a\t1\nc\t1"),
		"another input":         outputOf(t, "j", 3, "b\t2\n", "a\t1\nc\t1\n"),
		"another job":           outputOf(t, "k", 2, "b\t2\n", "a\t1\nc\t1\n"),
		"a part that is gone":   without(right(), "part-00000"),
		"no success":            without(right(), layout.SuccessName),
		"a changed part":        with(right(), "part-00000", "b\t3\n"),
		"a stranger":            with(right(), "part-00002", ""),
		"a success that is not": with(right(), layout.SuccessName, "{"),
	} {
		if err := want.check(out, "j"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	ordered := expectation{lines: []string{"a", "b", "b", "c"}, parts: 2, records: 4, keyOnly: true, inOrder: true}
	if err := ordered.check(outputOf(t, "j", 4, "a\nb\n", "b\nc\n"), "j"); err != nil {
		t.Error(err)
	}
	if ordered.check(outputOf(t, "j", 4, "b\nc\n", "a\nb\n"), "j") == nil {
		t.Error("parts in another order: accepted")
	}
	if err := unchanged(right(), right()); err != nil {
		t.Error(err)
	}
	for _, now := range []output{nil, without(right(), "part-00000"), with(right(), "part-00000", "b\t3\n")} {
		if unchanged(now, right()) == nil {
			t.Errorf("taken for unchanged: %v", names(now))
		}
	}
}

func without(out output, name string) output {
	out = maps.Clone(out)
	delete(out, name)
	return out
}

func with(out output, name, text string) output {
	out = maps.Clone(out)
	out[name] = []byte(text)
	return out
}
