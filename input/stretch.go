package input

// Stretch is the part of an object that the records of a split need. The first piece of it is read
// ahead; the rest only as far as the consumer asks.
type Stretch struct {
	From  int64 // the first byte
	Limit int64 // the end of what is read ahead
	Stop  int64 // the end of the stretch
	Kept  bool  // the consumer keeps all bytes until the last has arrived
}

// WholeObject is the stretch of a split that is all of its object.
func (s Split) WholeObject() Stretch { return Stretch{Limit: s.Size, Stop: s.Size} }

// PastEnd is the stretch of a split from a byte to the object's end. What is read ahead ends a
// little behind the split's end, where its last record most likely ends.
func (s Split) PastEnd(from int64, opts Options) Stretch {
	limit := s.Offset + s.Length + min(maxSlack, int64(opts.RangeBytes))
	return Stretch{From: from, Limit: min(limit, s.Size), Stop: s.Size}
}

// compressedStretch is what the split of a compressed object needs.
func compressedStretch(c Compression, s Split, opts Options) Stretch {
	if c.Splittable() {
		return s.PastEnd(s.Offset, opts)
	}
	return s.WholeObject()
}

// schedule cuts a stretch into ranged reads, one after the other.
type schedule struct {
	// Immutable.
	stop     int64 // the end of the stretch
	rangeLen int
	slack    int   // a last range may be longer than rangeLen by this
	most     int64 // limit moves by this at most

	next  int64 // the first byte for which no read has begun
	limit int64 // the end of what is read ahead
	tail  int64 // limit moves by this when the consumer reaches it
}

func newSchedule(s Stretch, opts Options) schedule {
	slack := min(maxSlack, opts.RangeBytes) + 1 // the byte before a text split, too
	return schedule{
		stop:     s.Stop,
		rangeLen: opts.RangeBytes,
		slack:    slack,
		most:     opts.ReadAheadBytes / int64(opts.RangeBytes) * int64(opts.RangeBytes),
		next:     s.From,
		limit:    s.Limit,
		tail:     int64(slack),
	}
}

// readAll makes all ranges to the end due.
func (s *schedule) readAll() { s.limit = s.stop }

// due reports whether there is a range to read ahead.
func (s *schedule) due() bool { return s.next < s.limit }

// take returns the next range. There must be one that is due.
func (s *schedule) take() (off int64, n int) {
	off, n = s.next, s.rangeLen
	if left := s.limit - s.next; left <= int64(s.rangeLen+s.slack) {
		n = int(left)
	}
	s.next += int64(n)
	return off, n
}

// extend makes another range due, or returns false at the stretch's end.
func (s *schedule) extend() bool {
	if s.limit == s.stop {
		return false
	}
	s.limit = min(s.stop, s.limit+s.tail)
	s.tail = min(2*s.tail, s.most)
	return true
}
