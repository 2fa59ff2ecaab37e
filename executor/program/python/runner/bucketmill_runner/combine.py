"""The table that combine_fn keeps small.

Every key has a list of its values so far. When all lists together take more memory than they
may, combine_fn shortens the long lists; if that does not free half of the memory, all lists; and
if that is not enough either, the table is emptied into the sink.

str and int keys are used as dict keys. Of all other keys their encoding is used, since a dict treats
1.0 and True as 1.
"""

from itertools import chain, islice
from sys import getsizeof

from . import keys
from .failures import NotAPair
from .job import items
from .mapside import STEP, a_pair, not_a_pair

# Lists of at least this length are combined first.
_LONG = 16
# About how many bytes a key takes, with its place in a dict and its list.
_ENTRY = 250
# One key in this many is measured to estimate the size of the table.
_SAMPLE = 32

_CONTAINERS = frozenset((tuple, list, set, frozenset))


def budget(memory):
    """Returns how many bytes a table may take if the process may take memory bytes; 0: no limit."""
    return max(8 << 20, min(memory // 4, 128 << 20)) if memory else 128 << 20


# The code of functions that only sum, without a docstring.
_SUMS = (
    "yield (key, sum(values))",
    "yield sum(values)",
    "return (key, sum(values))",
    "return sum(values)",
    "return [(key, sum(values))]",
)


def is_sum(function):
    """Reports whether a combine_fn only adds up its values, by its byte code."""
    call = function.call
    code = getattr(call, "__code__", None)
    if code is None or hasattr(call, "__wrapped__") or hasattr(call, "__self__"):
        return False
    if code.co_names != ("sum",) or "sum" in call.__globals__ or code.co_argcount != 2:
        return False
    for docstring in "", "''; ":
        for body in _SUMS:
            known = {}
            exec("def sums(key, values): " + docstring + body, known)
            known = known["sums"].__code__
            if code.co_code == known.co_code and code.co_flags == known.co_flags and code.co_consts[1:] == known.co_consts[1:]:
                return True
    return False


class Table:
    """Combines pairs on their way to a sink."""

    failed = None  # see PairSink

    def __init__(self, job, place, sink, hello):
        self._job = job
        self._function = job.combine_fn
        self._place = place
        self._sink = sink
        self._limit = budget(hello.get("memory", 0))
        self._strs = {}  # key -> values
        self._ints = {}  # key -> values
        self._others = {}  # encoded key -> values
        self._size = 0
        self._key = None  # the one that combine_fn works on
        self.given = 0  # pairs, so far

    def take(self, stream):
        strs, ints = self._strs, self._ints
        while True:
            n = 0
            for n, pair in enumerate(islice(stream, STEP), 1):
                if type(pair) is not tuple:
                    pair = a_pair(pair)
                try:
                    key, value = pair
                except ValueError:
                    not_a_pair(pair)
                if type(key) is str:
                    if key in strs:
                        strs[key].append(value)
                    else:
                        strs[key] = [value]
                elif type(key) is int:
                    if key in ints:
                        ints[key].append(value)
                    else:
                        ints[key] = [value]
                else:
                    self._others.setdefault(keys.encode(key), []).append(value)
            if n == 0:
                return
            self.given += n
            self._size += STEP * (8 + _size(pair[1]))
            if self._size + self._entries() * (_ENTRY + getsizeof(pair[0])) > self._limit:
                self._shrink()

    def _entries(self):
        return len(self._strs) + len(self._ints) + len(self._others)

    def _shrink(self):
        for longest in _LONG, 2:
            for table, decode in self._tables():
                self._combine(table, decode, longest)
            if self._measure() < self._limit // 2:
                return
        self._empty()

    def _tables(self):
        return (self._strs, None), (self._ints, None), (self._others, keys.decode)

    def _measure(self):
        """Estimates how many bytes the table takes."""
        size = entries = 0
        for table, _ in self._tables():
            for key, waiting in islice(table.items(), 0, None, _SAMPLE):
                size += getsizeof(waiting) + sum(map(_size, waiting))
                entries += _ENTRY + getsizeof(key)
        self._size = size * _SAMPLE
        return self._size + entries * _SAMPLE

    def _combine(self, table, decode, shortest):
        """Calls combine_fn for the lists with at least this many values."""
        call, place = self._function.call, self._place
        before = place.function, place.record
        reading = self._job.reads(None)
        place.function, place.record = self._function.name, self._describe
        gone = []
        for key, waiting in table.items():
            if len(waiting) < shortest:
                continue
            self._key = plain = key if decode is None else decode(key)
            combined = []
            for item in items(call(plain, waiting)):
                if type(item) is tuple and len(item) == 2:
                    if item[0] is not plain:
                        self._same_key(item[0], plain)
                    combined.append(item[1])
                else:
                    combined.append(item)
            if combined:
                table[key] = combined
            else:
                gone.append(key)
        for key in gone:
            del table[key]
        place.function, place.record = before
        self._job.reads(reading)

    def _same_key(self, key, wanted):
        if type(key) is not type(wanted) or key != wanted:
            raise NotAPair("it must give values for its own key, %r, not for %r" % (wanted, key))

    def _describe(self):
        from .failures import preview

        return {"offset": 0, "key": preview(self._key)}

    def _empty(self):
        """Passes everything to the sink."""
        for table, decode in self._tables():
            self._combine(table, decode, 2)
            self._sink.take(
                (key if decode is None else decode(key), value)
                for key, waiting in table.items()
                for value in waiting
            )
            table.clear()
        self._size = 0

    def close(self):
        self._empty()
        self._sink.close()


def _size(value):
    """Returns about how many bytes a value takes."""
    cls = type(value)
    if cls is int:
        return 0 if -6 < value < 257 else 32  # Python has each of these only once
    size = getsizeof(value)
    if cls in _CONTAINERS:
        return size + sum(map(getsizeof, value))
    if cls is dict:
        return size + sum(map(getsizeof, chain(value.keys(), value.values())))
    return size
