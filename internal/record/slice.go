package record

// Slice returns a batch of the records of b whose ordinals are at least from and less than until.
// There must be at least one. The bytes alias b.Data.
func (b *Batch) Slice(from, until int64) *Batch {
	part := *b
	begin, end := 0, len(b.Data)
	var n int64
	for at, offset := range b.starts() {
		if n == from {
			begin, part.Offset = at, offset
		}
		if n == until {
			end = at
			break
		}
		n++
	}
	part.Data = b.Data[begin:end]
	return &part
}

// starts yields the index in Data at which each record begins, and the record's offset in the
// object.
func (b *Batch) starts() func(yield func(at int, offset int64) bool) {
	return func(yield func(int, int64) bool) {
		at := 0
		for offset := range b.Records() {
			if b.Framing < Encoded {
				at = int(offset - b.Offset)
			}
			if !yield(at, offset) {
				return
			}
			if b.Framing >= Encoded {
				_, _, n, _ := Read(b.Data[at:]) // Records has read it as well
				at += n
			}
		}
	}
}
