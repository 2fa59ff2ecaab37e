package split

// Reads is by how many ranged reads a split's records are read, if none of them reaches far past
// its end and none is read again. It is 0 for options that Open refuses.
func (s Split) Reads(opts Options) int {
	opts, err := opts.withDefaults()
	if err != nil || s.Length == 0 {
		return 0
	}
	n := 0
	for left := newSchedule(s.stretch(opts), opts); left.due(); n++ {
		left.take()
	}
	return n
}
