package split

// Reads is by how many ranged reads a split's records are read, if none of them reaches far past
// its end and none is read again. It is 0 for options that Open refuses.
func (s Split) Reads(opts Options) int {
	opts, err := opts.withDefaults()
	if err != nil || s.Length == 0 {
		return 0
	}
	from, stop := int64(0), s.Size
	if Splittable(s.Input, opts.Format) {
		from, stop = max(0, s.Offset-1), min(s.Size, s.Offset+s.Length+min(maxSlack, int64(opts.RangeBytes)))
	}
	if opts.Format.Kind == Fixed && CompressionOf(s.Input) == Uncompressed {
		from, stop = firstRecord(s.Offset, opts.Format.RecordLen), firstRecord(s.Offset+s.Length, opts.Format.RecordLen)
	}
	slack := min(maxSlack, int64(opts.RangeBytes)) + 1
	length := int64(opts.RangeBytes)
	return int(max(0, stop-from-slack-1)/length) + 1
}
