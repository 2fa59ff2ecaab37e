"""Pairs for the executor to encode.

This is the fastest way out of Python: C pickles some hundred pairs at a time, and the executor makes
records of them, or adds up their ints for a combine_fn that sums. Only values of exactly the plain
types can go this way (None, bool, int, float, str, bytes, and tuples, lists and dicts of these). If there
is anything else among the pairs, they are encoded here, one by one.

A payload is a byte of flags, then lists of pairs, pickled with protocol 3 and without a memo.
"""

from _pickle import Pickler
from itertools import islice
from operator import length_hint
from sys import getsizeof

from . import frames, keys

# How many pairs are taken at a time: one at first, since it may be large; the most plain pairs, the most
# others, and about the most bytes.
_MOST, _MOST_OTHERS, _BYTES = 512, 16, 64 << 10

_PAIR = b"\x86"  # the opcode that makes a pair of the last two values
_DICT = b"}"  # makes a dict
_TUPLE = b"t"  # makes a tuple of four or more

# Flags in the first byte of a payload.
_SUM = 1


class _NotPlain(Exception):
    """A pair contains something that is not of a plain type."""


class _PlainPickler(Pickler):
    def reducer_override(self, _):
        raise _NotPlain


class _Parts:
    """The file that the pickler writes to."""

    def __init__(self, flags):
        self.parts = [flags]
        self.write = self.parts.append


class PairSink:
    """Sends plain pairs to the executor, and passes all others to another sink."""

    def __init__(self, writer, other, summing=False):
        self._writer = writer
        self._other = other
        self._summing = summing
        self._file = _Parts(bytes((_SUM if summing else 0,)))
        self._size = 0
        self._many = 1
        self._renew()
        # The index of the pair of a batch that caused an exception, if the pair had been taken already.
        self.failed = None
        self.given = 0  # pairs, so far

    def _renew(self):
        pickler = _PlainPickler(self._file, 3)
        pickler.fast = True
        self._dump = pickler.dump

    def take(self, stream):
        taken = 0
        while True:
            pairs = list(islice(stream, self._many))
            if not pairs:
                self.given += taken
                return
            if not self._send(pairs):
                self._many = max(1, min(2 * self._many, _MOST_OTHERS, _BYTES // _size(pairs[-1])))
                others = iter(pairs)
                try:
                    self._other.take(others)
                except BaseException:
                    self.failed = taken + len(pairs) - length_hint(others) - 1
                    raise
            taken += len(pairs)

    def _send(self, pairs):
        """Sends pairs if all of them are plain."""
        if self._summing and not (_is_count(pairs[0]) and _is_count(pairs[-1])):
            return False
        parts = self._file.parts
        before = len(parts)
        try:
            self._dump(pairs)
        except Exception:
            del parts[before:]
            self._renew()
            return False
        pickled = parts[-1] if len(parts) == before + 1 else b"".join(parts[before:])
        # The executor has room for the elements of a tuple in a pickle of this size.
        long_tuple = len(pickled) > frames.BLOCK and _TUPLE in pickled
        if long_tuple or not _are_pairs(pairs, pickled):
            del parts[before:]
            return False
        size = len(pickled)
        self._many = max(1, min(2 * self._many, _MOST, _BYTES * len(pairs) // size))
        self._size += size
        if self._size >= frames.BLOCK:
            self.flush()
        return True

    def flush(self):
        if self._size:
            self._writer.write(frames.PAIRS, b"".join(self._file.parts))
            del self._file.parts[1:]
            self._size = 0

    def close(self):
        self.flush()
        self._other.close()


def _size(pair):
    """Returns about how many bytes the value of an item takes, if the item is a pair."""
    return getsizeof(pair[1] if _is_pair(pair) else pair, 1)


def _is_pair(item):
    return type(item) is tuple and len(item) == 2


def _is_count(item):
    return _is_pair(item) and type(item[1]) is int


def _are_pairs(pairs, pickled):
    """Reports whether all items are tuples of two with valid keys.

    It counts opcodes, which is fast and almost certain. The executor makes certain, but does not know
    from which record a pair comes.
    """
    if pickled.count(_PAIR) != len(pairs) and not all(map(_is_pair, pairs)):
        return False
    return _DICT not in pickled or all(
        _is_pair(pair) and (type(pair[0]) is str or _is_key(pair[0])) for pair in pairs
    )


def _is_key(key):
    try:
        keys.encode(key)
    except keys.KeyTypeError:
        return False
    return True
