package input

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// content is what the first bytes of a stream say about it. The zero content is text.
type content struct {
	compression Compression // nil: none that can be undone
	foreign     *foreign    // data that can't be read as text; nil: none
}

// foreign is a kind of data that is not text and can't be turned into text here.
type foreign struct {
	name   string // with its article
	wayOut string // what a user may do about it
}

// Ways out that several kinds share.
const (
	wayTables = "convert it to CSV or JSON lines"
	wayUnpack = "unpack it"
	wayImage  = "leave it out of the input"
)

// sign is how a kind of data begins.
type sign struct {
	magic string
	foreign
	// Mixed: a line of text may begin with the mark, too. The mark then counts only if the first
	// bytes contain something that is not text.
	mixed bool
}

var signs = []sign{
	{magic: "\xfd7zXZ\x00", foreign: foreign{"xz data", "decompress it (xz -d)"}},
	{magic: "\x04\x22\x4d\x18", foreign: lz4},
	{magic: "\x02\x21\x4c\x18", foreign: lz4},
	{magic: "\x89LZO\x00\r\n\x1a\n", foreign: foreign{"lzop data", "decompress it (lzop -d)"}},
	{magic: "LZIP\x01", foreign: foreign{"lzip data", "decompress it (lzip -d)"}},
	{magic: "]\x00\x00", foreign: lzma},
	{magic: "\xff\x06\x00\x00sNaPpY", foreign: snappy},
	{magic: "\xff\x06\x00\x00S2sTwO", foreign: foreign{"S2 data", "decompress it (s2d)"}},
	{magic: "\x1f\x9d", foreign: foreign{"data of compress (.Z)", "decompress it (gzip -d)"}},
	{magic: "PK\x03\x04", foreign: zip},
	{magic: "PK\x05\x06", foreign: zip}, // without members
	{magic: "PK\x07\x08", foreign: zip}, // of several volumes
	{magic: "7z\xbc\xaf\x27\x1c", foreign: foreign{"a 7z archive", wayUnpack + " (7z x)"}},
	{magic: "Rar!\x1a\x07", foreign: foreign{"a RAR archive", wayUnpack + " (unrar x)"}},
	{magic: "PAR1", foreign: foreign{"a Parquet file", wayTables}, mixed: true},
	{magic: "PARE", foreign: foreign{"an encrypted Parquet file", wayTables}, mixed: true},
	{magic: "Obj\x01", foreign: foreign{"an Avro file", wayTables}},
	{magic: "ORC", foreign: foreign{"an ORC file", wayTables}, mixed: true},
	{magic: "SEQ\x04", foreign: sequenceFile},
	{magic: "SEQ\x05", foreign: sequenceFile},
	{magic: "SEQ\x06", foreign: sequenceFile},
	{magic: "RCF\x01", foreign: foreign{"an RCFile", wayTables}},
	{magic: "ARROW1\x00\x00", foreign: foreign{"an Arrow file", wayTables}},
	{magic: "\x89HDF\r\n\x1a\n", foreign: foreign{"an HDF5 file", wayTables}},
	{magic: "CDF\x01", foreign: foreign{"a NetCDF file", wayTables}},
	{magic: "CDF\x02", foreign: foreign{"a NetCDF file", wayTables}},
	{magic: "\x93NUMPY", foreign: foreign{"a NumPy array", wayTables}},
	{magic: "SQLite format 3\x00", foreign: foreign{"an SQLite database", wayTables}},
	{magic: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", foreign: foreign{"an old Excel or Word file", wayTables}},
	{magic: "%PDF-", foreign: foreign{"a PDF file", "extract its text (pdftotext)"}},
	{magic: "\x89PNG\r\n\x1a\n", foreign: foreign{"a PNG image", wayImage}},
	{magic: "\xff\xd8\xff", foreign: foreign{"a JPEG image", wayImage}, mixed: true},
	{magic: "\x7fELF", foreign: foreign{"an executable", wayImage}},
	{magic: "\xff\xfe\x00\x00", foreign: unicode("UTF-32")}, // before UTF-16, which may begin in the same way
	{magic: "\x00\x00\xfe\xff", foreign: unicode("UTF-32")},
	{magic: "\xff\xfe", foreign: unicode("UTF-16")},
	{magic: "\xfe\xff", foreign: unicode("UTF-16")},
}

var (
	lz4          = foreign{"lz4 data", "decompress it (lz4 -d)"}
	lzma         = foreign{"lzma data", "decompress it (xz -d --format=lzma)"}
	snappy       = foreign{"Snappy data", "decompress it"}
	zlibData     = foreign{"zlib data", "decompress it (pigz -d -z)"}
	zip          = foreign{"a ZIP archive", wayUnpack + " (unzip)"}
	tar          = foreign{"a tar archive", wayUnpack + " (tar -x)"}
	arrowStream  = foreign{"an Arrow stream", wayTables}
	sequenceFile = foreign{"a Hadoop SequenceFile", "convert it to text (hadoop fs -text)"}
)

func unicode(name string) foreign {
	return foreign{name + " text", "convert it (iconv -f " + name + " -t UTF-8)"}
}

// named has the kinds that begin with no mark, by the suffix of their names.
var named = map[string]foreign{
	".snappy":  snappy, // raw, or in Hadoop's blocks
	".sz":      snappy,
	".lz4":     lz4,
	".deflate": zlibData,
	".zz":      zlibData,
	".zlib":    zlibData,
	".br":      {"Brotli data", "decompress it (brotli -d)"},
	".lzo":     {"LZO data", "decompress it"},
	".lzma":    lzma,
}

// sniff finds out what data are from their first bytes, of which head has headBytes unless the data
// are shorter. Name is the object's, or empty after decompression.
func (f Format) sniff(name string, head []byte) content {
	for _, c := range f.table.Compressions {
		if c.Matches(head) {
			return content{compression: c}
		}
	}
	for i := range signs {
		s := &signs[i]
		if bytes.HasPrefix(head, []byte(s.magic)) && (!s.mixed || notText(head)) {
			return content{foreign: &s.foreign}
		}
	}
	switch {
	case skippable(head): // and no frame of zstd follows
		return content{foreign: &lz4}
	case isArrowStream(head):
		return content{foreign: &arrowStream}
	case isTar(head):
		return content{foreign: &tar}
	case isZlib(head):
		return content{foreign: &zlibData}
	}
	if n, ok := named[strings.ToLower(path.Ext(name))]; ok && notText(head) {
		return content{foreign: &n}
	}
	return content{}
}

// skippable reports whether data begin with a frame that decompressors of lz4 and zstd skip.
func skippable(head []byte) bool {
	return len(head) >= 8 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte{0x2a, 0x4d, 0x18})
}

