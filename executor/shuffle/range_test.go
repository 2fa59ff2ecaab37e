package shuffle

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

// keysFor returns keys of many kinds through which boundaries are drawn.
var rangeKeys = map[string]func(r *rand.Rand) string{
	"random":       func(r *rand.Rand) string { return randomBytes(r, 12, 256) },
	"one":          func(*rand.Rand) string { return "the only one" },
	"empty":        func(*rand.Rand) string { return "" },
	"few":          func(r *rand.Rand) string { return fmt.Sprint(r.IntN(3)) },
	"zeros":        func(r *rand.Rand) string { return string(make([]byte, r.IntN(12))) },
	"common start": func(r *rand.Rand) string { return "https://example.com/" + randomBytes(r, 3, 4) },
	"long": func(r *rand.Rand) string {
		return string(bytes.Repeat([]byte{'k'}, sampleKeyLen)) + randomBytes(r, 2, 3)
	},
	"skewed": func(r *rand.Rand) string {
		if r.IntN(10) < 6 {
			return "heavy"
		}
		return randomBytes(r, 8, 256)
	},
	"two heavy, neighbours": func(r *rand.Rand) string {
		return []string{"h", "h\x00", "h", "h\x00", randomBytes(r, 4, 256)}[r.IntN(5)]
	},
}

// Whatever the keys, partitions follow each other in their order, a key that must not be spread is
// in one partition, and bounds survive storage.
func TestRangesKeepTheOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 3))
	for name, key := range rangeKeys {
		for range 60 {
			n, partitions, spread := r.IntN(300), 1+r.IntN(20), r.IntN(2) == 0
			keys := make([][]byte, n)
			var sample KeySample
			for i := range keys {
				keys[i] = []byte(key(r))
				if i%3 > 0 { // some keys the sample does not know
					sample.Add(keys[i], int64(len(keys[i])+1+r.IntN(5)))
				}
			}
			p, err := ParseBounds(AppendBounds(nil, sample.Partitioner(partitions, spread)))
			if err != nil || p.Partitions != partitions {
				t.Fatalf("%s: %v, %d partitions", name, err, p.Partitions)
			}
			checkRanges(t, name, p, keys, spread)
		}
	}
}

func checkRanges(t *testing.T, name string, p Partitioner, keys [][]byte, spread bool) {
	t.Helper()
	routes := newRouter(p, len(keys))
	parts := make([][][]byte, p.Partitions)
	home := map[string]int{}
	for _, k := range keys {
		to := routes.route(k, keyPrefix(k))
		parts[to] = append(parts[to], k)
		if other, known := home[string(k)]; known && other != to && !spread {
			t.Fatalf("%s: %s is in partitions %d and %d", name, record.Preview(k), other, to)
		}
		home[string(k)] = to
		if !spread && to != p.Partition(k) {
			t.Fatalf("%s: %s goes to %d and to %d", name, record.Preview(k), to, p.Partition(k))
		}
	}
	var all [][]byte
	for _, part := range parts {
		slices.SortFunc(part, bytes.Compare)
		all = append(all, part...)
	}
	if !slices.IsSortedFunc(all, bytes.Compare) || len(all) != len(keys) {
		t.Fatalf("%s: partitions of %d keys are not in order: %q", name, len(keys), p.Boundaries)
	}
}

// sizes returns how many of the keys each partition gets.
func sizes(p Partitioner, keys [][]byte) []int {
	routes := newRouter(p, 0)
	sizes := make([]int, p.Partitions)
	for _, k := range keys {
		sizes[routes.route(k, keyPrefix(k))]++
	}
	return sizes
}

// A key with 60% of all records leaves the other partitions equal, and if its records may be spread
// it makes no partition large.
func TestHeavyKey(t *testing.T) {
	t.Parallel()
	const partitions, n = 8, 40_000
	for name, heavy := range map[string]string{"between": "heavy", "first": "", "last": "\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		r := rand.New(rand.NewPCG(4, 2))
		var sample KeySample
		keys := make([][]byte, n)
		for i := range keys {
			keys[i] = []byte(heavy)
			if r.IntN(10) >= 6 {
				keys[i] = []byte(randomBytes(r, 8, 256) + "x")
			}
			sample.Add(keys[i], 100)
		}
		spread := sample.Partitioner(partitions, true)
		if got := sizes(spread, keys); slices.Max(got) > n/partitions*3/2 {
			t.Errorf("%s: partitions of %v records", name, got)
		}
		alone := sample.Partitioner(partitions, false)
		got := sizes(alone, keys)
		slices.Sort(got)
		if others := got[:partitions-1]; got[partitions-1] < n*59/100 || got[partitions-1] > n*61/100 || others[0] < n/30 || slices.Max(others) > n*7/100 {
			t.Errorf("%s: partitions of %v records with one of the heavy key alone", name, got)
		}
	}
}

