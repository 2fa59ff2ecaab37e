package testservices

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindBinary(t *testing.T) {
	const name, env = "bucketmill-some-server", "BUCKETMILL_SOME_SERVER"
	program := func(dir string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root, onPath := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(root, "some", "package")
	if err := os.MkdirAll(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(inside)
	t.Setenv("PATH", onPath)

	if path, err := findBinary(name, env); err == nil || !strings.Contains(err.Error(), "make tools") {
		t.Fatalf("without a program: %q, %v", path, err)
	}
	check := func(want string) {
		t.Helper()
		if path, err := findBinary(name, env); err != nil || path != want {
			t.Errorf("got %q, %v; want %q", path, err, want)
		}
	}
	check(program(onPath))
	check(program(filepath.Join(root, ".tools", "bin")))
	named := program(t.TempDir())
	t.Setenv(env, named)
	check(named)
	t.Setenv(env, named+"-missing")
	if path, err := findBinary(name, env); err == nil {
		t.Errorf("a named program that is missing: %q", path)
	}
}
