"""Sorted records as keys with their values.

The values of a key are a list when they fit; else they are Values, which streams them. A group
fits when it ends in the frame in which it begins, or, with what came before, has not reached
LIST_VALUES values or LIST_BYTES bytes at a frame's end.
"""

from collections.abc import Sequence
from itertools import islice

from . import frames
from .values import decode, loads

LIST_VALUES = 10_000
LIST_BYTES = 1 << 20


class Source:
    """Reads the frames of a reducer's input."""

    def __init__(self, reader):
        self._reader = reader
        self._data = b""
        self._at = 0  # what was read of _data
        self._ended = False

    def _fill(self):
        """Makes sure that there is a record at _at; false at the end."""
        while self._at == len(self._data):
            if self._ended:
                return False
            kind, self._data = self._reader.next(frames.RECORDS, frames.END)
            self._at = 0
            self._ended = kind == frames.END
        return True

    def groups(self):
        """Yields every encoded key with its values, a list or Values."""
        while self._fill():
            key = self._peek()
            raw, vals, more = self._run(key)
            if not more:
                yield key, vals
                continue
            size, chunks = len(raw), [(raw, len(vals))]
            while more and len(vals) < LIST_VALUES and size < LIST_BYTES:
                raw, next_vals, more = self._next_run(key)
                size += len(raw)
                chunks.append((raw, len(next_vals)))
                vals += next_vals
            if not more:
                yield key, vals
                continue
            del vals
            stream = Values(lambda: self._next_run(key), chunks)
            yield key, stream
            stream.close()

    def _peek(self):
        """Returns the next record's key."""
        data, at = self._data, self._at
        k, at = frames.read_uvarint(data, at)
        _, at = frames.read_uvarint(data, at)
        return data[at : at + k]

    def _next_run(self, key):
        """Is _run for what follows the end of a frame."""
        return self._run(key) if self._fill() else (b"", [], False)

    def _run(self, key):
        """Reads the records of key in this frame.

        Returns them as they are, their values, and whether the next frame may have more.
        """
        data, at = self._data, self._at
        begin, end = at, len(data)
        vals = []
        append = vals.append
        while at < end:
            k = data[at]
            v = data[at + 1]
            if k < 128 and v < 128:
                start = at + 2
            else:
                k, start = frames.read_uvarint(data, at)
                v, start = frames.read_uvarint(data, start)
            stop = start + k
            if data[start:stop] != key:
                break
            at = stop + v
            value = data[stop:at]
            append(loads(value) if value[0] < 0x80 else decode(value))
        self._at = at
        return data[begin:at], vals, at == end


def _values(raw):
    """Returns the values of a run of records."""
    vals, at, end = [], 0, len(raw)
    while at < end:
        k, at = frames.read_uvarint(raw, at)
        v, at = frames.read_uvarint(raw, at)
        at += k
        vals.append(decode(raw[at : at + v]))
        at += v
    return vals


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
            raw, vals, self._more = self._next_run()
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
        return _values(raw)

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
            _, _, self._more = self._next_run()
        self._closed = True
        if self._file is not None:
            self._file.close()
