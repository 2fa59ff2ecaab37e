package main

import (
	"runtime"
	"testing"
	"time"
)

// A tiny job takes almost no time: nothing polls slowly or waits for a timeout. After its end
// nothing of it runs.
func TestSmallJobIsSwiftAndLeavesNoGoroutine(t *testing.T) {
	t.Attr("timing", "a job must take less than a second")
	folder := writeFiles(t, map[string]string{"in.txt": "to be or not to be\n"})
	before := runtime.NumGoroutine()
	best := time.Hour
	for range 5 {
		began := time.Now()
		mustRun(t, t.TempDir()+"/out", "wordcount", "-i", folder+"/in.txt")
		best = min(best, time.Since(began))
	}
	if best > time.Second { // with the race detector on a busy machine; otherwise it takes 0.1s
		t.Errorf("took %v", best)
	}
	eventually(t, "end of all goroutines", func() bool { return runtime.NumGoroutine() <= before })
}
