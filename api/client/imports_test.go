package client

import (
	"os/exec"
	"strings"
	"testing"
)

// A program that imports the client gets the standard library and the types of the API, nothing
// else.
func TestClientImports(t *testing.T) {
	const module = "github.com/bucketmill/bucketmill/"
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"api": true, "api/client": true, "job": true, "layout": true}
	for path := range strings.FieldsSeq(string(out)) {
		name, ours := strings.CutPrefix(path, module)
		if !ours || !allowed[name] {
			t.Errorf("the client imports %s", path)
		}
		delete(allowed, name)
	}
	if len(allowed) > 0 {
		t.Errorf("these packages are not imported: %v", allowed)
	}
}
