package program

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// wordParams are what wordcount and index know about words.
var wordParams = []Param{
	{
		Name: "letters", Default: "false",
		Summary: "words are runs of the ASCII letters A-Z and a-z, not of anything but white space",
	},
	{
		Name: "lower", Default: "false",
		Summary: "words are lower-cased, by Unicode's rules; bytes that are not UTF-8 stay as they are",
	},
}

// words finds words in text. A word is a longest run of bytes other than space, \t, \n, \v,
// \f and \r, as C's isspace and Python's bytes.split have it; or of ASCII letters, as
// tr -cs A-Za-z '\n' has it.
type words struct {
	// in tells whether a byte belongs to words.
	in    [256]bool
	lower bool
}

func newWords(p *params) *words {
	w := &words{lower: p.flag("lower")}
	letters := p.flag("letters")
	for c := range w.in {
		if letters {
			w.in[c] = 'a' <= c|0x20 && c|0x20 <= 'z'
			continue
		}
		w.in[c] = c != ' ' && (c < '\t' || c > '\r')
	}
	return w
}

// next returns where the first word at or after from begins and ends; both are len(text)
// when there is none.
func (w *words) next(text []byte, from int) (begin, end int) {
	for from < len(text) && !w.in[text[from]] {
		from++
	}
	begin = from
	for from < len(text) && w.in[text[from]] {
		from++
	}
	return begin, from
}

// lowerCase appends word to dst in lower case.
func lowerCase(dst, word []byte) []byte {
	at := len(dst)
	dst = append(dst, word...)
	for i, c := range dst[at:] {
		if c >= utf8.RuneSelf {
			return lowerUnicode(dst[:at+i], word[i:])
		}
		if 'A' <= c && c <= 'Z' {
			dst[at+i] = c + 'a' - 'A'
		}
	}
	return dst
}

// lowerUnicode is lowerCase for any runes. Unlike bytes.ToLower it leaves what is not UTF-8
// as it is.
func lowerUnicode(dst, word []byte) []byte {
	for len(word) > 0 {
		r, n := utf8.DecodeRune(word)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, word[0])
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		word = word[n:]
	}
	return dst
}

// lineAround returns the line of text, without its end, that position at lies in, and where
// the next line begins.
func lineAround(text []byte, at int) (begin, end, next int) {
	begin = bytes.LastIndexByte(text[:at], '\n') + 1
	end, next = len(text), len(text)
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		end, next = at+i, at+i+1
		if end > begin && text[end-1] == '\r' {
			end--
		}
	}
	return begin, end, next
}
