package mapred

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// failure is why a task can't go on.
type failure struct {
	err   error
	stack []runtime.Frame // of a panic: the frames of the program's own code
}

// panicked returns the failure that a panic is. It must be called by the function that recovers.
func panicked(value any) *failure {
	f := &failure{err: fmt.Errorf("panic: %v", value)}
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		frame, more := frames.Next()
		if !more || strings.HasPrefix(frame.Function, packagePath+"(*guest)") {
			return f
		}
		if !strings.HasPrefix(frame.Function, "runtime.") && !strings.HasPrefix(frame.Function, packagePath) {
			f.stack = append(f.stack, frame)
		}
	}
}

// packagePath is what the names of this package's functions begin with.
const packagePath = "github.com/bucketmill/bucketmill/mapred."

// message returns what the executor is told.
func (f *failure) message(at place) frames.Failure {
	m := frames.Failure{Message: f.err.Error(), Record: at.failed()}
	if len(f.stack) > 0 {
		m.File, m.Line = filepath.Base(f.stack[0].File), f.stack[0].Line
	}
	var trace strings.Builder
	for _, frame := range f.stack {
		fmt.Fprintf(&trace, "%s\n\t%s:%d\n", frame.Function, frame.File, frame.Line)
	}
	m.Traceback = trace.String()
	return m
}

// failed describes the place of an error.
func (p place) failed() *frames.FailedRecord {
	switch {
	case p.hasKey:
		return &frames.FailedRecord{Key: record.Preview(p.key)}
	case p.hasRecord:
		return &frames.FailedRecord{Input: p.record.Input, Offset: p.record.Offset, Value: record.Preview(p.record.Value)}
	}
	return nil
}
