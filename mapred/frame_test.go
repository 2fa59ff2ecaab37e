package mapred

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"testing"
	"testing/iotest"
)

func TestFramesComeBack(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789"), firstRead/4) // grows in steps
	payloads := [][]byte{nil, []byte("x"), large, []byte("after")}
	var stream bytes.Buffer
	w := NewFrameWriter(&stream)
	for _, p := range payloads {
		half := len(p) / 2
		if err := w.Write(FrameRecords, p[:half], p[half:]); err != nil {
			t.Fatal(err)
		}
	}
	r := NewFrameReader(iotest.HalfReader(&stream))
	var buf []byte
	for i, want := range payloads {
		kind, got, err := r.Next(buf)
		if err != nil || kind != FrameRecords || !bytes.Equal(got, want) {
			t.Fatalf("frame %d: %v of %d bytes, %v", i, kind, len(got), err)
		}
		buf = got
	}
	if _, _, err := r.Next(buf); err != io.EOF {
		t.Fatalf("after the last frame: want io.EOF, have %v", err)
	}
}

func TestFrameReaderIsStrict(t *testing.T) {
	tooLong := binary.BigEndian.AppendUint32([]byte{byte(FrameRecords)}, MaxFrameLen+1)
	promised := binary.BigEndian.AppendUint32([]byte{byte(FrameRecords)}, MaxFrameLen)
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"no type 0":      {[]byte{0, 0, 0, 0, 0}, ErrFrame},
		"no type 11":     {[]byte{11, 0, 0, 0, 0}, ErrFrame},
		"too long":       {tooLong, ErrFrame},
		"cut in header":  {[]byte{4, 0, 0}, io.ErrUnexpectedEOF},
		"cut in payload": {[]byte{4, 0, 0, 0, 3, 1, 2}, io.ErrUnexpectedEOF},
		"cut before it":  {[]byte{4, 0, 0, 0, 3}, io.ErrUnexpectedEOF},
		"only promised":  {promised, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := NewFrameReader(bytes.NewReader(c.stream)).Next(nil); !errors.Is(err, c.want) {
				t.Errorf("want %v, have %v", c.want, err)
			}
		})
	}
}

func TestMessagesOfAnotherVersionAreRefused(t *testing.T) {
	var hello Hello
	for _, payload := range [][]byte{nil, {ProtocolVersion + 1, '{', '}'}, {ProtocolVersion, '['}} {
		if err := DecodeMessage(FrameHello, payload, &hello); !errors.Is(err, ErrFrame) {
			t.Errorf("HELLO %q: want ErrFrame, have %v", payload, err)
		}
	}
}

func TestBatchHeaderComesBack(t *testing.T) {
	for _, want := range []Batch{
		{Input: "s3://b/k", Offset: 1 << 40, Framing: Lines, Header: []byte("a,b"), Data: []byte("1,2\n")},
		{Framing: Fixed, RecordLen: 300, Header: []byte{}, Data: []byte{}},
	} {
		payload := append(AppendBatchHeader(nil, &want), want.Data...)
		got, err := DecodeBatch(payload)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("want %+v, have %+v, %v", want, got, err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 2, 'a', 'b', 5, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 3, 1, '{', '}'})
	f.Add(append([]byte{3, 0, 0, 0, 8}, 1, 'f', 9, 1, 0, 1, 'h', 'x'))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewFrameReader(bytes.NewReader(stream))
		read := 0
		for {
			kind, payload, err := r.Next(nil)
			if err != nil {
				return
			}
			if read += 5 + len(payload); read > len(stream) {
				t.Fatalf("%d bytes of frames in a stream of %d", read, len(stream))
			}
			if kind != FrameBatch {
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
			for range b.Records() {
				continue
			}
		}
	})
}
