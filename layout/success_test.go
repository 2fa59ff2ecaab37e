package layout_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/bucketmill/bucketmill/layout"
)

func successOf(parts int) layout.Success {
	s := layout.Success{Job: "j-1", Name: "näme", Records: 7, Bytes: 9, Counters: map[string]int64{"a": 1, `user:"x"`: 2}}
	for i := range parts {
		s.Parts = append(s.Parts, layout.SuccessPart{Name: layout.PartName(i), Bytes: int64(i), Records: 1, Checksum: "xxh64:0123456789abcdef"})
	}
	return s
}

func TestReadSuccess(t *testing.T) {
	for _, n := range []int{0, 1, 3000} {
		s := successOf(n)
		s.Skipped = []layout.SuccessSkipped{{Name: "_skipped/m1.jsonl", Records: 3}}
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if id := layout.SuccessJob(text[:min(len(text), layout.SuccessHead)]); id != "j-1" {
			t.Errorf("it is of job %q", id)
		}
		for _, parts := range []int{n, -1} {
			var got []layout.SuccessPart
			read, err := layout.ReadSuccess(iotest.OneByteReader(strings.NewReader(string(text))), "j-1", parts, func(p layout.SuccessPart) error {
				got = append(got, p)
				return nil
			})
			if err != nil || len(got) != n || fmt.Sprint(got) != fmt.Sprint(s.Parts) || read.Name != s.Name || read.Bytes != 9 || read.Counters[`user:"x"`] != 2 {
				t.Errorf("%d parts: %+v, %d parts, %v", n, read, len(got), err)
			}
		}
	}
	broken := errors.New("broken")
	text, err := successOf(3).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layout.ReadSuccess(io.MultiReader(strings.NewReader(string(text[:90])), iotest.ErrReader(broken)), "j-1", 3, ignore); !errors.Is(err, broken) || errors.Is(err, layout.ErrNoSuccess) {
		t.Errorf("a store that fails: %v", err)
	}
}

func ignore(layout.SuccessPart) error { return nil }

// Anybody may have written what is read as a _SUCCESS.
func TestForgedSuccess(t *testing.T) {
	part := func(name string) string {
		return fmt.Sprintf(`{"job":"j-1","parts":[{"name":%q,"bytes":1,"records":1,"checksum":"xxh64:0"}]}`, name)
	}
	for name, text := range map[string]string{
		"empty": "", "another job": `{"job":"j-2","parts":[]}`, "no job": `{"parts":[]}`, "an array": "[]", "text": "done", "null": "null", "cut short": `{"job":"j-1","parts":[`,
		"no object": `"j-1"`, "two parts": `{"job":"j-1","parts":[{"name":"part-00000"},{"name":"part-00001"}]}`, "no part": `{"job":"j-1","parts":[]}`,
		"the job comes late": `{"parts":[{"name":"part-00000"}],"job":"j-1"}`, "another job at last": `{"job":"j-1","parts":[{"name":"part-00000"}],"job":"j-2"}`,
		"a negative size": `{"job":"j-1","parts":[{"name":"part-00000","bytes":-1}]}`, "another part": part("part-00001"), "a path": part("../../private/s.txt"),
		"a longer path": part("part-00000/../../s"), "an absolute path": part("/part-00000"), "no name": part(""), "another form": part("part-0"), "_SUCCESS": part("_SUCCESS"),
		"a counter of a long name": `{"job":"j-1","counters":{"` + strings.Repeat("x", 2000) + `":1},"parts":[{"name":"part-00000"}]}`, // 10,000 are too much of those that are longer still
		"parts of a wrong kind":    `{"job":"j-1","parts":{"name":"part-00000"}}`, "a long checksum": `{"job":"j-1","parts":[{"name":"part-00000","checksum":"` + strings.Repeat("x", 100) + `"}]}`,
	} {
		if _, err := layout.ReadSuccess(strings.NewReader(text), "j-1", 1, ignore); !errors.Is(err, layout.ErrNoSuccess) {
			t.Errorf("%s: %v", name, err)
		}
	}
	together := `{"job":"j-1","parts":[{"name":"part-00000","bytes":9223372036854775807},{"name":"part-00001","bytes":1}]}`
	if _, err := layout.ReadSuccess(strings.NewReader(together), "j-1", 2, ignore); !errors.Is(err, layout.ErrNoSuccess) {
		t.Errorf("parts that are larger together than any object: %v", err)
	}
	if id := layout.SuccessJob([]byte(`{"job":"../x"`)); id != "" {
		t.Errorf("it is of job %q", id)
	}
}

// endless repeats a text for ever.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		copied := copy(p[n:], e.text[e.at:])
		n += copied
		e.at = (e.at + copied) % len(e.text)
	}
	return n, nil
}

// What is forged takes no memory, however large it is, and comes to an end.
func TestLargeForgedSuccess(t *testing.T) {
	for name, s := range map[string]struct{ begin, repeat string }{
		"a text":    {`{"job":"j-1","name":"`, "x"},
		"a job":     {`{"job":"`, "j"},
		"an escape": {`{"job":"j-1","name":"`, `\u0041`},
		"space":     {`{"job":"j-1",`, " "},
		"nesting":   {`{"job":"j-1","x":`, "["},
		"a number":  {`{"job":"j-1","bytes":1`, "0"},
		"counters":  {`{"job":"j-1","counters":{"x":1`, `,"` + strings.Repeat("y", 1000) + `":1`},
		"members":   {`{"job":"j-1"`, `,"` + strings.Repeat("y", 60_000) + `":[` + strings.Repeat("1,", 30_000) + `1]`},
	} {
		limited := io.LimitReader(io.MultiReader(strings.NewReader(s.begin), &endless{text: s.repeat}), 100<<20)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := layout.ReadSuccess(limited, "j-1", 1, ignore)
		runtime.ReadMemStats(&after)
		if err == nil || !errors.Is(err, layout.ErrNoSuccess) {
			t.Errorf("%s: %v", name, err)
		}
		if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 32<<20 {
			t.Errorf("%s: the heap has grown by %d bytes", name, grown)
		}
	}
}

// The _SUCCESS of a very large job can be read.
func TestSuccessOfAVeryLargeJob(t *testing.T) {
	const parts = 200_000
	r, w := io.Pipe()
	go func() {
		_, err := io.WriteString(w, `{"job":"j-1","parts":[`)
		for i := 0; i < parts && err == nil; i++ {
			comma := ","
			if i == 0 {
				comma = ""
			}
			_, err = fmt.Fprintf(w, "%s\n  {\"name\":%q,\"bytes\":12345678901,\"records\":123456789,\"checksum\":\"xxh64:0123456789abcdef\"}", comma, layout.PartName(i))
		}
		if err == nil {
			_, err = io.WriteString(w, `],"counters":{}}`)
		}
		_ = w.CloseWithError(err) // which is always nil
	}()
	n := 0
	_, err := layout.ReadSuccess(r, "j-1", parts, func(layout.SuccessPart) error { n++; return nil })
	if err != nil || n != parts {
		t.Errorf("%d parts, %v", n, err)
	}
}
