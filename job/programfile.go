package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ProgramFile is a file that is sent along with a program. Commands and executables find it in
// their working folder, Python programs also beside the program itself. In a job file it may be
// written as the text FILE or FILE#NAME.
type ProgramFile struct {
	Source string `json:"source,omitempty"` // path or URL; empty once there is an artifact
	// Name is the file's path below the working folder, with slashes; by default the last element
	// of Source.
	Name     string    `json:"name"`
	Artifact *Artifact `json:"artifact,omitempty"` // set at submission
}

// Limits of program files: their number, and the length of a name in bytes.
const (
	MaxProgramFiles    = 500
	maxProgramFileName = 1000
)

// ParseProgramFile parses FILE or FILE#NAME.
func ParseProgramFile(text string) (ProgramFile, error) {
	f := ProgramFile{Source: text, Name: path.Base(text)}
	if i := strings.LastIndexByte(text, '#'); i >= 0 {
		f.Source, f.Name = text[:i], text[i+1:]
	}
	if f.Source == "" || !ProgramFileName(f.Name) {
		return f, fmt.Errorf("program file %q: want FILE or FILE#NAME, where NAME is a file name, or a path without .. that does not begin with /", text)
	}
	return f, nil
}

// PlainFileName reports whether name may be the name of a file in a folder.
func PlainFileName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 && utf8.ValidString(name) &&
		!strings.ContainsAny(name, "/\\") && !strings.ContainsFunc(name, unicode.IsControl)
}

// ownFolder is the executor's own folder in a program's working folder.
const ownFolder = ".bucketmill"

// ProgramFileName reports whether name may be the name of a program file: a path of plain file
// names.
func ProgramFileName(name string) bool {
	for i, element := range strings.Split(name, "/") {
		if !PlainFileName(element) || i == 0 && element == ownFolder {
			return false
		}
	}
	return len(name) <= maxProgramFileName
}

// UnmarshalJSON reads a text or an object.
func (f *ProgramFile) UnmarshalJSON(text []byte) (err error) {
	if len(text) > 0 && text[0] == '"' {
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
		*f, err = ParseProgramFile(s)
		return err
	}
	type plain ProgramFile // without this method
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(f)); err != nil {
		return errors.New("a program file must be a text, FILE or FILE#NAME, or an object with the texts source and name")
	}
	if f.Name == "" {
		f.Name = path.Base(f.Source)
	}
	return nil
}

// programFileProblems returns what is wrong with the program files.
func (s *Spec) programFileProblems() (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if len(s.ProgramFiles) > MaxProgramFiles {
		bad("%d program files: at most %d are taken", len(s.ProgramFiles), MaxProgramFiles)
		return problems
	}
	names := map[string]bool{}
	for _, f := range s.ProgramFiles {
		if !ProgramFileName(f.Name) {
			bad("%q is not a valid name for a program file", f.Name)
		}
		if names[f.Name] {
			bad("two program files have the name %s: FILE#NAME gives another", f.Name)
		}
		names[f.Name] = true
	}
	if s.Artifact != nil && names[s.Program] {
		bad("a program file has the name of the program, %s: FILE#NAME gives another", s.Program)
	}
	for _, f := range s.ProgramFiles {
		for folder := path.Dir(f.Name); folder != "." && folder != "/"; folder = path.Dir(folder) {
			if names[folder] || s.Artifact != nil && folder == s.Program {
				bad("%s is a file, so that %s can't be a file in it", folder, f.Name)
			}
		}
	}
	return problems
}
