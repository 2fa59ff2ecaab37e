package frames

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"reflect"
	"testing"
	"testing/iotest"

	"github.com/bucketmill/bucketmill/internal/record"
)

func TestFramesComeBack(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789"), firstRead/4) // grows in steps
	payloads := [][]byte{nil, []byte("x"), large, []byte("after")}
	var stream bytes.Buffer
	w := NewWriter(&stream)
	for _, p := range payloads {
		half := len(p) / 2
		if err := w.Write(TypeRecords, p[:half], p[half:]); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(iotest.HalfReader(&stream))
	var buf []byte
	for i, want := range payloads {
		kind, got, err := r.Next(buf)
		if err != nil || kind != TypeRecords || !bytes.Equal(got, want) {
			t.Fatalf("frame %d: %v of %d bytes, %v", i, kind, len(got), err)
		}
		buf = got
	}
	if _, _, err := r.Next(buf); err != io.EOF {
		t.Fatalf("after the last frame: want io.EOF, have %v", err)
	}
}

func TestReaderIsStrict(t *testing.T) {
	tooLong := binary.BigEndian.AppendUint32([]byte{byte(TypeRecords)}, MaxLen+1)
	promised := binary.BigEndian.AppendUint32([]byte{byte(TypeRecords)}, MaxLen)
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"no type 0":      {[]byte{0, 0, 0, 0, 0}, ErrMalformed},
		"no type 12":     {[]byte{12, 0, 0, 0, 0}, ErrMalformed},
		"too long":       {tooLong, ErrMalformed},
		"cut in header":  {[]byte{4, 0, 0}, io.ErrUnexpectedEOF},
		"cut in payload": {[]byte{4, 0, 0, 0, 3, 1, 2}, io.ErrUnexpectedEOF},
		"cut before it":  {[]byte{4, 0, 0, 0, 3}, io.ErrUnexpectedEOF},
		"only promised":  {promised, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := NewReader(bytes.NewReader(c.stream)).Next(nil); !errors.Is(err, c.want) {
				t.Errorf("want %v, have %v", c.want, err)
			}
		})
	}
}

func TestMessagesOfAnotherVersionAreRefused(t *testing.T) {
	var hello Hello
	for _, payload := range [][]byte{nil, {ProtocolVersion + 1, '{', '}'}, {ProtocolVersion, '['}} {
		if err := Decode(TypeHello, payload, &hello); !errors.Is(err, ErrMalformed) {
			t.Errorf("HELLO %q: want ErrFrame, have %v", payload, err)
		}
	}
}

func TestBatchHeaderComesBack(t *testing.T) {
	for _, want := range []record.Batch{
		{Input: "s3://b/k", Offset: 1 << 40, Framing: record.Lines, Header: []byte("a,b"), Data: []byte("1,2\n")},
		{Framing: record.Fixed, RecordLen: 300, Header: []byte{}, Data: []byte{}},
	} {
		payload := append(AppendBatchHeader(nil, &want), want.Data...)
		got, err := DecodeBatch(payload)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("want %+v, have %+v, %v", want, got, err)
		}
	}
}

// encodedBatch is the payload of an encoded batch, and where in it each record begins, or may end.
func encodedBatch() (payload []byte, records int, ends map[int]bool) {
	b := record.Batch{Input: "s3://b/k", Offset: 7, Framing: record.Encoded, Header: []byte("a,b")}
	payload = AppendBatchHeader(nil, &b)
	ends = map[int]bool{len(payload): true}
	for _, value := range [][]byte{[]byte("1,2"), {}, bytes.Repeat([]byte("x"), 300), []byte("\"a\nb\",3")} {
		payload = record.Append(payload, binary.BigEndian.AppendUint64(nil, uint64(len(payload))), value)
		ends[len(payload)] = true
		records++
	}
	return payload, records, ends
}

func TestDecodeBatchRefusesWhatIsCutShort(t *testing.T) {
	payload, records, ends := encodedBatch()
	for n := range len(payload) {
		b, err := DecodeBatch(payload[:n])
		if !ends[n] {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("cut to %d bytes of %d: %d records, %v", n, len(payload), b.Len(), err)
			}
			continue
		}
		if err != nil {
			t.Errorf("cut between records, to %d bytes: %v", n, err)
		}
	}
	if b, err := DecodeBatch(payload); err != nil || b.Len() != records {
		t.Errorf("%d records, %v", b.Len(), err)
	}
}

func TestDecodeBatchRefusesKeys(t *testing.T) {
	b := record.Batch{Framing: record.Keyed, Data: record.AppendKeyed(nil, 1, []byte("k"), []byte("v"))}
	if _, err := DecodeBatch(append(AppendBatchHeader(nil, &b), b.Data...)); !errors.Is(err, ErrMalformed) || b.Err() != nil {
		t.Errorf("%v, and as a batch: %v", err, b.Err())
	}
}

func TestDecodeBatchRefusesOtherThanItsFramingHas(t *testing.T) {
	offset := make([]byte, 8)
	for name, b := range map[string]record.Batch{
		"no framing":            {Data: []byte("x")},
		"an unknown framing":    {Framing: record.Keyed + 1},
		"no record length":      {Framing: record.Fixed, Data: []byte("x")},
		"an offset too large":   {Framing: record.Lines, Offset: math.MaxInt64, Data: []byte("x")},
		"a short key":           {Framing: record.Encoded, Data: record.Append(nil, offset[:7], nil)},
		"a long key":            {Framing: record.Encoded, Data: record.Append(nil, append(offset, 0), nil)},
		"a negative offset":     {Framing: record.Encoded, Data: record.Append(nil, append([]byte{0x80}, offset[1:]...), nil)},
		"a length that is none": {Framing: record.Encoded, Data: bytes.Repeat([]byte{0xff}, 20)},
		"a byte too many":       {Framing: record.Encoded, Data: append(record.Append(nil, offset, []byte("v")), 0)},
	} {
		if _, err := DecodeBatch(append(AppendBatchHeader(nil, &b), b.Data...)); !errors.Is(err, ErrMalformed) || !errors.Is(err, record.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.Err(); !errors.Is(err, record.ErrCorrupt) {
			t.Errorf("%s: Err is %v", name, err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 2, 'a', 'b', 5, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 3, 1, '{', '}'})
	batch, _, _ := encodedBatch()
	f.Add(append(binary.BigEndian.AppendUint32([]byte{byte(TypeBatch)}, uint32(len(batch))), batch...))
	f.Add(append([]byte{3, 0, 0, 0, 8}, 1, 'f', 9, 1, 0, 1, 'h', 'x'))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream))
		read := 0
		for {
			kind, payload, err := r.Next(nil)
			if err != nil {
				return
			}
			if read += 5 + len(payload); read > len(stream) {
				t.Fatalf("%d bytes of frames in a stream of %d", read, len(stream))
			}
			if kind != TypeBatch {
				continue
			}
			b, err := DecodeBatch(payload)
			if err != nil {
				continue
			}
			again, err := DecodeBatch(append(AppendBatchHeader(nil, &b), b.Data...))
			if err != nil || !reflect.DeepEqual(again, b) {
				t.Fatalf("want %+v, have %+v, %v", b, again, err)
			}
			length := 0 // of the records, encoded
			for offset, record := range b.Records() {
				if offset < 0 {
					t.Fatalf("a record at %d", offset)
				}
				length += len(record)
			}
			if length > len(b.Data) {
				t.Fatalf("%d bytes of records in %d", length, len(b.Data))
			}
		}
	})
}
