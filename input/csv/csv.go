// Package csv reads the rows of CSV, of which the first names the columns: the input formats csv
// and csv-multiline. docs/csv.md says what a row is.
package csv

import "github.com/bucketmill/bucketmill/input"

// The formats.
var (
	Lines     input.Kind = lineFormat{} // each row is a line: no field contains an LF
	Multiline input.Kind = rowFormat{}  // quoted fields may contain line ends
)

// parse returns f if the name is f's.
func parse(f input.Kind, name string) (input.Kind, error) {
	if name != f.String() {
		return nil, nil
	}
	return f, nil
}
