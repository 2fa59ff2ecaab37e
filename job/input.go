package job

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Input is one entry of a spec's input: where records come from. What may differ from input to
// input belongs here. In a job file an input is either its URL alone, or an object with these
// fields.
type Input struct {
	URL string `json:"url"` // of objects: one, a glob of them, a prefix or a folder
}

// Inputs returns an Input for each URL.
func Inputs(urls ...string) []Input {
	inputs := make([]Input, len(urls))
	for i, url := range urls {
		inputs[i].URL = url
	}
	return inputs
}

// InputURLs returns the URLs of the spec's inputs.
func (s *Spec) InputURLs() []string {
	urls := make([]string, len(s.Input))
	for i, in := range s.Input {
		urls[i] = in.URL
	}
	return urls
}

// UnmarshalJSON reads a URL or an object.
func (in *Input) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &in.URL)
	}
	type plain Input // without this method
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(in)); err != nil {
		return errors.New(`an input must be a URL, or an object with the text "url"`)
	}
	return nil
}

// MarshalJSON writes the URL alone where nothing else is said, as versions before objects read it.
func (in Input) MarshalJSON() ([]byte, error) { return json.Marshal(in.URL) }
