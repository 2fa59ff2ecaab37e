package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
)

// queueOf returns a queue of splits of these lengths in bytes, and the number of reads that have
// begun and ended. Each split is a whole object; its reads end with the test. A split of 13 bytes
// can't be opened.
func queueOf(t *testing.T, budget int64, lengths ...int64) (q *splitQueue, begun, ended *atomic.Int64) {
	begun, ended = new(atomic.Int64), new(atomic.Int64)
	format, err := formats.Inputs.Parse("text", "")
	if err != nil {
		t.Fatal(err)
	}
	q = &splitQueue{budget: budget, open: func(s input.Split) (*input.Reader, error) {
		if s.Length == 13 {
			return nil, errors.New("unlucky " + s.Input)
		}
		begun.Add(1)
		return input.Open(t.Context(), s, input.Options{Format: format}, func(ctx context.Context, _, _ int64) (io.ReadCloser, error) {
			<-ctx.Done()
			ended.Add(1)
			return nil, ctx.Err()
		})
	}}
	for i, n := range lengths {
		q.remaining = append(q.remaining, input.Split{Input: fmt.Sprint(i), Length: n, Size: n})
	}
	return q, begun, ended
}

func TestSplitsAreBegunAhead(t *testing.T) {
	small := make([]int64, 100)
	for i := range small {
		small[i] = 10
	}
	for _, c := range []struct {
		budget  int64
		lengths []int64
		want    []int64 // begun after each call
	}{
		{1000, []int64{10}, []int64{1}},
		{1000, small, []int64{1 + splitsAhead, 2 + splitsAhead, 3 + splitsAhead}},
		{25, small, []int64{3, 4, 5}},
		{25, []int64{500, 10, 500, 10, 10, 10}, []int64{2, 2, 5, 6}},
		{0, []int64{10, 10}, []int64{1, 2}},
	} {
		q, begun, ended := queueOf(t, c.budget, c.lengths...)
		for i, want := range c.want {
			r, err := q.next()
			if err != nil || begun.Load() != want {
				t.Errorf("%+v: %d begun after %d, %v", c, begun.Load(), i, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := q.close(); err != nil || ended.Load() != begun.Load() {
			t.Errorf("%+v: %d reads begun, %d ended, %v", c, begun.Load(), ended.Load(), err)
		}
	}
}

func TestOpenErrorWaitsForItsTurn(t *testing.T) {
	q, _, _ := queueOf(t, 1000, 10, 13, 10)
	r, err := q.next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.next(); err == nil || !strings.Contains(err.Error(), "unlucky 1") {
		t.Errorf("%v", err)
	}
	if err := errors.Join(r.Close(), q.close()); err != nil {
		t.Error(err)
	}
}
