package executor

import (
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
)

// teller is a mapper that reports how much is mapped.
type teller struct {
	program.Mapper
	bytes int64
}

func (t *teller) Handed() int64 { return t.bytes }

func TestProgressIsWhatIsMapped(t *testing.T) {
	a := &attempt{}
	p := &mapProgress{attempt: a}
	m := &teller{}
	for i, step := range []struct {
		handed, thousandths int64 // a batch, if handed is not 0
		took                int64 // if not
		want                int64
	}{
		{handed: 100, thousandths: 200, want: 0},
		{handed: 300, thousandths: 1000, want: 0},
		{took: 50, want: 100},
		{took: 100, want: 200},
		{took: 200, want: 600},
		{took: 150, want: 600},  // progress never decreases
		{took: 350, want: 1000}, // of a batch that is not noted yet
		{handed: 400, thousandths: 1000, want: 1000},
		{took: 400, want: 1000},
	} {
		if m.bytes = max(m.bytes, step.handed); step.handed > 0 {
			p.handed(m, step.thousandths)
		} else {
			p.took(step.took)
		}
		if got := a.thousandths.Load(); got != step.want {
			t.Errorf("step %d: want %d, have %d", i, step.want, got)
		}
	}
	var silent program.Mapper
	p = &mapProgress{attempt: a}
	if p.handed(silent, 300); a.thousandths.Load() != 300 {
		t.Errorf("a mapper that reports nothing is at %d", a.thousandths.Load())
	}
}
