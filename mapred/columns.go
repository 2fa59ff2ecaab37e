package mapred

import (
	"fmt"

	"github.com/bucketmill/bucketmill/internal/record"
)

// An Op says how two integers of a column become one.
type Op uint8

// The operations. Sums are exact, however large.
const (
	Sum Op = iota + 1
	Min
	Max
)

// ops has them as the encoding of values knows them.
var ops = map[Op]record.Op{Sum: record.Sum, Min: record.Min, Max: record.Max}

// Columns has an Op for each integer of a value: Columns{Sum} counts, Columns{Sum, Sum} is enough
// for a mean, Columns{Min, Max} for a range.
type Columns []Op

func (c Columns) check() error {
	for _, op := range c {
		if _, known := ops[op]; !known {
			return fmt.Errorf("%d in Columns is none of Sum, Min, Max", op)
		}
	}
	if c != nil && len(c) == 0 {
		return fmt.Errorf("Columns is empty; want an Op for each integer of a value")
	}
	return nil
}

// encoding returns c as the encoding of values knows it.
func (c Columns) encoding() record.Columns {
	columns := make(record.Columns, len(c))
	for i, op := range c {
		columns[i] = ops[op]
	}
	return columns
}
