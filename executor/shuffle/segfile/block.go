package segfile

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	// blockHeaderLen is the length of a block's header in bytes; see FORMAT.md.
	blockHeaderLen = 36
	// MaxBlock is the greatest raw or compressed length of a block in bytes.
	MaxBlock = 1<<31 - 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Bits of a block's flags.
const (
	flagLast         = 1 << iota // the segment's last block
	flagSortedValues             // records of one key are ordered by value
	flagsKnown       = flagLast | flagSortedValues
)

// blockHeader describes a block. It lacks the header's own checksum, which put writes and
// parseBlockHeader checks.
type blockHeader struct {
	fingerprint uint32 // of the file's Identity
	partition   uint32
	ordinal     uint32 // of the block in its segment
	records     uint32
	rawLen      uint32
	payloadLen  uint32
	payloadCRC  uint32
	codec       codec
	flags       uint8
}

// put writes h into the first blockHeaderLen bytes of b.
func (h *blockHeader) put(b []byte) {
	_ = b[:blockHeaderLen]
	le := binary.LittleEndian
	le.PutUint32(b[4:], h.payloadCRC)
	le.PutUint32(b[8:], h.fingerprint)
	le.PutUint32(b[12:], h.partition)
	le.PutUint32(b[16:], h.ordinal)
	le.PutUint32(b[20:], h.records)
	le.PutUint32(b[24:], h.rawLen)
	le.PutUint32(b[28:], h.payloadLen)
	b[32], b[33], b[34], b[35] = byte(h.codec), h.flags, 0, 0
	le.PutUint32(b, crc32.Checksum(b[4:blockHeaderLen], castagnoli))
}

// parseBlockHeader reads the header in b, which has blockHeaderLen bytes. A reason that is not
// empty says why the header is invalid.
func parseBlockHeader(b []byte) (h blockHeader, reason string) {
	le := binary.LittleEndian
	if crc32.Checksum(b[4:blockHeaderLen], castagnoli) != le.Uint32(b) {
		return h, "block header checksum mismatch"
	}
	h = blockHeader{
		payloadCRC:  le.Uint32(b[4:]),
		fingerprint: le.Uint32(b[8:]),
		partition:   le.Uint32(b[12:]),
		ordinal:     le.Uint32(b[16:]),
		records:     le.Uint32(b[20:]),
		rawLen:      le.Uint32(b[24:]),
		payloadLen:  le.Uint32(b[28:]),
		codec:       codec(b[32]),
		flags:       b[33],
	}
	switch {
	case h.codec != codecS2 && h.codec != codecNone:
		return h, "unknown codec"
	case h.flags&^flagsKnown != 0 || b[34] != 0 || b[35] != 0:
		return h, "unknown flags"
	case h.rawLen > MaxBlock || h.payloadLen > h.rawLen:
		return h, "block length out of bounds"
	case h.records == 0 || int64(h.records)*2 > int64(h.rawLen):
		return h, "record count out of bounds"
	}
	return h, ""
}

// verifyPayload reports whether payload is the one for which h was written.
func (h *blockHeader) verifyPayload(payload []byte) bool {
	return len(payload) == int(h.payloadLen) && crc32.Checksum(payload, castagnoli) == h.payloadCRC
}
