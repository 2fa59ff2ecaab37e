package proxy

import (
	"bytes"
	"sync"
)

// exchange follows the HTTP/1.1 requests and answers of a connection, as far as it takes to find
// the body in which to flip a byte. It counts on a head that comes in one piece or at least
// begins one, as those of Go's client and server do.
type exchange struct {
	mu     sync.Mutex
	wanted bool   // guarded by mu, like the rest: the byte is still to be flipped
	inBody bool   // the head of the message has passed
	method string // of the last request
}

var headEnd = []byte("\r\n\r\n")

// request looks at a piece that goes to the server, and returns the part of it in which to
// flip a byte; nil: nowhere.
func (x *exchange) request(piece []byte, choose func(method, path string) bool) []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	if method, path, ok := requestLine(piece); ok {
		x.method, x.inBody = method, false
		x.wanted = choose != nil && choose(method, path)
	}
	if x.method != "PUT" {
		return nil
	}
	return x.body(piece)
}

// answer is request for a piece that comes from the server.
func (x *exchange) answer(piece []byte) []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.method == "PUT" {
		return nil
	}
	if !x.inBody && !bytes.HasPrefix(piece, []byte("HTTP/1.1 200 ")) && !bytes.HasPrefix(piece, []byte("HTTP/1.1 206 ")) {
		x.wanted = false
	}
	return x.body(piece)
}

// body returns what of a message's piece is its body, if a byte of it is to be flipped.
func (x *exchange) body(piece []byte) []byte {
	if !x.wanted {
		return nil
	}
	if !x.inBody {
		at := bytes.Index(piece, headEnd)
		if at < 0 {
			x.wanted = false // an odd head: let it pass
			return nil
		}
		x.inBody, piece = true, piece[at+len(headEnd):]
	}
	if len(piece) > 0 {
		x.wanted = false
	}
	return piece
}

// requestLine reads the method and path of a piece that begins a request.
func requestLine(piece []byte) (method, path string, ok bool) {
	line, _, found := bytes.Cut(piece, []byte(" HTTP/1.1\r\n"))
	if !found {
		return "", "", false
	}
	before, after, found := bytes.Cut(line, []byte(" /"))
	switch string(before) {
	case "GET", "PUT", "POST", "HEAD", "DELETE":
		return string(before), "/" + string(after), found
	}
	return "", "", false
}
