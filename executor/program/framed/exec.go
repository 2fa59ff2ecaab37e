package framed

import (
	"context"
	"fmt"
	"os"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/job"
)

// Kind is the kind of executables that speak the framed protocol.
var Kind = program.Kind{
	Kind: job.Kind{Name: "exec", Title: "executable", Origin: job.OriginFile, Rate: 30e6},
	Open: Open,
}

// Open opens an executable that speaks the framed protocol.
func Open(cfg program.Config, spec program.Spec, file string) (program.Program, error) {
	path, err := process.FindFile(file)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	if info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("program %s is not executable", file)
	}
	files, err := process.FindFiles(spec.Files)
	if err != nil {
		return nil, err
	}
	return &Program{
		Config: cfg.WithDefaults(), Spec: spec, Files: files, Foreign: true,
		Command: func(context.Context, program.Attempt) ([]string, error) { return []string{path}, nil },
	}, nil
}
