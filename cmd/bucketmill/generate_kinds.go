package main

import "github.com/bucketmill/bucketmill/cmd/bucketmill/internal/sample"

// A sampleKind is a kind of data that generate makes.
type sampleKind struct {
	name      string // on the command line, and in the names of files
	extension string // of files, with the dot
	open      func(*generateFlags) (sample.Source, error)
}

// sampleKinds returns all kinds, in the order in which they are listed.
func sampleKinds() []sampleKind {
	return []sampleKind{
		{"text", ".txt", func(f *generateFlags) (sample.Source, error) {
			return sample.NewText(f.seed, f.vocabulary)
		}},
		{"accesslog", ".log", func(f *generateFlags) (sample.Source, error) {
			return sample.NewAccessLog(f.seed), nil
		}},
		{"activity", ".csv", func(f *generateFlags) (sample.Source, error) {
			return sample.NewActivity(f.seed), nil
		}},
		{"records", ".dat", func(f *generateFlags) (sample.Source, error) {
			return sample.NewRecords(f.seed), nil
		}},
	}
}

func sampleNames() []string {
	var names []string
	for _, kind := range sampleKinds() {
		names = append(names, kind.name)
	}
	return names
}

func findSampleKind(name string) (sampleKind, bool) {
	for _, kind := range sampleKinds() {
		if kind.name == name {
			return kind, true
		}
	}
	return sampleKind{}, false
}
