package mapred

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// counting counts the calls of Setup of one of the kinds of a job's values.
type counting struct{ setups *int }

func (c counting) Setup(context.Context) error { *c.setups++; return nil }

func (c counting) Map(context.Context, Record, *Emitter) error { return nil }

func (c counting) Reduce(context.Context, []byte, iter.Seq[[]byte], *Emitter) error { return nil }

type closer struct{ MapFunc }

func (closer) Close() error { return nil }

type setter struct{ MapFunc }

func (setter) Setup() error { return nil }

type unfit struct{ MapFunc }

func (unfit) Setup(context.Context) error { return errors.New("no such parameter") }

func TestJobsAreChecked(t *testing.T) {
	mapOnly := frames.Hello{Role: frames.RoleCheck, MapOnly: true}
	full := frames.Hello{Role: frames.RoleCheck}
	for name, c := range map[string]struct {
		job   Job
		hello frames.Hello
		want  string
	}{
		"a full job":            {countJob(), full, ""},
		"columns":               {columnsJob(Sum), full, ""},
		"a mapper alone":        {Job{Mapper: MapFunc(words)}, mapOnly, ""},
		"no mapper":             {Job{Reducer: ReduceFunc(add)}, full, "no mapper"},
		"no reducer":            {Job{Mapper: MapFunc(words)}, full, "no reducer"},
		"columns and a reducer": {Job{Mapper: MapFunc(words), Columns: Columns{Sum}, Reducer: ReduceFunc(add)}, full, "use Totals"},
		"no columns":            {Job{Mapper: MapFunc(words), Columns: Columns{}}, full, "Columns is empty"},
		"an unknown op":         {Job{Mapper: MapFunc(words), Columns: Columns{7}}, full, "7 in Columns"},
		"totals alone":          {Job{Mapper: MapFunc(words), Totals: TotalsFunc(nil)}, full, "no Columns"},
		"an io.Closer":          {Job{Mapper: closer{words}}, mapOnly, "want Close(context.Context"},
		"a Setup of its own":    {Job{Mapper: setter{words}}, mapOnly, "want Setup(context.Context)"},
		"a setup that fails":    {Job{Mapper: unfit{words}}, mapOnly, "setup: no such parameter"},
		"an unknown role":       {countJob(), frames.Hello{Role: "watch"}, `unknown role "watch"`},
	} {
		answer, err := host(t, c.job, c.hello)
		switch {
		case c.want == "" && (err != nil || len(answer) != 1 || !strings.HasPrefix(answer[0], "READY ")):
			t.Errorf("%s: %q, %v", name, answer, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: want %q, have %v", name, c.want, err)
		}
	}
}

func TestSetupIsCalledForWhatTakesPart(t *testing.T) {
	for name, c := range map[string]struct {
		hello frames.Hello
		want  [2]int
	}{
		"map":            {mapping, [2]int{1, 0}},
		"reduce":         {reducing, [2]int{0, 1}},
		"check":          {frames.Hello{Role: frames.RoleCheck}, [2]int{1, 1}},
		"check map only": {frames.Hello{Role: frames.RoleCheck, MapOnly: true}, [2]int{1, 0}},
	} {
		var setups [2]int
		job := Job{Mapper: counting{&setups[0]}, Reducer: &counting{&setups[1]}}
		if _, err := host(t, job, c.hello, end); err != nil {
			t.Fatal(err)
		}
		if setups != c.want {
			t.Errorf("%s: want %v, have %v", name, c.want, setups)
		}
	}
	setups := 0
	one := counting{&setups}
	if _, err := host(t, Job{Mapper: one, Combiner: one, Reducer: one}, frames.Hello{Role: frames.RoleCheck}); err != nil || setups != 1 {
		t.Errorf("a value with three roles was set up %d times, %v", setups, err)
	}
}

func TestEmittingWhatDoesNotSuitTheJob(t *testing.T) {
	for name, emit := range map[string]func(*Emitter){
		"bytes":        func(e *Emitter) { e.Emit(nil, nil) },
		"strings":      func(e *Emitter) { e.EmitString("", "") },
		"too many":     func(e *Emitter) { e.EmitInts(nil, 1, 2, 3) },
		"none at all":  func(e *Emitter) { e.EmitInts(nil) },
		"one too few":  func(e *Emitter) { e.EmitInts(nil, 1) },
		"only at last": nil,
	} {
		job := Job{Columns: Columns{Sum, Min}, Mapper: late{emit}}
		if emit != nil {
			job.Mapper = MapFunc(func(_ context.Context, _ Record, e *Emitter) error { emit(e); return nil })
		}
		for _, hello := range []frames.Hello{mapping, {Role: frames.RoleMap, MapOnly: true}} {
			_, err := host(t, job, hello, lines(record.Batch{}, "x\n"), end)
			if err == nil || !strings.Contains(err.Error(), "EmitInts") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

type late struct{ unused func(*Emitter) }

func (late) Map(context.Context, Record, *Emitter) error { return nil }

func (late) Close(_ context.Context, emit *Emitter) error { emit.Emit(nil, nil); return nil }
