package jobfile

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// oddTexts look like something else to YAML.
var oddTexts = []string{
	"2026-11-01", "2026-11-01 10:00:00", "2026-11-01T10:00:00Z", "01234", "1.10", "1_000", "1e3", "1234567890123456789012", "0x10", "0b11", "0o17",
	".5", "-.5", "+1", "1.", ".inf", ".NaN", "yes", "No", "on", "Off", "y", "true", "True", "FALSE", "12:30:45", "<<", "=", "-", "1,000", "NULLS",
}

// texts calls visit with every text of a spec that has one of each: fields, items of lists, values
// of maps. In YAML each is to be found by the path that comes with it.
func texts(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.String:
		visit(path, v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		texts(v.Elem(), path, visit)
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(v.Type()) {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			texts(v.FieldByIndex(f.Index), path+tag+": ", visit)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		texts(v.Index(0), path+"- ", visit)
	case reflect.Map:
		item := reflect.New(v.Type().Elem()).Elem()
		texts(item, path+"2026-11-01: ", visit)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("2026-11-01").Convert(v.Type().Key()), item)
	}
}

// inFlow writes "a: - b: " and a text as the YAML {a: [{b: TEXT}]}.
func inFlow(path, text string) string {
	field, rest, _ := strings.Cut(path, " ")
	switch field {
	case "":
		return text
	case "-":
		return "[" + inFlow(rest, text) + "]"
	}
	return "{" + field + " " + inFlow(rest, text) + "}"
}

// Every text of a spec, also one that a later version adds, is what stands in the YAML.
func TestYAMLKeepsEveryText(t *testing.T) {
	var paths []string
	texts(reflect.ValueOf(new(job.Spec)).Elem(), "", func(path string, _ reflect.Value) { paths = append(paths, path) })
	if all := strings.Join(paths, "|"); !strings.Contains(all, "params: 2026-11-01: ") || !strings.Contains(all, "program_files: - artifact: key: ") {
		t.Fatalf("the walk finds only %s", all)
	}
	for _, path := range paths {
		for _, text := range oddTexts {
			yaml := strings.TrimSuffix(strings.TrimPrefix(inFlow(path, text), "{"), "}")
			if strings.Contains(text, ",") || strings.HasPrefix(text, "-") && len(text) == 1 {
				yaml = strings.Replace(yaml, text, "'"+text+"'", 1)
			}
			if path == "program_files: - name: " || path == "program_files: - source: " {
				yaml = strings.Replace(yaml, "}", ", artifact: {}}", 1)
			}
			spec, err := Parse([]byte(yaml))
			if err != nil {
				t.Errorf("%s: %v", yaml, err)
				continue
			}
			found := false
			walk(reflect.ValueOf(spec), func(v string) { found = found || v == text })
			if !found {
				t.Errorf("%s: read as %+v", yaml, spec)
			}
		}
	}
}

// walk calls visit with every text in v.
func walk(v reflect.Value, visit func(string)) {
	switch v.Kind() {
	case reflect.String:
		visit(v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), visit)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			walk(v.MapIndex(key), visit)
		}
	}
}

// The same in both forms, where JSON has one.
func TestParamsKeepTheirText(t *testing.T) {
	for _, c := range []struct{ yaml, json, want string }{
		{"2026-11-01", `"2026-11-01"`, "2026-11-01"},
		{"1.10", "1.10", "1.10"},
		{"1234567890123456789012", "1234567890123456789012", "1234567890123456789012"},
		{"1e400", "1e400", "1e400"},
		{"-0.0", "-0.0", "-0.0"},
		{"true", "true", "true"},
		{"True", `"True"`, "True"},
		{`"a\tb"`, `"a\tb"`, "a\tb"},
		{`'null'`, `"null"`, "null"},
		{`!!str null`, `"null"`, "null"},
		{`!!str 1.10`, `"1.10"`, "1.10"},
		{`!!int "010"`, `"010"`, "010"},
		{`''`, `""`, ""},
		{"a b  # c", `"a b"`, "a b"},
		{"&x 007", `"007"`, "007"},
		{`"\U0001F600"`, `"\ud83d\ude00"`, "😀"},
	} {
		for form, text := range map[string]string{
			"yaml": "params:\n  day: " + c.yaml + "\n", "json": `{"params":{"day":` + c.json + `}}`,
		} {
			spec, err := Parse([]byte(text))
			if got := spec.Params["day"]; err != nil || got != c.want {
				t.Errorf("%s: %s: %q, %v", form, text, got, err)
			}
		}
	}
}

