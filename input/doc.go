// Package input cuts input objects into byte ranges and reads a range as batches of
// records.
//
// # Which record belongs to which split
//
// A record belongs to the split that holds its first byte, so any way to cut an object
// gives the same records in the same order. A text split that does not start at 0 reads
// from the byte before its offset on: only a line end there says that a line begins exactly
// at the offset. It then skips to the first line that starts inside. Its last line is read to
// its end, however far past the split's end that is. A split in which no line starts has no
// records.
//
// Lines and rows are text, and a UTF-8 byte order mark at an object's first byte is no part of it. The
// first record then begins at byte 3, but belongs to the split that starts at 0, even if a cut goes through
// the mark.
//
// # How bytes flow
//
//	store ──ranges──▶ (decompressor) ──view──▶ framer ──▶ record.Batch
//
// [ranges] keeps several ranged reads going, each into a buffer of its own, and shows
// their bytes in order while they still arrive. A framer looks at a view of these bytes, takes whole
// records from its front, and asks for more. A view is a piece of a range's buffer, so the
// bytes of a batch are copied once, out of the store's reader; only the record that lies across
// two ranges is copied again, and only for that the memory grows, up to Options.MaxRecord.
//
// [direct] is for folders: it makes the same ranged reads, but in its consumer's goroutine and a
// little at a time, so that what was read is still in the processor's cache when it is looked at.
//
// Compressed objects are one split each. They are decompressed a piece at a time, so the
// memory does not depend on how much comes out.
//
// # What the first bytes say
//
// An object is cut by its name, but where there is to be text, its first bytes say what it is: they are
// looked at by the split that begins with them, and for the others by a request of their own, which
// [Heads] makes rare. If it turns out to be compressed, the split that begins at 0 decompresses all
// of it, and the others have no records. What is no text is refused, in what was decompressed, too.
//
// # What is checked
//
// An object that is gone, or is not the version that was planned with, fails with [ChangedError]; so
// does a range that ends early, or an object with bytes past its planned end, where the store can't
// tell versions apart. Data that does not have the promised form fails with an error for which
// errors.Is(err, [ErrInput]) holds: to try again is no use. Everything else is an error of
// the store or of the context.
package input
