package record

import (
	"errors"
	"strings"
	"testing"
)

// Records with keys of any length come out as they were put in, and any of them alone.
func TestKeyedBatch(t *testing.T) {
	keys := []string{"", "k", strings.Repeat("long ", 1000), "\x00\xff"}
	b := &Batch{Framing: Keyed, Offset: 7}
	for i, key := range keys {
		b.Data = AppendKeyed(b.Data, 7+int64(i), []byte(key), []byte("v"+key))
	}
	if err := b.Err(); err != nil || b.Len() != len(keys) {
		t.Fatalf("%d records: %v", b.Len(), err)
	}
	i := int64(7)
	for offset, value := range b.Records() {
		if want := "v" + keys[i-7]; offset != i || string(value) != want {
			t.Errorf("%.20q at %d, want %.20q at %d", value, offset, want, i)
		}
		i++
	}
	for i := range keys {
		one := b.Slice(int64(i), int64(i)+1)
		n := 0
		for key, value := range one.Pairs() {
			if string(key) != keys[i] || string(value) != "v"+keys[i] || one.Offset != 7+int64(i) {
				t.Errorf("record %d is %.20q: %.20q at %d", i, key, value, one.Offset)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d records in a slice of one", n)
		}
	}
	b.Data = Append(nil, []byte("7 bytes"), nil)
	if err := b.Err(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a key without an offset: %v", err)
	}
}
