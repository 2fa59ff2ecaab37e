package input_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

// shape writes tasks as "a:0-10 b:0-5 | c:0-7".
func shape(tasks []input.Task) string {
	var groups []string
	for _, task := range tasks {
		var pieces []string
		for _, s := range task {
			pieces = append(pieces, fmt.Sprintf("%s:%d-%d", s.Input, s.Offset, s.Offset+s.Length))
		}
		groups = append(groups, strings.Join(pieces, " "))
	}
	return strings.Join(groups, " | ")
}

// objects reads "a=10 b=5".
func objects(t *testing.T, list string) []input.Object {
	t.Helper()
	var all []input.Object
	for field := range strings.FieldsSeq(list) {
		name, size, _ := strings.Cut(field, "=")
		o := input.Object{URL: name, ETag: "e-" + name}
		if _, err := fmt.Sscan(size, &o.Size); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name, objects string
		format        input.Format
		target        int64
		want          string
	}{
		{"cuts at multiples", "a=250", asText, 100, "a:0-100 | a:100-200 | a:200-250"},
		{"a small rest stays", "a=210", asText, 100, "a:0-100 | a:100-210"},
		{"a larger rest does not", "a=211", asText, 100, "a:0-100 | a:100-200 | a:200-211"},
		{"packs small ones", "a=40 b=60 c=1 d=99 e=2", asText, 100, "a:0-40 b:0-60 | c:0-1 d:0-99 | e:0-2"},
		{"packs a rest with what follows", "a=130 b=70 c=1", asText, 100, "a:0-100 | a:100-130 b:0-70 | c:0-1"},
		{"empty ones make no split", "a=0 b=10 c=0", asText, 100, "b:0-10"},
		{"nothing", "", asText, 100, ""},
		{"compressed is one split", "a.gz=1000 b=20", asText, 100, "a.gz:0-1000 | b:0-20"},
		{"whole is one split", "a=1000", asWhole, 100, "a:0-1000"},
		{"multiline is one split", "a=1000", asRows, 100, "a:0-1000"},
		{"default target", "a=100000000", asText, 0, "a:0-67108864 | a:67108864-100000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seq, err := input.Plan(objects(t, c.objects), input.Options{Format: c.format}, c.target)
			if err != nil {
				t.Fatal(err)
			}
			tasks := again(t, seq)
			if got := shape(tasks); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			for _, task := range tasks {
				for _, s := range task {
					if s.ETag != "e-"+s.Input {
						t.Errorf("%v has ETag %q", s, s.ETag)
					}
				}
			}
		})
	}
}

