package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// filesOf reads all files below a folder, by path.
func filesOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range tree(t, folder) {
		if info, err := os.Stat(filepath.Join(folder, name)); err == nil && !info.IsDir() {
			text, err := os.ReadFile(filepath.Join(folder, name))
			must(t, err)
			files[name] = string(text)
		}
	}
	return files
}

// urls returns the URLs that ls lists.
func (s *testServer) urls(location string) (urls []string) {
	s.t.Helper()
	var list api.ObjectList
	s.json(&list, "ls", location)
	for _, o := range list.Objects {
		urls = append(urls, o.URL)
	}
	return urls
}

// listing puts a server in front that answers listings with this one, as only a store could that is
// not to be trusted.
func (s *testServer) listing(list *api.ObjectList) {
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Count(r.URL.Path, "/") > 3 || r.Method != http.MethodGet { // an object
			s.api.Handler().ServeHTTP(w, r)
			return
		}
		if err := json.NewEncoder(w).Encode(list); err != nil {
			s.t.Error(err)
		}
	}))
	s.t.Cleanup(front.Close)
	s.url = front.URL
}

// shell runs a script of the shell.
func shell(t *testing.T, script string, args ...string) {
	t.Helper()
	if out, err := exec.Command("sh", append([]string{"-c", script}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func sameTexts(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestPutSeveralFiles(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	folder := writeFiles(t, map[string]string{"texts/a.txt": "first", "texts/deep/er/b.txt": "second", "texts/.hidden": "", "c.txt": "third", "more/c.txt": "another"})
	at := func(name string) string { return filepath.Join(folder, name) }

	r := s.command("put", at("texts"), "s3://inbox/", "--make-bucket")
	if r.code != exitDone || r.stderr != "put: 3 objects, 11 B\n" {
		t.Fatalf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	sameTexts(t, "a folder", s.urls("s3://inbox"), "s3://inbox/texts/.hidden", "s3://inbox/texts/a.txt", "s3://inbox/texts/deep/er/b.txt")
	s.must("put", at("texts")+"/", "s3://inbox/other")
	sameTexts(t, "a folder under another name", s.urls("s3://inbox/other"), "s3://inbox/other/.hidden", "s3://inbox/other/a.txt", "s3://inbox/other/deep/er/b.txt")
	s.must("put", at("texts")+"/.", "s3://inbox/dot/")
	sameTexts(t, "a folder's contents", s.urls("s3://inbox/dot/a"), "s3://inbox/dot/a.txt")
	s.must("put", at("c.txt"), at("texts/a.txt"), at("texts/deep"), "s3://inbox/several")
	sameTexts(t, "several", s.urls("s3://inbox/several"), "s3://inbox/several/a.txt", "s3://inbox/several/c.txt", "s3://inbox/several/deep/er/b.txt")
	if out := s.must("put", at("c.txt"), "s3://inbox/quiet", "-q"); out != "" {
		t.Errorf("a quiet put printed %q", out)
	}

	checkComplaint(t, s.command("put", at("c.txt"), at("more/c.txt"), "s3://inbox/two/"), `would both become s3://inbox/two/c\.txt`)
	sameTexts(t, "nothing of two", s.urls("s3://inbox/two"))
	must(t, os.Mkdir(at("none"), 0o755))
	checkComplaint(t, s.command("put", at("none"), "s3://inbox/"), `there are no files in .*none`)
	checkComplaint(t, s.command("put", "-", "s3://inbox/"), `s3://inbox/ is not an object`)
	checkComplaint(t, s.command("put", at("nowhere"), "s3://inbox/"), `^bucketmill: stat .*nowhere: no such file or directory\n$`)
	checkComplaint(t, s.command("put", "x"), `put takes files`)
}

func TestPutGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	folder := writeFiles(t, map[string]string{"in/a.txt": "first", "in/b.txt": "second"})
	must(t, os.Symlink("nowhere", filepath.Join(folder, "in/broken")))
	must(t, os.Symlink("..", filepath.Join(folder, "in/up")))
	r := s.command("put", filepath.Join(folder, "in"), "s3://inbox/")
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, r.stderr, `bucketmill: \S+/in/broken: stat .*no such file`)
	wants(t, r.stderr, `bucketmill: \S+/in/up: \S+ is a symbolic link to a folder`)
	wants(t, r.stderr, `bucketmill: 2 of 4 objects failed, the others are put\n$`)
	sameTexts(t, "the others", s.urls("s3://inbox"), "s3://inbox/in/a.txt", "s3://inbox/in/b.txt")
	// A server that can't be reached is reported once.
	r = command(t.Context(), "put", filepath.Join(folder, "in/a.txt"), filepath.Join(folder, "in/b.txt"), "s3://inbox/", "--server", "127.0.0.1:1")
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
	checkComplaint(t, r, `^bucketmill: can't reach the server`)
}

func TestGetFolders(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	for key, text := range map[string]string{"n/a.txt": "first", "n/deep/b.txt": "second", "n/empty": "", "nn": "not below it", "m/c.txt": "third"} {
		s.put("s3://inbox/"+key, text)
	}
	folder := t.TempDir()
	below := map[string]string{"a.txt": "first", "deep/b.txt": "second", "empty": ""}
	same := func(what string, got, want map[string]string) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("%s: got %q", what, got)
		}
		for name, text := range want {
			if got[name] != text {
				t.Errorf("%s: %s has %q", what, name, got[name])
			}
		}
	}
	out := filepath.Join(folder, "made/for/it")
	for range 2 { // it replaces existing files
		r := s.command("get", "s3://inbox/n/", out)
		if r.code != exitDone || r.stderr != "got: 3 objects, 11 B\n" {
			t.Fatalf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
		}
		same("a prefix", filesOf(t, out), below)
	}
	s.must("get", "s3://inbox/n/a.txt", "s3://inbox/m/", "s3://inbox/nn", filepath.Join(folder, "several"))
	same("several", filesOf(t, filepath.Join(folder, "several")), map[string]string{"a.txt": "first", "c.txt": "third", "nn": "not below it"})
	s.must("get", "s3://inbox", filepath.Join(folder, "bucket"))
	same("a bucket", filesOf(t, filepath.Join(folder, "bucket")), map[string]string{
		"n/a.txt": "first", "n/deep/b.txt": "second", "n/empty": "", "nn": "not below it", "m/c.txt": "third",
	})

	// It never returns a listing instead of an object.
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"s3://inbox/n/", 2, `s3://inbox/n/ is not an object: name a folder`},
		{"s3://inbox", 2, `is not an object`},
		{"s3://inbox/n/ -", 2, `is not an object`},
		{"s3://inbox/nn s3://inbox/n/a.txt", 2, `name a folder`},
		{"s3://inbox/n " + folder + "/x", 1, `s3://inbox/n is not an object, but there are objects below s3://inbox/n/`},
		{"s3://inbox/nothing/ " + folder + "/x", 1, `there are no objects below s3://inbox/nothing/`},
		{"s3://inbox/nothing " + folder + "/x", 1, `/inbox/nothing.*"bucketmill ls`},
		{"s3://inbox/n/a.txt s3://inbox/n/ " + folder + "/x", 2, `would both become`},
	} {
		r := s.command(append([]string{"get"}, strings.Fields(c.args)...)...)
		if r.code != c.code {
			t.Errorf("get %s: exit code %d", c.args, r.code)
		}
		checkComplaint(t, r, c.says)
	}
	if _, err := os.Stat(filepath.Join(folder, "x")); err == nil {
		t.Error("x was made")
	}
}

