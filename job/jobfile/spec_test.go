package jobfile

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

func TestParseSpec(t *testing.T) {
	reducers := 4
	want := job.Spec{
		Name: "wc", Program: "wordcount", Input: job.Inputs("s3://inbox/books/*.txt"), Output: "s3://outbox/wc",
		Reducers: &reducers, SplitSize: 64 << 10, Params: job.Params{"lower": "true", "n": "3", "x": "1.50"},
	}
	for form, text := range map[string]string{
		"json": ` {"name":"wc","program":"wordcount","input":["s3://inbox/books/*.txt"],"output":"s3://outbox/wc",
			"reducers":4,"split_size":"64KiB","params":{"lower":true,"n":3,"x":"1.50"}} `,
		"yaml": "name: wc\nprogram: wordcount\ninput: ['s3://inbox/books/*.txt']\noutput: s3://outbox/wc\n" +
			"reducers: 4\nsplit_size: 65536\nparams: {lower: true, n: 3, x: '1.50'}\n",
	} {
		got, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", form, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, wanted %+v", form, got, want)
		}
	}
}

func TestParseSpecRefuses(t *testing.T) {
	for what, text := range map[string]string{
		"an unknown field":      `{"program":"a","inputs":["b"]}`,
		"what follows":          `{"program":"a"}}`,
		"a second document":     `{"program":"a"} {"program":"b"}`,
		"a list":                `- a`,
		"nothing":               ``,
		"a nested param":        `{"params":{"a":{"b":1}}}`,
		"a size that is none":   `{"split_size":"many"}`,
		"a size below nothing":  `{"split_size":"-1KiB"}`,
		"broken yaml":           "a: [",
		"a number for the name": `{"name":1}`,
	} {
		if spec, err := Parse([]byte(text)); !errors.Is(err, job.ErrSpec) {
			// Nothing at all is a spec without fields: Validate refuses it.
			if err != nil || !errors.Is(spec.Validate(), job.ErrSpec) {
				t.Errorf("%s: got %v, wanted %v", what, err, job.ErrSpec)
			}
		}
	}
}

func TestOrderNeedsReducers(t *testing.T) {
	none, two := 0, 2
	for _, test := range []struct {
		spec job.Spec
		says string
	}{
		{job.Spec{}, ""},
		{job.Spec{SortOrder: job.OrderPartition, Reducers: &none}, ""},
		{job.Spec{SortOrder: job.OrderTotal, SortValues: true}, ""},
		{job.Spec{SortOrder: job.OrderTotal, SortValues: true, Reducers: &two}, ""},
		{job.Spec{SortOrder: job.OrderTotal, Reducers: &none}, "sort_order total needs reducers"},
		{job.Spec{SortValues: true, Reducers: &none}, "sort_values needs reducers"},
		{job.Spec{SortOrder: "down"}, `sort_order is "down": must be partition or total`},
	} {
		s := test.spec
		s.Program, s.Input, s.Output = "a", job.Inputs("b"), "c"
		err := s.Validate()
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v, want %q", test.spec, err, test.says)
		}
	}
}

func TestReducersHaveALimit(t *testing.T) {
	for n, fine := range map[int]bool{-1: false, 0: true, job.MaxReducers: true, job.MaxReducers + 1: false, 2_000_000: false} {
		s := job.Spec{Program: "a", Input: job.Inputs("b"), Output: "c", Reducers: &n}
		if err := s.Validate(); (err == nil) != fine {
			t.Errorf("%d reducers: %v", n, err)
		}
	}
}

