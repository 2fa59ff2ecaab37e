package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

// Submission is a job to submit.
type Submission struct {
	Spec job.Spec
	// ProgramPath is the program's local file, which is sent along; empty if the spec names a
	// builtin, or a file on the store by URL. The local files among Spec.ProgramFiles are sent
	// along, too.
	ProgramPath string
	// Key makes the submission repeatable: the same key always names the same job. Empty means a
	// new key, so that one call creates one job even if it has to send the request several times.
	Key string
}

// Submit creates a job.
func (c *Client) Submit(ctx context.Context, s Submission) (api.Submitted, error) {
	var answer api.Submitted
	if s.Key == "" {
		s.Key = string(job.NewID()) // the job's id gets the time of this key
	}
	if s.ProgramPath != "" {
		s.Spec.Program = filepath.Base(s.ProgramPath)
	}
	files := s.unpack()
	spec, err := json.Marshal(s.Spec)
	if err != nil {
		return answer, fmt.Errorf("encode job spec: %w", err)
	}
	r := request{method: http.MethodPost, path: "/v1/jobs", header: http.Header{}}
	r.header.Set("Idempotency-Key", s.Key)
	if len(files) == 0 {
		r.header.Set("Content-Type", "application/json")
		r.body = text(spec)
		return answer, c.call(ctx, r, &answer)
	}
	boundary := rand.Text()
	r.header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	r.body = func() (io.Reader, error) { return multipartBody(boundary, spec, files) }
	return answer, c.call(ctx, r, &answer)
}

// sentFile is a local file that is sent as a part of the form.
type sentFile struct {
	part, path, name string
	file             *os.File
}

// unpack returns the submission's local files, and leaves only their names in its spec.
func (s *Submission) unpack() (files []sentFile) {
	if s.ProgramPath != "" {
		files = append(files, sentFile{part: "program", path: s.ProgramPath, name: filepath.Base(s.ProgramPath)})
	}
	s.Spec.ProgramFiles = slices.Clone(s.Spec.ProgramFiles) // the caller's slice must not change
	for i := range s.Spec.ProgramFiles {
		f := &s.Spec.ProgramFiles[i]
		if f.Source == "" || strings.Contains(f.Source, "://") {
			continue
		}
		files = append(files, sentFile{part: "file", path: f.Source, name: f.Name})
		f.Source = ""
	}
	return files
}

// multipartBody returns the form with spec and files. A goroutine reads the files while they are
// sent. It ends with the body's reader, which the HTTP client closes.
func multipartBody(boundary string, spec []byte, files []sentFile) (_ io.Reader, err error) {
	opened := slices.Clone(files)
	closeAll := func() {
		for _, f := range opened {
			if f.file != nil {
				f.file.Close()
			}
		}
	}
	for i := range opened {
		if opened[i].file, err = os.Open(opened[i].path); err != nil {
			closeAll()
			return nil, err
		}
	}
	r, w := io.Pipe()
	go func() {
		defer closeAll()
		w.CloseWithError(writeParts(multipart.NewWriter(w), boundary, spec, opened))
	}()
	return r, nil
}

func writeParts(w *multipart.Writer, boundary string, spec []byte, files []sentFile) error {
	if err := w.SetBoundary(boundary); err != nil {
		return err
	}
	part, err := w.CreateFormFile("spec", "spec.json")
	if err != nil {
		return err
	}
	if _, err := part.Write(spec); err != nil {
		return err
	}
	for _, f := range files {
		if part, err = w.CreateFormFile(f.part, f.name); err != nil {
			return err
		}
		if _, err := io.Copy(part, f.file); err != nil {
			return err
		}
	}
	return w.Close()
}

func jobPath(id job.ID, rest string) string {
	return "/v1/jobs/" + url.PathEscape(string(id)) + rest
}

// Job returns a job with its spec and counters.
func (c *Client) Job(ctx context.Context, id job.ID) (job api.Job, err error) {
	return job, c.get(ctx, jobPath(id, ""), &job)
}

// Filter chooses jobs. The zero Filter chooses all.
type Filter struct {
	States []job.State
	Name   string // a glob, or a part of the name
}

