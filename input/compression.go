package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// A Compression is a way to compress objects that is undone in reading. Each has a folder, and a line in package formats.
type Compression interface {
	// String returns the name of the compression as sentences have it: "gzip".
	String() string

	// Suffixes returns how the names of objects end that are so compressed, in lower case: ".gz".
	Suffixes() []string

	// Matches reports whether data are so compressed, from their first bytes, of which there are 512 unless the
	// data are shorter.
	Matches(head []byte) bool

	// Splittable reports whether an object may be read in several splits, if its records are lines.
	Splittable() bool

	// Open begins to decompress the blocks that begin in in's split, and those that follow. It fails with io.EOF if
	// none begins there.
	Open(in *Compressed) (Decompressor, error)
}

// A Decompressor reads what blocks hold, one after the other. It belongs to one goroutine.
type Decompressor interface {
	// Read implements io.Reader. Between the last block that begins in the split and the first that begins behind it,
	// it once returns [ErrSplitEnd]. Records that begin in a block belong to the split with the block's first byte,
	// except for the first byte of that block, which belongs to the block before.
	io.Reader

	// Start returns the offset of the first byte that Read has given or will give, after decompression. Where that can't
	// be known it is a number that depends on the place of the block alone, and grows with it.
	Start() int64

	// Close frees memory.
	Close()
}

// ErrSplitEnd says that the blocks which follow begin behind the split.
var ErrSplitEnd = errors.New("the split's blocks have ended")

// Compressed is the bytes that a Compression decompresses: those of an object, from the first byte of a split on, to
// the object's end.
type Compressed struct {
	*bufio.Reader
	*Source // of the object, for reads at other places; its Split is what is decompressed

	bytes shown
}

// Offset returns the place of the next byte in the object.
func (c *Compressed) Offset() int64 { return c.Split.Offset + c.bytes.given - int64(c.Buffered()) }

// Refuse returns the error for data that are not read for a reason.
func (c *Compressed) Refuse(reason string) error {
	return &FormatError{Object: c.Split.Input, Offset: NoOffset, Reason: reason}
}

// Trailing returns the error for other data, at a byte of the object, after what a compression has made.
func (c *Compressed) Trailing(what Compression, at int64) error {
	return c.Refuse(fmt.Sprintf("%v data ends at byte %d of %d, and what follows is not %v data: cut it off (head -c %[2]d)",
		what, at, c.Split.Size, what))
}
