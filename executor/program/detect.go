package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bucketmill/bucketmill/job/yamltext"
)

// Detect says what a program named on the command line is: a builtin by its name, a Python
// file by its ending, an executable by its mode. To run a file that is called like a
// builtin, give it as a path ("./sort"). For anything else the error lists the builtins.
func Detect(arg string) (Kind, error) {
	if _, ok := findBuiltin(arg); ok {
		return Builtin, nil
	}
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", unknownProgram(arg)
	case err != nil:
		return "", fmt.Errorf("program: %w", err)
	case info.IsDir():
		return "", fmt.Errorf("program %s is a folder", arg)
	case filepath.Ext(arg) == ".py":
		return Python, nil
	case info.Mode()&0o111 != 0:
		return Exec, nil
	}
	return "", fmt.Errorf("program %s is neither a .py file nor executable; what reads and writes lines is given by --mapper, as --mapper 'sh %[1]s'", arg)
}

func unknownProgram(arg string) error {
	names := make([]string, len(builtins))
	for i, b := range builtins {
		names[i] = b.info.Name
	}
	hint := ""
	if near := Nearest(arg, names); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Errorf("no program %q: there is no such file, and the builtins are %s%s",
		arg, strings.Join(names, ", "), hint)
}

// Nearest returns the one of names that differs least from arg, if it is near enough to be what was meant; else "".
func Nearest(arg string, names []string) string { return yamltext.Nearest(arg, names) }
