package python

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

// showRows is a job file that shows the rows that it gets.
const showRows = `
def map_fn(key, row):
    yield key, repr(list(row.items()))
` + goodReduce

// mapRows maps rows, which are lines unless framing says otherwise, in a job without reducers.
func mapRows(t *testing.T, source, format, header string, framing record.Framing, data string) ([]programtest.KV, error) {
	t.Helper()
	a := programtest.Attempt(t)
	a.Format, a.MapOnly = format, true
	batch := record.Batch{Input: "s3://b/k.csv", Framing: framing, Header: []byte(header), Data: []byte(data)}
	return programtest.MapAll(t, openSource(t, source, nil), a, []record.Batch{batch})
}

func TestPythonRows(t *testing.T) {
	long := strings.Repeat("x", 200_000) // more than the csv module's limit, 131,072
	for data, want := range map[string][]string{
		"5\" x,\"a\"\"b\"\n\"\",y\"z\"\n":      {`[('a', '5" x'), ('b', 'a"b')]`, `[('a', ''), ('b', 'y"z"')]`},
		"1,\"a\rb\"\r\n2,b\r\r\n\r\r\n\n3,c\r": {`[('a', '1'), ('b', 'a\rb')]`, `[('a', '2'), ('b', 'b')]`, `[('a', '3'), ('b', 'c')]`},
		"1,\"" + long + "\"\n" + long + ",2\n": {`[('a', '1'), ('b', '` + long + `')]`, `[('a', '` + long + `'), ('b', '2')]`},
	} {
		records, err := mapRows(t, showRows, "csv", "a,b", record.Lines, data)
		if err != nil {
			t.Errorf("%.80q: %v", data, err)
		}
		var rows []string
		for _, r := range records {
			rows = append(rows, r.Value())
		}
		if fmt.Sprint(rows) != fmt.Sprint(want) {
			t.Errorf("%.80q: want %.200q, have %.200q", data, want, rows)
		}
	}
}

// A job file's limit for fields applies only to what the file reads itself.
func TestPythonFieldLimitStays(t *testing.T) {
	const source = `
import csv
csv.field_size_limit(5)
def map_fn(key, row):
    yield csv.field_size_limit(), len(row["a"])
` + goodReduce
	records, err := mapRows(t, source, "csv", "a", record.Lines, "\"more than five\"\n")
	if err != nil || len(records) != 1 || records[0] != (programtest.KV{"5", "14"}) {
		t.Errorf("%q, %v", records, err)
	}
}

func TestPythonRefusesRows(t *testing.T) {
	const bareCR = "a carriage return (CR) outside quotes"
	row := func(text string) string {
		return string(record.Append(nil, make([]byte, 8), []byte(text)))
	}
	for _, c := range []struct {
		header  string
		framing record.Framing
		data    string
		want    string
	}{
		{"a,b", record.Lines, "1,\"x, y\",left\rright\n", bareCR},
		{"a,b", record.Lines, "1,left\rright\n", bareCR},
		{"a,b", record.Lines, "\r1,2\n", bareCR},
		{"a", record.Lines, "\"1\"\r\"2\"\n", bareCR},
		{"a,b", record.Encoded, row("1,\"a\nb\"\r2,3"), bareCR},
		{"a,b", record.Encoded, row("1,2\n3,4"), "the record is not CSV"},
		{"a,b", record.Lines, "1,\"x\" y\n", "the record is not CSV: ',' expected after '\"'"},
		{"a,b", record.Lines, "1,\"x\n", "the record is not CSV: unexpected end of data"},
		{"a,b", record.Lines, "1,2,3\n", "the record has 3 fields, the header has 2"},
		{"a,b", record.Lines, "1\n", "the record has 1 fields, the header has 2"},
		{"", record.Lines, "1\n", "s3://b/k.csv has no header"},
		{"a,b,a", record.Lines, "1,2,3\n", "columns 1 and 3 of s3://b/k.csv have the same name, 'a'"},
		{"a,b,,", record.Lines, "1,2,,\n", "columns 3 and 4 of s3://b/k.csv have no name"},
		{"a\rb", record.Lines, "1\n", "the header of s3://b/k.csv is not a row of CSV: " + bareCR},
	} {
		format := "csv"
		if c.framing == record.Encoded {
			format = "csv-multiline"
		}
		records, err := mapRows(t, showRows, format, c.header, c.framing, c.data)
		if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, c.want) {
			t.Errorf("%q after %q: want %q, have %q, %v", c.data, c.header, c.want, records, err)
		}
	}
}

func TestPythonNamesColumns(t *testing.T) {
	var wide []string
	for i := range 30 {
		wide = append(wide, fmt.Sprint("c", i))
	}
	for _, c := range []struct{ header, code, want string }{
		{"id, name", "row['name']", "KeyError: 'name'; the columns are 'id', ' name'"},
		{"id, name", "{}['id']", "KeyError: 'id'"}, // another dict
		{"id, name", "{}[3]", "KeyError: 3"},
		{strings.Join(wide, ","), "row['x']", "KeyError: 'x'; the columns are '" + strings.Join(wide[:20], "', '") + "' and 10 more"},
	} {
		source := "def map_fn(row): yield 1, " + c.code + "\n" + goodReduce
		_, err := mapRows(t, source, "csv", c.header, record.Lines, strings.Repeat(",", strings.Count(c.header, ","))+"\n")
		if user := programtest.WantUserError(t, err); user.Message != "map_fn raised "+c.want {
			t.Errorf("%s: want %q, have %q", c.code, c.want, user.Message)
		}
	}
}