// Without heavy keys, partitions are equal, however many keys the sample was offered.
func TestRangesAreEqual(t *testing.T) {
	t.Parallel()
	const partitions = 50
	for _, n := range []int{1000, 100_000, 2 * sampleKeys} {
		r := rand.New(rand.NewPCG(5, uint64(n)))
		var sample KeySample
		keys := make([][]byte, n)
		for i := range keys {
			keys[i] = fmt.Appendf(nil, "%020d and a long rest of the record", r.Uint64())
			if n > sampleKeys { // in order, so that it shows if some are left out more often than others
				keys[i] = fmt.Appendf(nil, "%020d", i)
			}
			sample.Add(keys[i], 100)
		}
		if len(sample.keys) > sampleKeys || sample.bytes > sampleBytes {
			t.Errorf("%d keys of %d bytes are kept", len(sample.keys), sample.bytes)
		}
		p := sample.Partitioner(partitions, true)
		if got := sizes(p, keys); slices.Max(got) > n/partitions*11/10 || slices.Min(got) < n/partitions*6/10 {
			t.Errorf("%d keys: partitions of %v", n, got)
		}
		if longest := slices.MaxFunc(p.Boundaries, func(x, y []byte) int { return len(x) - len(y) }); len(longest) > 20 {
			t.Errorf("boundary %q is longer than it need be", longest)
		}
	}
}

// A heavy key is alone even among keys that the sample does not know, and a key of which only the
// beginning is known is not spread.
func TestHeavyKeyIsAlone(t *testing.T) {
	t.Parallel()
	var sample, long KeySample
	for i := range 3000 {
		for _, key := range []string{"heavy", fmt.Sprint("a", i), fmt.Sprint("z", i)} {
			sample.Add([]byte(key), 10)
			long.Add(append(bytes.Repeat([]byte{'k'}, sampleKeyLen+1), key...), 10)
		}
	}
	for _, spread := range []bool{false, true} {
		p := sample.Partitioner(6, spread)
		for _, other := range []string{"heav", "heavx", "hea\xff", "heavy\x00", "heavy, too", "heavz"} {
			if at, heavy := p.Partition([]byte(other)), p.Partition([]byte("heavy")); at == heavy || spread && at >= p.Spread[0].First && at <= heavy {
				t.Errorf("%q is in partition %d with the heavy key", other, at)
			}
		}
	}
	if p := long.Partitioner(6, true); len(p.Spread) > 0 {
		t.Errorf("keys of which only the beginning is known are spread: %v", p.Spread)
	}
}

func TestParseBoundsRefuses(t *testing.T) {
	t.Parallel()
	good := AppendBounds(nil, Partitioner{Partitions: 4, Boundaries: [][]byte{{1}, {2}, {2}}, Spread: []Span{{2, 3}}})
	if _, err := ParseBounds(good); err != nil {
		t.Fatal(err)
	}
	bad := [][]byte{append(slices.Clone(good), 0), append([]byte{9}, good[1:]...)}
	for n := range good {
		bad = append(bad, good[:n])
	}
	for _, data := range bad {
		if p, err := ParseBounds(data); err == nil {
			t.Errorf("%x is read as %v", data, p)
		}
	}
}

func FuzzParseBounds(f *testing.F) {
	var sample KeySample
	for i := range 100 {
		sample.Add(fmt.Append(nil, i/5*i%7), 10)
	}
	f.Add(AppendBounds(nil, sample.Partitioner(10, true)))
	f.Add(AppendBounds(nil, sample.Partitioner(3, false)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseBounds(data)
		if err != nil {
			return
		}
		if again, err := ParseBounds(AppendBounds(nil, p)); err != nil || fmt.Sprint(again) != fmt.Sprint(p) {
			t.Errorf("%v became %v, %v", p, again, err)
		}
		routes := newRouter(p, 3)
		for _, key := range append(p.Boundaries, nil, []byte("any")) {
			if to := routes.route(key, keyPrefix(key)); to < 0 || to >= p.Partitions {
				t.Errorf("partition %d of %d", to, p.Partitions)
			}
		}
	})
}
