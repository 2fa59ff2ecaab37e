// Package formats is the table of all formats: what inputs are read as, what they may be compressed
// by, and what output is written as. A new one is a folder and a line here.
package formats

import (
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/input/compress/bzip2"
	"github.com/bucketmill/bucketmill/input/compress/gzip"
	"github.com/bucketmill/bucketmill/input/compress/zstd"
	"github.com/bucketmill/bucketmill/input/csv"
	"github.com/bucketmill/bucketmill/input/fixed"
	"github.com/bucketmill/bucketmill/input/lines"
	"github.com/bucketmill/bucketmill/input/whole"
	"github.com/bucketmill/bucketmill/output"
	"github.com/bucketmill/bucketmill/output/text"
)

// Inputs has what is read.
var Inputs = input.Table{
	Kinds: []input.Kind{
		lines.Text,
		lines.JSONL,
		csv.Lines,
		csv.Multiline,
		whole.Format{},
		fixed.Format{},
	},
	Compressions: []input.Compression{
		gzip.Compression{},
		bzip2.Compression{},
		zstd.Compression{},
	},
}

// Outputs has what is written.
var Outputs = output.Table{
	text.Format{},
}
