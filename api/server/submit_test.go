package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
)

// form makes a multipart body of parts, "name=file name=content", and its content type.
func form(t *testing.T, parts ...string) (body, header string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		f := strings.SplitN(p, "=", 3)
		part, err := w.CreateFormFile(f[0], f[1])
		must(t, err)
		_, err = part.Write([]byte(f[2]))
		must(t, err)
	}
	must(t, w.Close())
	return b.String(), "Content-Type: " + w.FormDataContentType()
}

// specOf reads a job's spec as it was stored.
func (s *service) specOf(id job.ID) job.Spec {
	s.t.Helper()
	job, err := s.store.Job(s.t.Context(), id)
	must(s.t, err)
	spec, err := jobfile.Parse(job.Spec)
	must(s.t, err)
	return spec
}

// programs lists the programs on the work store.
func (s *service) programs() (keys []string) {
	s.t.Helper()
	b, prefix, err := s.folders.open(s.t.Context(), work)
	must(s.t, err)
	for o, err := range b.List(s.t.Context(), prefix+"/") {
		must(s.t, err)
		keys = append(keys, o.Key)
	}
	return keys
}

func TestSpecForms(t *testing.T) {
	s := serve(t, nil)
	asYAML := "program: grep\ninput: [s3://inbox/]\noutput: s3://outbox/yaml\nparams: {pattern: '1'}\n"
	inForm, formHeader := form(t, "spec=job.yaml="+strings.Replace(asYAML, "/yaml", "/form", 1))
	for _, c := range []struct{ body, header string }{
		{asYAML, "Content-Type: application/yaml"},
		{inForm, formHeader},
		{`{"program":"grep","input":["s3://inbox/"],"output":"s3://outbox/json","params":{"pattern":1}}`, "Content-Type: application/json; charset=utf-8"},
		{`{"program":"grep","input":["s3://inbox/"],"output":"s3://outbox/curl","params":{"pattern":1}}`, "Content-Type: application/x-www-form-urlencoded"},
	} {
		spec := s.specOf(s.submit(c.body, c.header))
		if spec.Kind != "builtin" || spec.Name != "grep" || spec.Params["pattern"] != "1" || spec.Artifact != nil {
			t.Errorf("%s: stored %+v", c.header, spec)
		}
	}
}

func TestProgramPart(t *testing.T) {
	s := serve(t, nil)
	spec := `{"program":%q,"input":["s3://inbox/"],"output":"s3://outbox/%d"}`
	for i, c := range []struct{ program, file, name, kind string }{
		{"count.py", "x", "count.py", "python"},
		{"./jobs/count.py", "count.py", "count.py", "python"},
		{"wordcount", "w", "wordcount", "exec"}, // a file with the name of a builtin
		{"mill", "mill", "mill", "exec"},
	} {
		parts := []string{"spec=spec=" + fmt.Sprintf(spec, c.program, i), "program=" + c.file + "=print(1)"}
		if i%2 == 1 {
			parts[0], parts[1] = parts[1], parts[0]
		}
		body, header := form(t, parts...)
		id := s.submit(body, header)
		got := s.specOf(id)
		if got.Program != c.name || got.Kind != c.kind || got.Artifact == nil || got.Artifact.Size != 8 ||
			!strings.HasPrefix(got.Artifact.Key, "bm/jobs/"+string(id)+"/program/") {
			t.Errorf("%+v: stored %+v, artifact %+v", c, got, got.Artifact)
		}
	}
	stored := len(s.programs())

	// A submission that does not become a job leaves no program.
	for _, parts := range [][]string{
		{"spec=spec={", "program=p=x"},
		{"program=p=x"},
		{"program=p=x", "spec=spec=" + fmt.Sprintf(spec, "p", 0), "program=p=x"},
		{"program=p=x", "spec=spec=" + fmt.Sprintf(spec, "p", 0), "more=p=x"},
		{"program=p=x", `spec=spec={"program":"p","kind":"builtin","input":["s3://a"],"output":"s3://b"}`},
		{"program=..=x", `spec=spec={"program":"..","input":["s3://a"],"output":"s3://b"}`},
		{"program=p=x", `spec=spec={"program":"p","input":["s3://a"],"output":"s3://b/../c"}`},
	} {
		body, header := form(t, parts...)
		if a := s.ask("POST", "/v1/jobs", body, header); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", parts, a.status, a.body)
		}
	}
	cut, header := form(t, "spec=spec="+fmt.Sprintf(spec, "p", 9), "program=p="+strings.Repeat("x", 1000))
	s.refused(api.CodeInvalidRequest, "POST", "/v1/jobs", cut[:len(cut)-500], header)
	if got := s.programs(); len(got) != stored {
		t.Errorf("programs %q were left", got)
	}
}

