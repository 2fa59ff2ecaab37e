package input_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
)

// object is an object in memory, with the contract of objstore.Bucket.Get. It counts reads.
type object struct {
	data  []byte
	fault func(offset int64) error // if set, asked before every Get and Read

	mu     sync.Mutex
	gets   int
	bodies int // not closed
	short  *rand.Rand
}

func newObject(data []byte) *object {
	return &object{data: data, short: rand.New(rand.NewPCG(1, 2))}
}

func (o *object) get(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.fault != nil {
		if err := o.fault(offset); err != nil {
			return nil, err
		}
	}
	size := int64(len(o.data))
	if offset < 0 || length < 0 {
		return nil, fmt.Errorf("%w: offset %d, length %d", objstore.ErrInvalid, offset, length)
	}
	if offset > size {
		return nil, objstore.ErrRange
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gets++
	o.bodies++
	return &body{o: o, at: offset, end: min(size, offset+length)}, nil
}

type body struct {
	o       *object
	at, end int64
}

// Read sometimes returns fewer bytes than asked for, and the end together with bytes or after them.
func (b *body) Read(p []byte) (int, error) {
	if b.o.fault != nil {
		if err := b.o.fault(b.at); err != nil {
			return 0, err
		}
	}
	b.o.mu.Lock()
	roll := b.o.short.IntN(8)
	if roll == 0 {
		p = p[:b.o.short.IntN(len(p))]
	}
	b.o.mu.Unlock()
	n := copy(p, b.o.data[b.at:b.end])
	b.at += int64(n)
	if b.at == b.end && (n == 0 || roll > 4) {
		return n, io.EOF
	}
	return n, nil
}

func (b *body) Close() error {
	b.o.mu.Lock()
	defer b.o.mu.Unlock()
	b.o.bodies--
	return nil
}

func (o *object) size() int64 { return int64(len(o.data)) }

func (o *object) open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bodies
}

// located is one record as a program would see it.
type located struct {
	offset int64
	data   string
}

// whole returns the split that is all of an object.
func whole(name string, o *object) input.Split {
	n := int64(len(o.data))
	return input.Split{Input: "s3://bucket/" + name, Size: n, Length: n}
}

// read returns the records of a split. It checks what is true for every Reader, and that a Reader
// that reads directly returns the same.
func read(t testing.TB, o *object, s input.Split, opts input.Options) (records []located, header string, err error) {
	t.Helper()
	opts.Direct = true
	direct, directHeader, directErr := readOnce(t, o, s, opts)
	opts.Direct = false
	records, header, err = readOnce(t, o, s, opts)
	n := max(len(records), len(direct))
	if err != nil { // the error may come a few records earlier or later
		n = min(len(records), len(direct))
	}
	if (err == nil) != (directErr == nil) || errors.Is(err, input.ErrInput) != errors.Is(directErr, input.ErrInput) {
		t.Errorf("%v: read directly it fails with %v, else with %v", s, directErr, err)
	} else if d := diff(direct[:min(n, len(direct))], records[:min(n, len(records))]); d != "" || directHeader != header && err == nil {
		t.Errorf("%v: read directly it has the header %q, not %q, or other records: %s", s, directHeader, header, d)
	}
	return records, header, err
}

func readOnce(t testing.TB, o *object, s input.Split, opts input.Options) (records []located, header string, err error) {
	t.Helper()
	r, err := input.Open(t.Context(), s, opts, o.get)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if cerr := r.Close(); cerr != nil {
			t.Errorf("Close: %v", cerr)
		}
		if n := o.open(); n != 0 {
			t.Errorf("%v: %d bodies are open after Close", s, n)
		}
	}()
	progress := int64(0)
	for {
		var b *record.Batch
		b, err = r.Next()
		if p := r.Progress(); p < progress || p > s.Length {
			t.Errorf("%v: progress goes from %d to %d", s, progress, p)
		} else {
			progress = p
		}
		if err != nil {
			break
		}
		if b.Input != s.Input {
			t.Fatalf("input is %q, want %q", b.Input, s.Input)
		}
		n := 0
		for off, rec := range b.Records() {
			records = append(records, located{off, string(rec)})
			n++
		}
		if n == 0 || n != b.Len() {
			t.Errorf("%v: a batch yields %d records and says it has %d", s, n, b.Len())
		}
		header = string(b.Header)
	}
	if _, again := r.Next(); !errors.Is(again, err) {
		t.Errorf("%v: Next fails with %v, and then with %v", s, err, again)
	}
	if !errors.Is(err, io.EOF) {
		return records, header, err
	}
	if progress != s.Length {
		t.Errorf("%v: progress at the end is %d", s, progress)
	}
	return records, header, nil
}

// readCut returns the records of an object cut into splits of size bytes.
func readCut(t testing.TB, name string, o *object, size int64, opts input.Options) ([]located, error) {
	t.Helper()
	var all []located
	s := whole(name, o)
	for s.Offset = 0; s.Offset < s.Size; s.Offset += size {
		s.Length = min(size, s.Size-s.Offset)
		records, _, err := read(t, o, s, opts)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	return all, nil
}

func (r located) String() string { return fmt.Sprintf("%.80q at %d", r.data, r.offset) }
