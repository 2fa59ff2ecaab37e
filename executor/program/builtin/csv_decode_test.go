package builtin

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/executor/program/python"
	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// decodeAny is a job file whose records are BATCH payloads. For each record it yields the offset,
// the fields that the runner decodes (null if it refuses the record), and all rows that Python's
// csv module finds in the text.
const decodeAny = `
import base64, csv, io, json
from bucketmill_runner import csvrows, inputs
from bucketmill_runner.failures import BadRecord

csv.field_size_limit(1 << 30)

def encode(fields):
    return [base64.b64encode(f.encode("utf-8", "surrogateescape")).decode() for f in fields]

names = []  # of the columns: any number of them fits
csvrows.columns = lambda header, url: names

def decode(decoder, text):
    for n in range(1, 2 + text.count(",") if len(text) < 1000 else 5):
        names[:] = range(n)
        try:
            return encode(decoder(text).values())
        except BadRecord:
            pass

def map_fn(url, payload):
    for records in inputs.read(payload.encode("utf-8", "surrogateescape"), "csv"):
        for offset, text in zip(records.offsets, records.texts):
            rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
            yield url, json.dumps([offset, decode(records.decode, text), list(map(encode, rows))])

def reduce_fn(key, values): return sum(values)
`

// decodedRow is what the runner and Python's csv module make of a record.
type decodedRow struct {
	csvRow
	all [][]string // what Python's csv module finds in its text
}

// decodeCSV decodes the batches with the runner, and returns the rows by file name.
func decodeCSV(t *testing.T, batches [][]record.Batch) map[string][]decodedRow {
	t.Helper()
	var payloads []record.Batch
	for _, of := range batches {
		for _, b := range of {
			b.Header = []byte("h") // the names of the columns don't matter here
			payloads = append(payloads, record.Batch{
				Input: b.Input, Framing: record.Whole, Data: append(frames.AppendBatchHeader(nil, &b), b.Data...),
			})
		}
	}
	a := programtest.Attempt(t)
	a.Format, a.MapOnly = "whole", true
	records, err := programtest.MapAll(t, programtest.Source(t, &python.Kind, decodeAny, nil), a, payloads)
	if err != nil {
		t.Fatal(err)
	}
	decoded := map[string][]decodedRow{}
	for _, r := range records {
		var parts [3]json.RawMessage
		if err := json.Unmarshal([]byte(r.Value()), &parts); err != nil {
			t.Fatal(err)
		}
		row := decodedRow{csvRow: parseRow(t, [2]json.RawMessage(parts[:2]))}
		var all [][][]byte
		if err := json.Unmarshal(parts[2], &all); err != nil {
			t.Fatal(err)
		}
		for _, fields := range all {
			row.all = append(row.all, asStrings(fields))
		}
		decoded[r.Key()] = append(decoded[r.Key()], row)
	}
	return decoded
}

// mapGoodCSV runs a Python job over all files without an error, and compares the dicts that map_fn
// gets.
func mapGoodCSV(t *testing.T, format string, files []csvFile, batches [][]record.Batch) {
	t.Helper()
	const goodSource = `
import base64, json
def encode(text):
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
def map_fn(key, row):
    yield key, json.dumps([key, [encode(text) for item in row.items() for text in item]])

def reduce_fn(key, values): return sum(values)
`
	var good []record.Batch
	var want []csvRow
	for i, f := range files {
		if batches[i] == nil || !f.rectangular() {
			continue
		}
		good = append(good, batches[i]...)
		for _, row := range f.rows[1:] {
			items := csvRow{offset: row.offset}
			for i, field := range row.fields {
				items.fields = append(items.fields, f.rows[0].fields[i], field)
			}
			want = append(want, items)
		}
	}
	a := programtest.Attempt(t)
	a.Format, a.MapOnly = format, true
	records, err := programtest.MapAll(t, programtest.Source(t, &python.Kind, goodSource, nil), a, good)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != len(want) || len(want) < csvFiles {
		t.Fatalf("%s: want %d rows, have %d", format, len(want), len(records))
	}
	for i, r := range records {
		var parts [2]json.RawMessage
		if err := json.Unmarshal([]byte(r.Value()), &parts); err != nil {
			t.Fatal(err)
		}
		if got := parseRow(t, parts); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want[i]) {
			t.Fatalf("%s: row %d is %.500q, want %.500q", format, i, got, want[i])
		}
	}
}
