package controller

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// saved are the bad records that the tasks of job "j" save in these tests.
var saved = map[job.TaskID]string{
	{Side: job.Map, Index: 0}:    `{"job":"j","task":"m0"}` + "\n",
	{Side: job.Map, Index: 2}:    `{"job":"j","task":"m2"}` + "\n" + `{"job":"j","task":"m2"}` + "\n",
	{Side: job.Reduce, Index: 1}: `{"job":"j","task":"r1"}` + "\n",
}

// skipping is a lab with a job that waits to be published.
type skipping struct{ lab }

func newSkipping(t *testing.T, overwrite bool) skipping {
	t.Helper()
	s := skipping{newLab(t, nil)}
	s.submit("j", job.Spec{
		Program: "p.py", Kind: "python", Input: job.Inputs(s.folder), Output: filepath.Join(s.folder, "out"),
		Overwrite: overwrite, SkipBadRecords: 4,
	})
	s.must(s.step("j").claimOutput(t.Context(), false))
	plan, err := layout.Plan{Spread: 1, PageSize: 1, Pages: "x", Replaces: "before"}.Encode()
	s.must(err)
	s.must(s.cfg.Store.Start(t.Context(), "j", state.Outline{Maps: 3, Reduces: 2, Plan: plan}))
	s.perform(3)
	s.perform(2)
	return s
}

// perform does that many tasks, which must be all that can be claimed.
func (s skipping) perform(tasks int) {
	s.t.Helper()
	claims, err := s.cfg.Store.Claim(s.t.Context(), "e", tasks+1, time.Hour)
	s.must(err)
	if len(claims) != tasks {
		s.t.Fatalf("%d tasks can be claimed, not %d", len(claims), tasks)
	}
	for _, claim := range claims {
		s.finish(claim.Attempt)
	}
}

// complete makes the parts visible.
func (s skipping) complete() {
	s.t.Helper()
	publishing := s.step("j")
	parts, _, err := publishing.parts(s.t.Context())
	s.must(err)
	lost, err := publishing.out.complete(s.t.Context(), parts)
	s.must(err)
	if len(lost) > 0 {
		s.t.Fatalf("lost: %v", lost)
	}
}

// finish does an attempt's work.
func (s skipping) finish(a job.AttemptID) {
	s.t.Helper()
	counters := map[string]int64{}
	if text := saved[a.Task]; text != "" {
		layout := layout.Layout{Job: "j", Spread: 1, Prefix: s.workPrefix}
		_, err := s.work.Put(s.t.Context(), layout.Skipped(a), objstore.Checked([]byte(text)))
		s.must(err)
		counters[job.SkippedBy(a.Task)] = int64(strings.Count(text, "\n"))
	}
	var manifest []byte
	if a.Task.Side == job.Reduce {
		out, err := openOutput(s.t.Context(), s.cfg.Open, filepath.Join(s.folder, "out"))
		s.must(err)
		w, err := out.bucket.Create(s.t.Context(), out.key(layout.PartName(a.Task.Index)))
		s.must(err)
		upload, err := w.Seal()
		s.must(err)
		handle, err := json.Marshal(upload)
		s.must(err)
		part, err := json.Marshal(layout.Part{Upload: handle, Checksum: fmt.Sprintf("xxh64:%016x", xxhash.Sum64(nil))})
		s.must(err)
		manifest, err = objstore.Refer(s.t.Context(), s.work, "none", part, 1<<20)
		s.must(err)
	}
	s.must(s.cfg.Store.Commit(s.t.Context(), a, "e", manifest, counters))
}

// write puts files into the output.
func (s skipping) write(files map[string]string) {
	s.t.Helper()
	for name, text := range files {
		path := filepath.Join(s.folder, "out", name)
		s.must(os.MkdirAll(filepath.Dir(path), 0o700))
		s.must(os.WriteFile(path, []byte(text), 0o600))
	}
}

// check makes sure that the output has these files besides parts and _SUCCESS, and no others.
func (s skipping) check(when string, want map[string]string) {
	s.t.Helper()
	root := os.DirFS(filepath.Join(s.folder, "out"))
	got := map[string]string{}
	s.must(walkFiles(root, func(name string, text []byte) {
		if !strings.HasPrefix(name, "part-") && name != layout.SuccessName && !strings.HasSuffix(name, ".pending") {
			got[name] = string(text)
		}
	}))
	if !maps.Equal(got, want) {
		s.t.Errorf("%s: the output has %q, want %q", when, got, want)
	}
}

