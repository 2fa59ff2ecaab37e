package input

// A window shows a stream of bytes, a piece at a time: a view.
type window interface {
	// more drops the view except for its last keep bytes, and returns a view that starts with these
	// bytes and has at least one more. At the stream's end it returns these bytes alone, and
	// io.EOF.
	more(keep int) ([]byte, error)
}

// An objectWindow is a window on an object's own bytes.
type objectWindow interface {
	window
	// position returns the offset in the object after the last byte that was shown.
	position() int64
	// readAll lets all that is left of the object be read ahead.
	readAll()
	// close ends all reads and waits for them.
	close()
}
