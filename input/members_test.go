package input_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/bucketmill/bucketmill/input"
)

// codecs returns compressed data of each kind, and its contents.
func codecs(t *testing.T) map[string]struct {
	data []byte
	text string
} {
	return map[string]struct {
		data []byte
		text string
	}{
		"gzip":  {gzipped(t, "one\ntwo\r\n", "three"), "one\ntwo\r\nthree"},
		"bzip2": {bzipped(t), "one\ntwo\r\nthree"},
		"zstd":  {zstded(t, "one\ntwo\r\n", "three"), "one\ntwo\r\nthree"},
	}
}

var suffixes = map[string]string{"gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst"}

// TestPadding has NULs after compressed data, and between members.
func TestPadding(t *testing.T) {
	for codec, c := range codecs(t) {
		for _, name := range []string{"a" + suffixes[codec], "a.log"} {
			for _, nuls := range []int{1, 2, 3, 4, 5, 511, 200_000} {
				padded := append(bytes.Clone(c.data), make([]byte, nuls)...)
				for what, object := range map[string]struct {
					data []byte
					text string
				}{
					"after":       {padded, c.text},
					"between":     {append(bytes.Clone(padded), c.data...), c.text + c.text},
					"and after":   {append(append(bytes.Clone(padded), c.data...), make([]byte, nuls)...), c.text + c.text},
					"many blocks": {append(bytes.Repeat(padded, 2), 0), c.text + c.text},
				} {
					o := newObject(object.data)
					got, _, err := read(t, o, whole(name, o), input.Options{Format: asText, RangeBytes: 1 + len(object.data)/7})
					if d := diff(got, oracle([]byte(object.text), asText)); err != nil || d != "" {
						t.Errorf("%s: %d NULs %s: %s, %v", name, nuls, what, d, err)
					}
				}
			}
		}
	}
}

// TestTrailingData has other data after the compressed data: the error says where.
func TestTrailingData(t *testing.T) {
	for codec, c := range codecs(t) {
		for _, rest := range []string{"x", "\r\n", "some text\n", "B", "BZ", "BZh", "BZx", "BZhx", "\x1f", "(", "(\xb5", "PK\x03\x04", "\x00x", "\x00\x00\x00\x00\x00x"} {
			name := "a" + suffixes[codec]
			o := newObject(append(bytes.Clone(c.data), rest...))
			_, _, err := read(t, o, whole(name, o), input.Options{Format: asText})
			var bad *input.FormatError
			if !errors.As(err, &bad) || bad.Offset != input.NoOffset {
				t.Errorf("%s and %q: %v", codec, rest, err)
				continue
			}
			nuls := len(rest) - len(strings.TrimLeft(rest, "\x00"))
			at := make([]string, 0, 2)
			for _, n := range []int{len(c.data), len(c.data) + nuls} { // NULs may count as data, or not
				at = append(at, fmt.Sprintf("s3://bucket/%s: %s data ends at byte %d of %d, and what follows is not %[2]s data: cut it off (head -c %[3]d)",
					name, codec, n, len(o.data)))
			}
			if err.Error() != at[0] && err.Error() != at[1] {
				t.Errorf("%s and %q: %v", codec, rest, err)
			}
		}
	}
}

// TestEmptyCompressed reads compressed data without contents.
func TestEmptyCompressed(t *testing.T) {
	for what, data := range map[string][]byte{
		"nothing":         {},
		"gzip":            gzipped(t, ""),
		"gzip, twice":     gzipped(t, "", ""),
		"bzip2":           []byte("BZh9\x17rE8P\x90\x00\x00\x00\x00"),
		"bzip2, twice":    []byte("BZh9\x17rE8P\x90\x00\x00\x00\x00BZh1\x17rE8P\x90\x00\x00\x00\x00"),
		"zstd":            {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00},
		"a frame to skip": []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc"),
		"a long one":      append([]byte("\x50\x2a\x4d\x18\x00\x00\x01\x00"), make([]byte, 1<<16)...),
	} {
		names := []string{"a.log", "a"}
		switch {
		case strings.HasPrefix(what, "gzip"):
			names = append(names, "a.gz")
		case strings.HasPrefix(what, "bzip2"):
			names = append(names, "a.bz2")
		case what == "nothing":
			names = append(names, "a.gz", "a.bz2", "a.zst")
		default:
			names = append(names, "a.zst", "A.ZSTD")
		}
		for _, name := range names {
			for _, kind := range []input.Format{asText, asCSV, asRows, asJSONL} {
				o := newObject(data)
				if got, err := readCut(t, name, o, max(1, o.size()), input.Options{Format: kind}); err != nil || len(got) > 0 {
					t.Errorf("%s as %s, %v: %v, %v", what, name, kind, got, err)
				}
			}
		}
	}
}

// zstdFrame returns a frame whose header has a window of 1 << log bytes, and does not say how much
// the frame contains.
func zstdFrame(t *testing.T, data []byte, log int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data[:len(data)/2]); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil { // so that the header is written before the size is known
		t.Fatal(err)
	}
	compress(t, w, string(data[len(data)/2:]))
	frame := buf.Bytes()
	var h zstd.Header
	if err := h.Decode(frame); err != nil || h.SingleSegment || h.HasFCS {
		t.Fatalf("the frame's header is %+v: %v", h, err)
	}
	frame[5] = byte(log-10) << 3
	return frame
}

// zstdSegment returns a frame that is its own window, and says how large it is.
func zstdSegment(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true), zstd.WithWindowSize(1<<20), zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	frame := w.EncodeAll(data, nil)
	var h zstd.Header
	if err := h.Decode(frame); err != nil || !h.SingleSegment {
		t.Fatalf("the frame's header is %+v: %v", h, err)
	}
	return frame
}

