package input

// A window shows a stream of bytes, a piece at a time: a view.
type window interface {
	// more lets go of the view but for its last keep bytes, and returns a view that starts
	// with these and has at least one more. At the stream's end it returns just these, and
	// io.EOF.
	more(keep int) ([]byte, error)
}

// An objectWindow is a window on an object's own bytes.
type objectWindow interface {
	window
	// position returns the offset in the object after the last byte that was shown.
	position() int64
	// readAll makes all that is left of the object be read without being asked for.
	readAll()
	// close ends all reads and waits until they have ended.
	close()
}
