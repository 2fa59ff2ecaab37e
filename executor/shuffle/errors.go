package shuffle

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

// RecordTooLargeError says that a record does not fit into the memory budget. Several records must
// be in memory at once to sort and merge them, so one may take up to a [RecordShare]th of it.
type RecordTooLargeError struct {
	// Size is the record's encoded length, Limit the largest that Memory allows; all in bytes.
	Size, Limit, Memory int64
}

func (e *RecordTooLargeError) Error() string {
	return fmt.Sprintf("record of %d bytes exceeds the limit of %d bytes that a memory budget of %d bytes allows",
		e.Size, e.Limit, e.Memory)
}

// MemoryTooSmallError says that not even two runs can be merged within the memory budget: their
// blocks, or single records in them, are too large for it.
type MemoryTooSmallError struct {
	// Need is what two runs take, Have what is left of the budget for them; in bytes.
	Need, Have int64
}

func (e *MemoryTooSmallError) Error() string {
	return fmt.Sprintf("merging two runs takes %d bytes of memory, only %d are left of the budget", e.Need, e.Have)
}