func TestWebhookIsAPlainURL(t *testing.T) {
	for text, fine := range map[string]bool{
		"": true, "https://example.com": true, "http://[::1]:8080/a?b=c": true, "HTTPS://example.com/": true,
		"https://example.com/" + strings.Repeat("a", 1980): true, "https://example.com/" + strings.Repeat("a", 1981): false,
		"example.com/hook": false, "/hook": false, "//example.com": false, "https:///hook": false, "https://:80/": false,
		"https:example.com": false, "ftp://example.com": false, "file:///etc/passwd": false,
		"https://secret@example.com": false, "https://me:secret@example.com": false, "https://secret\n.com": false, "https://exa mple/secret": false,
	} {
		s := job.Spec{Program: "a", Input: job.Inputs("b"), Output: "c", Webhook: text}
		err := s.Validate()
		if (err == nil) != fine || err != nil && (!errors.Is(err, job.ErrSpec) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(`{"program":"a","input":["b"],"output":"c","reducers":0}`))
	f.Add([]byte("program: a\nsplit_size: 1.5GB\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<12 {
			return // the API bounds what it reads
		}
		spec, err := Parse(text)
		if err != nil && !errors.Is(err, job.ErrSpec) {
			t.Fatalf("%v is no %v", err, job.ErrSpec)
		}
		if err == nil {
			_ = spec.Validate() // must not panic
		}
	})
}

func TestByteSizeRoundTrips(t *testing.T) {
	for _, size := range []job.ByteSize{0, 1, 1000, 1024, 1536, 64 << 20, 5 << 40, 1<<62 - 1} {
		if got, err := job.ParseByteSize(size.String()); err != nil || got != size {
			t.Errorf("%d became %s, read as %d, %v", size, size, got, err)
		}
	}
}

// Errors use the words of the spec, and an unknown field's says what may be meant.
func TestSpecErrorsInWords(t *testing.T) {
	for text, want := range map[string]string{
		`{"progam":"x"}`:               `unknown field "progam": did you mean "program"?`,
		"input: [x]\nreducer_s: 2\n":   `line 2: unknown field "reducer_s": did you mean "reducers"?`,
		"splitsize: 2\n":               `line 1: unknown field "splitsize": did you mean "split_size"?`,
		`{"zzzzzzzzzz":1}`:             `unknown field "zzzzzzzzzz"`,
		`{"split_size":1.5}`:           `split_size: "1.5" is not a size`,
		"name: x\nsplit_size: 1.5\n":   `split_size: "1.5" is not a size`,
		`{"task_timeout":"5 minutes"}`: `task_timeout: "5 minutes" is not a length of time`,
		`{"input":"x"}`:                "input must be a list, not a string",
		`{"program_files":[1]}`:        "program_files: a program file must be a text, FILE or FILE#NAME, or an object with the texts source and name",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.HasPrefix(strings.TrimPrefix(err.Error(), "job spec is not valid: "), want) || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestInputsAreURLsOrObjects(t *testing.T) {
	for _, text := range []string{
		`{"program": "a", "input": ["s3://b/1", {"url": "s3://b/2"}], "output": "c"}`,
		"program: a\ninput:\n- s3://b/1\n- url: s3://b/2\noutput: c\n",
	} {
		s, err := Parse([]byte(text))
		if err != nil || !slices.Equal(s.InputURLs(), []string{"s3://b/1", "s3://b/2"}) {
			t.Errorf("%s\n%v, %v", text, s.Input, err)
		}
		// What is stored and sent is what versions before this form read.
		if got, err := json.Marshal(s); err != nil || !strings.Contains(string(got), `"input":["s3://b/1","s3://b/2"]`) {
			t.Errorf("%s, %v", got, err)
		}
	}
	for text, want := range map[string]string{
		`{"program": "a", "input": [{"url": "b", "colour": "red"}], "output": "c"}`: "colour",
		"program: a\ninput: [{url: b, colour: red}]\noutput: c\n":                   "colour",
		`{"program": "a", "input": [7], "output": "c"}`:                             "input",
		"program: a\ninput: [[b]]\noutput: c\n":                                     "input",
		`{"program": "a", "input": [{"url": 7}], "output": "c"}`:                    "url",
		`{"program": "a", "input": [{"url": "b", "url": "c"}], "output": "c"}`:      "url",
	} {
		if s, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v, %v", text, s.Input, err)
		}
	}
	s := job.Spec{Program: "a", Input: []job.Input{{}}, Output: "c"}
	if err := s.Validate(); err == nil {
		t.Error("an input without URL is valid")
	}
}
