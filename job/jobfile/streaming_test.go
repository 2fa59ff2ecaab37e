package jobfile

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

func TestProgramFiles(t *testing.T) {
	for text, want := range map[string]job.ProgramFile{
		`"map.py"`:                      {Source: "map.py", Name: "map.py"},
		`"../a b/map.py"`:               {Source: "../a b/map.py", Name: "map.py"},
		`"s3://b/x/map.py#m"`:           {Source: "s3://b/x/map.py", Name: "m"},
		`"a#b#c"`:                       {Source: "a#b", Name: "c"},
		`"x.py#p/q/x.py"`:               {Source: "x.py", Name: "p/q/x.py"},
		`{"source":"x/map.py"}`:         {Source: "x/map.py", Name: "map.py"},
		`{"source":"a#b","name":"c#d"}`: {Source: "a#b", Name: "c#d"},
		`{"name":"m","artifact":{"key":"k","sha256":"s","size":3}}`: {Name: "m", Artifact: &job.Artifact{Key: "k", SHA256: "s", Size: 3}},
	} {
		s, err := Parse([]byte(`{"program_files":[` + text + `]}`))
		if err != nil || len(s.ProgramFiles) != 1 || !reflect.DeepEqual(s.ProgramFiles[0], want) {
			t.Errorf("%s: %+v, %v", text, s.ProgramFiles, err)
			continue
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse(again); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s comes back from %s as %+v, %v", text, again, back.ProgramFiles, err)
		}
	}
	for _, text := range []string{`""`, `"#a"`, `"a#"`, `"a#/b"`, `"a#b/"`, `"a#b//c"`, `"a#../b"`, `"a#b/../c"`, `"a#.bucketmill/x"`, `"a#b\\\\c"`, `"a/.."`, `"/"`, `3`, `["a"]`, `{"nam":"x"}`, `"a\nb"`} {
		if s, err := Parse([]byte(`{"program_files":[` + text + `]}`)); err == nil {
			t.Errorf("%s is taken for %+v", text, s.ProgramFiles)
		}
	}
}

func TestStreamingSpec(t *testing.T) {
	none, two := 0, 2
	file := func(name string) job.ProgramFile { return job.ProgramFile{Name: name} }
	for _, test := range []struct {
		spec job.Spec
		says string
	}{
		{job.Spec{Mapper: "cat"}, ""},
		{job.Spec{Mapper: "cat", Program: "streaming", Kind: "streaming", Reducers: &none}, ""},
		{job.Spec{Mapper: "cat", Combiner: "a", Reducer: "b", Reducers: &two, ProgramFiles: []job.ProgramFile{file("a"), file("b")}}, ""},
		{job.Spec{Reducer: "cat"}, "mapper is missing"},
		{job.Spec{Kind: "streaming"}, "mapper is missing"},
		{job.Spec{ProgramFiles: []job.ProgramFile{file("a")}}, "program is missing"},
		{job.Spec{Program: "job.py", ProgramFiles: []job.ProgramFile{file("a.py"), file("p/__init__.py"), file("p/q/a.py")}}, ""},
		{job.Spec{Program: "job.py", Artifact: &job.Artifact{}, ProgramFiles: []job.ProgramFile{file("job.py")}}, "a program file has the name of the program, job.py"},
		{job.Spec{Program: "job.py", ProgramFiles: []job.ProgramFile{file("p/q/a.py"), file("p")}}, "p is a file, so that p/q/a.py can't be a file in it"},
		{job.Spec{Mapper: "cat", Program: "job.py"}, `program is "job.py"`},
		{job.Spec{Mapper: "cat", Kind: "python"}, `kind is "python"`},
		{job.Spec{Mapper: "cat", Reducer: "cat", Reducers: &none}, "reducers is 0"},
		{job.Spec{Mapper: "cat", Combiner: "cat"}, "combiner needs a reducer"},
		{job.Spec{Mapper: strings.Repeat("x", 64<<10+1)}, "longer than 65536 bytes"},
		{job.Spec{Mapper: "cat \xff"}, "not UTF-8"},
		{job.Spec{Mapper: "cat", ProgramFiles: []job.ProgramFile{file("a"), file("b"), file("a")}}, "two program files have the name a"},
		{job.Spec{Mapper: "cat", ProgramFiles: []job.ProgramFile{file("../a")}}, `"../a" is not a valid name`},
		{job.Spec{Mapper: "cat", ProgramFiles: make([]job.ProgramFile, 501)}, "at most 500 are taken"},
		{job.Spec{}, "program is missing"},
	} {
		s := test.spec
		s.Input, s.Output = job.Inputs("b"), "c"
		err := s.Validate()
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v, want %q", test.spec, err, test.says)
		}
	}
}
