"""Feeds frames that are cut short, or not what they say, to the decoders of the runner: batches.py RUNNER."""

import marshal
import sys

sys.path.insert(0, sys.argv[1])

from bucketmill_runner import frames, groups, inputs  # noqa: E402


def head(framing, length=0, header=b"a,b"):
    return b"\x04file\x07" + bytes((framing,)) + frames.uvarint(length) + frames.uvarint(len(header)) + header


def record(key, value):
    return frames.uvarint(len(key)) + frames.uvarint(len(value)) + key + value


def read(payload):
    return [text for records in inputs.read(payload, "text") for text in records.texts]


def refused(payload):
    try:
        found = read(payload)
    except frames.ProtocolError:
        return
    raise AssertionError("%r is taken, as %r" % (payload, found))


values = [b"1,2", b"", b"x" * 300, b'"a\nb",3']
payload = head(inputs.ENCODED)
ends = {len(payload)}
for value in values:
    payload += record(len(payload).to_bytes(8, "big"), value)
    ends.add(len(payload))
assert read(payload) == [value.decode() for value in values], read(payload)
for n in range(len(payload)):
    if n in ends:
        assert read(payload[:n]) == [value.decode() for value in values[: sorted(ends).index(n)]]
    else:
        refused(payload[:n])
for bad in (
    payload + b"\0",
    head(0) + b"x",
    head(5) + b"x",
    head(inputs.FIXED) + b"x",
    head(inputs.ENCODED) + record(b"1234567", b"v"),
    head(inputs.ENCODED) + record(b"123456789", b"v"),
    head(inputs.ENCODED) + b"\xff" * 20,
):
    refused(bad)


class Frames:
    def __init__(self, *wanted):
        self.wanted = list(wanted)

    def next(self, *_):
        return self.wanted.pop(0) if self.wanted else (frames.END, b"")


for kind, payload in (
    (frames.GROUPS, marshal.dumps([("a", [1, 2]), ("b", [b"\x80", 3], [0])], 2)),
    (frames.RUN, marshal.dumps(("a", [1, 2, 3]), 2)),
):
    for n in range(len(payload)):
        try:
            found = list(groups.Source(Frames((kind, payload[:n]))).groups())
        except frames.ProtocolError:
            continue
        raise AssertionError("%r is taken, as %r" % (payload[:n], found))
    for bad in marshal.dumps(7, 2), marshal.dumps([7], 2), marshal.dumps([("a", [1], [5])], 2):
        try:
            found = list(groups.Source(Frames((kind, bad))).groups())
        except (frames.ProtocolError, TypeError, ValueError, IndexError):
            continue
        raise AssertionError("%r is taken, as %r" % (bad, found))
