package python

import (
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

var table = program.Kinds{Kind}

// openSource opens a Python program.
func openSource(t testing.TB, text string, params map[string]string) program.Program {
	t.Helper()
	return programtest.Source(t, &Kind, text, params)
}

// foundPython returns a Config whose interpreter is found.
func foundPython(t testing.TB) program.Config {
	t.Helper()
	return programtest.Ready(t, &Kind)
}
