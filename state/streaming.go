package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// KindStreaming is the kind, and the program's name, of a job whose mapper is a command that reads and
// writes lines.
const KindStreaming = "streaming"

// ProgramFile is a file that a streaming program's processes find in their working folder. In a job
// file it may stand as the text FILE or FILE#NAME.
type ProgramFile struct {
	Source   string    `json:"source,omitempty"`   // path or URL; empty once there is an artifact
	Name     string    `json:"name"`               // in the working folder; the source's last element by default
	Artifact *Artifact `json:"artifact,omitempty"` // set at submission
}

// ParseProgramFile reads FILE or FILE#NAME.
func ParseProgramFile(text string) (ProgramFile, error) {
	f := ProgramFile{Source: text, Name: path.Base(text)}
	if i := strings.LastIndexByte(text, '#'); i >= 0 {
		f.Source, f.Name = text[:i], text[i+1:]
	}
	if f.Source == "" || !PlainFileName(f.Name) {
		return f, fmt.Errorf("program file %q: want FILE or FILE#NAME, where NAME has no slashes", text)
	}
	return f, nil
}

// PlainFileName tells whether a file in a folder may have that name.
func PlainFileName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 && utf8.ValidString(name) &&
		!strings.ContainsAny(name, "/\\") && !strings.ContainsFunc(name, unicode.IsControl)
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
		return errors.New("a program file must be a text, FILE or FILE#NAME, or an object with source and name: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	if f.Name == "" {
		f.Name = path.Base(f.Source)
	}
	return nil
}

// Streaming tells whether the job's program is commands.
func (s *Spec) Streaming() bool {
	return s.Kind == KindStreaming || s.Mapper != "" || s.Combiner != "" || s.Reducer != "" || len(s.ProgramFiles) > 0
}

// Limits of a streaming program: bytes of a command, which the kernel takes as an argument of sh -c,
// and number of files.
const (
	maxCommand      = 64 << 10
	MaxProgramFiles = 100
)

// streamingProblems says what is wrong with the commands and files of a job that has any.
func (s *Spec) streamingProblems() (problems []string) {
	if !s.Streaming() {
		return nil
	}
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if s.Program != "" && s.Program != KindStreaming {
		bad("program is %q: a job has either a program or a mapper", s.Program)
	}
	if s.Kind != "" && s.Kind != KindStreaming {
		bad("kind is %q: mapper, combiner, reducer and program_files are for kind %s", s.Kind, KindStreaming)
	}
	if s.Mapper == "" {
		bad("mapper is missing: cat passes lines on as they are")
	}
	for _, command := range []string{s.Mapper, s.Combiner, s.Reducer} {
		if len(command) > maxCommand || !utf8.ValidString(command) {
			bad("the command %.40q is longer than %d bytes, or not UTF-8", command, maxCommand)
		}
	}
	if s.Reducers != nil && *s.Reducers == 0 && (s.Reducer != "" || s.Combiner != "") {
		bad("reducers is 0: then there can be no reducer and no combiner")
	}
	if s.Combiner != "" && s.Reducer == "" {
		bad("combiner needs a reducer: without one it would show in the output how often it ran")
	}
	if len(s.ProgramFiles) > MaxProgramFiles {
		bad("%d program files: at most %d are taken", len(s.ProgramFiles), MaxProgramFiles)
	}
	var names []string
	for _, f := range s.ProgramFiles {
		if !PlainFileName(f.Name) {
			bad("%q can't be the name of a program file", f.Name)
		}
		if slices.Contains(names, f.Name) {
			bad("two program files have the name %s: FILE#NAME gives another", f.Name)
		}
		names = append(names, f.Name)
	}
	return problems
}
