package builtin

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

var indexBuiltin = builtin{
	info: program.Info{
		Name:    "index",
		Summary: "for every word the files that contain it, sorted and joined by commas",
		Params: append([]program.Param{{
			Name: "names", Default: "url",
			Summary: "how files are named: url (a path, for a local file) or base (the last part of it)",
		}}, wordParams...),
	},
	open: func(p *program.Params) (program.Program, error) {
		words := newWords(p)
		base := p.OneOf("names", "url", "base") == "base"
		program := &builtinProgram{
			mapper: func(p inProcess, _ program.Attempt) program.Mapper {
				return &indexMapper{inProcess: p, words: words, base: base, seen: map[string]struct{}{}}
			},
			reducer: func(p inProcess) program.Reducer { return &indexReducer{p} },
		}
		program.traits.Combine.Dedup = true
		return program, nil
	},
}

// maxSeen bounds how many emitted words of a file a mapper remembers.
const maxSeen = 1 << 16

type indexMapper struct {
	inProcess
	words  *words
	base   bool
	input  string              // the object whose words are in seen
	name   []byte              // the name of input in the output
	seen   map[string]struct{} // emitted words of input
	folded []byte              // scratch
	found  [wordsAtOnce][]byte
}

func (m *indexMapper) Map(b *record.Batch, out *record.Emitter) error {
	if m.name == nil || m.input != b.Input {
		m.input, m.name = b.Input, []byte(inputName(b.Input, m.base))
		clear(m.seen)
	}
	if b.Framing == record.Lines {
		m.index(b.Data, out)
		return m.done(out)
	}
	for _, record := range b.Records() {
		m.index(record, out)
	}
	return m.done(out)
}

func (m *indexMapper) index(text []byte, out *record.Emitter) {
	w := m.words
	text = w.fold(&m.folded, text)
	for found, at := w.find(m.found[:], text, 0); len(found) > 0; found, at = w.find(found, text, at) {
		for _, word := range found {
			if _, ok := m.seen[string(word)]; ok {
				continue
			}
			if len(m.seen) < maxSeen { // frequent words occur early
				m.seen[string(word)] = struct{}{}
			}
			out.Emit(word, m.name)
		}
	}
}

// inputName returns the name of an object for people: its URL, the path of a local file, or only
// the last part of either.
func inputName(input string, base bool) string {
	name := strings.TrimPrefix(input, "file://")
	if base {
		return path.Base(name)
	}
	return name
}

// indexReducer joins the different file names of every word.
type indexReducer struct{ inProcess }

func (r *indexReducer) Reduce(next func() ([]byte, error), out *record.Emitter) error {
	defer r.cancel(nil)
	names := map[string]struct{}{}
	g := r.groups(next)
	for g.Next() {
		clear(names)
		for v, ok := g.Value(); ok; v, ok = g.Value() {
			if _, ok := names[string(v)]; !ok {
				names[string(v)] = struct{}{}
			}
		}
		out.Emit(g.Key(), []byte(strings.Join(slices.Sorted(maps.Keys(names)), ",")))
	}
	return errors.Join(g.Err(), out.Err())
}
