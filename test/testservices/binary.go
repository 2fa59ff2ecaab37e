package testservices

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// findBinary returns the path of a server program. See the package comment for the order.
func findBinary(name, env string) (string, error) {
	if path := os.Getenv(env); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("%s: %w", env, err)
		}
		return path, nil
	}
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	local := filepath.Join(root, ".tools", "bin", name)
	if path, err := exec.LookPath(local); err == nil {
		return path, nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf(
		"this test needs the program %s, which is neither in .tools/bin nor on PATH: run \"make tools\", or set %s to its path",
		name, env)
}

// repositoryRoot returns the nearest folder with a go.mod, at or above the working directory. "go
// test" runs tests in the folder of their package.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod at or above the working directory")
		}
		dir = parent
	}
}
