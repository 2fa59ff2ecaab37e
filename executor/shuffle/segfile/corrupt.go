package segfile

import (
	"errors"
	"fmt"
)

// ErrCorrupt is what errors.Is finds in every *CorruptError, and in a manifest that does not parse.
var ErrCorrupt = errors.New("shuffle data is corrupt")

// CorruptError names a place where an object is not what was written.
type CorruptError struct {
	// Object is the name of the Source or Object.
	Object string
	// Partition is -1 where the damage is outside of all segments.
	Partition int
	// Block is the ordinal within the segment, -1 where no block is concerned.
	Block int
	// Offset is in bytes from the object's start.
	Offset int64
	Reason string
	// Reads is how often the place was read, each time by a new request; 0 where it was not read again.
	Reads int
}

func (e *CorruptError) Error() string {
	place := ""
	if e.Partition >= 0 {
		place = fmt.Sprintf(" partition %d", e.Partition)
	}
	if e.Block >= 0 {
		place += fmt.Sprintf(" block %d", e.Block)
	}
	reads := ""
	if e.Reads > 0 {
		reads = fmt.Sprintf(" (read %d times)", e.Reads)
	}
	return fmt.Sprintf("%s:%s at byte %d: %s: %s%s", e.Object, place, e.Offset, ErrCorrupt, e.Reason, reads)
}

// Is reports that a CorruptError is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