// Keys that are not valid file names below the folder write nothing, wherever they lead.
func TestGetStaysInItsFolder(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	s.put("s3://inbox/n/good", "good")
	s.put("s3://inbox/n/link/x", "through a link")
	listed := append([]string{"n/../../escaped", "n//abs", "n/..", "n/a/../b", "n/./c"}, "n/good", "n/link/x")
	fake := api.ObjectList{}
	for _, key := range listed {
		fake.Objects = append(fake.Objects, api.Object{Key: key, URL: "s3://inbox/" + key, Size: 4})
	}
	folder := t.TempDir()
	out := filepath.Join(folder, "a/b/out")
	must(t, os.MkdirAll(out, 0o755))
	must(t, os.Symlink(folder, filepath.Join(out, "link")))
	s.listing(&fake)
	r := s.command("get", "s3://inbox/n/", out)
	if r.code != exitFailed || strings.Count(r.stderr, "is not a valid file name below") != 5 || !strings.Contains(r.stderr, "6 of 7 objects failed") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	sameTexts(t, "files", tree(t, folder), "a", "a/b", "a/b/out", "a/b/out/good", "a/b/out/link")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	for _, key := range []string{"a", "out/_SUCCESS", "out/part-00000", "out2/part-00000", "b", "out"} {
		if key != "out" { // a file can't also be a folder
			s.put("s3://inbox/"+key, "x")
		}
	}
	checkComplaint(t, s.command("rm", "s3://inbox/out/"), `--recursive removes all`)
	checkComplaint(t, s.command("rm", "s3://inbox"), `--recursive removes all`)
	checkComplaint(t, s.command("rm", "s3://inbox/out"), `s3://inbox/out is not an object, but there are objects below`)
	checkComplaint(t, s.command("rm", "s3://inbox/nothing"), `/inbox/nothing: no such object`)
	checkComplaint(t, s.command("rm", "-r", "s3://inbox/nothing"), `there is no object s3://inbox/nothing, and there are none below it`)
	checkComplaint(t, s.command("rm"), `name the objects`)
	wants(t, s.must("rm", "s3://inbox/a"), `^s3://inbox/a  1 B\n$`)
	s.must("rm", "-r", "s3://inbox/out", "s3://inbox/b")
	sameTexts(t, "left", s.urls("s3://inbox"), "s3://inbox/out2/part-00000")
	s.must("rm", "--recursive", "s3://inbox")
	sameTexts(t, "left of the bucket", s.urls("s3://inbox"))
}

