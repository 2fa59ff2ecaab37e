package executor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestManifestsGoToAFile(t *testing.T) {
	for _, limit := range []int64{0, 100, 1 << 20} {
		folder := t.TempDir()
		s := manifestStore{folder: folder, limit: limit}
		type stored struct {
			at int64
			b  []byte
		}
		var all []stored
		for i := range 200 {
			b := []byte(fmt.Sprintf("%0*d", 1+i%40, i))
			at, err := s.add(b)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, stored{at, b})
		}
		for i, want := range all {
			if got, err := s.read(want.at, len(want.b)); err != nil || !bytes.Equal(got, want.b) {
				t.Errorf("limit %d: %q at %d, not %q: %v", limit, got, i, want.b, err)
			}
		}
		if inFile := s.file != nil; inFile != (limit < 1<<20) {
			t.Errorf("limit %d: in a file: %v", limit, inFile)
		}
		if names, err := os.ReadDir(folder); err != nil || len(names) > 0 {
			t.Errorf("limit %d: left in the scratch folder: %v, %v", limit, names, err)
		}
	}
}

func TestManifestsWithoutScratch(t *testing.T) {
	s := manifestStore{folder: filepath.Join(t.TempDir(), "missing")}
	if _, err := s.add([]byte("x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
