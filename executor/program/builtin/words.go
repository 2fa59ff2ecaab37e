package builtin

import (
	"unicode"
	"unicode/utf8"

	"github.com/bucketmill/bucketmill/executor/program"
)

// wordParams are the parameters of wordcount and index about words.
var wordParams = []program.Param{
	{
		Name: "letters", Default: "false",
		Summary: "words are runs of the ASCII letters A-Z and a-z, instead of anything except white space",
	},
	{
		Name: "lower", Default: "false",
		Summary: "words are lower-cased, by Unicode's rules; bytes that are not UTF-8 stay as they are",
	},
}

// words finds words in text. A word is a maximal run of bytes other than space, \t, \n, \v, \f and
// \r, the white space of C's isspace and Python's bytes.split; or of ASCII letters, as with tr -cs
// A-Za-z '\n'.
type words struct{ letters, lower bool }

func newWords(p *program.Params) *words {
	return &words{letters: p.Flag("letters"), lower: p.Flag("lower")}
}

// fold returns text in lower case if the parameter lower is set, otherwise text itself. It uses the
// memory of scratch if that is enough.
func (w *words) fold(scratch *[]byte, text []byte) []byte {
	if !w.lower {
		return text
	}
	folded := append((*scratch)[:0], text...)
	ascii := true
	for i, c := range folded {
		if 'A' <= c && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !w.letters {
		folded = lowerUnicode(folded[:0], text)
	}
	*scratch = folded
	return folded
}

// lowerUnicode appends text to dst in lower case. Unlike bytes.ToLower it leaves bytes that are not
// UTF-8 unchanged.
func lowerUnicode(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, text[0])
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		text = text[n:]
	}
	return dst
}