func TestPlanMaps(t *testing.T) {
	for _, c := range []struct {
		name, objects string
		maps          int
		want          string
	}{
		{"equal pieces", "a=100", 4, "a:0-25 | a:25-50 | a:50-75 | a:75-100"},
		{"over objects", "a=100 b=100 c=100", 4, "a:0-75 | a:75-100 b:0-50 | b:50-100 c:0-25 | c:25-100"},
		{"one", "a=100 b=5", 1, "a:0-100 b:0-5"},
		{"no slivers", "a=103 b=98 c=99", 3, "a:0-103 | b:0-98 | c:0-99"},
		{"rounds down where nothing can be cut", "a.gz=100 b.gz=10", 5, "a.gz:0-100 | b.gz:0-10"},
		{"to the nearer end", "a=10 b.gz=100 c=70", 3, "a:0-10 | b.gz:0-100 c:0-10 | c:10-70"},
		{"or to the other", "a=12 b.gz=90 c=78", 2, "a:0-12 b.gz:0-90 | c:0-78"},
		{"more maps than bytes", "a=2", 5, "a:0-1 | a:1-2"},
		{"empty ones make no split", "a=0 b=4 c=0", 2, "b:0-2 | b:2-4"},
		{"nothing", "a=0", 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			seq, err := input.PlanMaps(objects(t, c.objects), input.Options{Format: asText}, c.maps)
			if err != nil {
				t.Fatal(err)
			}
			if got := shape(again(t, seq)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestPlansCoverEverything checks that the splits of any plan contain each byte of the objects
// once, in order.
func TestPlansCoverEverything(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 400 {
		var all []input.Object
		for i := range rng.IntN(600) {
			o := input.Object{URL: fmt.Sprint(i), Size: int64(rng.IntN(1 << rng.IntN(40)))}
			if rng.IntN(5) == 0 {
				o.URL += ".gz"
			}
			all = append(all, o)
		}
		target, maps := 1<<30+rng.Int64N(1<<40), 1+rng.IntN(300)
		byTarget, err := input.Plan(all, input.Options{Format: asText}, target)
		if err != nil {
			t.Fatal(err)
		}
		byMaps, err := input.PlanMaps(all, input.Options{Format: asText}, maps)
		if err != nil {
			t.Fatal(err)
		}
		for _, seq := range []iter.Seq[input.Task]{byTarget, byMaps} {
			tasks, next := again(t, seq), 0
			var at int64
			for _, task := range tasks {
				if len(task) == 0 || len(task) > input.MaxPieces {
					t.Fatalf("a task of %d splits", len(task))
				}
				for _, s := range task {
					for at == all[next].Size {
						next, at = next+1, 0
					}
					if o := all[next]; s.Input != o.URL || s.Size != o.Size || s.Offset != at || s.Length < 1 {
						t.Fatalf("got %v, want byte %d of %v next", s, at, o)
					}
					at += s.Length
				}
			}
			for ; next < len(all); next, at = next+1, 0 {
				if at != all[next].Size {
					t.Fatalf("%v is not read from byte %d on", all[next], at)
				}
			}
		}
	}
}

// again returns the tasks of a plan. They must be the same each time, even if the consumer stops
// early.
func again(t *testing.T, plan iter.Seq[input.Task]) []input.Task {
	t.Helper()
	tasks := slices.Collect(plan)
	for stop := range len(tasks) {
		var some []input.Task
		for task := range plan {
			if some = append(some, task); len(some) > stop {
				break
			}
		}
		if !reflect.DeepEqual(some, tasks[:stop+1]) {
			t.Fatalf("got %v, then %v", tasks[:stop+1], some)
		}
		if stop > 5 {
			break
		}
	}
	if second := slices.Collect(plan); !reflect.DeepEqual(second, tasks) {
		t.Fatalf("got %v, then %v", tasks, second)
	}
	return tasks
}

func TestPlanRefuses(t *testing.T) {
	fixed := input.Options{Format: fixedOf(8)}
	_, err := input.Plan([]input.Object{{URL: "s3://b/ok", Size: 16}, {URL: "s3://b/k", Size: 17}}, fixed, 0)
	if !errors.Is(err, input.ErrInput) || !strings.Contains(err.Error(), "s3://b/k") || !strings.Contains(err.Error(), "17") {
		t.Errorf("size 17 of records of 8: %v", err)
	}
	if _, err := input.PlanMaps([]input.Object{{URL: "k", Size: 17}}, fixed, 2); !errors.Is(err, input.ErrInput) {
		t.Errorf("size 17 of records of 8: %v", err)
	}
	whole := input.Options{Format: asWhole, MaxRecord: 10}
	var long *input.RecordTooLongError
	if _, err := input.Plan([]input.Object{{URL: "s3://b/k", Size: 11}}, whole, 0); !errors.As(err, &long) || long.Limit != 10 {
		t.Errorf("whole of 11 bytes: %v", err)
	}
	if _, err := input.Plan(nil, input.Options{Format: asText}, -1); err == nil {
		t.Error("a negative target is accepted")
	}
	if _, err := input.PlanMaps(nil, input.Options{Format: asText}, 0); err == nil {
		t.Error("no maps are accepted")
	}
}
