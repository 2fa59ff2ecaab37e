package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// description is openapi.yaml, against which every JSON answer of every test is checked.
type description struct {
	tree     map[string]any
	compiler *jsonschema.Compiler
	paths    map[string]*regexp.Regexp // by path, as in the document

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema // guarded by mu: by name
}

var readDescription = sync.OnceValues(func() (*description, error) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	d := &description{paths: map[string]*regexp.Regexp{}, schemas: map[string]*jsonschema.Schema{}}
	if err := yaml.Unmarshal(text, &d.tree); err != nil {
		return nil, err
	}
	asJSON, err := json.Marshal(d.tree)
	if err != nil {
		return nil, err
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return nil, err
	}
	d.compiler = jsonschema.NewCompiler()
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("mem:///openapi.json", root); err != nil {
		return nil, err
	}
	for path := range d.node(nil, "paths") {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(path), `\{key\}`, ".+")
		d.paths[path] = regexp.MustCompile("^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(pattern, "[^/]+") + "$")
	}
	return d, nil
})

// node follows names down from a node (nil: the root), and the references on the way.
func (d *description) node(from map[string]any, names ...string) map[string]any {
	if from == nil {
		from = d.tree
	}
	for _, name := range names {
		from, _ = from[name].(map[string]any)
		if ref, ok := from["$ref"].(string); ok && !strings.HasPrefix(ref, "#/components/schemas/") {
			from = d.node(nil, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return from
}

// check compares an answer with the description of its operation: the status, the content type, and
// the content if it is JSON. HEAD is answered like GET, without a body.
func (d *description) check(method, path string, status int, contentType string, body []byte) error {
	kind := ""
	if contentType != "" {
		var err error
		if kind, _, err = mime.ParseMediaType(contentType); err != nil {
			return err
		}
	}
	asJSON := kind == "application/json" || kind == "application/problem+json"
	if status == http.StatusRequestHeaderFieldsTooLarge {
		return nil // an answer of package http, before there is a path
	}
	responses := d.responses(method, path)
	if responses == nil { // there is no such operation
		if method == http.MethodHead || !asJSON {
			return nil
		}
		return d.valid("Problem", body)
	}
	response := d.node(responses, strconv.Itoa(status))
	if response == nil {
		return fmt.Errorf("no answer %d is documented", status)
	}
	content := d.node(response, "content")
	if content == nil || method == http.MethodHead {
		if len(body) > 0 {
			return fmt.Errorf("no body is documented for %d", status)
		}
		return nil
	}
	schema := d.node(content, kind, "schema")
	if schema == nil {
		return fmt.Errorf("no %q is documented for %d", kind, status)
	}
	if ref, ok := schema["$ref"].(string); ok && asJSON {
		return d.valid(strings.TrimPrefix(ref, "#/components/schemas/"), body)
	}
	return nil // any content is allowed
}

// responses are those of an operation.
func (d *description) responses(method, path string) map[string]any {
	for documented, pattern := range d.paths {
		if !pattern.MatchString(path) {
			continue
		}
		if r := d.node(nil, "paths", documented, strings.ToLower(method), "responses"); r != nil {
			return r
		}
		if r := d.node(nil, "paths", documented, "get", "responses"); r != nil && method == http.MethodHead {
			return r
		}
	}
	return nil
}

// valid checks JSON against one of the document's schemas.
func (d *description) valid(schema string, body []byte) error {
	d.mu.Lock()
	compiled, ok := d.schemas[schema]
	if !ok {
		var err error
		if compiled, err = d.compiler.Compile("mem:///openapi.json#/components/schemas/" + schema); err != nil {
			d.mu.Unlock()
			return err
		}
		d.schemas[schema] = compiled
	}
	d.mu.Unlock()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

// checking is a transport that reports answers that are not as documented.
type checking struct{ t testing.TB }

func (c checking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	var body []byte
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		if body, err = io.ReadAll(resp.Body); err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	d, err := readDescription()
	if err == nil {
		err = d.check(r.Method, r.URL.EscapedPath(), resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
	if err != nil {
		c.t.Errorf("%s %s answers %d %s, which is not as documented: %v", r.Method, r.URL, resp.StatusCode, body, err)
	}
	return resp, nil
}

func TestSchemaTestTells(t *testing.T) {
	d, err := readDescription()
	must(t, err)
	for body, status := range map[string]int{
		`{"id":"x","state":"SUBMITTED"}`: 201, `{"id":"x","state":"LOST"}`: 0, `{"id":"x"}`: 0, `{"id":"x","state":"FAILED","more":1}`: 0,
	} {
		if err := d.check("POST", "/v1/jobs", 201, "application/json", []byte(body)); (err == nil) != (status == 201) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for schema := range d.node(nil, "components", "schemas") {
		if err := d.valid(schema, []byte("[]")); err == nil {
			t.Errorf("%s takes a list", schema)
		}
	}
}

func TestServedDescription(t *testing.T) {
	s := serve(t, nil)
	for _, path := range []string{"/v1/openapi.json", "/v1/openapi.yaml"} {
		a := s.ask("GET", path, "")
		var tree struct {
			OpenAPI string
			Info    struct{ Version string }
		}
		if err := yaml.Unmarshal(a.body, &tree); err != nil || a.status != 200 || tree.OpenAPI != "3.1.0" || tree.Info.Version != "test" {
			t.Errorf("%s: %d %+v, %v", path, a.status, tree, err)
		}
	}
}
