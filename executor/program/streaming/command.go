package streaming

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bucketmill/bucketmill/internal/record"
)

// splitCommand cuts a command into its arguments at white space outside of quotes. In single or
// double quotes, every character means itself; a backslash has no special meaning.
func splitCommand(command string) ([]string, error) {
	var (
		args  []string
		arg   []byte
		begun bool // an argument, which may be empty
		quote byte // 0 outside
	)
	end := func() {
		if begun {
			args = append(args, string(arg))
		}
		arg, begun = arg[:0], false
	}
	for i := range len(command) {
		switch c := command[i]; {
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			end()
		default:
			arg, begun = append(arg, c), true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the command %s has a %c without a second one", record.Preview([]byte(command)), quote)
	}
	if end(); len(args) == 0 || args[0] == "" {
		return nil, fmt.Errorf("the command %s names no program", record.Preview([]byte(command)))
	}
	if strings.IndexByte(command, 0) >= 0 {
		return nil, fmt.Errorf("the command %s contains a NUL byte", record.Preview([]byte(command)))
	}
	return args, nil
}

// findCommand returns the absolute path of a command's program. It searches the working folder, and
// then the folders of PATH. A file in the working folder is made executable.
func findCommand(name, folder, path string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	if own := filepath.Join(folder, name); isFile(own) {
		if err := makeExecutable(own); err != nil {
			return "", err
		}
		return own, nil
	}
	for _, place := range filepath.SplitList(path) {
		found := filepath.Join(place, name)
		if info, err := os.Stat(found); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && filepath.IsAbs(place) {
			return found, nil
		}
	}
	return "", fmt.Errorf("there is no program %s in the working folder or in PATH: send it with --program-file FILE", name)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// makeExecutable gives all users the right to run a file. A file of another user may stay as it is;
// then its start fails.
func makeExecutable(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Mode()&0o100 == 0 {
		err = os.Chmod(path, info.Mode().Perm()|0o111)
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("make the program executable: %w", err)
	}
	return nil
}
