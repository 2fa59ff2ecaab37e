package input

// Reads is by how many ranged reads a split's records are read, if none of them reaches far past its end and none is read
// again; and whether they can't be read without looking at the object's first bytes, by a request of its own, unless
// Options.Heads knows them: lines in the middle of an object might be compressed. It is 0 for options that Open refuses.
func (s Split) Reads(opts Options) (ranges int, head bool) {
	opts, err := opts.withDefaults()
	if err != nil || s.Length == 0 {
		return 0, false
	}
	return opts.Format.Reads(s, opts)
}

// StreamReads is what a Kind returns from Reads whose Open makes a Stream of a stretch, and its Text.
func (s Split) StreamReads(need Stretch, opts Options) (ranges int, head bool) {
	if c := opts.Format.compression(s.Input); c != nil {
		need = compressedStretch(c, s, opts)
	}
	for left := newSchedule(need, opts); left.due(); ranges++ {
		left.take()
	}
	return ranges, s.looksAtHead(opts)
}

// looksAtHead tells whether Stream.Text asks for the object's first bytes, if they were not read.
func (s Split) looksAtHead(opts Options) bool {
	f := opts.Format
	return s.Offset > 0 && f.Traits().Text && !f.AsIs && f.compression(s.Input) == nil
}
