"""Sorted records as keys with their values.

The values of a key are a list when they fit; else they are Values, which streams them. A group
fits when it is in a GROUPS frame, or has not reached LIST_VALUES values or LIST_BYTES bytes at the
end of a RUN.
"""

from collections.abc import Sequence
from itertools import islice

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
        """Yields the key that begins with that RUN."""
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
        stream = Values(lambda: self._next_run(key), chunks)
        yield plain, stream
        stream.close()

    def _next_run(self, key):
        """Returns the payload of the next RUN of that key and its values; None if there is none."""
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


def _mended(group):
    """Returns a group some of whose values were not marshalled: it has their numbers."""
    key, vals, odd = group
    for i in odd:
        vals[i] = decode(vals[i])
    return key, vals


class Values(Sequence):
    """The values of a key that has many, in no order unless the job sorts them.

    Going through them reads them from the executor, and keeps none in memory; what was read is
    kept in a file, so that they can be gone through again, in the same order, and indexed. len()
    and negative indexes read them to the end first. They are gone when reduce_fn is done with
    their key: make a list of what should stay.
    """

    def __init__(self, next_run, chunks):
        self._next_run = next_run
        self._file = None
        self._chunks = []  # (place in the file, length, number of values)
        self._count = 0
        self._more = True
        self._closed = False
        for raw, count in chunks:
            self._keep(raw, count)

    def _keep(self, raw, count):
        if self._file is None:
            from tempfile import TemporaryFile  # slow to import, seldom needed

            self._file = TemporaryFile(buffering=0)
        self._file.seek(0, 2)
        self._chunks.append((self._file.tell(), len(raw), count))
        view = memoryview(raw)
        while view:
            view = view[self._file.write(view) :]
        self._count += count

    def _advance(self):
        """Reads the next chunk; returns its values, or None at the end."""
        while self._more:
            raw, vals = self._next_run()
            self._more = vals is not None
            if vals:
                self._keep(raw, len(vals))
                return vals
        return None

    def _chunk(self, i):
        """Returns the values of chunk i, or None after the last."""
        if self._closed:
            raise ValueError("the values of a key cannot be read after reduce_fn is done with it")
        if i == len(self._chunks):
            return self._advance()
        place, length, _ = self._chunks[i]
        self._file.seek(place)
        raw = self._file.read(length)
        while len(raw) < length:
            raw += self._file.read(length - len(raw))
        return _run(raw)[1]

    def __iter__(self):
        i = 0
        vals = self._chunk(0)
        while vals is not None:
            yield from vals
            i += 1
            vals = self._chunk(i)

    def __len__(self):
        if self._closed:
            raise ValueError("the values of a key cannot be read after reduce_fn is done with it")
        while self._advance() is not None:
            pass
        return self._count

    def __getitem__(self, index):
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step > 0:
                return list(islice(self, start, stop, step))
            return [self[i] for i in range(start, stop, step)]
        if index < 0:
            index += len(self)
        left, i = index, 0
        while left >= 0:
            if i < len(self._chunks) and left >= self._chunks[i][2]:
                left -= self._chunks[i][2]  # passed over without reading it again
            else:
                vals = self._chunk(i)
                if vals is None:
                    break
                if left < len(vals):
                    return vals[left]
                left -= len(vals)
            i += 1
        raise IndexError("values index out of range")

    def close(self):
        """Passes over what was not read, and removes the file."""
        while self._more:
            self._more = self._next_run()[1] is not None
        self._closed = True
        if self._file is not None:
            self._file.close()
