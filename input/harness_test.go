package input_test

import (
	"fmt"
	"testing"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
)

// The formats that tests name most.
var (
	asText  = mustParse("text")
	asJSONL = mustParse("jsonl")
	asCSV   = mustParse("csv")
	asRows  = mustParse("csv-multiline")
	asWhole = mustParse("whole")
)

func mustParse(name string) input.Format {
	f, err := formats.Inputs.Parse(name, "")
	if err != nil {
		panic(err)
	}
	return f
}

// parse is mustParse for names that a test lists.
func parse(t testing.TB, name string) input.Format {
	t.Helper()
	f, err := formats.Inputs.Parse(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fixedOf returns the format of records of n bytes.
func fixedOf(n int) input.Format { return mustParse(fmt.Sprintf("fixed:%d", n)) }

// recordLen returns N of fixed:N, or 0.
func recordLen(f input.Format) int {
	n := 0
	_, _ = fmt.Sscanf(f.String(), "fixed:%d", &n) // otherwise n stays 0
	return n
}

// asIs returns f with names and first bytes ignored.
func asIs(f input.Format) input.Format {
	f.AsIs = true
	return f
}