// notText reports whether head contains something that is not text: NUL, or bytes that are not
// UTF-8.
func notText(head []byte) bool {
	if bytes.IndexByte(head, 0) >= 0 {
		return true
	}
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 {
			return utf8.FullRune(head) // otherwise the rune was cut off
		}
		head = head[n:]
	}
	return false
}

// isArrowStream reports whether head begins a stream of Arrow's messages: four bytes of ones, the
// length of the first message, and the offset of that message's root. Both are small, in four
// bytes, little endian.
func isArrowStream(head []byte) bool {
	return len(head) >= 12 && bytes.HasPrefix(head, []byte("\xff\xff\xff\xff")) && head[7] == 0 && bytes.Equal(head[9:12], []byte{0, 0, 0})
}

// isTar reports whether head is the header of a tar archive's first member. Old archives have no
// mark, but all have a checksum: the sum of the header's bytes, in octal, with blanks in place of
// its own eight bytes.
func isTar(head []byte) bool {
	const sumAt, sumLen = 148, 8
	if len(head) < headBytes {
		return false
	}
	field := string(bytes.Trim(head[sumAt:sumAt+sumLen], " \x00"))
	want, err := strconv.ParseInt(field, 8, 64)
	if err != nil {
		return false
	}
	sum := int64(sumLen * ' ')
	for i, b := range head[:headBytes] {
		if i < sumAt || i >= sumAt+sumLen {
			sum += int64(b)
		}
	}
	return sum == want && notText(head)
}

// isZlib reports whether head begins zlib data. Text may begin with the same mark, so isZlib tries
// to decompress.
func isZlib(head []byte) bool {
	const enough = 64 // bytes: fewer may succeed by chance
	if len(head) < 2 || head[0] != 'x' || !notText(head) {
		return false
	}
	r, err := zlib.NewReader(bytes.NewReader(head))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r)
	return err == nil || errors.Is(err, io.ErrUnexpectedEOF) && len(head) >= enough
}
