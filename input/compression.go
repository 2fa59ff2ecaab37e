package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// A Compression decompresses objects. Each implementation has a folder below this package, and a
// line in package formats. Its values are immutable and comparable.
type Compression interface {
	// String returns the name for use in sentences: "gzip".
	String() string

	// Suffixes returns the suffixes of the names of compressed objects, in lower case, each from
	// its only dot: ".gz".
	Suffixes() []string

	// Matches reports whether data are compressed in this way. Head is their first 512 bytes, or
	// fewer if the data are shorter.
	Matches(head []byte) bool

	// Splittable reports whether an object whose records are lines may be read in several splits.
	Splittable() bool

	// Open begins to decompress, at the first block that begins in in's split. It fails with io.EOF
	// if no block begins there. An object that is not splittable counts as one block.
	Open(in *Compressed) (Decompressor, error)
}

// A Decompressor reads the contents of blocks, one after the other, to the end of the object. It
// belongs to one goroutine.
type Decompressor interface {
	// Read implements io.Reader. Before the first block that begins behind the split, it returns
	// [ErrSplitEnd] once. So lines are divided: a line belongs to the split of the block that
	// contains the line end before it, and the object's first line to the split that begins at 0.
	io.Reader

	// Start returns the offset, after decompression, of the first byte that Read returns. If the
	// compression can't know it, Start returns a number that grows with the offset of the block, by
	// more than any data before can contain.
	Start() int64

	// Close frees memory.
	Close()
}

// ErrSplitEnd reports that the next block begins behind the split.
var ErrSplitEnd = errors.New("the split's blocks have ended")

// Compressed is the bytes that a Compression decompresses: those of an object, from the first byte
// of a split to the object's end. Reads at other places go through the Source, whose Split is the
// one to decompress.
type Compressed struct {
	*bufio.Reader
	*Source

	bytes shown
}

// Offset returns the offset of the next byte in the object.
func (c *Compressed) Offset() int64 { return c.Split.Offset + c.bytes.given - int64(c.Buffered()) }

// Refuse returns the error for data that can't be read, with the reason.
func (c *Compressed) Refuse(reason string) error {
	return &FormatError{Object: c.Split.Input, Offset: NoOffset, Reason: reason}
}

// Trailing returns the error for other data after compressed data, at a byte of the object.
func (c *Compressed) Trailing(what Compression, at int64) error {
	return c.Refuse(fmt.Sprintf("%v data ends at byte %d of %d, and what follows is not %v data: cut it off (head -c %[2]d)",
		what, at, c.Split.Size, what))
}
