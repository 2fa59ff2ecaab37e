package shuffle

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// A SortBuffer hands on the records emitted since the previous hand-over, sorted by key and
// otherwise in the order of arrival.
func TestSortBuffer(t *testing.T) {
	for keys, key := range keyKinds {
		r := rand.New(rand.NewPCG(21, 22))
		for _, memory := range []int64{1, 200 << 10, 1 << 30} {
			var emitted []kv
			handOvers := 0
			b := NewSortBuffer(memory, func(next func() ([]byte, error)) error {
				handOvers++
				got, err := drain(next)
				if err != nil {
					return err
				}
				want := slices.Clone(emitted[:len(got)])
				slices.SortStableFunc(want, func(x, y kv) int { return cmp.Compare(x.key, y.key) })
				if !slices.Equal(got, want) {
					t.Errorf("%s: hand-over %d of %d records differs", keys, handOvers, len(got))
				}
				emitted = emitted[len(got):]
				return nil
			})
			for range 20_000 {
				record := kv{key(r), randomValue(r, -1)}
				emitted = append(emitted, record)
				b.Emitter().Emit([]byte(record.key), []byte(record.value))
			}
			if err := errors.Join(b.Flush(), b.Flush()); err != nil || len(emitted) > 0 {
				t.Errorf("%s: %d records were not handed on, %v", keys, len(emitted), err)
			}
			if memory == 1<<30 && handOvers != 1 || memory == 1 && handOvers < 10 {
				t.Errorf("%s: %d hand-overs with %d bytes", keys, handOvers, memory)
			}
		}
	}
}

func TestSortBufferPassesErrorsOn(t *testing.T) {
	broken := errors.New("no more room")
	b := NewSortBuffer(1, func(func() ([]byte, error)) error { return broken })
	b.Emitter().Emit([]byte("key"), nil)
	if err := b.Flush(); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}
