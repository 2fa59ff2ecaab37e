// Package kinds has the table of all kinds of programs. A new kind needs a folder beside this one,
// and a line in All.
package kinds

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/builtin"
	"github.com/bucketmill/bucketmill/executor/program/framed"
	"github.com/bucketmill/bucketmill/executor/program/python"
	"github.com/bucketmill/bucketmill/executor/program/streaming"
	"github.com/bucketmill/bucketmill/job"
)

// All returns the table. Its order matters for files: the first kind whose suffix fits counts.
func All() program.Kinds {
	return program.Kinds{
		builtin.Kind,
		streaming.Kind,
		python.Kind,
		framed.Kind, // last: it accepts any executable file
	}
}

// Detect returns the kind of a program named on the command line: a builtin by its name, a Python
// file by its suffix, an executable by its mode. A file with the name of a builtin must be given as
// a path ("./sort"). If there is no such file, the error lists the builtins.
func Detect(kinds program.Kinds, arg string) (*program.Kind, error) {
	if kind := kinds.Named(arg); kind != nil {
		return kind, nil
	}
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, builtin.Unknown(arg)
	case err != nil:
		return nil, fmt.Errorf("program: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("program %s is a folder", arg)
	}
	var suffixes []string
	for i := range kinds {
		switch kind := &kinds[i]; {
		case kind.Origin != job.OriginFile:
		case kind.Suffix != "" && filepath.Ext(arg) == kind.Suffix, kind.Suffix == "" && info.Mode()&0o111 != 0:
			return kind, nil
		case kind.Suffix != "":
			suffixes = append(suffixes, kind.Suffix)
		}
	}
	return nil, fmt.Errorf("program %s is neither a %s file nor executable; for a script that reads and writes lines use --mapper, such as --mapper 'sh %[1]s'",
		arg, strings.Join(suffixes, " or "))
}
