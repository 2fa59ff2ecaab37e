package mapred

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

func TestParams(t *testing.T) {
	hello := frames.Hello{Params: map[string]string{
		"text": "x", "n": "7", "f": "0.5", "on": "true", "wait": "90s", "empty": "",
	}}
	ctx := context.WithValue(t.Context(), taskKey{}, newTask(&hello, nil))
	check := func(got any, err error, want any, wantErr string) {
		t.Helper()
		if got != want || wantErr == "" && err != nil || wantErr != "" && (err == nil || err.Error() != wantErr) {
			t.Errorf("want %v, %q, have %v, %v", want, wantErr, got, err)
		}
	}
	text, err := Param(ctx, "text", "y")
	check(text, err, "x", "")
	text, err = Param(ctx, "empty", "y")
	check(text, err, "", "")
	text, err = Param(ctx, "none", "y")
	check(text, err, "y", "")
	n, err := Param(ctx, "n", 1)
	check(n, err, 7, "")
	n64, err := Param(ctx, "n", int64(1))
	check(n64, err, int64(7), "")
	f, err := Param(ctx, "f", 1.0)
	check(f, err, 0.5, "")
	on, err := RequiredParam[bool](ctx, "on")
	check(on, err, true, "")
	wait, err := RequiredParam[time.Duration](ctx, "wait")
	check(wait, err, 90*time.Second, "")
	n, err = Param(ctx, "text", 1)
	check(n, err, 0, `parameter text="x" is not a valid int`)
	_, err = RequiredParam[string](ctx, "none")
	check("", err, "", "parameter none is missing; give it by -p none=VALUE")
}

func TestAContextWithoutTaskPanics(t *testing.T) {
	defer func() {
		if p := recover(); p == nil {
			t.Error("a counter was lost")
		}
	}()
	Count(t.Context(), "x", 1)
}

func TestCountAndStatusFromManyGoroutines(t *testing.T) {
	var log strings.Builder
	tk := newTask(&frames.Hello{Task: 3}, &log)
	ctx := context.WithValue(t.Context(), taskKey{}, tk)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				Count(ctx, "x", 2)
			}
			Status(ctx, "two\nlines")
		})
	}
	wg.Wait()
	counters, err := tk.counted()
	if counters["x"] != 1600 || err != nil || TaskOf(ctx).Number != 3 {
		t.Error(counters, err)
	}
	if log.String() != strings.Repeat("status: two lines\n", 8) {
		t.Errorf("%q", log.String())
	}
}

func TestServeRefusesCountersBeyond64Bits(t *testing.T) {
	job := Job{Mapper: MapFunc(func(ctx context.Context, _ Record, _ *Emitter) error {
		Count(ctx, "small", 1)
		Count(ctx, "n", math.MinInt64)
		Count(ctx, "n", -1)
		return nil
	})}
	answer, err := host(t, job, mapping, lines(record.Batch{}, "x\n"), end)
	want := `ERROR {"message":"the counter \"n\" is beyond 64 bits"}`
	if err == nil || len(answer) != 2 || answer[1] != want {
		t.Errorf("want %s, have %q, %v", want, answer, err)
	}
}
