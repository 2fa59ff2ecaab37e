"""Sorted records as keys with their values.

The values of a key are a list if they fit; otherwise they are Values, which streams them and has all
operations of a list. A group fits if it is in a GROUPS frame, or has fewer than LIST_VALUES values and
LIST_BYTES bytes at the end of a RUN.
"""

from weakref import ref

from . import frames
from .keys import decode as decode_key
from .ordered import decode
from .values import loads

LIST_VALUES = 10_000
LIST_BYTES = 1 << 20


class Source:
    """Reads the frames of a reducer's input."""

    def __init__(self, reader):
        self._reader = reader
        self._ahead = None  # a frame that was read too early

    def _next(self):
        frame, self._ahead = self._ahead, None
        return frame or self._reader.next(frames.GROUPS, frames.RUN, frames.END)

    def groups(self):
        """Yields every key with its values, a list or Values."""
        while True:
            kind, payload = self._next()
            if kind == frames.END:
                return
            if kind == frames.RUN:
                yield from self._long(payload)
                continue
            for group in _load(payload):
                key, vals = group if len(group) == 2 else _mended(group)
                yield key if type(key) is str else decode_key(key), vals

    def _long(self, payload):
        """Yields the key that begins with this RUN."""
        key, vals = _run(payload)
        size, chunks = len(payload), [(payload, len(vals))]
        plain = key if type(key) is str else decode_key(key)
        while len(vals) < LIST_VALUES and size < LIST_BYTES:
            payload, more = self._next_run(key)
            if more is None:
                yield plain, vals
                return
            size += len(payload)
            chunks.append((payload, len(more)))
            vals += more
        del vals
        from .manyvalues import Values  # seldom needed

        stream = Values(lambda: self._next_run(key), _values, chunks)
        del chunks
        yield plain, stream
        spool, kept = stream.spool, ref(stream)
        del stream
        kept = kept()
        if kept is None:
            spool.close()
        else:  # reduce_fn has kept them, and may read them later
            kept.keep()

    def _next_run(self, key):
        """Returns the payload and the values of the next RUN of this key, or None."""
        frame = self._next()
        if frame[0] == frames.RUN:
            found, vals = _run(frame[1])
            if found == key:
                return frame[1], vals
        self._ahead = frame
        return b"", None


def _load(payload):
    try:
        return loads(payload)
    except (EOFError, ValueError, TypeError) as err:
        raise frames.ProtocolError("a frame that is not marshalled: %s" % err) from None


def _run(payload):
    """Returns the key and the values of a RUN."""
    group = _load(payload)
    return group if len(group) == 2 else _mended(group)


def _values(payload):
    """Returns the values of a RUN, and whether some of them were not marshalled."""
    group = _load(payload)
    return (group[1], False) if len(group) == 2 else (_mended(group)[1], True)


def _mended(group):
    """Returns a group with its values decoded, if some were not marshalled; the group has their indexes."""
    key, vals, odd = group
    for i in odd:
        vals[i] = decode(vals[i])
    return key, vals
