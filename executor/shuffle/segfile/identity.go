package segfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// Identity says which attempt wrote a file. Every block carries the identity's fingerprint, so a
// reader notices the bytes of another attempt.
type Identity struct {
	Job     string
	Task    int
	Attempt int
}

// MaxPartitions is the largest number of partitions of a file.
const MaxPartitions = 1 << 20

// Magic is what every file begins with.
const Magic = "BMSH"

const (
	formatVersion = 1
	// maxJobLen is the length in bytes of the longest Identity.Job.
	maxJobLen = 1 << 10
	// fileHeaderLen is the length in bytes of a file's header without the job's name.
	fileHeaderLen = 28
)

var (
	headerMagic = [4]byte([]byte(Magic))
	footerMagic = [4]byte{'B', 'M', 'S', 'F'}
)

// Validate returns an error if a file cannot have the identity.
func (id Identity) Validate() error {
	if len(id.Job) > maxJobLen {
		return fmt.Errorf("job name of %d bytes: want at most %d", len(id.Job), maxJobLen)
	}
	if id.Task < 0 || id.Task > math.MaxInt32 || id.Attempt < 0 || id.Attempt > math.MaxInt32 {
		return fmt.Errorf("task %d attempt %d: want 31-bit numbers", id.Task, id.Attempt)
	}
	return nil
}

// fingerprint returns the CRC32C of the identity's fields as they are encoded in a file's header.
func (id Identity) fingerprint() uint32 {
	b := make([]byte, 0, 16+len(id.Job))
	b = append(b, formatVersion, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(id.Job)))
	b = binary.LittleEndian.AppendUint32(b, uint32(id.Task))
	b = binary.LittleEndian.AppendUint32(b, uint32(id.Attempt))
	b = append(b, id.Job...)
	return crc32.Checksum(b, castagnoli)
}

// appendHeader appends a file's header.
func appendHeader(dst []byte, id Identity, partitions, blockSize int) []byte {
	start := len(dst)
	dst = append(dst, headerMagic[:]...)
	dst = append(dst, formatVersion, 0)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(id.Job)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(id.Task))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(id.Attempt))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(partitions))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(blockSize))
	dst = append(dst, id.Job...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// parseHeader reads the header at the start of b; n is its length. A reason that is not empty says
// why the header is invalid.
func parseHeader(b []byte) (id Identity, partitions, blockSize, n int, reason string) {
	if len(b) < fileHeaderLen {
		return id, 0, 0, 0, "file header is cut short"
	}
	le := binary.LittleEndian
	if [4]byte(b) != headerMagic {
		return id, 0, 0, 0, "not a segment file"
	}
	job := int(le.Uint16(b[6:]))
	n = fileHeaderLen + job
	if job > maxJobLen || len(b) < n {
		return id, 0, 0, 0, "file header is cut short"
	}
	if crc32.Checksum(b[:n-4], castagnoli) != le.Uint32(b[n-4:]) {
		return id, 0, 0, 0, "file header checksum mismatch"
	}
	if b[4] != formatVersion {
		return id, 0, 0, 0, fmt.Sprintf("format version %d, this program reads %d", b[4], formatVersion)
	}
	id = Identity{
		Job:  string(b[24 : 24+job]),
		Task: int(le.Uint32(b[8:])), Attempt: int(le.Uint32(b[12:])),
	}
	partitions, blockSize = int(le.Uint32(b[16:])), int(le.Uint32(b[20:]))
	if err := id.Validate(); err != nil {
		return id, 0, 0, 0, err.Error()
	}
	if b[5] != 0 || partitions < 1 || partitions > MaxPartitions || blockSize < 1 || blockSize > MaxBlock {
		return id, 0, 0, 0, "file header out of bounds"
	}
	return id, partitions, blockSize, n, ""
}