func TestSpecRefusals(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.MaxSpec = 2000; c.Allow = []string{"s3://inbox", "s3://outbox/mine/"} })
	spec := func(changes ...string) string {
		text := `{"program":"wordcount","input":["s3://inbox/x"],"output":"s3://outbox/mine/y"}`
		return strings.NewReplacer(changes...).Replace(text)
	}
	for _, c := range []struct {
		code api.Code
		body string
	}{
		{api.CodeInvalidSpec, `{`},
		{api.CodeInvalidSpec, `[]`},
		{api.CodeInvalidSpec, `"text"`},
		{api.CodeInvalidSpec, "a: [b"},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcount","name":null`)},
		{api.CodeInvalidSpec, "program: wordcount\ninput: [s3://inbox/x]\noutput: s3://outbox/mine/y\nreducers:\n"},
		{api.CodeInvalidSpec, spec() + spec()},
		{api.CodeInvalidSpec, spec(`"program"`, `"programme"`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcunt"`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcount","params":{"no":"such"}`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcount","kind":"python"`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcount","reducers":-1`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcount","format":"parquet"`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcount","compression":"xz"`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcount","name":"a\u0000b"`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcount","name":"`+strings.Repeat("x", 300)+`"`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"wordcount","artifact":{"key":"jobs/other/program/x"}`)},
		{api.CodeInvalidSpec, spec(`"wordcount"`, `"s3://inbox/no.py"`)},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://inbox/../x")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://../x")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "inbox/x")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "/etc/passwd")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "http://169.254.169.254/x")},
		{api.CodeInvalidLocation, spec("s3://outbox/mine/y", "s3://outbox//y")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://in..box/x")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://127.0.0.1/x")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://user:pw@inbox/x")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://inbox:9000/x")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://INBOX/x")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://inbox/"+strings.Repeat("k", 1025))},
		{api.CodeInvalidLocation, spec("s3://outbox/mine/y", "s3://outbox/mine/"+strings.Repeat("k", 1000))},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://outbox/mine/y")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://outbox/mine/")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://outbox/mine/y/z.txt")},
		{api.CodeInvalidLocation, spec("s3://inbox/x", "s3://outbox/mine/**")},
		{api.CodeNotAllowed, spec("s3://inbox/x", "file:///etc/passwd")},
		{api.CodeNotAllowed, spec("s3://inbox/x", "s3://secrets/x")},
		{api.CodeNotAllowed, spec("s3://inbox/x", "s3://inbox2/x")},
		{api.CodeNotAllowed, spec("s3://outbox/mine/y", "s3://outbox/y")},
		{api.CodeNotAllowed, spec("s3://outbox/mine/y", "s3://outbox/mine2/y")},
		{api.CodeNotAllowed, spec("s3://outbox/mine/y", "s3://work/bm/jobs/x")},
		{api.CodeNotAllowed, spec(`"wordcount"`, `"s3://secrets/no.py"`)},
		{api.CodeInvalidSpec, spec() + strings.Repeat(" ", 2000)},
		{api.CodeInvalidSpec, spec() + strings.Repeat(" ", 8000)},
		{api.CodeInvalidSpec, "\xff\xfe" + strings.Join(strings.Split(spec(), ""), "\x00") + "\x00"},
	} {
		s.refused(c.code, "POST", "/v1/jobs", c.body, "Content-Type: application/json")
	}
	s.refused(api.CodeMediaType, "POST", "/v1/jobs", spec(), "Content-Type: text/csv")
	s.refused(api.CodeMediaType, "POST", "/v1/jobs", spec(), "Content-Type: /")
	s.refused(api.CodeInvalidRequest, "POST", "/v1/jobs", spec(), "Content-Type: multipart/form-data")
	s.refused(api.CodeInvalidRequest, "POST", "/v1/jobs", spec(), "Idempotency-Key: "+strings.Repeat("k", 300))
	s.refused(api.CodeInvalidRequest, "POST", "/v1/jobs", spec(), "Idempotency-Key: k", "Idempotency-Key: k")
	if ids, err := s.store.History(t.Context(), 0, 10); err != nil || len(ids) > 0 {
		t.Errorf("jobs %v came to be, %v", ids, err)
	}
	s.submit(spec())
}

