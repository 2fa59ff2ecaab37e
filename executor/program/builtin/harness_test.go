package builtin

import (
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
)

// open opens a builtin with params given as name, value, …
func open(t testing.TB, name string, params ...string) program.Program {
	t.Helper()
	spec := program.Spec{Kind: "builtin", Name: name, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		spec.Params[params[i]] = params[i+1]
	}
	p, err := table.Open(program.Config{}, spec, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var table = program.Kinds{Kind}
