package input_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

// foreignFiles are the beginnings of files by other programs, in testdata/foreign, and what they
// are.
var foreignFiles = map[string]string{
	"text.xz":           "xz data",
	"empty.xz":          "xz data",
	"frame.lz4":         "lz4 data",
	"legacy.lz4":        "lz4 data",
	"text.lzo":          "lzop data",
	"text.lz":           "lzip data",
	"text.lzma":         "lzma data",
	"framing.sz":        "Snappy data",
	"text.s2":           "S2 data",
	"text.Z":            "data of compress (.Z)",
	"pigz.zz":           "zlib data",
	"hadoop.deflate":    "zlib data",
	"empty.deflate":     "zlib data",
	"several.7z":        "a 7z archive",
	"streamed.zip":      "a ZIP archive",
	"small.xlsx":        "a ZIP archive",
	"small.npz":         "a ZIP archive",
	"several.tar":       "a tar archive",
	"v7.tar":            "a tar archive",
	"rec.avro":          "an Avro file",
	"duckdb.parquet":    "a Parquet file",
	"spark.parquet":     "a Parquet file",
	"no-rows.parquet":   "a Parquet file",
	"encrypted.parquet": "an encrypted Parquet file",
	"pyarrow.orc":       "an ORC file",
	"text.seq":          "a Hadoop SequenceFile",
	"small.h5":          "an HDF5 file",
	"file.arrow":        "an Arrow file",
	"stream.arrows":     "an Arrow stream",
	"small.sqlite":      "an SQLite database",
	"small.pdf":         "a PDF file",
	"small.png":         "a PNG image",
}

// markless are files that only their names identify.
var markless = map[string]string{
	"hadoop.snappy": "Snappy data",
	"raw.snappy":    "Snappy data",
	"hadoop.lz4":    "lz4 data",
	"text.br":       "Brotli data",
}

