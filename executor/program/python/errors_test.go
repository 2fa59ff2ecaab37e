package python

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

// goodReduce completes a job file that has only a map function.
const goodReduce = "def reduce_fn(key, values): return sum(values)\n"

func TestPythonErrorsNameTheirPlace(t *testing.T) {
	const input = "ok\nbäd\nok\n"
	atBad := program.RecordRef{Input: "s3://b/k", Offset: 3, Value: "'bäd'"}
	for name, c := range map[string]struct {
		source    string
		line      int
		message   string
		record    *program.RecordRef
		traceback string
	}{
		"exception": {
			"import json\n\ndef helper(v):\n    return json.loads(v)\n\ndef map_fn(key, value):\n    if value != 'ok': helper(value)\n    yield value, 1\n" + goodReduce,
			4, "map_fn raised JSONDecodeError: Expecting value: line 1 column 1 (char 0)", &atBad, "in helper\n    return json.loads(v)",
		},
		"in a function that is no generator": {
			"def map_fn(value):\n    return [(value, 1 if value == 'ok' else {}['x'])]\n" + goodReduce,
			2, "map_fn raised KeyError: 'x'", &atBad, "map_fn",
		},
		"not a pair": {
			"def map_fn(value):\n    yield (value, 1) if value == 'ok' else 'xy'\n" + goodReduce,
			0, "map_fn: it must give pairs (key, value), but it gave 'xy'", &atBad, "",
		},
		"three": {
			"def map_fn(value):\n    yield (value, 1) if value == 'ok' else (1, 2, 3)\n" + goodReduce,
			0, "map_fn: it must give pairs (key, value), but it gave (1, 2, 3)", &atBad, "",
		},
		"not iterable": {
			"def map_fn(value):\n    return None if value == 'ok' else 7\n" + goodReduce,
			0, "map_fn: it must return pairs (key, value), but it returned 7", &atBad, "",
		},
		"key without order": {
			"def map_fn(value):\n    yield value if value == 'ok' else {}, 1\n" + goodReduce,
			0, "map_fn: a key must be None, a bool, int, float, str or bytes, or a tuple of these; this one is or contains a dict", &atBad, "",
		},
		"value without pickle": {
			"def map_fn(value):\n    yield 1, 1 if value == 'ok' else lambda: 0\n" + goodReduce,
			0, "map_fn: a value of type function cannot be sent to a reducer", &atBad, "",
		},
		"exit": {
			"import sys\ndef map_fn(value):\n    sys.exit('enough')\n" + goodReduce,
			3, "map_fn raised SystemExit: enough", &program.RecordRef{Input: "s3://b/k", Value: "'ok'"}, "sys.exit",
		},
		"combine": {
			"def map_fn(value):\n    yield value, 1\ndef combine_fn(key, values):\n    yield values / 2\n" + goodReduce,
			4, "combine_fn raised TypeError: unsupported operand type(s) for /: 'list' and 'int'", &program.RecordRef{Key: "'ok'"}, "values / 2",
		},
		"combine to another key": {
			"def map_fn(value):\n    yield value, 1\ndef combine_fn(key, values):\n    yield 'x', 2\n" + goodReduce,
			0, "combine_fn: it must give values for its own key, 'ok', not for 'x'", &program.RecordRef{Key: "'ok'"}, "",
		},
		"reduce": {
			"def map_fn(value):\n    yield value, value\ndef reduce_fn(key, values):\n    yield 1\n    yield int(values[0])\n",
			5, "reduce_fn raised ValueError: invalid literal for int() with base 10: 'bäd'", &program.RecordRef{Key: "'bäd'"}, "int(values[0])",
		},
		"syntax":             {"def map_fn(value):\n    return (\n", 2, "SyntaxError: '(' was never closed (job.py, line 2)", nil, "return ("},
		"import":             {"import re\nimport nosuchmodule\n", 2, "ModuleNotFoundError: No module named 'nosuchmodule'", nil, "import nosuchmodule"},
		"no map_fn":          {goodReduce, 0, "job.py has no function map_fn", nil, ""},
		"no reduce_fn":       {"def map_fn(v): pass\n", 0, "job.py has no function reduce_fn", nil, ""},
		"arity of map_fn":    {"x = 1\n\ndef map_fn(a, b, c):\n    pass\n" + goodReduce, 3, "map_fn must take (key, value) or (line)", nil, ""},
		"arity of reduce_fn": {"def map_fn(v): pass\ndef reduce_fn(key, values, *, more):\n    pass\n", 2, "reduce_fn must take (key, values)", nil, ""},
		"no function":        {"map_fn = 3\n" + goodReduce, 0, "map_fn is not a function but a int", nil, ""},
		"setup":              {"def setup(params):\n    params['x']\ndef map_fn(v): pass\n" + goodReduce, 2, "KeyError: 'x'", nil, "params['x']"},
	} {
		t.Run(name, func(t *testing.T) {
			file := programtest.WritePython(t, c.source)
			spec := program.Spec{Kind: "python", Name: "job.py"}
			p, err := table.Open(foundPython(t), spec, file)
			if err != nil {
				t.Fatal(err)
			}
			if c.record == nil {
				err = table.Check(t.Context(), foundPython(t), spec, file)
			} else {
				if err := table.Check(t.Context(), foundPython(t), spec, file); err != nil {
					t.Fatalf("check: %v", err)
				}
				var records []programtest.KV
				records, err = programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("s3://b/k", input, 1<<20))
				if err == nil {
					_, err = programtest.ReduceAll(t, p, programtest.Attempt(t), records, 100)
				}
			}
			user := programtest.WantUserError(t, err)
			if !strings.HasPrefix(user.Message, c.message) || user.Line != c.line || c.line > 0 && user.File != "job.py" {
				t.Errorf("want line %d, %q, have %s:%d, %q", c.line, c.message, user.File, user.Line, user.Message)
			}
			if fmt.Sprint(user.Record) != fmt.Sprint(c.record) {
				t.Errorf("record: want %v, have %v", c.record, user.Record)
			}
			if !strings.Contains(user.Traceback, c.traceback) || strings.Contains(user.Traceback, "bucketmill_runner") {
				t.Errorf("want a traceback with %q, have %s", c.traceback, user.Traceback)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err.Error())
			}
		})
	}
}

