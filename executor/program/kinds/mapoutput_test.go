package kinds

import (
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/executor/program/python"
	"github.com/bucketmill/bucketmill/internal/record"
)

// However a program combines, the output of its map function is counted before.
func TestMapOutputIsCountedBeforeTheCombiner(t *testing.T) {
	const lines, words = 300, 1500 // six different ones
	text := strings.Repeat("a b c a d\n", lines-1) + "e f a a a\n"
	const mapFn = "def map_fn(k, line):\n    for w in line.split(): yield (%s)\n"
	const sums = "def combine_fn(key, values):\n    yield (key, sum(values))\n"
	python := func(pair, combine string) program.Program {
		return programtest.Source(t, &python.Kind, strings.Replace(mapFn, "%s", pair, 1)+combine, nil)
	}
	commands := func(c program.Commands) program.Program {
		p, err := table.Open(program.Config{}, program.Spec{Kind: "streaming", Commands: c}, "")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, c := range map[string]struct {
		program  program.Program
		mapOnly  bool
		combined bool // fewer records come out
	}{
		"python, a sum":              {program: python("w, 1", sums), combined: true},
		"python, a sum of others":    {program: python("w, 1 if w < 'c' else 1.0", sums), combined: true},
		"python, another combiner":   {program: python("w, 1", strings.Replace(sums, "sum(", "max(", 1)), combined: true},
		"python, keys of few plain":  {program: python("(w, frozenset()) if w == 'a' else (w, 2)", strings.Replace(sums, "sum(values)", "next(iter(values))", 1)), combined: true},
		"python, no combiner":        {program: python("w, 1", "")},
		"python, map only":           {program: python("w, 1", sums), mapOnly: true},
		"commands":                   {program: commands(program.Commands{Mapper: `tr ' ' '\n'`, Combiner: "uniq"}), combined: true},
		"commands, no combiner":      {program: commands(program.Commands{Mapper: `tr ' ' '\n'`})},
		"commands, map only":         {program: commands(program.Commands{Mapper: `tr ' ' '\n'`, Combiner: "uniq"}), mapOnly: true},
		"a builtin, which has none":  {program: openNamed(t, "builtin", "wordcount")},
		"python, several batches of": {program: python("w, 1", strings.Replace(sums, "sum(", "min(", 1)), combined: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := programtest.Attempt(t)
			a.MapOnly = c.mapOnly
			m, err := c.program.NewMapper(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Kill()
			out := programtest.Discard()
			half := len(text) / 20 * 10
			for _, part := range []string{text[:half], text[half:]} {
				if err := m.Map(&record.Batch{Input: "f", Framing: record.Lines, Data: []byte(part)}, out); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Close(out); err != nil {
				t.Fatal(err)
			}
			records, _ := out.Count()
			var before int64
			known := false
			if combining, ok := m.(program.Combining); ok {
				before, known = combining.MapOutput()
			}
			switch {
			case known != c.combined:
				t.Errorf("counted before a combiner: %v", known)
			case !known && records != words:
				t.Errorf("%d records, want %d", records, words)
			case known && (before != words || records >= words/2):
				t.Errorf("%d records before the combiner, want %d; %d after it", before, words, records)
			}
		})
	}
}
