"""Frames: a type byte, the payload's length as 4 bytes big endian, the payload."""

import struct

HELLO, READY, BATCH, RECORDS, END, DONE, ERROR, PAIRS, GROUPS, RUN, TOOK = range(1, 12)
VERSION = 1

# RECORDS frames are sent when they reach this length, in bytes.
BLOCK = 256 << 10

_HEAD = struct.Struct(">BI")


class ProtocolError(Exception):
    """The executor breaks the protocol."""


class Reader:
    """Reads frames from a buffered binary file."""

    def __init__(self, file):
        self._read = file.read

    def next(self, *wanted):
        """Returns the next frame's type, which must be in wanted, and its payload."""
        head = self._read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise ProtocolError("the executor is gone")
        kind, length = _HEAD.unpack(head)
        payload = self._read(length) if length else b""
        if len(payload) < length:
            raise ProtocolError("the executor is gone")
        if kind not in wanted:
            raise ProtocolError("frame type %d instead of one of %s" % (kind, wanted))
        return kind, payload


class Writer:
    """Writes frames to a buffered binary file."""

    def __init__(self, file):
        self._file = file

    def write(self, kind, payload):
        self._file.write(_HEAD.pack(kind, len(payload)))
        self._file.write(payload)
        self._file.flush()


def uvarint(n):
    """Encodes a length as Go's encoding/binary does."""
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def read_uvarint(data, at):
    """Returns the number at data[at:], and the offset of its end."""
    n = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        n |= (byte & 0x7F) << shift
        if byte < 0x80:
            return n, at
        shift += 7
    raise ProtocolError("no length at byte %d of %d" % (at, len(data)))


def read_bytes(data, at):
    """Returns the bytes whose length is at data[at:], and the offset of their end."""
    n, at = read_uvarint(data, at)
    if n > len(data) - at:
        raise ProtocolError("%d bytes of %d are missing" % (n - len(data) + at, n))
    return data[at : at + n], at + n


def _short():
    values, pairs = bytes(range(128)), bytearray()
    for k in range(128):
        row = bytearray((k, 0)) * 128
        row[1::2] = values
        pairs += row
    return [pair for pair, in struct.iter_unpack("2s", pairs)]


# The two lengths before a record, when both are below 128: SHORT[len(key) << 7 | len(value)].
SHORT = _short()
