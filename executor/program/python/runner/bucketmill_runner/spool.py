"""The values of a key that has many, read once from the executor and kept in a file.

They come in chunks, the RUN frames. A chunk is stored as it came, and decoded as a whole for a loop over the
values. A chunk that must be decoded value by value is pickled as a whole when it is first read again. For
random access that would take too long: at the first access to a chunk that is not near the last one, the
chunk is written again, in pieces of up to _PIECE values, after a table of their offsets.
"""

import os
from bisect import bisect_right
from itertools import accumulate, chain
from pickle import dumps, loads
from struct import Struct
from tempfile import TemporaryFile

# The most values in a piece, and about the most bytes, if it has more than one value.
_PIECE, _PIECE_BYTES = 32, 4 << 10
# About the most bytes of chunks that stay decoded for single values, if there is more than one chunk; and the
# bytes that each of their values takes in addition to its encoding.
_CACHED, _VALUE = 16 << 20, 64

# A value this near to the last ones is treated as the next of many: its chunk is decoded as a whole, at once if
# the chunk is not in pieces, or after this many pieces in a row.
_NEAR, _ROW = 1000, 8

_PLACES = Struct("<QQ")


class Spool:
    """Reads the values of a key by number."""

    def __init__(self, next_run, decode, chunks):
        self._next_run = next_run  # returns a payload and its values; None at the end
        self._decode = decode  # a payload's values, and whether it has some that must be decoded one by one
        self._file = TemporaryFile(buffering=0)
        self._end = 0  # of the file
        self._chunks = []  # (place, length)
        self._pickled = set()  # indexes of the pickled chunks
        self._starts = []  # number of each chunk's first value
        self._tables = {}  # chunk -> (place of the table of its pieces, values in a piece)
        self._cached = {}  # chunk -> its values
        self._cached_size = 0
        self._recent = 0, ()  # the number of the first of the values around the last single one, and these values
        self._row = 0  # pieces that were read in sequence
        self.count = 0  # of values read so far
        self._more = True
        for raw, count in chunks:
            self._keep(raw, count)

    def _keep(self, raw, count):
        self._starts.append(self.count)
        self._chunks.append((self._append(raw), len(raw)))
        self.count += count

    def _append(self, raw):
        place, view = self._end, memoryview(raw)
        while view:
            n = os.pwrite(self._file.fileno(), view, self._end)
            self._end += n
            view = view[n:]
        return place

    def _read(self, place, length):
        raw = os.pread(self._file.fileno(), length, place)
        while len(raw) < length:
            more = os.pread(self._file.fileno(), length - len(raw), place + len(raw))
            if not more:
                raise EOFError("the scratch file of a key's values was cut short")
            raw += more
        return raw

    def _advance(self):
        """Reads the next chunk; returns its values, or None at the end."""
        while self._more:
            raw, vals = self._next_run()
            self._more = vals is not None
            if vals:
                self._keep(raw, len(vals))
                return vals
        return None

    def chunk(self, i):
        """Returns the values of chunk i, or None after the last; the caller must not change them."""
        if i == len(self._chunks):
            return self._advance()
        if i in self._cached:
            return self._cached[i]
        raw = self._read(*self._chunks[i])
        if i in self._pickled:
            return loads(raw)
        vals, slow = self._decode(raw)
        if slow:
            raw = dumps(vals, 4)
            self._chunks[i] = self._append(raw), len(raw)
            self._pickled.add(i)
        return vals

    def chunks(self):
        """Yields the number of each chunk's first value, and its values; the caller must not change them."""
        i = 0
        while True:
            vals = self.chunk(i)
            if vals is None:
                return
            if i == 0:  # a caller may read the first value again and again
                self._cache(i, vals)
            yield self._starts[i], vals
            i += 1

    def back(self):
        """Yields the same as chunks, from the last chunk to the first."""
        self.read_all()
        for i in range(len(self._chunks) - 1, -1, -1):
            vals = self.chunk(i)
            if i == len(self._chunks) - 1:
                self._cache(i, vals)
            yield self._starts[i], vals

    def read_all(self):
        while self._advance() is not None:
            pass

    def value(self, index):
        """Returns value number index, counted from 0; IndexError if there are fewer."""
        low, vals = self._recent
        if low <= index < low + len(vals):
            return vals[index - low]
        near = -_NEAR < index - low < len(vals) + _NEAR
        while index >= self.count:
            vals = self._advance()
            if vals is None:
                raise IndexError("list index out of range")
            if index < self.count:
                self._cache(len(self._chunks) - 1, vals)
        self._row = self._row + 1 if near else 0
        i = bisect_right(self._starts, index) - 1
        if i in self._cached or near and (i not in self._tables or self._row >= _ROW):
            low, vals = self._starts[i], self._cache(i, self.chunk(i))
        else:
            low, vals = self._piece(i, index)
        self._recent = low, vals
        return vals[index - low]

    def _cache(self, i, vals):
        if i in self._cached:
            return vals
        self._cached[i] = vals
        self._cached_size += self._size(i, vals)
        while len(self._cached) > 1 and self._cached_size > _CACHED:
            oldest = next(iter(self._cached))
            self._cached_size -= self._size(oldest, self._cached.pop(oldest))
        return vals

    def _size(self, i, vals):
        return self._chunks[i][1] + _VALUE * len(vals)

    def _piece(self, i, index):
        """Returns some values of chunk i around number index, and the number of the first."""
        low = self._starts[i]
        if i not in self._tables:
            vals = self._cache(i, self.chunk(i))
            self._tables[i] = self._cut(vals, self._chunks[i][1])
            return low, vals
        place, each = self._tables[i]
        n = (index - low) // each
        begin, end = _PLACES.unpack(self._read(place + 8 * n, _PLACES.size))
        return low + n * each, loads(self._read(begin, end - begin))

    def _cut(self, vals, length):
        """Writes values in pieces; returns the offset of their table, and the number of values in a piece."""
        each = max(1, min(_PIECE, _PIECE_BYTES * len(vals) // length))
        pieces = [dumps(vals[at : at + each], 4) for at in range(0, len(vals), each)]
        places = accumulate(chain((self._end,), map(len, pieces)))
        table = b"".join(place.to_bytes(8, "little") for place in places)
        self._append(b"".join(pieces))
        return self._append(table), each

    def some(self, numbers):
        """Returns the values with these numbers, an ascending range, as a list."""
        first, last = numbers[0], numbers[-1]
        i, stop = bisect_right(self._starts, first) - 1, bisect_right(self._starts, last)
        span = last - first + 1
        # Reading a piece takes about as long as decoding 250 values of a chunk.
        if min(len(numbers), span // _PIECE + 1) * 250 < (stop - i) * self.count // len(self._chunks):
            return list(map(self._single, numbers))
        found = []
        for i in range(i, stop):
            low = self._starts[i]
            vals = self.chunk(i)
            begin = max(first, first + -(-(low - first) // numbers.step) * numbers.step)
            found += vals[begin - low : max(last + 1 - low, 0) : numbers.step]
        return found

    def _single(self, index):
        """Returns the same as value, for one of few values."""
        low, vals = self._recent
        if not low <= index < low + len(vals):
            self._row = -_ROW
            i = bisect_right(self._starts, index) - 1
            if i in self._cached:
                low, vals = self._starts[i], self._cached[i]
            else:
                low, vals = self._piece(i, index)
            self._recent = low, vals
        return vals[index - low]

    def close(self):
        """Skips the values that were not read, and removes the file."""
        while self._more:
            self._more = self._next_run()[1] is not None
        self._cached, self._recent = {}, (0, ())
        self._file.close()