// Jobs yields jobs, the newest first. It requests one page at a time.
func (c *Client) Jobs(ctx context.Context, f Filter) iter.Seq2[api.Job, error] {
	return func(yield func(api.Job, error) bool) {
		query := url.Values{}
		for _, st := range f.States {
			query.Add("state", string(st))
		}
		if f.Name != "" {
			query.Set("name", f.Name)
		}
		for {
			var page api.JobList
			if err := c.get(ctx, "/v1/jobs?"+query.Encode(), &page); err != nil {
				yield(api.Job{}, err)
				return
			}
			for _, job := range page.Jobs {
				if !yield(job, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}

// Cancel stops a job. It succeeds for a job that is already cancelled, and fails with
// [api.CodeJobEnded] for a job that has ended in another way.
func (c *Client) Cancel(ctx context.Context, id job.ID) (job api.Job, err error) {
	return job, c.call(ctx, request{method: http.MethodPost, path: jobPath(id, "/cancel")}, &job)
}

// Retry starts a failed job again.
func (c *Client) Retry(ctx context.Context, id job.ID) (job api.Job, err error) {
	return job, c.call(ctx, request{method: http.MethodPost, path: jobPath(id, "/retry"), once: true}, &job)
}

// DeleteJob removes an ended job from the server's memory; its output stays. If the answer to a
// first request was lost, the repeated request succeeds.
func (c *Client) DeleteJob(ctx context.Context, id job.ID) error {
	r := request{method: http.MethodDelete, path: jobPath(id, ""), once: true}
	for n := 1; ; n++ {
		err := c.call(ctx, r, nil)
		var p *api.Problem
		switch {
		case n > 1 && errors.As(err, &p) && p.Code == api.CodeJobNotFound:
			return nil
		case err == nil, n == attempts, !passing(err):
			return err
		}
		if err := sleep(ctx, pauseAfter(err, n)); err != nil {
			return err
		}
	}
}

// Counters returns a job's counters.
func (c *Client) Counters(ctx context.Context, id job.ID) (counters map[string]int64, err error) {
	return counters, c.get(ctx, jobPath(id, "/counters"), &counters)
}

// Tasks yields a job's tasks. Side is "map", "reduce", or "" for both, one after the other. A job
// in phase ended has only the tasks with remembered failed attempts; its Progress counts all tasks.
func (c *Client) Tasks(ctx context.Context, id job.ID, side string) iter.Seq2[api.Task, error] {
	return func(yield func(api.Task, error) bool) {
		query := url.Values{"limit": {"500"}}
		if side != "" {
			query.Set("side", side)
		}
		for offset := 0; ; {
			query.Set("offset", strconv.Itoa(offset))
			var page api.TaskList
			if err := c.get(ctx, jobPath(id, "/tasks?")+query.Encode(), &page); err != nil {
				yield(api.Task{}, err)
				return
			}
			for _, task := range page.Tasks {
				if !yield(task, nil) {
					return
				}
			}
			if offset += len(page.Tasks); len(page.Tasks) == 0 || offset >= page.Total {
				return
			}
		}
	}
}

// Log opens the log of an attempt, named like m12.1.
func (c *Client) Log(ctx context.Context, id job.ID, attempt string) (io.ReadCloser, error) {
	task, number, ok := strings.Cut(attempt, ".")
	if !ok {
		return nil, fmt.Errorf("attempt %q is not named like m12.1", attempt)
	}
	return c.open(ctx, jobPath(id, "/tasks/"+url.PathEscape(task)+"/attempts/"+url.PathEscape(number)+"/log"))
}

// Results opens the parts of a job's output, in order, as one stream. A broken stream is resumed;
// Read fails only if that does not help.
func (c *Client) Results(ctx context.Context, id job.ID) (io.ReadCloser, error) {
	return c.openWhole(ctx, jobPath(id, "/results"))
}

// Part opens one part of a job's output, as Results does.
func (c *Client) Part(ctx context.Context, id job.ID, part int) (io.ReadCloser, error) {
	return c.openWhole(ctx, jobPath(id, "/results?part="+strconv.Itoa(part)))
}

// Links returns the parts of a job's output with URLs by which anyone may read them.
func (c *Client) Links(ctx context.Context, id job.ID) ([]api.Link, error) {
	var list api.LinkList
	err := c.get(ctx, jobPath(id, "/results/links"), &list)
	return list.Parts, err
}

// Executors returns the executors that have reported recently.
func (c *Client) Executors(ctx context.Context) ([]api.Executor, error) {
	var list api.ExecutorList
	err := c.get(ctx, "/v1/executors", &list)
	return list.Executors, err
}

// Active returns the running attempts of all jobs.
func (c *Client) Active(ctx context.Context) ([]api.ActiveAttempt, error) {
	var list api.ActiveList
	err := c.get(ctx, "/v1/active", &list)
	return list.Attempts, err
}
