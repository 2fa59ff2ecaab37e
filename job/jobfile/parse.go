package jobfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/yamltext"
)

// Parse reads a spec from JSON or YAML. Unknown fields, names that are given twice, text that is
// not UTF-8, and a second document are errors. YAML scalars keep their text: see package yamltext.
func Parse(text []byte) (job.Spec, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	var err error
	if bytes.HasPrefix(text, []byte("{")) {
		err = checkJSON(text, reflect.TypeFor[job.Spec]())
	} else {
		text, err = yamltext.JSON[job.Spec](text)
	}
	if err != nil {
		return job.Spec{}, fmt.Errorf("%w: %w", job.ErrSpec, err)
	}
	var s job.Spec
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return job.Spec{}, fmt.Errorf("%w: %s", job.ErrSpec, inWords(err, text))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return job.Spec{}, fmt.Errorf("%w: something follows it", job.ErrSpec)
	}
	return s, nil
}

// inWords explains an error of package encoding/json in the words of a spec. The errors of types
// with an UnmarshalJSON of their own don't name the field: it is the first field that can't be read
// alone.
func inWords(err error, text []byte) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return fmt.Sprintf("%s must be %s, not %s", wrong.Field, yamltext.Wanted(wrong.Type), article(wrong.Value))
	}
	said := strings.TrimPrefix(err.Error(), "json: ")
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return said // not JSON
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		alone, err := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err == nil && json.Unmarshal(alone, new(job.Spec)) != nil && !strings.HasPrefix(said, "param") {
			return name + ": " + said
		}
	}
	return said
}

// article puts an article before what package encoding/json calls a value.
func article(value string) string {
	switch {
	case strings.HasPrefix(value, "number "):
		return strings.TrimPrefix(value, "number ")
	case value == "array", value == "object":
		return "an " + value
	}
	return "a " + value
}
