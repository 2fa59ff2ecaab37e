package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// result is the result of a command line.
type result struct {
	code           int
	stdout, stderr string
}

// command runs a command line in this process.
func command(ctx context.Context, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, &stdout, &stderr)
	return result{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

// runJob runs a job in this process, with a scratch folder that must be empty at the end.
func runJob(t testing.TB, args ...string) result {
	t.Helper()
	scratch := filepath.Join(t.TempDir(), "scratch")
	r := command(t.Context(), append([]string{"run", "--scratch", scratch}, args...)...)
	checkEmpty(t, scratch)
	return r
}

// mustRun is runJob for a job that must complete. It checks and returns the output.
func mustRun(t testing.TB, output string, args ...string) []part {
	t.Helper()
	r := runJob(t, append(args, "--output", output)...)
	if r.code != exitDone {
		t.Fatalf("%q: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
	}
	return checkOutput(t, output)
}

// checkEmpty checks that a folder is empty or does not exist.
func checkEmpty(t testing.TB, folder string) {
	t.Helper()
	if names := tree(t, folder); len(names) > 0 {
		t.Errorf("left in %s: %q", folder, names)
	}
}

// tree lists the files and folders below a folder, by path.
func tree(t testing.TB, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if path != folder {
			names = append(names, strings.TrimPrefix(path, folder+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// writeFiles makes files below a new folder and returns the folder.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		writeFile(t, filepath.Join(folder, name), content)
	}
	return folder
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sampleText returns deterministic text of this size.
func sampleText(t testing.TB, size int, seed int) string {
	t.Helper()
	text, err := generate(t, "text", "--output", "-", "--size", fmt.Sprint(size), "--seed", fmt.Sprint(seed))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
