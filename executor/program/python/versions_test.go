package python

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

// The minor versions of Python 3 that are supported.
const oldest, newest = 8, 14

// everything is a job with keys and values of many types, a combiner that is recognized as a sum,
// and values that must be pickled.
const everything = `
import types
from bucketmill_runner import combine

def map_fn(key, line):
    yield "the combiner is a sum", int(combine.is_sum(types.SimpleNamespace(call=combine_fn)))
    for word in line.split():
        yield word, 1
        yield word.encode(), 2 ** 70
        yield (len(word), None, 1.5), -1
        yield len(word), 0.5

def combine_fn(key, values):
    yield key, sum(values)

def reduce_fn(key, values):
    values = list(values)
    return [(repr(key), repr((type(values[0]).__name__, sum(values))))]
`

// unordered is a job whose values have types that only pickle keeps.
const unordered = `
import collections, fractions
def map_fn(key, line):
    for word in line.split():
        yield word, fractions.Fraction(1, len(word))
        yield (word,), {'list': [1, b'x', None], 'set': {1}, 'tuple': (1.5, 'é')}
        yield len(word), collections.OrderedDict(a=1)

def reduce_fn(key, values):
    shown = [str(dict(v) if isinstance(v, dict) else v) for v in values]  # an OrderedDict's str is another since 3.12
    return [(repr(key), ' '.join(sorted(shown)))]
`

// interpreters returns a configuration for each supported version of Python on this machine: those
// in PATH, and those of pyenv.
func interpreters(t *testing.T) (versions []string, configs []program.Config) {
	t.Helper()
	root := cmp.Or(os.Getenv("PYENV_ROOT"), filepath.Join(os.Getenv("HOME"), ".pyenv"))
	for minor := oldest; minor <= newest; minor++ {
		name := fmt.Sprintf("python3.%d", minor)
		found, err := filepath.Glob(filepath.Join(root, "versions", fmt.Sprintf("3.%d.*", minor), "bin", name))
		if err != nil {
			t.Fatal(err)
		}
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
		for _, path := range found {
			// A shim of pyenv may be there without its Python.
			if cfg, err := Kind.Ready(t.Context(), program.Config{Python: path}); err == nil {
				versions, configs = append(versions, name), append(configs, cfg)
				break
			}
		}
	}
	return versions, configs
}

// TestVersions runs jobs with all supported versions of Python that this machine has. What one
// version has mapped another one reduces, since the executors of a cluster may differ. python3
// itself must be there.
func TestVersions(t *testing.T) {
	versions, configs := interpreters(t)
	versions, configs = append(versions, "python3"), append(configs, foundPython(t))
	t.Log("versions:", strings.Join(versions, " "))
	batches := programtest.Lines("f", "to be or not to be\nthat is the question é\n", 20)
	for name, source := range map[string]string{"everything": everything, "unordered": unordered} {
		file := programtest.WritePython(t, source)
		var programs []program.Program
		for _, cfg := range configs {
			p, err := Kind.Open(cfg, program.Spec{Kind: Kind.Name, Name: "job.py"}, file)
			if err != nil {
				t.Fatal(err)
			}
			programs = append(programs, p)
		}
		var want []programtest.KV
		for i, p := range programs {
			records, err := programtest.MapAll(t, p, programtest.Attempt(t), batches)
			if err != nil {
				t.Fatalf("%s, %s maps: %v", name, versions[i], err)
			}
			by := (i + 1) % len(programs)
			got, err := programtest.ReduceAll(t, programs[by], programtest.Attempt(t), records, 7)
			if err != nil {
				t.Fatalf("%s, %s maps, %s reduces: %v", name, versions[i], versions[by], err)
			}
			if want == nil {
				want = got
			}
			if len(got) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s, %s maps, %s reduces:\n%q, want\n%q", name, versions[i], versions[by], got, want)
			}
			if name == "everything" && !slices.Contains(got, programtest.KV{"'the combiner is a sum'", "('int', 2)"}) {
				t.Errorf("%s does not recognize a combiner that is a sum: %q", versions[i], got)
			}
		}
	}
}
