package builtin

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

var activityBuiltin = builtin{
	info: program.Info{
		Name: "activity",
		Summary: "events, total amount, first and last time per user " +
			"of CSV files with the columns timestamp, user, action, amount",
		Reads: "a row of CSV with a timestamp (2026-11-21T15:04:05Z, 2026-11-21, or Unix seconds) and an amount (at most 6 decimals and 12 digits before them; empty for none)",
		Params: []program.Param{
			{Name: "by", Default: "user", Summary: "what to group by: user, action, day or hour (UTC)"},
			strictParam,
		},
	},
	open: func(p *program.Params) (program.Program, error) {
		by := p.OneOf("by", "user", "action", "day", "hour")
		strict := p.Flag("strict")
		columns := record.Columns{record.Sum, record.Sum, record.Min, record.Max}
		return columnsProgram(columns, appendActivity,
			func(p inProcess, encode encodeInts) program.Mapper {
				return &activityMapper{
					inProcess: p,
					malformed: malformed{program: "activity", strict: strict},
					by:        by,
					encode:    encode,
				}
			}), nil
	},
}

// appendActivity appends events, total amount (as a decimal number, from millionths), and first and
// last time (as RFC 3339, from microseconds), separated by tabs.
func appendActivity(dst []byte, totals []record.Total) []byte {
	dst = append(totals[0].AppendText(dst), '\t')
	dst = append(appendMicros(dst, totals[1]), '\t')
	for i, t := range totals[2:] {
		if i > 0 {
			dst = append(dst, '\t')
		}
		micros, _ := t.Int64() // a minimum or maximum is one of its integers
		dst = appendTimestamp(dst, micros)
	}
	return dst
}

type activityMapper struct {
	inProcess
	malformed
	by     string
	encode encodeInts

	header  string // at was read from it
	at      activityColumns
	csv     csvReader
	key     []byte // scratch
	encoded []byte // scratch
}

// activityColumns are the indexes of the columns in a record.
type activityColumns struct {
	timestamp, user, action, amount int
	all                             int // number of columns
}

func (m *activityMapper) Map(b *record.Batch, out *record.Emitter) error {
	if m.header == "" || m.header != string(b.Header) {
		if err := m.readHeader(b); err != nil {
			return err
		}
	}
	m.csv.cr = bytes.IndexByte(b.Data, '\r') >= 0
	for offset, record := range b.Records() {
		if record = m.csv.trim(record); len(record) == 0 {
			continue
		}
		if err := m.event(record, out); err != nil {
			if err := m.skip(b, offset, record, err.Error()); err != nil {
				return err
			}
		}
	}
	return m.done(out)
}

func (m *activityMapper) readHeader(b *record.Batch) error {
	fail := func(format string, args ...any) error {
		return &program.UserError{
			Program: "activity",
			Message: fmt.Sprintf(format, args...),
			Record:  &program.RecordRef{Input: b.Input, Offset: b.Offset},
		}
	}
	if len(b.Header) == 0 {
		return fail("the input has no header; it must be CSV (--format csv) with the columns timestamp, user, action, amount")
	}
	m.csv.cr = true
	fields, err := m.csv.read(m.csv.trim(b.Header))
	if err != nil {
		return fail("header %s: %v", record.Preview(b.Header), err)
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(f)
	}
	at := activityColumns{all: len(names)}
	for _, column := range []struct {
		name  string
		place *int
	}{
		{"timestamp", &at.timestamp}, {"user", &at.user}, {"action", &at.action}, {"amount", &at.amount},
	} {
		name := column.name
		i := slices.Index(names, name)
		if i < 0 {
			return fail("no column %s in the header %s", name, record.Preview(b.Header))
		}
		if slices.Contains(names[i+1:], name) {
			return fail("more than one column %s in the header %s", name, record.Preview(b.Header))
		}
		*column.place = i
	}
	m.at, m.header = at, string(b.Header)
	return nil
}

// event emits one record; an error says why the record is malformed.
func (m *activityMapper) event(record []byte, out *record.Emitter) error {
	fields, err := m.csv.read(record)
	if err != nil {
		return err
	}
	if len(fields) != m.at.all {
		return fmt.Errorf("%d fields where the header has %d", len(fields), m.at.all)
	}
	micros, err := parseTimestamp(fields[m.at.timestamp])
	if err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	var amount int64 // 0 if the field is empty
	if field := fields[m.at.amount]; len(field) > 0 {
		if amount, err = parseMicros(field); err != nil {
			return fmt.Errorf("amount: %w", err)
		}
	}
	key := m.key[:0]
	switch m.by {
	case "user":
		key = append(key, fields[m.at.user]...)
	case "action":
		key = append(key, fields[m.at.action]...)
	case "day":
		key = time.UnixMicro(micros).UTC().AppendFormat(key, "2006-01-02")
	case "hour":
		key = time.UnixMicro(micros).UTC().AppendFormat(key, "2006-01-02T15")
	}
	m.key = key
	m.encoded = m.encode(m.encoded[:0], 1, amount, micros, micros)
	out.Emit(key, m.encoded)
	return nil
}
