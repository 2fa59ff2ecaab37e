package builtin

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

var aggregateBuiltin = builtin{
	info: program.Info{
		Name: "aggregate",
		Summary: "sums, minimums, maximums and counts per key, from lines of a key and 64-bit integers, separated by tabs; " +
			"sums are exact, however large",
		Reads: "KEY INTEGER INTEGER …, separated by tabs, with one 64-bit integer for each sum, min and max in ops",
		Params: []program.Param{
			{
				Name: "ops", Default: "sum",
				Summary: "what to compute from the first, second, … integer: sum, min or max, separated by commas; " +
					"count counts lines and takes no integer",
			},
			strictParam,
		},
	},
	open: func(p *program.Params) (program.Program, error) {
		ops, err := parseOps(p.Text("ops"))
		if err != nil {
			return nil, err
		}
		strict := p.Flag("strict")
		columns := make(record.Columns, len(ops))
		for i, op := range ops {
			columns[i] = op.op
		}
		return columnsProgram(columns, appendTabbed,
			func(p inProcess, encode encodeInts) program.Mapper {
				return &aggregateMapper{
					inProcess: p,
					malformed: malformed{program: "aggregate", strict: strict},
					ops:       ops,
					encode:    encode,
					ints:      make([]int64, len(ops)),
				}
			}), nil
	},
}

// aggregateOp is one column of the output.
type aggregateOp struct {
	op    record.Op
	count bool // counts lines, and takes no integer
}

func parseOps(s string) ([]aggregateOp, error) {
	var ops []aggregateOp
	for name := range strings.SplitSeq(s, ",") {
		switch strings.TrimSpace(name) {
		case "sum":
			ops = append(ops, aggregateOp{op: record.Sum})
		case "min":
			ops = append(ops, aggregateOp{op: record.Min})
		case "max":
			ops = append(ops, aggregateOp{op: record.Max})
		case "count":
			ops = append(ops, aggregateOp{op: record.Sum, count: true})
		default:
			return nil, fmt.Errorf("aggregate: parameter ops=%q: %q is not sum, min, max or count", s, name)
		}
	}
	return ops, nil
}

func appendTabbed(dst []byte, totals []record.Total) []byte {
	for i, v := range totals {
		if i > 0 {
			dst = append(dst, '\t')
		}
		dst = v.AppendText(dst)
	}
	return dst
}

type aggregateMapper struct {
	inProcess
	malformed
	ops     []aggregateOp
	encode  encodeInts
	ints    []int64 // scratch
	encoded []byte  // scratch
}

func (m *aggregateMapper) Map(b *record.Batch, out *record.Emitter) error {
	for offset, line := range b.Records() {
		if len(line) == 0 {
			continue
		}
		key, rest, more := bytes.Cut(line, tab)
		if why := m.read(rest, more); why != "" {
			if err := m.skip(b, offset, line, why); err != nil {
				return err
			}
			continue
		}
		m.encoded = m.encode(m.encoded[:0], m.ints...)
		out.Emit(key, m.encoded)
	}
	return m.done(out)
}

var tab = []byte{'\t'}

// read reads a line's integers into ints. It returns why they are malformed, or "". Integers beyond
// those of the ops are ignored.
func (m *aggregateMapper) read(rest []byte, more bool) (why string) {
	for i, op := range m.ops {
		if op.count {
			m.ints[i] = 1
			continue
		}
		if !more {
			return "it has too few integers"
		}
		var field []byte
		field, rest, more = bytes.Cut(rest, tab)
		v, ok := parseInt(field)
		if !ok {
			return record.Preview(field) + " is not a 64-bit integer"
		}
		m.ints[i] = v
	}
	return ""
}

// parseInt is strconv.ParseInt in base 10, without the allocation.
func parseInt(s []byte) (int64, bool) {
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}
	if len(s) == 0 {
		return 0, false
	}
	// The magnitude of the smallest integer is 1 more than that of the largest.
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	var v uint64
	for _, c := range s {
		d := uint64(c - '0')
		if d > 9 || v > (limit-d)/10 {
			return 0, false
		}
		v = v*10 + d
	}
	if negative {
		return int64(-v), true
	}
	return int64(v), true
}