func foreignData(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "foreign", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// refused checks that err names an object, what the object contains, and a way out.
func refused(t *testing.T, err error, name, holds string) {
	t.Helper()
	if bad := (*input.FormatError)(nil); !errors.As(err, &bad) || !errors.Is(err, input.ErrInput) {
		t.Errorf("%s, which is %s: %v", name, holds, err)
		return
	}
	for _, want := range []string{"s3://bucket/" + name + ": ", " " + holds + ",", "--compression none"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

func TestForeign(t *testing.T) {
	type file struct {
		name, holds string
		data        []byte
	}
	var files []file
	for name, holds := range foreignFiles {
		data := foreignData(t, name)
		files = append(files, file{name, holds, data}, file{"some.log", holds, data}, file{"a/no-suffix", holds, data})
	}
	for name, holds := range markless {
		data := foreignData(t, name)
		files = append(files, file{name, holds, data}, file{strings.ToUpper(name), holds, data})
	}
	utf16, utf32 := "UTF-16 text", "UTF-32 text"
	files = append(files,
		file{"a.txt", utf16, []byte("\xff\xfea\x00\n\x00")},
		file{"a.csv", utf16, []byte("\xfe\xff\x00a\x00\n")},
		file{"a.txt", utf32, []byte("\xff\xfe\x00\x00a\x00\x00\x00")},
		file{"a.txt", utf32, []byte("\x00\x00\xfe\xff\x00\x00\x00a")},
		file{"lz4 after a frame to skip", "lz4 data", append([]byte("\x50\x2a\x4d\x18\x02\x00\x00\x00ab"), foreignData(t, "frame.lz4")...)},
	)
	for _, f := range files {
		o := newObject(f.data)
		for _, format := range []string{"text", "jsonl", "csv", "csv-multiline"} {
			kind := parse(t, format)
			opts := input.Options{Format: kind}
			_, _, err := read(t, o, whole(f.name, o), opts)
			refused(t, err, f.name, f.holds)
			if kind.Splittable(f.name) { // wherever it is cut
				s := whole(f.name, o)
				s.Offset, s.Length = s.Size-2, 2
				_, _, err := read(t, o, s, opts)
				refused(t, err, f.name, f.holds)
			}
		}
		if f.name != "some.log" && !strings.HasPrefix(f.holds, "UTF") {
			continue
		}
		// After decompression, too; but not in a format for any bytes.
		inside := newObject(gzipped(t, string(f.data)))
		_, _, err := read(t, inside, whole("a.tgz", inside), input.Options{Format: asText})
		refused(t, err, "a.tgz", f.holds+" inside gzip data")
		got, _, err := read(t, inside, whole("a.gz", inside), input.Options{Format: asWhole})
		if err != nil || len(got) != 1 || got[0].data != string(f.data) {
			t.Errorf("%s as one record: %v, %v", f.holds, got, err)
		}
	}
}

// TestText reads text that is unusual or begins like something else.
func TestText(t *testing.T) {
	for text, names := range texts() {
		for _, name := range names {
			o := newObject([]byte(text))
			got, err := readCut(t, name, o, 5, input.Options{Format: asText})
			if err != nil {
				t.Errorf("%q as %s: %v", text, name, err)
			} else if d := diff(got, oracle([]byte(text), asText)); d != "" {
				t.Errorf("%q as %s: %s", text, name, d)
			}
		}
	}
}

// texts returns texts and the names under which they can be read.
func texts() map[string][]string {
	all := map[string][]string{}
	for _, text := range []string{
		"PAR1,PAR2,PAR3\n4,5,3\n", "ORC;ELF\n", "SEQ 1\n", "SEQUENCE\n", "Obj\n", "BZh91AY is how bzip2 begins\n", "BZh9\n", "PK\n", "7z\n",
		"x^2 + 1\n", "ustar\n", "]\n", "\x1f\n", "%P\n", "Rar!\n", strings.Repeat("a", 257) + "ustar" + strings.Repeat(" ", 300) + "\n",
		"P*M\n", "grüße\n",
	} {
		all[text] = []string{"a.txt", "a", "a.sz", "a.lz4", "a.br"}
	}
	for _, text := range []string{ // that are not UTF-8
		"x\x9cuvre\n", "x^\xa5", "\x00\x01\x02\n", "gr\xfc\xdfe\n", "\xff\n", "\xff\xff\xff\xff\n", "\xef\xbb\n", "\x28\xb5\n", "(\xb5/\n",
	} {
		all[text] = []string{"a.txt", "a"} // other names say what it is
	}
	return all
}

// TestAsIs reads objects that otherwise are decompressed or refused.
func TestAsIs(t *testing.T) {
	files := map[string][]byte{
		"a.gz": gzipped(t, "one\ntwo\n"), "a.log": gzipped(t, "one\n"), "plain.gz": []byte("a\nb\n"),
		"a.xz": foreignData(t, "text.xz"), "utf16": []byte("\xff\xfea\x00\n\x00"), "bom": []byte("\ufeffa\nb\n"), "a.ZST": []byte("\n\nx"),
	}
	for name, data := range files {
		for _, f := range []input.Format{asIs(asText), asIs(asWhole), asIs(fixedOf(1))} {
			o := newObject(data)
			want := oracle(data, f)
			switch {
			case f.Kind == asWhole.Kind:
				want = []located{{0, string(data)}}
			case f.Kind == asText.Kind && name == "bom":
				want = []located{{0, "\ufeffa"}, {5, "b"}}
			}
			for _, size := range []int64{1, 3, o.size()} {
				if f.Kind == asWhole.Kind {
					size = o.size()
				}
				got, err := readCut(t, name, o, size, input.Options{Format: f})
				if err != nil {
					t.Errorf("%s as %v: %v", name, f, err)
				} else if d := diff(got, want); d != "" {
					t.Errorf("%s as %v: %s", name, f, d)
				}
			}
		}
	}
	o := newObject([]byte("\ufeffa,b\n1,2\n"))
	for _, kind := range []input.Format{asCSV, asRows} {
		if _, header, err := read(t, o, whole("x", o), input.Options{Format: asIs(kind)}); header != "a,b" || err != nil {
			t.Errorf("the header is %q: %v", header, err)
		}
	}
}

// TestCompressedUnderAnyName reads compressed objects whose names do not say so, cut into splits of
// all sizes.
func TestCompressedUnderAnyName(t *testing.T) {
	const text = "\ufeffh,i\n1,2\n\n3,4\r\nlast,5"
	for what, data := range map[string][]byte{
		"gzip": gzipped(t, text), "members": gzipped(t, text[:10], "", text[10:]), "zstd": zstded(t, text),
		"skippable": append([]byte("\x5f\x2a\x4d\x18\x01\x00\x00\x00x"), zstded(t, text[:2], text[2:])...),
	} {
		for _, name := range []string{"a.log", "a.gzip", "a", "a.gz.old", "GZ"} {
			for _, f := range []input.Format{asText, asJSONL, asCSV, asRows} {
				want := oracle([]byte(text), f)
				if f == asRows { // rows, not lines
					want = oracle([]byte(text), asCSV)
				}
				o := newObject(data)
				for size := int64(1); size <= o.size(); size += 1 + size/3 {
					if !f.Splittable(name) {
						size = o.size()
					}
					for _, length := range []int{1, 7, 1000} {
						got, err := readCut(t, name, o, size, input.Options{Format: f, RangeBytes: length, Heads: newHeads(t)})
						if err != nil {
							t.Fatalf("%s as %s, %v in splits of %d: %v", what, name, f, size, err)
						} else if d := diff(got, want); d != "" {
							t.Fatalf("%s as %s, %v in splits of %d: %s", what, name, f, size, d)
						}
					}
				}
			}
		}
	}
	o := newObject(bzipped(t))
	got, err := readCut(t, "a.log", o, 9, input.Options{Format: asText})
	if d := diff(got, []located{{0, "one"}, {4, "two"}, {9, "three"}}); err != nil || d != "" {
		t.Errorf("bzip2: %s, %v", d, err)
	}
}

// TestTwiceCompressed has objects that are compressed twice: they are refused.
func TestTwiceCompressed(t *testing.T) {
	for name, data := range map[string][]byte{
		"a.gz": gzipped(t, string(gzipped(t, "text\n"))), "a.log": gzipped(t, string(gzipped(t, "text\n"))), "a.gz.zst": zstded(t, string(gzipped(t, "a\n"))),
	} {
		o := newObject(data)
		outer := "gzip"
		if strings.HasSuffix(name, "zst") {
			outer = "zstd"
		}
		_, _, err := read(t, o, whole(name, o), input.Options{Format: asText})
		refused(t, err, name, "gzip data inside "+outer+" data")
	}
}

// newHeads returns a Heads for whose reads the end of the test waits.
func newHeads(t *testing.T) *input.Heads {
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	return input.NewHeads(func(work func(context.Context)) { running.Go(func() { work(t.Context()) }) })
}

// TestHeadIsReadOnce counts the requests for the first bytes of an object that is cut.
func TestHeadIsReadOnce(t *testing.T) {
	o := newObject([]byte(strings.Repeat("a line\n", 1000)))
	opts := input.Options{Format: asText, Heads: newHeads(t)}
	if _, err := readCut(t, "k", o, 1000, opts); err != nil {
		t.Fatal(err)
	}
	const splits, twice = 7, 2 // read and read directly
	if want := splits*twice + 1; o.gets != want {
		t.Errorf("%d requests, want %d", o.gets, want)
	}
	// Of a compressed object, splits without records read little.
	data := gzipped(t, strings.Repeat("0123456789abcdefghij", 1000))
	o = newObject(data)
	s := whole("k", o)
	s.Offset, s.Length = 1, s.Size-1
	r, err := input.Open(t.Context(), s, input.Options{Format: asText, Direct: true}, o.get)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err == nil || !r.Hidden() || r.Progress() != s.Length {
		t.Errorf("%v, hidden %v, progress %d of %d", err, r.Hidden(), r.Progress(), s.Length)
	}
	if n := r.BytesRead(); n > 512 {
		t.Errorf("%d bytes were read", n)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