func TestRemoveTakesTheRoleAdmin(t *testing.T) {
	t.Parallel()
	s := serve(t, true, func(cfg *server.Config) {
		cfg.Tokens = []server.Token{{Name: "ann", Role: server.RoleSubmit, Hash: server.HashToken("secret")}}
	})
	s.put("s3://inbox/a", "x")
	s.put("s3://inbox/b", "x")
	r := s.command("rm", "s3://inbox/a", "s3://inbox/b", "--token", "secret")
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
	checkComplaint(t, r, `requires the role admin`)
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	if out := s.must("mb", "s3://inbox", "s3://outbox"); out != "s3://inbox\ns3://outbox\n" {
		t.Errorf("made %q", out)
	}
	s.must("mb", "s3://inbox")
	if out := s.must("ls"); out != "s3://inbox\ns3://outbox\n" {
		t.Errorf("listed %q", out)
	}
	var list api.BucketList
	if s.json(&list, "ls"); len(list.Buckets) != 2 || list.Buckets[1] != (api.Bucket{Name: "outbox", URL: "s3://outbox"}) {
		t.Errorf("listed %+v", list)
	}
	for _, args := range []string{"mb", "mb s3://inbox/key", "mb inbox", "mb s3://a..b", "ls s3://inbox s3://outbox"} {
		if r := s.command(strings.Fields(args)...); r.code != exitUsage {
			t.Errorf("%s: exit code %d, %s", args, r.code, r.stderr)
		}
	}
}