func TestWindows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 600_000) // does not compress
	for i := range noise {
		noise[i] = byte(32 + rng.IntN(90))
	}
	repeats := append(noise[:len(noise):len(noise)], noise[:100_000]...) // with references that go back 600 kB
	text := []byte("a b\n")
	for _, c := range []struct {
		what   string
		data   []byte
		most   int64
		fails  string
		length int // bytes of lines
	}{
		{"little data in a window of 2 GiB", zstdFrame(t, text, 31), 0, "", len(text)},
		{"the largest window there can be", zstdFrame(t, text, 41), 0, "", len(text)},
		{"many frames", bytes.Repeat(zstdFrame(t, text, 31), 10), 16 << 20, "", 10 * len(text)},
		{"more data than is allowed for, without references", zstdFrame(t, noise, 31), 1 << 18, "", len(noise)},
		{"references that are allowed", zstdFrame(t, repeats, 31), 1 << 20, "", len(repeats)},
		{"references that are allowed as they are", zstdFrame(t, repeats, 20), 1 << 20, "", len(repeats)},
		{"references that are not", zstdFrame(t, repeats, 31), 1 << 18, "needs a window of 2.0 GiB, and 256 KiB are allowed", 0},
		{"a frame that is its own window", zstdSegment(t, noise), 1 << 18, "", len(noise)},
		{"references within one", zstdSegment(t, repeats), 1 << 18, "needs a window of 684 KiB, and 256 KiB are allowed", 0},
		{"a small one", zstdSegment(t, text), 1 << 20, "", len(text)},
		{"a window of less than a block", zstdFrame(t, noise, 20), 1 << 16, "needs a window of 1.0 MiB, and 64 KiB are allowed", 0},
		{"in the second frame", append(zstded(t, "a\n"), zstdFrame(t, repeats, 24)...), 1 << 19, "needs a window of 16 MiB, and 512 KiB are allowed", 0},
	} {
		o := newObject(c.data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, _, err := readOnce(t, o, whole("a.zst", o), input.Options{Format: asText, MaxWindow: c.most})
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s: %d bytes were allocated", c.what, used)
		}
		if c.fails != "" {
			if err == nil || !errors.Is(err, input.ErrInput) || !strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), "--memory") {
				t.Errorf("%s: %v", c.what, err)
			}
			continue
		}
		n := 0
		for _, r := range got {
			n += len(r.data) + 1
		}
		if err != nil || n != c.length && n != c.length+1 {
			t.Errorf("%s: %d bytes, not %d: %v", c.what, n, c.length, err)
		}
	}
}

// TestSizedFrames has a frame that says how much it contains: less than its window.
func TestSizedFrames(t *testing.T) {
	frame := zstded(t, strings.Repeat("0123456789 a line\n", 50_000)) // 900 kB
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		t.Fatal(err)
	}
	o := newObject(frame)
	if _, _, err := read(t, o, whole("a.zst", o), input.Options{Format: asText, MaxWindow: 1 << 20}); h.WindowSize > 1<<20 && h.HasFCS && err != nil {
		t.Errorf("%+v: %v", h, err)
	}
}

func TestDictionary(t *testing.T) {
	var buf bytes.Buffer
	w, err := zstd.NewWriter(&buf, zstd.WithEncoderDictRaw(77, bytes.Repeat([]byte("a line of the dictionary\n"), 50)))
	if err != nil {
		t.Fatal(err)
	}
	compress(t, w, "a line of the dictionary\n")
	o := newObject(buf.Bytes())
	_, _, err = read(t, o, whole("a.zst", o), input.Options{Format: asText})
	if err == nil || !errors.Is(err, input.ErrInput) || !strings.Contains(err.Error(), "needs the dictionary 77") {
		t.Errorf("%v", err)
	}
}

// FuzzCompressed reads any bytes, under any name, as text. The Reader must end, and give the same
// records for any cut.
func FuzzCompressed(f *testing.F) {
	f.Add([]byte("BZh9\x17rE8P\x90\x00\x00\x00\x00x"), uint8(0), uint8(3))
	f.Add([]byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc"), uint8(1), uint8(2))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x88\x21\x00\x00a b\n\x4b\x1d\x03\x11"), uint8(2), uint8(9))
	f.Add(gzipped(f, "one\n", "two"), uint8(3), uint8(5))
	f.Add(bzipped(f), uint8(3), uint8(5))
	f.Add(zstded(f, "one\n", "two"), uint8(3), uint8(5))
	names := []string{"a", "a.zst", "a.log", "a.gz", "a.bz2"}
	f.Fuzz(func(t *testing.T, data []byte, which, length uint8) {
		name := names[int(which)%len(names)]
		o := newObject(data)
		opts := input.Options{Format: asText, RangeBytes: 1 + int(length), MaxRecord: 1 << 20, MaxWindow: 1 << 20}
		all, _, err := readOnce(t, o, whole(name, o), opts)
		if err != nil && !errors.Is(err, input.ErrInput) {
			t.Fatal(err)
		}
		if !opts.Format.Splittable(name) || len(data) == 0 {
			return
		}
		got, cutErr := readCut(t, name, o, 1+int64(len(data)/3), opts)
		if (err == nil) != (cutErr == nil) {
			t.Fatalf("%v, but %v if it is cut", err, cutErr)
		}
		if d := diff(got, all); err == nil && d != "" {
			t.Fatal(d)
		}
	})
}