func published() map[string]string {
	files := map[string]string{}
	for task, text := range saved {
		files[layout.SkippedName(task)] = text
	}
	return files
}

func TestPublishSkippedRecords(t *testing.T) {
	s := newSkipping(t, false)
	counters, err := s.cfg.Store.Counters(t.Context(), "j")
	s.must(err)
	for range 2 { // as if the first controller died
		_, _, err := s.step("j").publishSkipped(t.Context(), counters)
		s.must(err)
		s.check("published", published())
	}
	s.must(s.step("j").publish(t.Context()))
	s.check("published again", published())
	text, err := os.ReadFile(filepath.Join(s.folder, "out", layout.SuccessName))
	s.must(err)
	var success layout.Success
	s.must(json.Unmarshal(text, &success))
	want := []layout.SuccessSkipped{{Name: "_skipped/m0.jsonl", Records: 1}, {Name: "_skipped/m2.jsonl", Records: 2}, {Name: "_skipped/r1.jsonl", Records: 1}}
	if len(success.Skipped) != 3 || success.Skipped[0] != want[0] || success.Skipped[1] != want[1] || success.Skipped[2] != want[2] {
		t.Errorf("_SUCCESS lists %+v", success.Skipped)
	}
	s.must(s.step("j").cleanUp(t.Context()))
	s.check("cleaned up", published())
}

// If the store has lost or damaged saved records, the task that saved them is done again, and no
// other.
func TestLostSkippedRecords(t *testing.T) {
	for name, happen := range map[string]func(path string) error{
		"deleted": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 30) },
		"damaged": func(path string) error {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text[3] ^= 1
			return os.WriteFile(path, text, 0o600)
		},
	} {
		for task := range saved {
			t.Run(name+" "+task.String(), func(t *testing.T) {
				s := newSkipping(t, false)
				won, _, err := s.cfg.Store.Winner(t.Context(), "j", task)
				s.must(err)
				layout := layout.Layout{Job: "j", Spread: 1, Prefix: s.workPrefix}
				s.must(happen("/" + layout.Skipped(won.Attempt)))
				s.must(s.step("j").publish(t.Context()))
				s.perform(1)
				j := s.job("j")
				if j.Phase != job.PhasePublish || j.Map.Failed+j.Reduce.Failed != 1 {
					t.Fatalf("%+v", j)
				}
				s.must(s.step("j").publish(t.Context()))
				s.check("published", published())
			})
		}
	}
}

// A job that is cancelled while it is published takes back its saved records, and nothing else.
func TestUnpublishSkippedRecords(t *testing.T) {
	s := newSkipping(t, false)
	counters, err := s.cfg.Store.Counters(t.Context(), "j")
	s.must(err)
	_, _, err = s.step("j").publishSkipped(t.Context(), counters)
	s.must(err)
	s.must(os.Remove(filepath.Join(s.folder, "out/_skipped/m0.jsonl")))
	foreign := map[string]string{"_skipped/m2.jsonl": `{"job":"j2","task":"m2"}`, "_skipped/m1.jsonl": saved[job.TaskID{Side: job.Map}], "_skipped/notes": "mine"}
	s.write(foreign)
	s.must(s.cfg.Store.Stop(t.Context(), "j", state.AnyStage, job.Cancelled, job.Failure{Message: "no"}))
	s.must(s.step("j").cleanUp(t.Context()))
	s.check("taken back", foreign)
}

func TestOverwriteSkippedRecords(t *testing.T) {
	s := newSkipping(t, true)
	foreign := map[string]string{"_skipped/notes": "mine", "_skipped/m01.jsonl": "mine", "_skipped/m1.jsonl/x": "mine", "_skipped/sub/_skipped/m1.jsonl": "mine", "_skipped_/m1.jsonl": "mine"}
	s.write(foreign)
	s.write(map[string]string{"_skipped/m0.jsonl": "old", "_skipped/r17.jsonl": "old"})
	s.must(s.step("j").publish(t.Context()))
	want := published()
	maps.Copy(want, foreign)
	s.check("overwritten", want)
}

func walkFiles(root fs.FS, visit func(name string, text []byte)) error {
	return fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err == nil {
			visit(name, text)
		}
		return err
	})
}
