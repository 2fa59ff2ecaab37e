package segfile

import (
	"errors"
	"fmt"
)

// ErrCorrupt matches every *CorruptError, and the error for a manifest that does not parse, by
// errors.Is.
var ErrCorrupt = errors.New("shuffle data is corrupt")

// CorruptError reports a place where an object differs from what was written.
type CorruptError struct {
	// Object is the name of the Source or Object.
	Object string
	// Partition is -1 if the damage is outside of all segments.
	Partition int
	// Block is the block's number in its segment; -1 if the damage is in no block.
	Block int
	// Offset is in bytes from the object's start.
	Offset int64
	Reason string
	// Reads is how often the place was read, each time by a new request; 0 if it was read only
	// once.
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
