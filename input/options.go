package input

import (
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/internal/record"
)

// The defaults of Options, in bytes.
const (
	DefaultMaxRecord = 64 << 20
	DefaultRange     = 8 << 20
	DefaultReadAhead = 4 * DefaultRange
	DefaultMaxWindow = 128 << 20 // as the zstd program's
)

// Options says how splits are planned and read.
type Options struct {
	// Format of all objects.
	Format Format

	// MaxRecord is the length of the longest record, in bytes without its line end, up to
	// record.MaxFieldLen. A longer record is an error. 0 means DefaultMaxRecord.
	MaxRecord int64

	// RangeBytes is the length of one ranged read. 0 means DefaultRange.
	RangeBytes int

	// ReadAheadBytes limits the memory of all ranged reads that are under way or not yet consumed,
	// so ReadAheadBytes/RangeBytes of them run at once. There are at least two; ranges are
	// shortened if necessary. A Reader's memory is ReadAheadBytes, plus up to 128 KiB for each
	// range, plus a few times the longest record. 0 means DefaultReadAhead.
	ReadAheadBytes int64

	// MaxWindow is the largest window of a zstd frame that is accepted, in bytes: it adds to a
	// Reader's memory. 0 means DefaultMaxWindow.
	MaxWindow int64

	// Heads remembers what the objects' first bytes say, for all Readers with the same Heads. If it
	// is nil, each Reader that needs them reads them.
	Heads *Heads

	// Direct lets Next itself read, a little at a time, instead of goroutines that read ahead: for
	// stores whose bytes are near, such as a folder. A Reader's memory is then 256 KiB, plus a few
	// times the longest record. The ranged reads and the records are the same. Compressed objects,
	// and those that are one record, are read ahead in any case.
	Direct bool
}

// withDefaults returns o with defaults in place of zeros, or an error that says what is wrong.
func (o Options) withDefaults() (Options, error) {
	if o.MaxRecord == 0 {
		o.MaxRecord = DefaultMaxRecord
	}
	if o.RangeBytes == 0 {
		o.RangeBytes = DefaultRange
	}
	if o.ReadAheadBytes == 0 {
		o.ReadAheadBytes = DefaultReadAhead
	}
	if o.MaxWindow == 0 {
		o.MaxWindow = DefaultMaxWindow
	}
	switch {
	case o.Format.Kind == nil || o.Format.table == nil:
		return o, errors.New("the options have no input format from a table")
	case o.MaxRecord < 0 || o.MaxRecord > record.MaxFieldLen:
		return o, fmt.Errorf("longest record of %d bytes: want 1 to %d", o.MaxRecord, record.MaxFieldLen)
	case o.RangeBytes < 0:
		return o, fmt.Errorf("ranged reads of %d bytes: want at least 1", o.RangeBytes)
	case o.MaxWindow < 0:
		return o, fmt.Errorf("windows of %d bytes: want at least 1", o.MaxWindow)
	case o.ReadAheadBytes < 2:
		return o, fmt.Errorf("read-ahead of %d bytes: want at least 2", o.ReadAheadBytes)
	}
	o.RangeBytes = int(min(int64(o.RangeBytes), o.ReadAheadBytes/2))
	return o, nil
}
