package job

import (
	"errors"
	"slices"
	"testing"
)

var testKinds = Kinds{
	{Name: "named"},
	{Name: "commands", Origin: OriginCommands},
	{Name: "script", Origin: OriginFile, Suffix: ".x"},
	{Name: "any", Origin: OriginFile},
}

func TestKindsAreFound(t *testing.T) {
	for name, found := range map[string]bool{"named": true, "script": true, "": false, "Named": false} {
		kind, err := testKinds.Find(name)
		if (err == nil) != found || found && kind.Name != name {
			t.Errorf("%q: %v, %v", name, kind, err)
		}
	}
	for file, want := range map[string]string{"a.x": "script", "x": "any", ".x": "script", "a.x.y": "any"} {
		if kind := testKinds.OfFile(file); kind.Name != want {
			t.Errorf("%s is of kind %s, want %s", file, kind.Name, want)
		}
	}
	if kind := testKinds[:3].OfFile("a"); kind != nil {
		t.Errorf("a file of no kind is of kind %s", kind.Name)
	}
	if names := testKinds.Names(OriginFile); !slices.Equal(names, []string{"script", "any"}) {
		t.Errorf("kinds with files: %q", names)
	}
	if kind := testKinds.First(OriginCommands); kind != &testKinds[1] {
		t.Errorf("the first kind with commands is %v", kind)
	}
}

func TestNamedProgramsTakeNoFiles(t *testing.T) {
	spec := Spec{Program: "wordcount", ProgramFiles: []ProgramFile{{Name: "a"}}}
	for i, refused := range []bool{true, false, false, false} {
		if err := testKinds[i].Accepts(&spec); errors.Is(err, ErrSpec) != refused {
			t.Errorf("%s: %v", testKinds[i].Name, err)
		}
	}
}
