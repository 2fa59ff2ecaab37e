package server_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/state/embedded"
)

// FuzzSubmit sends any body with any content type. The server answers with a job whose spec is
// valid, or with a problem that is the client's fault.
func FuzzSubmit(f *testing.F) {
	for _, kind := range []string{"application/json", "application/yaml", "multipart/form-data; boundary=b", "", "text/csv"} {
		f.Add(kind, wordcount)
		f.Add(kind, "program: [a\n")
		f.Add(kind, "a: &a [*a, *a]\n")
		f.Add(kind, `{"program":"s3://inbox/p.py","input":["s3://a/../b"],"output":"file:///etc"}`)
		f.Add(kind, "--b\r\nContent-Disposition: form-data; name=\"spec\"\r\n\r\n"+wordcount+"\r\n--b\r\n"+
			"Content-Disposition: form-data; name=\"program\"; filename=\"../p.py\"\r\n\r\nx\r\n--b--\r\n")
	}
	redis, err := embedded.Start()
	must(f, err)
	f.Cleanup(redis.Close)
	store, err := state.Connect(f.Context(), redis.URL(), state.DefaultNamespace)
	must(f, err)
	f.Cleanup(func() { must(f, store.Close()) })
	files, err := connect.New(connect.Config{})
	must(f, err)
	dirs := &folders{root: f.TempDir(), files: files}
	server, err := server.New(server.Config{
		Kinds: kinds.All().Jobs(),
		Store: store, Open: dirs.open, Work: work, Log: slog.New(slog.DiscardHandler), MaxSpec: 8 << 10, MaxProgram: 8 << 10,
		Submit: submitTo(store),
	})
	must(f, err)
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequest(http.MethodPost, "/v1/jobs", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, r)
		d, err := readDescription()
		must(t, err)
		if err := d.check("POST", "/v1/jobs", w.Code, w.Header().Get("Content-Type"), w.Body.Bytes()); err != nil {
			t.Errorf("answers %d %s: %v", w.Code, w.Body, err)
		}
		if w.Code >= 400 && w.Code < 500 {
			return
		}
		var job api.Submitted
		if err := json.Unmarshal(w.Body.Bytes(), &job); err != nil || w.Code != http.StatusCreated {
			t.Fatalf("answers %d %s", w.Code, w.Body)
		}
		record, err := store.Job(t.Context(), job.ID)
		must(t, err)
		spec, err := jobfile.Parse(record.Spec)
		must(t, err)
		must(t, spec.Validate())
		for _, location := range append(spec.InputURLs(), spec.Output) {
			if u, err := objstore.ParseURL(location); err != nil || u.Scheme != "s3" || u.String() != location {
				t.Errorf("the job names %q: %v", location, err)
			}
		}
		if a := spec.Artifact; a != nil && (!strings.HasPrefix(a.Key, "bm/jobs/"+string(job.ID)+"/program/") || strings.ContainsAny(spec.Program, "/\\")) {
			t.Errorf("the program %q is at %s", spec.Program, a.Key)
		}
	})
}
