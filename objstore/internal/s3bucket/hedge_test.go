package s3bucket

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// request is a request of a race. It answers when the test says so, even if it was cancelled.
type request struct {
	ctx    context.Context // of the request
	answer chan error
	closed bool // the body
}

func (*request) Read([]byte) (int, error) { return 0, io.EOF }

func (r *request) Close() error {
	r.closed = true
	return nil
}

// hasty returns a bucket for which every read is slow.
func hasty() *Bucket {
	b := &Bucket{config: objstore.S3Config{RequestTimeout: time.Minute}, patience: newPatience(time.Millisecond)}
	for range enoughSamples {
		b.patience.observe(0)
	}
	return b
}

func TestRace(t *testing.T) {
	broken, refused := errors.New("broken"), &Failure{Status: 404, Code: "NoSuchKey"}
	for name, test := range map[string]struct {
		// errs are the errors of the first request and its hedges. Requests with errors answer
		// first, then the one that decides, then the others.
		errs    [1 + hedgesEach]error
		decides int
	}{
		"first":                         {[...]error{nil, nil, nil}, 0},
		"hedge":                         {[...]error{nil, nil, nil}, 1},
		"second hedge":                  {[...]error{nil, nil, nil}, 2},
		"refused hedge":                 {[...]error{nil, refused, nil}, 1},
		"first, the hedges broken":      {[...]error{nil, broken, broken}, 0},
		"second hedge, the rest broken": {[...]error{broken, broken, nil}, 2},
		"all broken":                    {[...]error{broken, broken, broken}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			came := make(chan *request)
			over := make(chan error)
			var answer Answer
			go func() {
				a, w, err := hasty().fastest(t.Context(), false, func(ctx context.Context) (Answer, error) {
					r := &request{ctx: ctx, answer: make(chan error, 1)}
					came <- r
					return Answer{Body: r}, <-r.answer
				})
				if err == nil {
					if w.ctx.Err() != nil {
						t.Error("the answer's context has ended")
					}
					w.end()
				}
				answer = a
				over <- err
			}()
			var requests [1 + hedgesEach]*request
			for i := range requests {
				requests[i] = <-came
			}
			for i, r := range requests {
				if i != test.decides && test.errs[i] != nil {
					r.answer <- test.errs[i]
				}
			}
			requests[test.decides].answer <- test.errs[test.decides]
			for i, r := range requests {
				if i != test.decides && test.errs[i] == nil {
					<-r.ctx.Done()
					r.answer <- nil
				}
			}
			want := test.errs[test.decides]
			if err := <-over; !errors.Is(err, want) {
				t.Fatalf("error is %v, not %v", err, want)
			}
			for i, r := range requests {
				won := want == nil && i == test.decides
				if won && answer.Body != io.ReadCloser(r) {
					t.Errorf("the answer is not that of request %d", i)
				}
				if test.errs[i] == nil && r.closed == won {
					t.Errorf("the body of request %d: closed is %t", i, r.closed)
				}
			}
		})
	}
}
