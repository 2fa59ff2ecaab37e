package server

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
	"go.yaml.in/yaml/v3"
)

// openapiTree is the part of openapi.yaml that is compared with the code.
type openapiTree struct {
	Paths      map[string]map[string]any
	Components struct {
		Schemas struct {
			Code struct{ Enum []api.Code } `yaml:"Code"`
		}
	}
}

func readOpenAPI(t *testing.T) openapiTree {
	t.Helper()
	var tree openapiTree
	if err := yaml.Unmarshal(openapiYAML, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestRoutesAreDocumented(t *testing.T) {
	var documented, served []string
	for path, item := range readOpenAPI(t).Paths {
		for method := range item {
			if method != "parameters" {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, r := range (&Server{metrics: &metrics{}}).routes() {
		elements := strings.Split(r.path, "/")
		for i, e := range elements {
			if name, ok := strings.CutPrefix(e, ":"); ok {
				elements[i] = "{" + name + "}"
			} else if e == "*" {
				elements[i] = "{key}"
			}
		}
		served = append(served, r.method+" "+strings.Join(elements, "/"))
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("openapi.yaml has\n%s\nthe server has\n%s", strings.Join(documented, "\n"), strings.Join(served, "\n"))
	}
}

func TestCodesAreDocumented(t *testing.T) {
	documented := slices.Sorted(slices.Values(readOpenAPI(t).Components.Schemas.Code.Enum))
	if known := slices.Sorted(maps.Keys(problems)); !slices.Equal(documented, known) {
		t.Errorf("openapi.yaml has the codes %q, problem.go %q", documented, known)
	}
}

// A comma in YAML's {key: some, text} ends a text, and makes a key without a value of the rest.
func TestNoTextIsCut(t *testing.T) {
	var tree any
	if err := yaml.Unmarshal(openapiYAML, &tree); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case nil:
			t.Errorf("%s has no value", path)
		case map[string]any:
			for key, inner := range v {
				walk(path+"/"+key, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path+"/[]", inner)
			}
		}
	}
	walk("", tree)
}
