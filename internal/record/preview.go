package record

import "strconv"

// previewLen is how many bytes of a quoted key or value an error shows.
const previewLen = 200

// Preview returns a key or a value quoted for an error message, shortened if it is long.
func Preview(b []byte) string {
	if q := strconv.Quote(string(b[:min(len(b), previewLen)])); len(q) <= previewLen {
		return q
	}
	// Quoting makes up to four bytes of one, so a quarter always fits.
	return strconv.Quote(string(b[:min(len(b), previewLen/4-4)])) + "…"
}