func TestPythonRecordsMustFitTheirFormat(t *testing.T) {
	for format, want := range map[string]string{
		"jsonl": "the record is not JSON: Expecting value: line 1 column 1 (char 0)",
		"csv":   "the record has 1 fields, the header has 2",
	} {
		a := programtest.Attempt(t)
		a.Format = format
		batch := programtest.Lines("f", "1,2\noops\n", 99)
		batch[0].Header = []byte("a,b")
		if format == "jsonl" {
			batch[0].Data = []byte("[1]\noops\n")
		}
		_, err := programtest.MapAll(t, openSource(t, "def map_fn(value): return []\n"+goodReduce, nil), a, batch)
		user := programtest.WantUserError(t, err)
		if user.Message != want || user.Record == nil || user.Record.Offset != 4 || user.Record.Value != "'oops'" {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// The error for a line that is part of a JSON value names the format that reads such files.
func TestPythonNamesTheFormatForPrettyJSON(t *testing.T) {
	for line, hinted := range map[string]bool{
		"{": true, "[": true, `[{"a": 1},`: true, `  "id": 1,`: true, "\t]": true, "},": true, "]": true, `{"a":`: true,
		"oops": false, `{"a": 1} {"b": 2}`: false, `{"a": "cut of`: false, "\u00a0": false,
	} {
		a := programtest.Attempt(t)
		a.Format = "jsonl"
		_, err := programtest.MapAll(t, openSource(t, "def map_fn(value): return []\n"+goodReduce, nil), a, programtest.Lines("f", "[1]\n"+line+"\n", 99))
		user := programtest.WantUserError(t, err)
		if got := strings.HasSuffix(user.Message, "; if values go over several lines, read the file with --format whole"); got != hinted ||
			!strings.HasPrefix(user.Message, "the record is not JSON: ") || user.Record == nil || user.Record.Offset != 4 {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestPythonMapOnlyNeedsNoReducer(t *testing.T) {
	file := programtest.WritePython(t, "def map_fn(v): pass\n")
	if err := table.Check(t.Context(), foundPython(t), program.Spec{Kind: "python", Name: "job.py", MapOnly: true}, file); err != nil {
		t.Error(err)
	}
}

func TestPythonInterpreterMustBeOne(t *testing.T) {
	old := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(old, []byte("#!/bin/sh\nprintf '/usr/bin/python\\n3.7\\n0\\n'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for python, want := range map[string]string{
		"/no/such/python": "find the Python interpreter /no/such/python",
		"true":            "does not seem to be a Python interpreter",
		"false":           "exit status 1",
		old:               "is version 3.7; 3.8 or newer is needed",
	} {
		err := table.Check(t.Context(), program.Config{Python: python}, program.Spec{Kind: "python", Name: "job.py"}, programtest.WritePython(t, goodReduce))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, have %v", python, want, err)
		}
	}
}

// A list or dict in the output is JSON, or an error: JSON has no nan and no infinity.
func TestPythonOutputThatIsNoJSON(t *testing.T) {
	for value, name := range map[string]string{
		`{"x": [float("nan")]}`: "NaN", `[1, float("inf")]`: "Infinity", `(-float("inf"),)`: "-Infinity",
		`{float("nan"): 1, "y": float("inf")}`: "Infinity",
	} {
		for _, mapOnly := range []bool{false, true} {
			p := openSource(t, fmt.Sprintf("def map_fn(key, line): yield 'k', %s\ndef reduce_fn(key, values): yield from values\n", value), nil)
			a := programtest.Attempt(t)
			a.MapOnly = mapOnly
			records, err := programtest.MapAll(t, p, a, programtest.Lines("f", "x\n", 9))
			if !mapOnly && err == nil {
				_, err = programtest.ReduceAll(t, p, programtest.Attempt(t), records, 1)
			}
			user := programtest.WantUserError(t, err)
			if !strings.Contains(user.Message, "of the key 'k' has "+name+" in it, which JSON does not have: give None or a string") || user.Record == nil {
				t.Errorf("%s, map only %v: %v", value, mapOnly, user)
			}
		}
	}
}