// With an endpoint mb needs no server. run suggests mb if the output's bucket is missing.
func TestMakeBucketWithoutServer(t *testing.T) {
	store := testservices.MinIO(t)
	t.Setenv("AWS_ACCESS_KEY_ID", store.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", store.SecretKey)
	t.Setenv("BUCKETMILL_SERVER", "127.0.0.1:1")
	r := command(t.Context(), "mb", "s3://made-alone", "--s3-endpoint", store.Endpoint)
	if r.code != exitDone || r.stdout != "s3://made-alone\n" {
		t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	folder := writeFiles(t, map[string]string{"in.txt": "to be\n", "p.py": "def map_fn(k, v):\n    yield v, 1\n"})
	for _, program := range []string{"wordcount", folder + "/p.py"} {
		r = runJob(t, program, "-i", folder+"/in.txt", "-o", "s3://not-made/out", "-r", "0", "--s3-endpoint", store.Endpoint)
		if r.code != exitFailed {
			t.Errorf("exit code %d", r.code)
		}
		checkComplaint(t, r, `output s3://not-made/out: no such bucket: "bucketmill mb s3://not-made --s3-endpoint `+store.Endpoint+`" makes it`)
	}
	r = runJob(t, "wordcount", "-i", "s3://not-made/in", "-o", folder+"/out", "--s3-endpoint", store.Endpoint)
	checkComplaint(t, r, `input s3://not-made/in: no such bucket`)
}

// A user who forgets the endpoint is soon told so.
func TestStoreThatIsNotAWS(t *testing.T) {
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		t.Setenv(name, "")
	}
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // AWS can't be reached, wherever this runs
	p := startProcess(t, nil, "run", "wordcount", "-i", "s3://inbox/x", "-o", "s3://outbox/y")
	began := time.Now()
	if code := p.wait(patience).ExitCode(); code != exitFailed || time.Since(began) > 2*awsTimeout {
		t.Errorf("exit code %d after %v", code, time.Since(began))
	}
	checkComplaint(t, result{stdout: p.stdout.String(), stderr: p.stderr.String()}, `AWS does not answer for s3://outbox: .*--s3-endpoint URL`)
}

// On a terminal a bar is drawn, and lines about objects are above it.
func TestTransfersOnATerminal(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	folder := writeFiles(t, map[string]string{"in/a.txt": strings.Repeat("x", 1<<20), "in/b.txt": "second"})
	text := onTerminal(t, "put", filepath.Join(folder, "in"), "s3://inbox/", "--server", s.url)
	wants(t, text, `put .*100 ?%.* 2/2`)
	wants(t, text, `s3://inbox/in/b\.txt  6 B`)
	wants(t, text, `put: 2 objects, 1\.0 MiB`)
}

// New files have the mode that the umask allows.
func TestModesOfFiles(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	s.put("s3://inbox/n/a", "text")
	folder := t.TempDir()
	script := `umask 077; "$0" get s3://inbox/n/a "$1/a" --server "$2" && "$0" get s3://inbox/n/ "$1/n" --server "$2"; umask 002; "$0" get s3://inbox/n/a "$1/b" --server "$2"`
	shell(t, script, bucketmillBinary(t), folder, s.url)
	for name, want := range map[string]os.FileMode{"a": 0o600, "n/a": 0o600, "b": 0o664} {
		info, err := os.Stat(filepath.Join(folder, name))
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has the mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	must(t, os.Chmod(filepath.Join(folder, "b"), 0o640))
	s.must("get", "s3://inbox/n/a", filepath.Join(folder, "b"))
	if info, err := os.Stat(filepath.Join(folder, "b")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("a replaced file has the mode %v, %v", info.Mode(), err)
	}
}

func TestTokenWithALineEnd(t *testing.T) {
	t.Parallel()
	r := command(t.Context(), "list", "--token", "secret\n", "--server", "127.0.0.1:1")
	if r.code != exitUsage {
		t.Errorf("exit code %d", r.code)
	}
	checkComplaint(t, r, `^bucketmill: the token contains a line end`)
}

// If the file of a submission is missing, the server is not blamed.
func TestMissingFilesAreNamed(t *testing.T) {
	t.Parallel()
	var out, words bytes.Buffer
	code := run(context.Background(), []string{"submit", "--mapper", "cat", "--program-file", "nowhere.txt", "-i", "s3://inbox/x", "-o", "s3://outbox/x", "--server", "127.0.0.1:1"}, &out, &words)
	if code != exitUsage && code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	checkComplaint(t, result{stdout: out.String(), stderr: words.String()}, `^bucketmill: open nowhere\.txt: no such file`)
}

// A server that fails to answer a HEAD, and has the object, makes get and rm fail: neither does
// nothing and reports success.
func TestFailedHeadIsAnError(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, "text")
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "file")
	for _, args := range [][]string{{"get", "s3://inbox/key", file}, {"rm", "s3://inbox/key"}} {
		r := command(t.Context(), append(args, "--token", "x", "--server", server.URL)...)
		if r.code == 0 {
			t.Errorf("%v: exit code 0, %s", args, r.stdout)
		}
		checkComplaint(t, r, "502")
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a file was written")
	}
}
