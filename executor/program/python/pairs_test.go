package python

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

func TestPairsAreEncodedAsInPython(t *testing.T) {
	for seed := range 3 {
		cmd := exec.Command("python3", "testdata/pairs.py", "runner", fmt.Sprint(seed))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, &stderr)
		}
		r := frames.NewReader(bytes.NewReader(out))
		cases := 0
		for ; ; cases++ {
			kind, payload, err := r.Next(nil)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || kind != frames.TypePairs {
				t.Fatalf("%v, %v", kind, err)
			}
			emitter, have := programtest.Collect()
			p := pairs{limit: 1 << 20}
			if err := p.Take(payload, emitter); err != nil {
				t.Fatalf("seed %d, case %d: %v", seed, cases, err)
			}
			_ = emitter.Flush()
			_, block, err := r.Next(nil)
			if err != nil {
				t.Fatal(err)
			}
			emitter, want := programtest.Collect()
			if err := emitter.EmitBlock(block); err != nil {
				t.Fatal(err)
			}
			_ = emitter.Flush()
			if len(*have) != len(*want) {
				t.Fatalf("seed %d, case %d: want %d records, have %d", seed, cases, len(*want), len(*have))
			}
			for i, w := range *want {
				if (*have)[i] != w {
					t.Fatalf("seed %d, case %d, record %d:\nwant %q\nhave %q", seed, cases, i, w, (*have)[i])
				}
			}
		}
		if cases != 12 {
			t.Errorf("seed %d: %d cases", seed, cases)
		}
	}
}

// pickledPairs is the payload of a PAIRS frame.
func pickledPairs(sum byte, items string) []byte {
	return []byte(string([]byte{sum, 0x80, 3}) + "](" + items + "e.")
}

const pickledPair = "X\x01\x00\x00\x00aK\x07\x86" // ("a", 7)

func TestPairsMustBePairs(t *testing.T) {
	for items, want := range map[string]error{
		pickledPair:                          nil,
		pickledPair + "X\x02\x00\x00\x00xy":  errPair,
		pickledPair + pickledPair + "\x86":   nil, // a pair of pairs
		pickledPair + "K\x01K\x02K\x03\x87":  errPair,
		pickledPair + "]K\x01aK\x02a":        errPair, // a list
		pickledPair + "}K\x02\x86":           errKey,
		"}\x85K\x02\x86":                     errKey,
		pickledPair + "K\x01}\x86":           nil,
		pickledPair + "\x86":                 errPickle,
		pickledPair + "X\xff\x00\x00\x00abc": errPickle,
		pickledPair + "cos\nsystem\n":        errPickle,
		pickledPair + "t":                    errPickle,
		pickledPair + "K\x01K\x02a":          errPickle,
		pickledPair + "(K\x01":               errPickle,
		strings.Repeat(")", 1<<19):           errPickle,
		"(" + strings.Repeat("(", 1<<19):     errPickle,
	} {
		out, _ := programtest.Collect()
		p := pairs{limit: 1 << 20}
		if err := p.Take(pickledPairs(0, items), out); !errors.Is(err, want) {
			t.Errorf("%.60q: want %v, have %v", items, want, err)
		}
	}
	for _, payload := range []string{"", "\x02\x80\x03].", "\x00", "\x00\x80\x03]", "\x00\x80\x03](", "\x00\x80\x03](" + pickledPair, "\x00\x80\x03](" + pickledPair + "e"} {
		out, _ := programtest.Collect()
		p := pairs{limit: 1 << 20}
		if err := p.Take([]byte(payload), out); payload != "\x00" && err == nil {
			t.Errorf("%q is taken", payload)
		}
	}
}

func TestPairsAddUpInts(t *testing.T) {
	var items string
	want := new(big.Int)
	for _, n := range []struct {
		pickled string
		n       int64
	}{
		{"K\x07", 7},
		{"M\x00\x01", 256},
		{"J\xff\xff\xff\xff", -1},
		{"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", math.MaxInt64},
		{"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", math.MaxInt64},
		{"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80", math.MinInt64},
		{"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", math.MaxInt64},
	} {
		items += "X\x01\x00\x00\x00a" + n.pickled + "\x86"
		want.Add(want, big.NewInt(n.n))
	}
	out, records := programtest.Collect()
	p := pairs{limit: 64 << 10}
	err := errors.Join(p.Take(pickledPairs(pairsSummed, items+"X\x01\x00\x00\x00a\x88\x86"), out), p.Drain(out), out.Flush())
	if err != nil {
		t.Fatal(err)
	}
	got, bools := new(big.Int), 0
	for _, r := range *records {
		if r.Value() == "T" {
			bools++
			continue
		}
		n, ok := readLong([]byte(r.Value()))
		if !ok || r.Key() != "0a" {
			t.Fatalf("%q", r)
		}
		got.Add(got, n)
	}
	if got.Cmp(want) != 0 || bools != 1 || len(*records) > 7 {
		t.Errorf("want %v, have %v of %q", want, got, *records)
	}
}

// readLong reads a marshalled int of any size.
func readLong(data []byte) (*big.Int, bool) {
	if n, ok := readInt(data); ok {
		return big.NewInt(n), true
	}
	if len(data) < 5 || data[0] != 'l' {
		return nil, false
	}
	n := new(big.Int)
	for i := len(data) - 2; i >= 5; i -= 2 {
		n.Lsh(n, digitBits).Add(n, big.NewInt(int64(data[i])|int64(data[i+1])<<8))
	}
	if data[4] >= 0x80 {
		n.Neg(n)
	}
	return n, true
}

func FuzzPairs(f *testing.F) {
	f.Add(pickledPairs(0, pickledPair+pickledPair))
	f.Add(pickledPairs(1, pickledPair+"(K\x01NG12345678C\x01x\x8a\x02\xff\xfft]K\x01a}(K\x01K\x02u\x86\x86"))
	f.Add([]byte("\x00\x80\x03]\x80\x03]"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var total int
		out := record.NewEmitter(1<<16, func(block []byte) ([]byte, error) {
			total += len(block)
			return block, nil
		})
		p := pairs{limit: 64 << 10}
		before := len(payload)
		if err := p.Take(slices.Clone(payload), out); err == nil {
			if err := errors.Join(p.Drain(out), out.Flush()); err != nil {
				t.Fatal(err)
			}
		}
		if total > 16*before+1024 {
			t.Errorf("%d bytes from %d", total, before)
		}
	})
}
