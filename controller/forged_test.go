package controller

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// A _SUCCESS that somebody has made large does not fill the controller's memory, neither when a job
// that overwrites it is planned nor when a controller finds out whether it was published.
func TestLargeSuccessIsOfNoJob(t *testing.T) {
	l := newLab(t, nil)
	l.write(filepath.Join(l.folder, "in.txt"), "x\n")
	out := filepath.Join(l.folder, "out")
	l.submit("j", job.Spec{Program: "wordcount", Kind: "builtin", Input: job.Inputs(l.folder + "/in.txt"), Output: out, Overwrite: true, Format: "text"})
	s := l.step("j")
	for _, begin := range []string{`"`, `{"job":"j","name":"`, `{"job":"j","counters":{"`, `{"job":"`} {
		l.write(filepath.Join(out, layout.SuccessName), begin)
		f, err := os.OpenFile(filepath.Join(out, layout.SuccessName), os.O_APPEND|os.O_WRONLY, 0)
		l.must(err)
		block := []byte(strings.Repeat("x", 1<<20))
		for range 300 {
			_, err = f.Write(block)
			l.must(err)
		}
		l.must(f.Close())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err = s.makePlan(t.Context())
		l.must(err)
		there, done, err := s.out.published(t.Context(), "j", 1)
		l.must(err)
		l.must(s.out.deleteSuccess(t.Context(), "other"))
		runtime.ReadMemStats(&after)
		if done || there == nil || there.Job != "" {
			t.Errorf("%s…: it counts as %+v, %v", begin, there, done)
		}
		if grown := int64(after.Sys) - int64(before.Sys); grown > 64<<20 {
			t.Errorf("%s…: the memory has grown by %d MB", begin, grown>>20)
		}
	}
}

func TestReadAllHasALimit(t *testing.T) {
	l := newLab(t, nil)
	l.write(filepath.Join(l.folder, "x"), "12345")
	b, key, err := l.cfg.Open(t.Context(), filepath.Join(l.folder, "x"))
	l.must(err)
	if data, err := objstore.ReadAll(t.Context(), b, key, 5); string(data) != "12345" || err != nil {
		t.Errorf("%s, %v", data, err)
	}
	if _, err := objstore.ReadAll(t.Context(), b, key, 4); err == nil || !strings.Contains(err.Error(), "more than 4 bytes") {
		t.Error(err)
	}
}