// Text that YAML reads as a number or a date arrives as it was sent, also from the client.
func TestSpecKeepsText(t *testing.T) {
	s := serve(t, nil)
	const asYAML = "program: 2026-11-01.py\nname: 2026-11-01\ninput: [s3://inbox/]\noutput: s3://outbox/yaml\n" +
		"params: {day: 2026-11-01, zip: 01234, ver: 1.10, big: 1234567890123456789012, exp: 1e3, on: yes}\n"
	const asJSON = `{"program":"2026-11-01.py","name":"2026-11-01","input":["s3://inbox/"],"output":"s3://outbox/json",` +
		`"params":{"day":"2026-11-01","zip":"01234","ver":1.10,"big":1234567890123456789012,"exp":1e3,"on":"yes"}}`
	want := job.Params{"day": "2026-11-01", "zip": "01234", "ver": "1.10", "big": "1234567890123456789012", "exp": "1e3", "on": "yes"}
	specs := map[string]job.Spec{}
	for name, text := range map[string]string{"yaml": asYAML, "json": asJSON} {
		body, header := form(t, "spec=job="+text, "program=p=x")
		specs[name] = s.specOf(s.submit(body, header))
	}
	parsed, err := jobfile.Parse([]byte(strings.Replace(asYAML, "/yaml", "/client", 1)))
	must(t, err)
	parsed.Program = "grep"
	parsed.Params["pattern"] = "1.10"
	j, err := s.client("").Submit(t.Context(), client.Submission{Spec: parsed})
	if err == nil {
		t.Errorf("grep takes parameters that it does not know: %+v", j)
	}
	parsed.Params = job.Params{"pattern": "1.10"}
	j, err = s.client("").Submit(t.Context(), client.Submission{Spec: parsed})
	must(t, err)
	if got := s.specOf(j.ID); got.Params["pattern"] != "1.10" || got.Name != "2026-11-01" {
		t.Errorf("by the client: %+v", got)
	}
	for name, spec := range specs {
		if spec.Name != "2026-11-01" || spec.Program != "2026-11-01.py" || !maps.Equal(spec.Params, want) {
			t.Errorf("%s: %+v", name, spec)
		}
	}
	for _, body := range []string{
		"program: grep\nname: a\nname: b\n", "program: grep\n---\nprogram: sort\n", `{"program":"grep","Program":"sort"}`, `{"program":"grep","program":"sort"}`,
	} {
		s.refused(api.CodeInvalidSpec, "POST", "/v1/jobs", body, "Content-Type: application/yaml")
	}
}

