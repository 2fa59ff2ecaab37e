package builtin

import "bytes"

// accessClient returns the client from the part of a log line before the time, if it can recognize
// it:
//
//	client ident user                        Common, Combined; the user may have spaces in it
//	host:port client ident user              vhost_combined
//	host client ident user, or client host   only where one of the two is an IP address, and the other is not
//	client, proxy, proxy ident user          X-Forwarded-For in place of any client
func accessClient(head []byte) (client []byte, ok bool) {
	// Nearly all lines are of the first form, without an ident.
	if at := bytes.IndexByte(head, ' '); at > 0 && len(head) > at+3 && head[at+1] == '-' && head[at+2] == ' ' && isClient(head[:at]) {
		return head[:at], true
	}
	first, rest := accessField(head)
	second, behind := accessField(rest)
	third, last := accessField(behind)
	served := hasPort(first)
	switch {
	case served || isAddress(second) || len(last) > 0 && !isDash(second) && isDash(third):
		// There is one more field than in Combined.
		switch {
		case !served && isAddress(first) && !isAddress(second):
			client = first
		case served || isAddress(second) && !isAddress(first):
			client = second
		}
		ok = len(third) > 0 && len(last) > 0
	default:
		client, ok = first, len(second) > 0 && len(behind) > 0
	}
	return client, ok && isClient(client)
}

// accessField returns the first field of a part of a line, and the rest after the space that
// follows it. Of a list with commas it returns the first element.
func accessField(part []byte) (field, rest []byte) {
	field, rest, _ = bytes.Cut(part, []byte{' '})
	comma := bytes.IndexByte(field, ',')
	if comma < 0 {
		return field, rest
	}
	for more := field; len(more) > 0 && more[len(more)-1] == ','; {
		more, rest, _ = bytes.Cut(rest, []byte{' '})
	}
	return field[:comma], rest
}

func isDash(field []byte) bool { return len(field) == 1 && field[0] == '-' }

// hasPort reports whether a field is host:port.
func hasPort(field []byte) bool {
	at := len(field)
	for at > 0 && field[at-1] >= '0' && field[at-1] <= '9' {
		at--
	}
	if at < 2 || at == len(field) || field[at-1] != ':' {
		return false
	}
	host := field[:at-1]
	return host[len(host)-1] == ']' || bytes.IndexByte(host, ':') < 0
}

// isAddress reports whether a field looks like an IP address: digits with three dots, or
// hexadecimal digits with at least two colons.
func isAddress(field []byte) bool {
	field, _, _ = bytes.Cut(field, []byte{'%'}) // a zone
	dots, colons, letters := 0, 0, 0
	for _, c := range field {
		switch {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			letters++
		case c < '0' || c > '9':
			return false
		}
	}
	return colons >= 2 || colons == 0 && dots == 3 && letters == 0
}

// isClient reports whether a field may be a client's name or address, so not host:port and not a
// list.
func isClient(field []byte) bool {
	if len(field) == 0 || bytes.IndexByte(field, ',') >= 0 {
		return false
	}
	colon := bytes.IndexByte(field, ':')
	// nginx writes unix: for clients on a socket of its machine.
	return colon < 0 || bytes.IndexByte(field[colon+1:], ':') >= 0 || string(field) == "unix:"
}
