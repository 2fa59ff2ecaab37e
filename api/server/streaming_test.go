package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
)

func TestProgramFileParts(t *testing.T) {
	s := serve(t, nil)
	_, err := s.client("").Put(t.Context(), "inbox", "lib/sum.py", strings.NewReader("print(2)"), 8)
	must(t, err)
	spec := func(n int, files string) string {
		return fmt.Sprintf(`spec=spec={"mapper":"m x","reducer":"r","input":["s3://inbox/"],"output":"s3://outbox/%d"%s}`, n, files)
	}
	for n, c := range []struct {
		parts []string
		names []string // of the files
	}{
		{[]string{spec(0, "")}, nil},
		{[]string{spec(1, ""), "file=m=1234567"}, []string{"m"}},
		{[]string{"file=m=1234567", spec(2, `,"program_files":["lib/x.py#m"]`), "file=r=1234567"}, []string{"m", "r"}},
		{[]string{spec(3, `,"program_files":["s3://inbox/lib/sum.py",{"source":"s3://inbox/lib/sum.py","name":"again"},{"name":"m"}]`), "file=m=1234567"}, []string{"sum.py", "again", "m"}},
	} {
		body, header := form(t, c.parts...)
		before := len(s.programs())
		got := s.specOf(s.submit(body, header))
		var names []string
		for _, f := range got.ProgramFiles {
			names = append(names, f.Name)
			size := int64(7)
			if strings.HasPrefix(f.Name, "sum") || f.Name == "again" {
				size = 8
			}
			if f.Source != "" || f.Artifact == nil || f.Artifact.Size != size || !slices.Contains(s.programs(), f.Artifact.Key) {
				t.Errorf("%d: stored %+v", n, f)
			}
		}
		if got.Program != "streaming" || got.Kind != "streaming" || got.Name != "streaming" || got.Mapper != "m x" || !slices.Equal(names, c.names) ||
			len(s.programs()) != before+len(names) {
			t.Errorf("%d: stored %+v, programs %q", n, got, s.programs())
		}
	}
	stored := len(s.programs())

	// A submission that does not become a job leaves no files.
	const python = `spec=spec={"program":"p.py","input":["s3://inbox/"],"output":"s3://outbox/9"}`
	for _, parts := range [][]string{
		{spec(9, `,"program_files":["m"]`), "file=x=1"},
		{spec(9, `,"program_files":["s3://inbox/lib/sum.py","s3://inbox/none"]`)},
		{spec(9, `,"program_files":[{"name":"m","artifact":{"key":"bm/jobs/x/program/y"}}]`)},
		{spec(9, ""), "file=m=1", "file=m=2"},
		{spec(9, ""), "file=..=1"},
		{spec(9, ""), "file=m=1", "program=p=1"},
		{spec(9, `,"program":"wordcount"`), "file=m=1"},
		{spec(9, `,"params":{"stream.nonsense":"1"}`), "file=m=1"},
		{strings.Replace(spec(9, ""), `"m x"`, `"awk '{"`, 1), "file=m=1"},
		{spec(9, ""), "file=m=1", "file=m/n=1"},
		{spec(9, ""), "file=m/../n=1"},
		{`spec=spec={"program":"wordcount","input":["s3://inbox/"],"output":"s3://outbox/9"}`, "file=m=1"},
		{python, "program=p.py=1", "file=p.py=1"},
		{python, "program=p.py=1", "file=p.py/x=1"},
		{python, "program=p.py=1", "file=.bucketmill/x=1"},
	} {
		body, header := form(t, parts...)
		if a := s.ask("POST", "/v1/jobs", body, header); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", parts, a.status, a.body)
		}
	}
	parts := []string{spec(9, "")}
	for i := range job.MaxProgramFiles + 1 {
		parts = append(parts, fmt.Sprintf("file=f%d=1", i))
	}
	body, header := form(t, parts...)
	s.refused(api.CodeInvalidRequest, "POST", "/v1/jobs", body, header)
	if got := s.programs(); len(got) != stored {
		t.Errorf("programs %q were left", got)
	}
}

// A program's limit counts all its files together, wherever they come from.
func TestProgramFilesShareOneLimit(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.MaxProgram = 20 })
	_, err := s.client("").Put(t.Context(), "inbox", "lib/sum.py", strings.NewReader("print(2)"), 8)
	must(t, err)
	const url = `"s3://inbox/lib/sum.py#`
	for _, c := range []struct {
		files string
		parts []string
		fits  bool
	}{
		{url + `a",` + url + `b"`, nil, true},
		{url + `a",` + url + `b",` + url + `c"`, nil, false},
		{url + `a",` + url + `b"`, []string{"file=m=1234"}, true},
		{url + `a",` + url + `b"`, []string{"file=m=12345"}, false},
		{"", []string{"file=m=12345678901", "file=n=123456789"}, true},
		{"", []string{"file=m=12345678901", "file=n=1234567890"}, false},
	} {
		before := len(s.programs())
		spec := `spec=spec={"mapper":"m","input":["s3://inbox/"],"output":"s3://outbox/x","program_files":[` + c.files + `]}`
		body, header := form(t, append(c.parts, spec)...)
		if c.fits {
			s.submit(body, header)
			continue
		}
		s.refused(api.CodeBodyTooLarge, "POST", "/v1/jobs", body, header)
		if after := len(s.programs()); after != before {
			t.Errorf("%s, %q: %d files were left", c.files, c.parts, after-before)
		}
	}
}

// A repeated submission is the same job, wherever its files are now; with other files it is another
// job.
func TestStreamingJobIsSubmittedOnce(t *testing.T) {
	s := serve(t, nil)
	c := s.client("")
	file := filepath.Join(t.TempDir(), "map.sh")
	submission := client.Submission{
		Spec: job.Spec{
			Mapper: "map.sh", Input: job.Inputs("s3://inbox/"), Output: "s3://outbox/x",
			ProgramFiles: []job.ProgramFile{{Source: file, Name: "map.sh"}},
		},
		Key: "once",
	}
	submit := func(text string) (job.ID, error) {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		answer, err := c.Submit(t.Context(), submission)
		return answer.ID, err
	}
	first, err := submit("cat")
	must(t, err)
	again, err := submit("cat")
	must(t, err)
	if first != again || len(s.programs()) != 1 {
		t.Errorf("jobs %s and %s, programs %q", first, again, s.programs())
	}
	if _, err := submit("tac"); err == nil || !strings.Contains(err.Error(), "has another spec") {
		t.Errorf("another file: %v", err)
	}
	if got := submission.Spec.ProgramFiles[0].Source; got != file {
		t.Errorf("the caller's spec was changed: %q", got)
	}
	submission.Spec.ProgramFiles[0].Source = file + ".none"
	if _, err := c.Submit(t.Context(), submission); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
}
