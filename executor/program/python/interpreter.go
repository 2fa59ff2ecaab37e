package python

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/bucketmill/bucketmill/executor/program"
)

// interpreter is a Python of a supported version.
type interpreter struct {
	path string
	// compiled are the runner's modules, compiled by this Python, by file name: to compile them for
	// every attempt would take longer than to load them.
	compiled map[string][]byte
}

// pythonFinder finds an interpreter by its name or path when it is first needed.
type pythonFinder struct {
	python string
	mu     sync.Mutex
	found  *interpreter // guarded by mu
}

func (f *pythonFinder) find(ctx context.Context) (*interpreter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.found != nil {
		return f.found, nil
	}
	found, err := findInterpreter(ctx, f.python)
	f.found = found
	return found, err
}

// newFinderOf returns the finder for a configuration.
func newFinderOf(cfg program.Config) *pythonFinder {
	found, _ := cfg.Prepared.(*interpreter)
	return &pythonFinder{python: cfg.WithDefaults().Python, found: found}
}

// prepare finds the interpreter and checks its version, so that not every Open must do that: a shim
// such as pyenv's takes longer than the start of Python itself.
func prepare(ctx context.Context, cfg program.Config) (any, error) {
	found, err := findInterpreter(ctx, cfg.WithDefaults().Python)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// question makes a Python print its path, its version, whether that is supported, and, if so, the
// compiled form of the sources on standard input. The files are those of PEP 552 that are never
// checked against their source.
const question = `import sys
print(sys.executable, '%d.%d' % sys.version_info[:2], int(sys.version_info >= (3, 8)), sep='\n')
if sys.version_info >= (3, 8):
    import base64, importlib.util, json, marshal
    compiled = {}
    for name, source in json.load(sys.stdin).items():
        code = marshal.dumps(compile(source, name, 'exec', dont_inherit=True))
        head = importlib.util.MAGIC_NUMBER + b'\1' + bytes(11)
        compiled[importlib.util.cache_from_source(name)] = base64.b64encode(head + code).decode()
    print(json.dumps(compiled))
`

// afterColon returns a colon and what a program said, or "" if it said nothing.
func afterColon(said []byte) string {
	if text := strings.TrimSpace(string(said)); text != "" {
		return ": " + text
	}
	return ""
}

// findInterpreter asks python the question.
func findInterpreter(ctx context.Context, python string) (*interpreter, error) {
	sources, err := runnerSources()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, python, "-I", "-c", question) // like programs, without our PYTHON… variables and this folder
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(sources), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(
			fmt.Errorf("find the Python interpreter %s: %w%s", python, err, afterColon(stderr.Bytes())),
			context.Cause(ctx))
	}
	answer := strings.SplitN(strings.TrimSpace(string(out)), "\n", 4)
	if len(answer) < 3 || !filepath.IsAbs(answer[0]) {
		return nil, fmt.Errorf("%s does not seem to be a Python interpreter: it answered %.200q", python, out)
	}
	if answer[2] != "1" {
		return nil, fmt.Errorf("the Python interpreter %s is version %s; 3.8 or newer is needed", answer[0], answer[1])
	}
	found := &interpreter{path: answer[0]}
	if err := json.Unmarshal([]byte(answer[len(answer)-1]), &found.compiled); err != nil {
		return nil, fmt.Errorf("%s does not seem to be a Python interpreter: it did not compile the runner: %w", python, err)
	}
	for name := range found.compiled {
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("%s compiled the runner to %s, which is not beside it", python, name)
		}
	}
	return found, nil
}

// runnerSources returns the runner's modules as a JSON object: source by file name.
func runnerSources() ([]byte, error) {
	names, err := fs.Glob(runner, "runner/*/*.py")
	if err != nil {
		return nil, fmt.Errorf("read the Python runner: %w", err)
	}
	sources := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(runner, name)
		if err != nil {
			return nil, fmt.Errorf("read the Python runner: %w", err)
		}
		sources[strings.TrimPrefix(name, "runner/")] = string(text)
	}
	return json.Marshal(sources)
}
