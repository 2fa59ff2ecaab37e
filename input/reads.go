package input

// Reads returns how many ranged reads a split takes, if its last record ends soon after the split
// and no read is repeated; and whether it takes another one, for the object's first bytes, unless
// Options.Heads knows them: what looks like lines in the middle of an object might be compressed.
// It returns 0 for options that Open refuses.
func (s Split) Reads(opts Options) (ranges int, head bool) {
	opts, err := opts.withDefaults()
	if err != nil || s.Length == 0 {
		return 0, false
	}
	return opts.Format.Reads(s, opts)
}

// StreamReads returns what Reads of a Kind returns whose records come from a Stream of a stretch.
func (s Split) StreamReads(need Stretch, opts Options) (ranges int, head bool) {
	if c := opts.Format.compression(s.Input); c != nil {
		need = compressedStretch(c, s, opts)
	}
	for left := newSchedule(need, opts); left.due(); ranges++ {
		left.take()
	}
	return ranges, s.looksAtHead(opts)
}

// looksAtHead reports whether Stream.Text needs the object's first bytes but the stream does not
// have them.
func (s Split) looksAtHead(opts Options) bool {
	f := opts.Format
	return s.Offset > 0 && f.Traits().Text && !f.AsIs && f.compression(s.Input) == nil
}
