package shuffle

import "fmt"

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
