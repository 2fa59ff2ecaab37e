package python

import (
	"bytes"
	"context"
	_ "embed" // the script
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program"
)

// modulesScript finds the modules in a Python program's folder that the program imports.
//
//go:embed runner/modules.py
var modulesScript string

// Modules returns the files in a Python program's folder that the program imports, directly or
// through each other, as paths below that folder, with slashes. It reads the program and does not
// run it. It fails only if there is no interpreter to read it.
func Modules(ctx context.Context, cfg program.Config, file string) ([]string, error) {
	python := newFinderOf(cfg)
	found, err := python.find(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, found.path, "-I", "-c", modulesScript, file) //nolint:gosec // the user's interpreter
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("find the modules of %s: %w: %s", file, err, strings.TrimSpace(stderr.String())), context.Cause(ctx))
	}
	var names []string
	if err := json.Unmarshal(out, &names); err != nil {
		return nil, fmt.Errorf("find the modules of %s: %w", file, err)
	}
	return names, nil
}
