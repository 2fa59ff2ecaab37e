// Package input cuts input objects into byte ranges, and reads a range as batches of records.
//
// # Which record belongs to which split
//
// A record belongs to the split with its first byte, so any way to cut an object gives the same
// records in the same order. A split of text that does not start at 0 is read from the byte before
// its offset: only a line end there shows that a line begins exactly at the offset. The reader then
// skips to the first line that starts inside, and reads the last line to its end, however far past
// the split's end that is. A split in which no line starts has no records.
//
// Lines and rows are text, and a UTF-8 byte order mark at an object's first byte is not part of the
// text. The first record then begins at byte 3, but belongs to the split that starts at 0, even if
// the mark itself is cut.
//
// # How bytes flow
//
//	store ──ranges──▶ (decompressor) ──Stream──▶ Records ──▶ record.Batch
//
// A [Kind] says what a record is, and makes the [Records] of a split. Most kinds find the records
// in a [Stream]: they look at the bytes that have arrived, take whole records from the front, and
// ask for more. A kind may instead make its own ranged reads, by [Source.ReadAt].
//
// [ranges] keeps several ranged reads going, each into its own buffer, and shows their bytes in
// order while they still arrive. What a Stream shows is a piece of such a buffer, so the bytes of a
// batch are copied once, out of the store's reader. Only a record that lies across two ranges is
// copied again, and memory grows only for such a record, up to Options.MaxRecord.
//
// [direct] is for folders. It makes the same ranged reads, but in its consumer's goroutine and a
// little at a time, so the bytes are still in the processor's cache when they are used.
//
// Objects of a [Compression] that can't be split are one split each. They are decompressed a piece
// at a time, so memory does not depend on how much they contain.
//
// # What the first bytes say
//
// An object is cut by its name. Where text is expected, its first bytes then say what it really is.
// The split that begins with them looks at what it reads anyway; the others need a request for
// them, which [Heads] makes rare. If the object is compressed after all, the split that begins at 0
// decompresses all of it, and the others have no records. What is not text is refused, also inside
// compressed data.
//
// # What is checked
//
// An object fails with [ChangedError] if it is gone, or not in the version of the plan; where the
// store can't tell versions apart, if a range ends early, or the object has bytes past its planned
// end. Data without the promised form fails with an error for which errors.Is(err, [ErrInput]) is
// true: reading it again does not help. All other errors are those of the store or of the context.
package input
