package executor

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

const (
	manifestShare = 16 // the manifests of a job's map tasks get a sixteenth of a slot's memory
	manifestReads = 16 // requests for manifests under way at a time
)

// manifestStore contains the encoded manifests of a job's map tasks, one after the other: in memory
// while they are small, else in a file in the scratch folder. The manifests of a sort of 100 TB
// take gigabytes.
type manifestStore struct {
	folder string
	limit  int64 // of the bytes in memory

	// The following fields are guarded by mu until all manifests are added. Then they do not
	// change.
	mu     sync.Mutex
	memory []byte // manifests that are not in the file
	// file has no name, so it disappears with the executor. It is closed when nothing refers to the
	// store any longer.
	file *os.File
	size int64 // of the file
}

// add stores a manifest and returns its place.
func (s *manifestStore) add(manifest []byte) (at int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = s.size + int64(len(s.memory))
	s.memory = append(s.memory, manifest...)
	if int64(len(s.memory)) > s.limit {
		err = s.flush()
	}
	return at, err
}

// flush moves the manifests in memory to the file.
func (s *manifestStore) flush() error {
	if s.file == nil {
		file, err := os.CreateTemp(s.folder, "manifests-*")
		if err != nil {
			return fmt.Errorf("store manifests: %w", err)
		}
		if err := os.Remove(file.Name()); err != nil {
			return errors.Join(fmt.Errorf("store manifests: %w", err), file.Close())
		}
		s.file = file
	}
	if _, err := s.file.WriteAt(s.memory, s.size); err != nil {
		return fmt.Errorf("store manifests: %w", err)
	}
	s.size += int64(len(s.memory))
	s.memory = s.memory[:0]
	return nil
}

// read returns n bytes from a place. The caller must not change them. All manifests must have been
// added.
func (s *manifestStore) read(at int64, n int) ([]byte, error) {
	if at >= s.size {
		return s.memory[at-s.size:][:n], nil
	}
	b := make([]byte, n)
	if _, err := s.file.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("read stored manifests: %w", err)
	}
	return b, nil
}
