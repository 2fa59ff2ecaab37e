package builtin

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// csvFile is a CSV file with the result of Python's csv module; see testdata/csv_oracle.py.
type csvFile struct {
	data []byte
	rows []csvRow // the header, if there is one, first
	bad  int64    // the offset of the first row that is not well-formed; -1 if all are
	over int64    // the offset of the first row that has an LF inside quotes; -1 if none has
	open bool     // the last row ends inside quotes
	all  [][]string
}

// csvRow is a row; fields is nil if the row is not well-formed.
type csvRow struct {
	offset int64
	fields []string
}

func (r csvRow) String() string {
	if r.fields == nil {
		return fmt.Sprintf("%d: refused", r.offset)
	}
	return fmt.Sprintf("%d: %q", r.offset, r.fields)
}

// generateCSV returns n files: half of them random bytes, half of them meaningful rows.
func generateCSV(n int, nul bool) []csvFile {
	rng := rand.New(rand.NewPCG(11, 4180))
	files := make([]csvFile, n)
	for i := range files {
		var s strings.Builder
		if rng.IntN(4) == 0 {
			s.WriteString("\ufeff")
		}
		if i%2 == 0 {
			wildCSV(&s, rng, nul)
		} else {
			tameCSV(&s, rng)
		}
		files[i].data = []byte(s.String())
	}
	return files
}

func wildCSV(s *strings.Builder, rng *rand.Rand, nul bool) {
	pieces := []string{`"`, `"`, `"`, ",", ",", "a", "\n", "\r\n", "\r", `""`, `,"`, `",`, `"` + "\n", " ", "é", "\xff", "\ufeff", "bcdefghij", "\u2028\x0b\x85"}
	if nul {
		pieces = append(pieces, "\x00")
	}
	if rng.IntN(2) == 0 { // files with few special characters are read farther
		pieces = append(pieces[3:], `"`, "\n", "b")
	}
	if rng.IntN(3) > 0 {
		s.WriteString("h\n")
	}
	for range rng.IntN(40) {
		s.WriteString(pieces[rng.IntN(len(pieces))])
	}
}

// tameCSV writes a header of different names and rows with the same number of fields, mostly
// without an error.
func tameCSV(s *strings.Builder, rng *rand.Rand) {
	columns, end := 1+rng.IntN(4), []string{"\n", "\n", "\r\n", "\r\r\n"}[rng.IntN(4)]
	texts := []string{"", "a", "12.50", " x ", "é€", `5" pipe`, `a"b"`, `the ""`, "\xfe", "a longer field that goes on"}
	quoted := []string{"", "a", "x,y", `say ""hi""`, `""`, "cr\rcr", "\r", `,""`, "é"}
	if rng.IntN(2) == 0 {
		quoted = append(quoted, "two\nlines", "\r\n", "\n\n,")
	}
	if rng.IntN(100) == 0 {
		quoted = append(quoted, strings.Repeat("long, ", 22_000)) // more than the csv module's limit
	}
	if rng.IntN(6) == 0 { // an error
		texts = append(texts, "a\rb", `"a"b`, `"a" `)
	}
	for i := range columns {
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString([]string{string(rune('a' + i)), `"` + string(rune('a'+i)) + `"`, string(rune('a'+i)) + `"`, "ä" + string(rune('a'+i))}[rng.IntN(4)])
	}
	for range rng.IntN(9) {
		s.WriteString(end)
		for rng.IntN(8) == 0 {
			s.WriteString([]string{"\n", "\r\n", "\r\r\n"}[rng.IntN(3)])
		}
		for i := range columns {
			if i > 0 {
				s.WriteByte(',')
			}
			if rng.IntN(2) == 0 {
				s.WriteString(texts[rng.IntN(len(texts))])
			} else {
				s.WriteString(`"` + quoted[rng.IntN(len(quoted))] + `"`)
			}
		}
	}
	if rng.IntN(3) > 0 {
		s.WriteString(end)
	}
}

// askOracle reads the files with Python's csv module.
func askOracle(t *testing.T, python string, files []csvFile) {
	t.Helper()
	var in bytes.Buffer
	for _, f := range files {
		in.WriteString(base64.StdEncoding.EncodeToString(f.data) + "\n")
	}
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "csv_oracle.py"))
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	answers := bufio.NewReader(bytes.NewReader(out))
	for i := range files {
		line, err := answers.ReadBytes('\n')
		if err != nil {
			t.Fatalf("the oracle's answer %d: %v", i, err)
		}
		files[i].read(t, line)
	}
}

// read takes the oracle's answer.
func (f *csvFile) read(t *testing.T, answer []byte) {
	t.Helper()
	var a struct {
		Rows      [][2]json.RawMessage `json:"rows"`
		Bad, Over *int64
		Open      bool
		All       [][][]byte
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		t.Fatal(err)
	}
	for _, row := range a.Rows {
		f.rows = append(f.rows, parseRow(t, row))
	}
	for _, fields := range a.All {
		f.all = append(f.all, asStrings(fields))
	}
	f.bad, f.over, f.open = -1, -1, a.Open
	if a.Bad != nil {
		f.bad = *a.Bad
	}
	if a.Over != nil {
		f.over = *a.Over
	}
}

// rectangular reports whether the header's names differ, and all rows are well-formed with one
// field for each column.
func (f *csvFile) rectangular() bool {
	if f.bad >= 0 || len(f.rows) == 0 {
		return false
	}
	names := slices.Clone(f.rows[0].fields)
	slices.Sort(names)
	for _, row := range f.rows {
		if len(row.fields) != len(names) {
			return false
		}
	}
	return len(slices.Compact(names)) == len(f.rows[0].fields)
}

// parseRow parses [offset, [fields in base64]], or [offset, null].
func parseRow(t *testing.T, row [2]json.RawMessage) csvRow {
	t.Helper()
	var r csvRow
	var fields [][]byte
	if err := json.Unmarshal(row[0], &r.offset); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(row[1], &fields); err != nil {
		t.Fatal(err)
	}
	if fields != nil {
		r.fields = asStrings(fields)
	}
	return r
}

func asStrings(fields [][]byte) []string {
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = string(f)
	}
	return texts
}
