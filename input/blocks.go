package input

import (
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/internal/record"
)

// fixed frames records of one length.
type fixed struct {
	cursor
	object    string
	recordLen int
}

func (f *fixed) next(b *record.Batch) error {
	for {
		if n := len(f.rest) - len(f.rest)%f.recordLen; n > 0 {
			b.Framing = record.Fixed
			b.RecordLen = f.recordLen
			b.Offset = f.off
			b.Data = f.take(n)
			return nil
		}
		err := f.more()
		if errors.Is(err, io.EOF) && len(f.rest) > 0 { // only after decompression: Open knows the size else
			return notMultiple(f.object, f.off+int64(len(f.rest)), f.recordLen)
		}
		if err != nil {
			return err
		}
	}
}

func notMultiple(object string, size int64, recordLen int) error {
	return &FormatError{
		Object: object,
		Offset: size - size%int64(recordLen),
		Reason: fmt.Sprintf("the %d bytes are no multiple of the record length, %d bytes", size, recordLen),
	}
}

// firstRecord returns the offset of the first record of n bytes that starts at or after off.
func firstRecord(off int64, n int) int64 {
	return (off + int64(n) - 1) / int64(n) * int64(n)
}

// whole takes the object as one record. An empty object has none.
type whole struct {
	cursor
	object    string
	maxRecord int64
}

func (w *whole) next(b *record.Batch) error {
	for {
		if int64(len(w.rest)) > w.maxRecord {
			return &RecordTooLongError{Object: w.object, Limit: w.maxRecord}
		}
		switch err := w.more(); {
		case err == nil:
		case errors.Is(err, io.EOF) && len(w.rest) > 0:
			b.Framing = record.Whole
			b.Offset = w.off
			b.Data = w.take(len(w.rest))
			return nil
		default:
			return err
		}
	}
}
