package mapred

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

func TestTry(t *testing.T) {
	t.Parallel()
	text := record.Batch{Framing: record.Lines, Data: []byte("b a\nb\n")}
	failing := countJob()
	failing.Mapper = MapFunc(func(_, _ []byte, _ *record.Emitter) error { return errors.New("no") })
	mapOnly := countJob()
	mapOnly.Reducer = nil
	badSetup := countJob()
	badSetup.Setup = func(*Task) error { return errors.New("unfit") }
	for _, c := range []struct {
		name string
		job  Job
		want []string
		err  string
	}{
		{"all of it", countJob(), []string{"a\t1", "b\t2"}, ""},
		{"without reducer", mapOnly, []string{"b\t1", "a\t1", "b\t1"}, ""},
		{"a mapper that fails", failing, nil, "map: no"},
		{"a setup that fails", badSetup, nil, "setup: unfit"},
		{"no mapper", Job{}, nil, "the program has no mapper"},
	} {
		got, err := Try(c.job, nil, text)
		if !slices.Equal(got.Output, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got.Output, c.want)
		}
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
	}
}

func TestValuesAll(t *testing.T) {
	t.Parallel()
	var got []string
	job := countJob()
	job.Combiner = nil
	job.Reducer = ReduceFunc(func(key []byte, values *Values, _ *record.Emitter) error {
		for range values.All() {
			break // the rest is still there
		}
		for v := range values.All() {
			got = append(got, string(key)+"="+string(v))
		}
		return nil
	})
	if _, err := Try(job, nil, record.Batch{Framing: record.Lines, Data: []byte("a b b c c c\n")}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"b=1", "c=1", "c=1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
