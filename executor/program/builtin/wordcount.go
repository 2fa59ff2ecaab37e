package builtin

import (
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/internal/record"
)

var wordCountBuiltin = builtin{
	info: program.Info{
		Name:    "wordcount",
		Summary: "counts words; words are separated by white space",
		Params:  wordParams,
	},
	open: func(p *program.Params) (program.Program, error) {
		words := newWords(p)
		return columnsProgram(record.Columns{record.Sum}, appendCount,
			func(p inProcess, encode encodeInts) program.Mapper {
				return &wordCountMapper{inProcess: p, words: words, one: encode(nil, 1)}
			}), nil
	},
}

func appendCount(dst []byte, totals []record.Total) []byte { return totals[0].AppendText(dst) }

type wordCountMapper struct {
	inProcess
	words  *words
	one    []byte // the value 1
	folded []byte // scratch
	found  [wordsAtOnce][]byte
}

func (m *wordCountMapper) Map(b *record.Batch, out *record.Emitter) error {
	if b.Framing == record.Lines { // line ends also separate words
		m.count(b.Data, out)
		return m.done(out)
	}
	for _, record := range b.Records() {
		m.count(record, out)
	}
	return m.done(out)
}

// MapTo implements Collecting.
func (m *wordCountMapper) MapTo(b *record.Batch, c *shuffle.Collector) error {
	if b.Framing == record.Lines {
		m.collect(b.Data, c)
		return m.ctx.Err()
	}
	for _, record := range b.Records() {
		m.collect(record, c)
	}
	return m.ctx.Err()
}

func (m *wordCountMapper) collect(text []byte, c *shuffle.Collector) {
	w := m.words
	text = w.fold(&m.folded, text)
	for found, at := w.find(m.found[:], text, 0); len(found) > 0; found, at = w.find(found, text, at) {
		c.AddCounts(found, 1)
	}
}

func (m *wordCountMapper) count(text []byte, out *record.Emitter) {
	w := m.words
	text = w.fold(&m.folded, text)
	for found, at := w.find(m.found[:], text, 0); len(found) > 0; found, at = w.find(found, text, at) {
		for _, word := range found {
			out.Emit(word, m.one)
		}
	}
}
