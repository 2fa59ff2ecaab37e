package jobfile_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
)

func specPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/job-file.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The page on the job file has every field, in order, with its type, and no other.
func TestPageHasAllFieldsOfTheSpec(t *testing.T) {
	t.Parallel()
	var want, got []string
	kinds := map[string]string{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[job.Spec]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		want = append(want, name)
		kinds[name] = kindOf(f.Type)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*?) *\\|").FindAllStringSubmatch(specPage(t), -1) {
		name, kind := row[1], row[2]
		got = append(got, name)
		if wanted, ok := kinds[name]; ok && !strings.HasPrefix(kind, wanted) {
			t.Errorf("%s is %q on the page, but is %s", name, kind, wanted)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the page has the fields\n%q, but a job has\n%q", got, want)
	}
}

// kindOf is how the page begins to say what type a field has.
func kindOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[job.ByteSize]():
		return "size"
	case reflect.TypeFor[*job.Duration]():
		return "duration"
	case reflect.TypeFor[*job.Artifact]():
		return ""
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.Bool:
		return "boolean"
	case reflect.Int:
		return "integer"
	case reflect.Slice:
		return "list"
	case reflect.Map:
		return "map"
	}
	return "" // a text, whose name may say more: path or URL
}

// The page's examples are job files that can be used.
func TestPageExamplesAreSpecs(t *testing.T) {
	t.Parallel()
	examples := regexp.MustCompile("(?s)```(?:yaml|json)\n(.*?)```").FindAllStringSubmatch(specPage(t), -1)
	if len(examples) < 4 {
		t.Fatalf("only %d examples were found", len(examples))
	}
	for _, example := range examples {
		spec, err := jobfile.Parse([]byte(example[1]))
		if err == nil {
			err = spec.Validate()
		}
		if err != nil {
			t.Errorf("%s%v", example[1], err)
		}
	}
}
