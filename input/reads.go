package input

// Reads is by how many ranged reads a split's records are read, if none of them reaches far past
// its end and none is read again, and without those for the first bytes of its object, which ReadsHead is about. It is 0 for options that Open refuses.
func (s Split) Reads(opts Options) int {
	opts, err := opts.withDefaults()
	if err != nil || s.Length == 0 {
		return 0
	}
	n := 0
	if opts.Format.Kind == CSV && s.Offset > 0 {
		n++ // for the header
	}
	for left := newSchedule(s.stretch(opts), opts); left.due(); n++ {
		left.take()
	}
	return n
}

// ReadsHead reports whether the split's records can't be read without looking at the object's first bytes
// by a request of its own, unless Options.Heads knows them: lines in the middle of an object might be
// compressed. CSV shows the first bytes with its header.
func (s Split) ReadsHead(opts Options) bool {
	f := opts.Format
	return s.Offset > 0 && s.Length > 0 && (f.Kind == Text || f.Kind == JSONL) && !f.AsIs
}
