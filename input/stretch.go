package input

// Stretch is the part of an object that the records of a split need. It is read from one byte on up to another, and from
// there on as far as it is asked for.
type Stretch struct {
	From  int64 // the first byte
	Limit int64 // up to here it is read without being asked for
	Stop  int64 // nothing is read from here on
	Kept  bool  // all bytes stay in Rest until the last is there
}

// WholeObject is the stretch of a split that is all of its object.
func (s Split) WholeObject() Stretch { return Stretch{Limit: s.Size, Stop: s.Size} }

// PastEnd is the stretch of a split from a byte on up to a little behind the split's end, where its last record most likely
// ends, and from there on to the object's end.
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

// schedule says by which ranged reads a stretch is read, one after the other.
type schedule struct {
	// Immutable.
	stop     int64 // nothing is read from here on
	rangeLen int
	slack    int   // a last range may be longer than rangeLen by this
	most     int64 // by how much limit moves at most

	next  int64 // the first byte that no read was begun for
	limit int64 // the bytes before it are read without being asked for
	tail  int64 // by how much limit moves once it is reached
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

// readAll makes all ranges up to the end due.
func (s *schedule) readAll() { s.limit = s.stop }

// due tells whether there is a range to read without being asked.
func (s *schedule) due() bool { return s.next < s.limit }

// take returns the next range, which is due.
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
