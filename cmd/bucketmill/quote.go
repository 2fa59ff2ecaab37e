package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// quote quotes the control characters that a terminal would obey: the C0 and C1 sets, DEL, and
// those that change the direction of text. It writes them like JSON, such as \u001b, and bytes that
// are not UTF-8 like \x9b. Line ends and tabs stay. held is an incomplete character at the end of
// text, or a carriage return, which may belong to a line end.
func quote(text []byte) (quoted, held []byte) {
	if i := bytes.IndexFunc(text, unsafeRune); i < 0 {
		return text, nil
	}
	var out bytes.Buffer
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\r' && len(text) == 1, r == utf8.RuneError && n == 1 && !utf8.FullRune(text):
			return out.Bytes(), bytes.Clone(text)
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case r == '\r' && text[1] == '\n', !unsafeRune(r), r == utf8.RuneError:
			out.Write(text[:n])
		case r == '\r':
			out.WriteString(`\r`)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		text = text[n:]
	}
	return out.Bytes(), nil
}

// unsafeRune reports whether a terminal may treat a character as a command. utf8.RuneError means
// bytes that are not a character.
func unsafeRune(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r < ' ', r >= 0x7f && r <= 0x9f, r == utf8.RuneError:
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // Unicode's Bidi_Control
		return true
	}
	return false
}

// visible quotes text for one line, or one cell of a table: it also quotes line ends and tabs.
func visible(text string) string {
	return lineEnds.Replace(string(quoteAll([]byte(text))))
}

// quoteAll is quote for a complete text.
func quoteAll(text []byte) []byte {
	quoted, held := quote(text)
	for _, b := range held {
		quoted = append(quoted, quoteByte(b)...)
	}
	return quoted
}

// quoteByte quotes a byte of an incomplete character, or a carriage return.
func quoteByte(b byte) string {
	if b == '\r' {
		return `\r`
	}
	return fmt.Sprintf(`\x%02x`, b)
}

var lineEnds = strings.NewReplacer("\n", `\n`, "\t", `\t`, "\r", `\r`)
