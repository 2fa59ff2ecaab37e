package shuffle

import (
	"bytes"
	"errors"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

// FuzzMerge merges blocks with right checksums that may not contain the records that they should.
func FuzzMerge(f *testing.F) {
	f.Add(record.Append(record.Append(nil, []byte("key"), []byte("value")), []byte("other"), bytes.Repeat([]byte("x"), 99)), uint16(2))
	f.Fuzz(func(t *testing.T, raw []byte, records uint16) {
		if len(raw) == 0 || records == 0 {
			return
		}
		var file bytes.Buffer
		w := segfile.NewWriter(&file, segfile.Layout{Identity: testIdentity, Partitions: 1, BlockSize: 1 << 10, Buffer: 1 << 10})
		w.Begin(0)
		if err := w.Add(raw, int(records)); err != nil {
			t.Fatal(err)
		}
		w.End()
		manifest, err := w.Finish(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := source("fuzz", testIdentity, file.Bytes(), manifest, 0)
		// Two of them, so that the merge reads the records and does not only pass blocks on.
		m, err := NewMerge(t.Context(), MergeConfig{Memory: 64 << 20, Scratch: t.TempDir()}, []segfile.Source{s, s})
		if err != nil {
			t.Fatal(err)
		}
		all, err := drain(m.Next)
		if err == nil && len(all) != 2*int(records) {
			t.Fatalf("%d records from blocks of %d", len(all), records)
		}
		if err != nil && !errors.Is(err, segfile.ErrCorrupt) {
			t.Fatalf("error is not ErrCorrupt: %v", err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
