// Package csv finds the rows of CSV, whose first names the columns: the input formats csv and csv-multiline. docs/csv.md says
// what a row is.
package csv

import "github.com/bucketmill/bucketmill/input"

// The formats.
var (
	Lines     input.Kind = lineFormat{} // each row ends on its line, for no field holds an LF
	Multiline input.Kind = rowFormat{}  // quoted fields may hold line ends
)

// parse returns f if that is its name.
func parse(f input.Kind, name string) (input.Kind, error) {
	if name != f.String() {
		return nil, nil
	}
	return f, nil
}
