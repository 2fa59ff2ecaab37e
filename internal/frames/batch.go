package frames

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/bucketmill/bucketmill/internal/record"
)

// AppendBatchHeader appends what comes before the data in a BATCH frame.
func AppendBatchHeader(dst []byte, b *record.Batch) []byte {
	dst = appendString(dst, b.Input)
	dst = binary.AppendUvarint(dst, uint64(b.Offset))
	dst = append(dst, byte(b.Framing))
	dst = binary.AppendUvarint(dst, uint64(b.RecordLen))
	return appendString(dst, b.Header)
}

func appendString[T string | []byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// DecodeBatch reads the payload of a BATCH frame. Header and Data alias it. It fails with
// ErrFrame when the payload is not a batch, or its data are not whole records.
func DecodeBatch(payload []byte) (record.Batch, error) {
	d := batchDecoder{rest: payload}
	b := record.Batch{
		Input:     string(d.bytes()),
		Offset:    int64(d.uvarint(math.MaxInt64)),
		Framing:   record.Framing(d.byte()),
		RecordLen: int(d.uvarint(record.MaxFieldLen)),
		Header:    d.bytes(),
	}
	b.Data = d.rest
	if d.failed {
		return record.Batch{}, fmt.Errorf("%w: BATCH with a broken header", ErrMalformed)
	}
	if b.Framing == record.Keyed { // the protocol has no such framing
		return record.Batch{}, fmt.Errorf("%w: BATCH of records with keys", ErrMalformed)
	}
	if err := b.Err(); err != nil {
		return record.Batch{}, fmt.Errorf("%w: BATCH: %w", ErrMalformed, err)
	}
	return b, nil
}

// batchDecoder takes fields off rest. Once one is broken, all that follow are zero.
type batchDecoder struct {
	rest   []byte
	failed bool
}

func (d *batchDecoder) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > most {
		d.failed, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *batchDecoder) byte() byte {
	if len(d.rest) == 0 {
		d.failed = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *batchDecoder) bytes() []byte {
	n := d.uvarint(MaxLen)
	if n > uint64(len(d.rest)) {
		d.failed, d.rest = true, nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}
