package pages

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the commands print now into the pages")

// pageWait is how long the commands of one page may take.
const pageWait = 5 * time.Minute

const repository = "../.."

// TestPages runs the console blocks of every page of the project, in order.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, path := range pagesWithBlocks(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			page := mustRead(t, filepath.Join(repository, path))
			folder := filepath.Join(t.TempDir(), "bucketmill")
			if err := Copy(repository, folder); err != nil {
				t.Fatal(err)
			}
			env := goSettings(t)
			if path != "README.md" { // the README builds the binary itself
				env = append(env, "PATH="+binary(t)+":"+os.Getenv("PATH"))
			}
			printed := runBlocks(t, page, folder, env)
			if path == "examples/README.md" {
				checkExamples(t, folder)
			}
			if *update {
				if err := page.Update(printed); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// checkExamples compares the output of the examples in folder with the results of plain Python on
// the same data.
func checkExamples(t *testing.T, folder string) {
	t.Helper()
	script, err := filepath.Abs("testdata/oracle.py")
	if err != nil {
		t.Fatal(err)
	}
	oracle := exec.CommandContext(t.Context(), "python3", script)
	oracle.Dir = folder
	if out, err := oracle.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// runBlocks runs a page's blocks, and returns the output of their commands.
func runBlocks(t *testing.T, page *Page, folder string, env []string) map[int][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pageWait)
	defer cancel()
	session, err := NewSession(folder, env...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	printed := map[int][]string{}
	for _, block := range page.Blocks {
		if block.Where != Here {
			continue
		}
		for _, c := range block.Commands {
			got, err := session.Run(ctx, c.Text)
			if err != nil {
				t.Fatalf("%s:%d: %s\n%v; it prints\n%s", page.Path, c.Line, c.Text, err, strings.Join(got, "\n"))
			}
			printed[c.Line] = got
			if !*update && !Same(c.Want, got) {
				t.Errorf("%s:%d: %s\nprints\n%s\nbut the page says\n%s\n(make update-pages writes down what is printed now)",
					page.Path, c.Line, c.Text, strings.Join(got, "\n"), strings.Join(c.Want, "\n"))
			}
		}
	}
	return printed
}

// pagesWithBlocks returns the Markdown files with console blocks that git tracks.
func pagesWithBlocks(t *testing.T) (paths []string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	list.Dir = repository
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(names)) {
		if len(mustRead(t, filepath.Join(repository, path)).Blocks) > 0 {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		t.Fatal("no page has a console block")
	}
	return paths
}

func mustRead(t *testing.T, path string) *Page {
	t.Helper()
	page, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// goSettings returns the environment that lets go use this machine's caches. It builds like "make
// build", so that all copies of the repository share the caches.
func goSettings(t *testing.T) []string {
	t.Helper()
	values, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOFLAGS").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(values), "\n")
	return []string{
		"GOCACHE=" + lines[0], "GOMODCACHE=" + lines[1], "CGO_ENABLED=0",
		"GOFLAGS=" + strings.TrimSpace(lines[2]+" -trimpath"),
	}
}

var built = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "pages-bin-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-o", folder, "./cmd/bucketmill")
	build.Dir, build.Env = repository, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return folder, &buildError{err, string(out)}
	}
	return folder, nil
})

type buildError struct {
	err error
	out string
}

func (e *buildError) Error() string { return "build bucketmill: " + e.err.Error() + "\n" + e.out }

// binary returns a folder with bucketmill, for PATH.
func binary(t *testing.T) string {
	t.Helper()
	folder, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if folder, _ := built(); folder != "" { // an error has been reported
		if err := os.RemoveAll(folder); err != nil {
			code = max(code, 1)
		}
	}
	os.Exit(code)
}
