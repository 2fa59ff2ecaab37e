package mapred

import (
	"iter"

	"github.com/bucketmill/bucketmill/internal/wordscan"
)

// Words yields the words of text: the longest runs of bytes other than ASCII white space, as the
// builtin wordcount takes them. It takes half the time of bytes.FieldsSeq. A word is a part of
// text, not a copy.
func Words(text []byte) iter.Seq[[]byte] { return wordscan.All(text) }
