package shuffle

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
)

// TestFormatStays pins the bytes of a small file: if they change, the format has changed.
func TestFormatStays(t *testing.T) {
	file, _, _ := collect(t, CollectorConfig{
		Identity: testIdentity, Partitioner: Partitioner{Partitions: 2, Boundaries: [][]byte{[]byte("b")}}, Memory: 1 << 20, BlockSize: 1000,
	}, []kv{{"b", "2"}, {"a", "1"}, {"b", "1"}})
	const want = "" +
		"424d53480100050" + "00c0000000300000002000000e80300006a6f622d37"
	if got := hex.EncodeToString(file); len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("header is\n%s, want\n%s", got[:min(len(got), len(want))], want)
	}
	report, err := segfile.Verify(t.Context(), object("f", file))
	if err != nil {
		t.Fatal(err)
	}
	segments := []segfile.Segment{
		{Offset: 33, Length: 40, Records: 1, RawBytes: 4, MaxBlock: 4},
		{Offset: 73, Length: 44, Records: 2, RawBytes: 8, MaxBlock: 8},
	}
	if report.Identity != testIdentity || !slices.Equal(report.Manifest.Segments, segments) || report.Records != 3 || report.Blocks != 2 {
		t.Errorf("got %+v", report)
	}
}

// TestPartitionsStay pins the choice of partitions: all executors of a job must agree.
func TestPartitionsStay(t *testing.T) {
	p := Partitioner{Partitions: 1000}
	got := map[string]int{}
	for _, key := range []string{"", "a", "the", "https://example.com/"} {
		got[key] = p.Partition([]byte(key))
	}
	want := map[string]int{"": 934, "a": 821, "the": 293, "https://example.com/": 640}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRouterEqualsPartitioner(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for _, key := range keyKinds {
		boundaries := [][]byte{}
		for range 40 {
			boundaries = append(boundaries, []byte(key(r)))
		}
		slices.SortFunc(boundaries, bytes.Compare)
		for _, p := range []Partitioner{{Partitions: 41}, {Partitions: 41, Boundaries: boundaries}} {
			routes := newRouter(p, 0)
			for range 500 {
				k := []byte(key(r))
				if got, want := routes.route(k, keyPrefix(k)), p.Partition(k); got != want || got < 0 || got >= 41 {
					t.Fatalf("key %q goes to %d and to %d", k, got, want)
				}
			}
			for i, b := range p.Boundaries {
				if got := p.Partition(b); got <= i {
					t.Fatalf("boundary %d is in partition %d", i, got)
				}
			}
		}
	}
}

func TestHashSpreadsEvenly(t *testing.T) {
	const partitions, keys = 64, 64_000
	p := Partitioner{Partitions: partitions}
	var counts [partitions]int
	for i := range keys {
		counts[p.Partition(fmt.Append(nil, "key", i))]++
	}
	for i, n := range counts {
		if n < keys/partitions*8/10 || n > keys/partitions*12/10 {
			t.Errorf("partition %d has %d of %d keys", i, n, keys)
		}
	}
}