// A small text must not cause much work.
func TestYAMLBombs(t *testing.T) {
	t.Attr("timing", "answers must be quick")
	s := serve(t, func(c *server.Config) { c.MaxSpec = 1 << 20 })
	wide := new(strings.Builder)
	for i := range 50_000 {
		fmt.Fprintf(wide, "k%d: 1\n", i)
	}
	begun := time.Now()
	for _, body := range []string{
		"a: &a " + strings.Repeat("x", 1<<19) + "\nb: [" + strings.Repeat("*a,", 1<<16) + "]",
		"a: &a {b: c}\nd: {<<: *a}",
		"params: {a: &a " + strings.Repeat("x", 1<<19) + strings.Repeat(", b: *a", 1<<10) + "}",
		wide.String(),
		strings.Repeat("[", 1<<20-1),
	} {
		s.refused(api.CodeInvalidSpec, "POST", "/v1/jobs", body, "Content-Type: application/yaml")
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestIdempotencyKey(t *testing.T) {
	s := serve(t, func(c *server.Config) {
		c.Tokens = []server.Token{
			{Name: "ann", Role: server.RoleSubmit, Hash: server.HashToken("a")},
			{Name: "bob", Role: server.RoleSubmit, Hash: server.HashToken("b")},
		}
	})
	const key, ann, bob = "Idempotency-Key: k1", "Authorization: Bearer a", "Authorization: Bearer b"
	first := s.submit(wordcount, key, ann)
	again := s.ask("POST", "/v1/jobs", strings.Replace(wordcount, `"16"`, `16`, 1), key, ann)
	var job api.Submitted
	if err := json.Unmarshal(again.body, &job); err != nil || again.status != http.StatusOK || job.ID != first {
		t.Errorf("again: %d %s, want job %s", again.status, again.body, first)
	}
	s.refused(api.CodeJobConflict, "POST", "/v1/jobs", strings.Replace(wordcount, "2", "3", 1), key, ann)
	if other := s.submit(wordcount, key, bob); other == first {
		t.Error("two callers share a job")
	}
	if other := s.submit(wordcount, ann); other == first {
		t.Error("without a key it is the same job")
	}

	// With a program, and many at once: one job, one program.
	spec := `spec=s={"program":"p.py","input":["s3://inbox/"],"output":"s3://outbox/p"}`
	body, header := form(t, spec, "program=p.py=1")
	var wg sync.WaitGroup
	answers := make([]answer, 8)
	for i := range answers {
		wg.Go(func() { answers[i] = s.ask("POST", "/v1/jobs", body, header, "Idempotency-Key: k2", ann) })
	}
	wg.Wait()
	made := 0
	for _, a := range answers {
		if a.status == http.StatusCreated {
			made++
		} else if a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if got := s.programs(); made != 1 || len(got) != 1 {
		t.Errorf("%d jobs were made; programs %q", made, got)
	}
	other, header := form(t, spec, "program=p.py=2")
	s.refused(api.CodeJobConflict, "POST", "/v1/jobs", other, header, "Idempotency-Key: k2", ann)
}

// Of several submissions with one key at once, one creates the job and is answered so; its files
// stay.
func TestOneSubmissionMakesTheJob(t *testing.T) {
	for name, body := range map[string]func(*testing.T) (body, header string){
		"a builtin": func(*testing.T) (string, string) { return wordcount, "Content-Type: application/json" },
		"a program": func(t *testing.T) (string, string) {
			return form(t, `spec=s={"program":"p.py","input":["s3://inbox/"],"output":"s3://outbox/p"}`, "program=p.py=1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			const callers = 4
			var meeting sync.WaitGroup
			meeting.Add(callers)
			s := serve(t, func(c *server.Config) {
				c.Submit = func(ctx context.Context, by string, id job.ID, spec job.Spec) (bool, error) {
					meeting.Done()
					meeting.Wait() // none has found the job yet
					return submitTo(c.Store)(ctx, by, id, spec)
				}
			})
			text, header := body(t)
			answers := make([]answer, callers)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() { answers[i] = s.ask("POST", "/v1/jobs", text, header, "Idempotency-Key: k") })
			}
			wg.Wait()
			statuses := map[int]int{}
			ids := map[job.ID]bool{}
			for _, a := range answers {
				var job api.Submitted
				must(t, json.Unmarshal(a.body, &job))
				statuses[a.status]++
				ids[job.ID] = true
			}
			if statuses[http.StatusCreated] != 1 || statuses[http.StatusOK] != callers-1 || len(ids) != 1 {
				t.Errorf("answered %v, jobs %v", statuses, ids)
			}
			for id := range ids {
				artifact := s.specOf(id).Artifact
				if name == "a builtin" {
					continue
				}
				if got := s.programs(); artifact == nil || len(got) != 1 || got[0] != artifact.Key {
					t.Errorf("the job's program is %+v; there are %q", artifact, got)
				}
			}
		})
	}
}

// A body is read as its content type says, or refused.
func TestEncodings(t *testing.T) {
	s := serve(t, nil)
	const kind = "Content-Type: application/json"
	for _, headers := range [][]string{
		{kind + "; charset=utf-16"},
		{kind + "; charset=iso-8859-1"},
		{kind + `; charset="UTF-32LE"`},
		{"Content-Type: application/yaml; charset=latin1"},
		{kind, "Content-Encoding: br"},
		{kind, "Content-Encoding: gzip"},
		{kind, "Content-Encoding: gzip, identity"},
		{kind, "Content-Encoding: x"},
	} {
		s.refused(api.CodeMediaType, "POST", "/v1/jobs", wordcount, headers...)
	}
	s.refused(api.CodeMediaType, "PUT", "/v1/objects/inbox/x", "text", "Content-Encoding: gzip")
	for _, header := range []string{"Content-Type: text/plain; charset=utf-16", "Content-Encoding: gzip"} {
		body := "--b\r\nContent-Disposition: form-data; name=\"spec\"\r\n" + header + "\r\n\r\n" + wordcount + "\r\n--b--\r\n"
		s.refused(api.CodeMediaType, "POST", "/v1/jobs", body, "Content-Type: multipart/form-data; boundary=b")
	}
	for _, charset := range []string{"utf-8", "UTF-8", "us-ascii"} {
		s.submit(wordcount, kind+"; charset="+charset, "Content-Encoding: identity")
	}
	with := func(field string) string { return strings.Replace(wordcount, `"name":"wc"`, field, 1) }
	for _, wrong := range []string{
		"\"name\":\"\xff\"", `"webhook":"http://example.com:0/"`, `"webhook":"https://example.com:99999"`, `"webhook":"https://[::1]:65536/"`,
		`"max_attempts":101`, `"skip_bad_records":1000000001`, `"task_timeout":"1us"`, `"task_timeout":"+90s"`,
	} {
		s.refused(api.CodeInvalidSpec, "POST", "/v1/jobs", with(wrong), kind)
	}
	for _, size := range []string{"1.5", `"1.5"`, `"1.5B"`, "1e3", "-1", `"1,000"`, `" 5"`, `"5 "`, "true", "{}"} {
		spec := strings.Replace(wordcount, `"split_size":"16"`, `"split_size":`+size, 1)
		a := s.refused(api.CodeInvalidSpec, "POST", "/v1/jobs", spec, kind)
		if p := a.problem(t); !strings.Contains(p.Detail, "split_size: ") {
			t.Errorf("%s: %s", size, p.Detail)
		}
	}
	long := strings.Repeat("A", 120_000)
	for _, spec := range []string{
		with(`"name":"` + long + `"`), with(`"` + long + `":1`), with(`"webhook":"` + long + `"`), with(`"kind":"` + long + `"`), long,
		strings.Replace(wordcount, "s3://inbox/", long, 1), strings.Replace(wordcount, `"16"`, `"`+long+`"`, 1),
	} {
		a := s.ask("POST", "/v1/jobs", spec, kind)
		if a.status != 400 || len(a.body) > 4<<10 {
			t.Errorf("%d, %d bytes: %.200s", a.status, len(a.body), a.body)
		}
	}
}
