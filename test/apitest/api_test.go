package apitest

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

var (
	seed     = flag.Int("seed", 0, "of schemathesis; 0: another each time")
	examples = flag.Int("examples", 30, "of each operation, of schemathesis")
)

// Versions of the Go tools.
const (
	oapiCodegen = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
	oapiRuntime = "github.com/oapi-codegen/runtime@v1.9.0"
)

// TestAPI needs the tools of setup.sh.
func TestAPI(t *testing.T) {
	tools, err := filepath.Abs("../../.tools/api")
	must(t, err)
	s := start(t)
	document := filepath.Join(t.TempDir(), "openapi.json")
	s.fetch(t, "/v1/openapi.json", document)
	python := filepath.Join(tools, "venv", "bin")
	node := filepath.Join(tools, "node_modules", ".bin")
	t.Setenv("PATH", python+string(os.PathListSeparator)+os.Getenv("PATH")) // with node, and ruff for openapi-python-client
	t.Run("document", func(t *testing.T) {
		for _, path := range []string{document, "../../api/server/openapi.yaml"} {
			run(t, ".", nil, filepath.Join(python, "openapi-spec-validator"), path)
			run(t, ".", []string{"REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true"}, filepath.Join(node, "redocly"), "lint", path)
		}
	})
	t.Run("go", func(t *testing.T) {
		dir := t.TempDir()
		env := append(s.clientEnv(), "GOFLAGS=-mod=mod", "GOWORK=off")
		copyTo(t, "client.go.txt", filepath.Join(dir, "main.go"))
		must(t, os.Mkdir(filepath.Join(dir, "gen"), 0o700))
		run(t, dir, env, "go", "mod", "init", "apiclient")
		run(t, dir, env, "go", "run", oapiCodegen, "-generate", "types,client", "-package", "gen", "-o", "gen/gen.go", document)
		run(t, dir, env, "go", "get", oapiRuntime)
		run(t, dir, env, "go", "run", ".")
	})
	t.Run("python", func(t *testing.T) {
		dir := t.TempDir()
		env := s.clientEnv()
		copyTo(t, "client.py", filepath.Join(dir, "client.py"))
		run(t, dir, env, filepath.Join(python, "openapi-python-client"), "generate", "--path", document, "--meta", "none", "--output-path", "bucketmill_client")
		run(t, dir, env, filepath.Join(python, "python"), "client.py")
	})
	t.Run("typescript", func(t *testing.T) {
		dir := t.TempDir()
		copyTo(t, "client.ts", filepath.Join(dir, "client.ts"))
		must(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600))
		must(t, os.Symlink(filepath.Join(tools, "node_modules"), filepath.Join(dir, "node_modules")))
		run(t, dir, nil, filepath.Join(node, "openapi-typescript"), document, "-o", "schema.ts")
		run(t, dir, nil, filepath.Join(node, "tsc"), "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable", "client.ts")
		run(t, dir, s.clientEnv(), "node", "client.js")
	})
	t.Run("schemathesis", func(t *testing.T) {
		if *seed == 0 {
			*seed = 1 + rand.IntN(1_000_000)
		}
		t.Logf("the seed is %d, of %d examples", *seed, *examples)
		run(
			t, t.TempDir(), nil, filepath.Join(python, "schemathesis"), "run", s.url+"/v1/openapi.json", "--header", "Authorization: Bearer "+s.token,
			"--checks", "all",
			// A schema can't say which programs, inputs and outputs fit together.
			"--exclude-checks", "positive_data_acceptance",
			"--max-examples", fmt.Sprint(*examples), "--seed", fmt.Sprint(*seed), "--continue-on-failure", "--request-timeout", "60",
			"--suppress-health-check", "all", "--no-color",
		)
	})
}

// fetch writes the answer to a request into a file.
func (s *testServer) fetch(t *testing.T, path, to string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	must(t, err)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	must(t, os.WriteFile(to, text, 0o600))
}
