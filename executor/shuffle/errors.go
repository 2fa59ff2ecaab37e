package shuffle

import "fmt"

// RecordTooLargeError reports a record that does not fit into the memory budget. Sorting and
// merging need several records in memory at once, so one record may take up to a [RecordShare]-th
// of the budget.
type RecordTooLargeError struct {
	// Size is the length of the encoded record; Limit is the longest that Memory allows; all in
	// bytes.
	Size, Limit, Memory int64
}

func (e *RecordTooLargeError) Error() string {
	return fmt.Sprintf("record of %d bytes exceeds the limit of %d bytes that a memory budget of %d bytes allows",
		e.Size, e.Limit, e.Memory)
}

// MemoryTooSmallError reports that the memory budget is too small to merge even two runs: their
// blocks, or single records in them, are too large.
type MemoryTooSmallError struct {
	// Need is what two runs take, Have is the part of the budget that is left for them; both in
	// bytes.
	Need, Have int64
}

func (e *MemoryTooSmallError) Error() string {
	return fmt.Sprintf("merging two runs takes %d bytes of memory, only %d are left of the budget", e.Need, e.Have)
}
