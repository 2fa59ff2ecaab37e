package input

import (
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/internal/record"
)

// What zero Options mean, in bytes.
const (
	DefaultMaxRecord = 64 << 20
	DefaultRange     = 8 << 20
	DefaultReadAhead = 4 * DefaultRange
	DefaultMaxWindow = 128 << 20 // what the zstd program takes unless told otherwise
)

// Options says how splits are planned and read.
type Options struct {
	// Format of all objects.
	Format Format

	// MaxRecord is the length of the longest record in bytes, without its line end; up to
	// record.MaxFieldLen. A longer one is an error. 0 means DefaultMaxRecord.
	MaxRecord int64

	// RangeBytes is the length of one ranged read. 0 means DefaultRange.
	RangeBytes int

	// ReadAheadBytes bounds the memory of all ranged reads that are under way or wait to be
	// consumed, so ReadAheadBytes/RangeBytes of them run at once; at least two do, and
	// ranges are shortened where that takes it. A Reader's memory is this, plus up to 128 KiB per
	// range, plus a few times the longest record. 0 means DefaultReadAhead.
	ReadAheadBytes int64

	// MaxWindow is the largest window of a zstd frame, in bytes, that is taken: a Reader's memory is
	// that much more for it. 0 means DefaultMaxWindow.
	MaxWindow int64

	// Heads remembers what the objects' first bytes say, for all Readers that are given it. Nil: each
	// Reader that needs them reads them.
	Heads *Heads

	// Direct lets Next itself read, a little at a time, instead of goroutines that read
	// ahead: for stores whose bytes are at hand, such as a folder. A Reader's memory is then
	// 256 KiB, plus a few times the longest record. It changes neither the ranged reads nor
	// the records. Compressed and whole objects are read ahead all the same.
	Direct bool
}

// withDefaults returns o with its zeros replaced, or an error that says what is wrong.
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
		return o, errors.New("the input format is none of a Table")
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
