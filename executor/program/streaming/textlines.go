package streaming

import (
	"bytes"
	"io"
	"strconv"

	"github.com/bucketmill/bucketmill/internal/record"
)

// writeSize is how many bytes of lines are buffered before a write to the pipe.
const writeSize = 256 << 10

// pairFormat says where a line's key ends.
type pairFormat struct {
	separator []byte // ends a field
	fields    int    // number of fields in the key
}

// emit cuts lines into pairs and emits them. Only the last line may have no end.
func (f *pairFormat) emit(lines []byte, out *record.Emitter) {
	simple := f.fields == 1 && len(f.separator) == 1
	for len(lines) > 0 {
		line := lines
		if i := bytes.IndexByte(lines, '\n'); i >= 0 {
			line, lines = lines[:i], lines[i+1:]
			if i > 0 && line[i-1] == '\r' {
				line = line[:i-1]
			}
		} else {
			lines = nil
		}
		if !simple {
			out.Emit(f.cut(line))
		} else if i := bytes.IndexByte(line, f.separator[0]); i >= 0 {
			out.Emit(line[:i], line[i+1:])
		} else {
			out.Emit(line, nil)
		}
	}
}

// cut cuts a line at the separator after the key's last field.
func (f *pairFormat) cut(line []byte) (key, value []byte) {
	at := 0
	for range f.fields {
		i := bytes.Index(line[at:], f.separator)
		if i < 0 {
			return line, nil
		}
		at += i + len(f.separator)
	}
	return line[:at-len(f.separator)], line[at:]
}

// lineWriter writes records as lines.
type lineWriter struct {
	to  io.Writer
	buf []byte
}

// flush writes the buffer.
func (w *lineWriter) flush() error {
	_, err := w.to.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// values writes each record of a batch as a line.
func (w *lineWriter) values(b *record.Batch) error {
	if b.Framing == record.Lines && bytes.IndexByte(b.Data, '\r') < 0 {
		// The lines are in the batch as they must be written.
		_, err := w.to.Write(b.Data)
		if err == nil && len(b.Data) > 0 && b.Data[len(b.Data)-1] != '\n' {
			_, err = w.to.Write([]byte{'\n'})
		}
		return err
	}
	for _, value := range b.Records() {
		w.buf = append(append(w.buf, value...), '\n')
		if len(w.buf) >= writeSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return w.flush()
}

// keyed writes a batch's records with their keys. A record without one has its offset for a key,
// or the URL of an object that is one record.
func (w *lineWriter) keyed(b *record.Batch, separator []byte) error {
	if b.Framing == record.Keyed {
		for key, value := range b.Pairs() {
			w.buf = append(append(w.buf, key...), separator...)
			w.buf = append(append(w.buf, value...), '\n')
			if len(w.buf) >= writeSize {
				if err := w.flush(); err != nil {
					return err
				}
			}
		}
		return w.flush()
	}
	for offset, value := range b.Records() {
		if b.Framing == record.Whole {
			w.buf = append(w.buf, b.Input...)
		} else {
			w.buf = strconv.AppendInt(w.buf, offset, 10)
		}
		w.buf = append(w.buf, separator...)
		w.buf = append(append(w.buf, value...), '\n')
		if len(w.buf) >= writeSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return w.flush()
}

// pairs writes a block of encoded records. Less than writeSize stays in the buffer.
func (w *lineWriter) pairs(block, separator []byte) error {
	for len(block) > 0 {
		key, value, n, err := record.Read(block)
		if err != nil {
			return err
		}
		block = block[n:]
		w.buf = append(w.buf, key...)
		w.buf = append(w.buf, separator...)
		w.buf = append(append(w.buf, value...), '\n')
		if len(w.buf) >= writeSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}
