package sample

// RecordLen is the length of a record of [Records], in bytes.
const RecordLen = 100

const blockRecords = 1024

// Records is a source of records for sort benchmarks, in the format of "gensort -a":
//
//	bytes  0-9    the key: printable ASCII from ' ' to '~', evenly distributed
//	bytes 10-11   two spaces
//	bytes 12-43   the record's number in the stream, from 0, as 32 hexadecimal digits
//	bytes 44-45   two spaces
//	bytes 46-97   filler: 13 hexadecimal digits, each four times
//	bytes 98-99   CR LF
//
// The keys differ from gensort's, which come from another random number generator.
type Records struct{ seed uint64 }

// NewRecords returns sort records.
func NewRecords(seed uint64) *Records { return &Records{seed: seed} }

// Header is empty.
func (r *Records) Header() []byte { return nil }

// AppendBlock appends 1024 records.
func (r *Records) AppendBlock(dst []byte, n uint64) []byte {
	const digits = "0123456789ABCDEF"
	random := blockRand(r.seed, n)
	for number := n * blockRecords; number < (n+1)*blockRecords; number++ {
		for range 2 { // five characters of each random number: 95^5 is a small part of 2^64
			u := below(random.Uint64(), 95*95*95*95*95)
			for range 5 {
				dst = append(dst, ' '+byte(u%95))
				u /= 95
			}
		}
		dst = append(dst, "  0000000000000000"...)
		for shift := 60; shift >= 0; shift -= 4 {
			dst = append(dst, digits[number>>shift&15])
		}
		dst = append(dst, "  "...)
		filler := random.Uint64()
		for range 13 {
			d := digits[filler&15]
			dst = append(dst, d, d, d, d)
			filler >>= 4
		}
		dst = append(dst, "\r\n"...)
	}
	return dst
}