func TestYAMLForms(t *testing.T) {
	two := 2
	for text, want := range map[string]job.Spec{
		"reducers: 2":                         {Reducers: &two},
		"reducers: null\nmaps: ~\nname:":      {},
		"params:\ninput:":                     {},
		"overwrite: true\nsort_values: False": {Overwrite: true},
		"split_size: 65536":                   {SplitSize: 65536},
		"split_size: 64KiB":                   {SplitSize: 65536},
		"split_size:":                         {},
		"priority: -5":                        {Priority: -5},
		"program_files: [a.py, {source: '1', name: 2026}]": {ProgramFiles: []job.ProgramFile{
			{Source: "a.py", Name: "a.py"}, {Source: "1", Name: "2026"},
		}},
		"\xef\xbb\xbfname: 01":                      {Name: "01"},
		"\xef\xbb\xbf{\"name\":\"01\"}":             {Name: "01"},
		"# nothing":                                 {},
		"---\nname: a\n...\n":                       {Name: "a"},
		"name: &n 1.10\nprogram: *n":                {Name: "1.10", Program: "1.10"},
		"params: &p {a: 1.10}":                      {Params: job.Params{"a": "1.10"}},
		"params: {<<: {a: 1.10, b: 1}, b: 2}":       {Params: job.Params{"a": "1.10", "b": "2"}},
		"params: {<<: [{a: 01}, {a: 02, on: 03}]}":  {Params: job.Params{"a": "01", "on": "03"}},
		"<<: {name: 010, program: x}\nprogram: yes": {Name: "010", Program: "yes"},
		"name: >-\n  2026\n  11\n":                  {Name: "2026 11"},
		"params: {1: a, 2026-11-01: b, on: c}":      {Params: job.Params{"1": "a", "2026-11-01": "b", "on": "c"}},
	} {
		got, err := Parse([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestParseSpecSaysWhatIsWrong(t *testing.T) {
	for text, says := range map[string]string{
		"name: a\nname: b":                         `line 2: name is given twice, first in line 1`,
		"params: {1.0: a, '1.0': b}":               `1.0 is given twice`,
		"name: a\n---\nname: b":                    "a second document begins",
		"name: null":                               "line 1: name is null: write '' for an empty text, or 'null' in quotes for the word",
		"output: ~":                                "output is ~",
		"params: {a: }":                            "params.a has no value: write '' for an empty text",
		"input: [a, ~]":                            "input[1] is ~",
		"input: [a,\n b, ]\nname: {}":              "line 3: name must be text, not a map",
		"input: a.txt":                             `input must be a list, not "a.txt"`,
		"reducers: 1_000":                          "reducers is 1_000: write a whole number in plain digits",
		"reducers: 010":                            "reducers is 010",
		"reducers: 0x10":                           "reducers is 0x10",
		"reducers: 1e3":                            `reducers must be a whole number, not "1e3"`,
		"reducers: '2'":                            `reducers must be a whole number, not "2"`,
		"reducers: 99999999999999999999":           `reducers must be a whole number, not "99999999999999999999"`,
		"overwrite: yes":                           `overwrite must be true or false, not "yes"`,
		"overwrite: 'true'":                        "overwrite must be true or false",
		"split_size: 1_000":                        `"1_000" is not a size`,
		"task_timeout: 1":                          `"1" is not a length of time`,
		"inputs: [a]":                              `line 1: unknown field "inputs"`,
		"program_files: [{src: a}]":                `unknown field "program_files[0].src"`,
		"params: {a: [1]}":                         "params.a must be text, not a list",
		"params: {? [1, 2] : a}":                   "a key must be text, not a list",
		"params: {null: a}":                        "a key is missing, or null",
		"params: {a: !!binary aGk=}":               "the tag !!binary is not taken",
		"params: {a: !mine b}":                     "the tag !mine is not taken",
		"params: {<<: 1}":                          "a merge key (<<) takes a map",
		"params: &p {a: 1, <<: *p}":                "contains the alias",
		"params: {a: *b}":                          "unknown anchor 'b'",
		"a: [":                                     "line 1",
		`{"name":"a","name":"b"}`:                  `"name" is given twice`,
		`{"params":{"a":1,"a":2}}`:                 `"params.a" is given twice`,
		`{"Name":"a"}`:                             `unknown field "Name"`,
		`{"program_files":[{"source":"a","x":1}]}`: `unknown field "program_files[0].x"`,
		`{"input":["a",null]}`:                     `input[1] is null`,
		`{"name":1}`:                               "name must be text, not a number",
		`{"input":{}}`:                             "input must be a list, not an object",
		`{"params":[]}`:                            "params must be a map of names and texts",
		"{\"name\":\"\xff\"}":                      "it is not UTF-8",
		`{"name":"\ud83d"}`:                        `\ud83d is half a character`,
		`{"name":"\ude00\ud83d"}`:                  `\ude00 is half a character`,
		`{"name":"a"} {"name":"b"}`:                "something follows it",
		"params: {a: &a " + strings.Repeat("x", 1<<17) + ", b: *a, c: *a, d: *a, e: *a, f: *a, g: *a, h: *a, i: *a, j: *a}": "aliases repeat more than",
		bomb(): "aliases repeat more than",
	} {
		_, err := Parse([]byte(text))
		if !errors.Is(err, job.ErrSpec) || !strings.Contains(err.Error(), says) {
			t.Errorf("%.100q: %v, want %q", text, err, says)
		}
	}
	if _, err := Parse([]byte(`{"name":"\\ud83d \ud83d\ude00"}`)); err != nil {
		t.Error(err)
	}
}

// bomb doubles with every line what merge keys bring.
func bomb() string {
	var b strings.Builder
	b.WriteString("input: &l0 [x]\nparams:\n  <<: &m0 {a: x}\n")
	for i := range 40 {
		fmt.Fprintf(&b, "  <<: &m%d {<<: [*m%d, *m%d]}\n", i+1, i, i)
	}
	return b.String()
}

// What JSON can't hold as it is must not get into a spec.
func TestValidateWantsUTF8(t *testing.T) {
	for name, change := range map[string]func(*job.Spec){
		"name":                      func(s *job.Spec) { s.Name = "\xff" },
		"params.p":                  func(s *job.Spec) { s.Params = job.Params{"p": "\xc3"} },
		`the name "\xff" in params`: func(s *job.Spec) { s.Params = job.Params{"\xff": "p"} },
		"program_files[0].source": func(s *job.Spec) {
			s.Mapper, s.Program, s.ProgramFiles = "cat", "", []job.ProgramFile{{Source: "\xff", Name: "a"}}
		},
	} {
		s := job.Spec{Program: "a", Input: job.Inputs("b"), Output: "c"}
		change(&s)
		if err := s.Validate(); !errors.Is(err, job.ErrSpec) || !strings.Contains(err.Error(), name+" is not UTF-8") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The whole document is bounded, not only each of its lists and maps, and so is the time that it
// takes.
func TestYAMLDocumentsAreBounded(t *testing.T) {
	t.Attr("timing", "reading must be quick")
	t.Parallel()
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, form := range map[string]func(n int) string{
		"many maps":      func(n int) string { return many(n/900, "m%d: {"+many(900, "k%d: 1, ")+"}\n") },
		"a wide map":     func(n int) string { return "params:\n" + many(n, "  k%d: 1\n") },
		"a long list":    func(n int) string { return "input: [" + strings.Repeat("a,", n) + "]" },
		"many comments":  func(n int) string { return "input:\n" + strings.Repeat("#\n- a\n", n) },
		"many anchors":   func(n int) string { return many(n, "- &a%d x\n") },
		"empty maps":     func(n int) string { return "input: [" + strings.Repeat("{},", n) + "]" },
		"explicit keys":  func(n int) string { return strings.Repeat("? a\n: b\n", n) },
		"many aliases":   func(n int) string { return "a: &a {k: v}\nparams:\n" + many(n, " k%d: *a\n") },
		"merges of maps": func(n int) string { return "a: &a {k: v}\nb:\n" + strings.Repeat("- <<: *a\n", n) },
	} {
		for n, want := range map[int]string{20_001: "more than 20000 keys and values", 200_000: "bytes of YAML; at most 262144"} {
			begun := time.Now()
			_, err := Parse([]byte(form(n)))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%d of %s: %.200v", n, name, err)
			}
			if took := time.Since(begun); took > 10*time.Second { // a hundredth of that on an idle machine
				t.Errorf("%d of %s: it took %v", n, name, took)
			}
		}
	}
	if _, err := Parse([]byte("input:\n" + strings.Repeat("- a\n", 10_000))); err != nil {
		t.Error(err)
	}
}
