package input

import (
	"fmt"

	"github.com/bucketmill/bucketmill/objstore"
)

// Object is an input object.
type Object struct {
	URL  string
	Size int64 // bytes
	ETag string
}

// Split is a range of bytes of an object. The records whose first byte is inside belong to it.
type Split struct {
	Input  string `json:"input"`  // the object's URL
	Size   int64  `json:"size"`   // of the object, in bytes
	Offset int64  `json:"offset"` // of the split's first byte
	Length int64  `json:"length"` // bytes
	ETag   string `json:"etag,omitempty"`
}

func (s Split) String() string {
	return fmt.Sprintf("%s bytes %d-%d of %d", objstore.Shown(s.Input), s.Offset, s.Offset+s.Length, s.Size)
}

func (s Split) validate(f Format) error {
	switch {
	case s.Offset < 0 || s.Length < 0 || s.Length > s.Size-s.Offset:
		return fmt.Errorf("%v: the split is not inside its object", s)
	case !f.Splittable(s.Input) && s.Length != 0 && s.Length != s.Size:
		return fmt.Errorf("%v: %v objects of that name can't be split", s, f)
	}
	return nil
}

// Task is the splits that one map task reads, in this order.
type Task []Split

// Bytes returns the total length of the splits.
func (t Task) Bytes() int64 {
	var n int64
	for _, s := range t {
		n += s.Length
	}
	return n
}
