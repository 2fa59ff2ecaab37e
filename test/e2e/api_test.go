package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"testing"
	"time"
)

// requestWait is how long one request may take.
const requestWait = 20 * time.Second

// An api is the HTTP API of one controller. Its types are written down here a second time, because
// a change of them is a change for all users.
type api struct{ base string }

// A spec is the body of POST /v1/jobs.
type spec struct {
	Name      string            `json:"name"`
	Program   string            `json:"program"`
	Input     []string          `json:"input"`
	Output    string            `json:"output"`
	Reducers  int               `json:"reducers"`
	SplitSize string            `json:"split_size,omitempty"`
	Priority  int               `json:"priority,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
}

// A job is the answer to GET /v1/jobs/{id}.
type job struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Phase    string `json:"phase"`
	Progress struct {
		Map    progress `json:"map"`
		Reduce progress `json:"reduce"`
	} `json:"progress"`
	Error json.RawMessage `json:"error"`
	Times struct {
		Ended time.Time `json:"ended"`
	} `json:"times"`
}

type progress struct {
	Total   int `json:"total"`
	Done    int `json:"done"`
	Running int `json:"running"`
	Failed  int `json:"failed"`
}

// ended reports whether the job has ended, successfully or not.
func (j job) ended() bool {
	return j.State == "COMPLETED" || j.State == "FAILED" || j.State == "CANCELLED"
}

// An attempt is an attempt in the answer to GET /v1/jobs/{id}/tasks.
type attempt struct {
	Task     string
	Number   int    `json:"number"`
	State    string `json:"state"` // running, committed or failed
	Executor string `json:"executor"`
}

// An executor is an executor in the answer to GET /v1/executors.
type executor struct {
	ID       string   `json:"id"`
	Draining bool     `json:"draining"`
	Running  []string `json:"running"`
}

// request sends a request and returns the body of a successful answer.
func (a *api) request(ctx context.Context, method, path, contentType string, body []byte) (_ []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return text, nil
}

// get reads the JSON answer to a GET.
func (a *api) get(ctx context.Context, path string, answer any) error {
	text, err := a.request(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// must sends a request that must succeed.
func (a *api) must(t *testing.T, method, path, contentType string, body []byte) []byte {
	t.Helper()
	text, err := a.request(t.Context(), method, path, contentType, body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// submit submits a job, with its program's file unless that is nil, and returns its id.
func (a *api) submit(t *testing.T, s spec, program []byte) string {
	t.Helper()
	body, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	contentType := "application/json"
	if program != nil {
		body, contentType = parts(t, body, s.Program, program)
	}
	var answer job
	if err := json.Unmarshal(a.must(t, http.MethodPost, "/v1/jobs", contentType, body), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.ID == "" || answer.State != "SUBMITTED" {
		t.Fatalf("the answer to a submission has id %q and state %q", answer.ID, answer.State)
	}
	return answer.ID
}

// parts returns a multipart body.
func parts(t *testing.T, spec []byte, name string, program []byte) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	specPart, err := w.CreateFormField("spec")
	if err == nil {
		_, err = specPart.Write(spec)
	}
	if err != nil {
		t.Fatal(err)
	}
	programPart, err := w.CreateFormFile("program", name)
	if err == nil {
		_, err = programPart.Write(program)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

func (a *api) job(ctx context.Context, id string) (j job, err error) {
	return j, a.get(ctx, "/v1/jobs/"+id, &j)
}

// attempts returns all known attempts of a running job.
func (a *api) attempts(ctx context.Context, id string) ([]attempt, error) {
	var list struct {
		Tasks []struct {
			ID       string    `json:"id"`
			Attempts []attempt `json:"attempts"`
		} `json:"tasks"`
	}
	if err := a.get(ctx, "/v1/jobs/"+id+"/tasks?limit=500", &list); err != nil {
		return nil, err
	}
	var all []attempt
	for _, task := range list.Tasks {
		for _, attempt := range task.Attempts {
			attempt.Task = task.ID
			all = append(all, attempt)
		}
	}
	return all, nil
}

func (a *api) executors(ctx context.Context) ([]executor, error) {
	var list struct {
		Executors []executor `json:"executors"`
	}
	return list.Executors, a.get(ctx, "/v1/executors", &list)
}

// results returns the parts of a job's output, one after the other.
func (a *api) results(t *testing.T, id string) []byte {
	t.Helper()
	return a.must(t, http.MethodGet, "/v1/jobs/"+id+"/results", "", nil)
}
