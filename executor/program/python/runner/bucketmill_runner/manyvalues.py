"""Values takes the place of the list of a key's values if that would be too long."""

from collections.abc import MutableSequence
from itertools import chain
from json import JSONEncoder
from operator import eq, index as as_index

from .spool import Spool


class Values(MutableSequence):
    """The values of a key that has many. They behave like a list in everything except type().

    Iterating, counting, finding and indexing read them from the executor and from a file, and hold only
    some in memory. An operation that changes them, such as sort(), first makes a list of all of them in
    memory, which they stay.
    """

    def __init__(self, next_run, decode, chunks):
        self.spool = Spool(next_run, decode, chunks)
        self._all = None  # the list of all, once something has changed them

    # isinstance(values, list) uses this, and so do copy.copy and functools.singledispatch.
    __class__ = property(lambda self: list)

    __hash__ = None

    def _chunks(self):
        for _, vals in self.spool.chunks():
            yield vals

    def _whole(self):
        if self._all is None:
            self._all = self.copy()
        return self._all

    def copy(self):
        if self._all is not None:
            return self._all.copy()
        found = []
        for vals in self._chunks():  # list(self) would call len(), and read everything twice
            found += vals
        return found

    def __iter__(self):
        return chain.from_iterable(self._chunks()) if self._all is None else iter(self._all)

    def __reversed__(self):
        if self._all is not None:
            return reversed(self._all)
        return chain.from_iterable(reversed(vals) for _, vals in self.spool.back())

    def __len__(self):
        if self._all is not None:
            return len(self._all)
        self.spool.read_all()
        return self.spool.count

    def __bool__(self):
        return self._all is None or bool(self._all)

    def __getitem__(self, at):
        if self._all is not None:
            return self._all[at]
        if isinstance(at, slice):
            return self._slice(range(*at.indices(len(self))))
        try:
            at = as_index(at)
        except TypeError:
            raise TypeError("list indices must be integers or slices, not %s" % type(at).__name__) from None
        if at < 0:
            at += len(self)
            if at < 0:
                raise IndexError("list index out of range")
        return self.spool.value(at)

    def _slice(self, numbers):
        if not numbers:
            return []
        if numbers.step > 0:
            return self.spool.some(numbers)
        found = self.spool.some(numbers[::-1])
        found.reverse()
        return found

    def __contains__(self, value):
        if self._all is not None:
            return value in self._all
        return any(value in vals for vals in self._chunks())

    def count(self, value):
        if self._all is not None:
            return self._all.count(value)
        return sum(vals.count(value) for vals in self._chunks())

    def index(self, value, *bounds):
        if self._all is not None:
            return self._all.index(value, *bounds)
        start, stop = 0, float("inf")
        if bounds:
            start, stop, _ = slice(*(bounds if len(bounds) > 1 else (*bounds, None))).indices(len(self))
        for low, vals in self.spool.chunks():
            if low >= stop:
                break
            if low + len(vals) <= start or value not in vals:
                continue
            try:
                return low + vals.index(value, max(0, start - low), min(len(vals), stop - low))
            except ValueError:
                continue
        raise ValueError("%r is not in list" % (value,))

    def __eq__(self, other):
        if not isinstance(other, list):
            return NotImplemented
        return self is other or len(self) == len(other) and all(map(eq, self, other))

    def __lt__(self, other):
        return self.copy() < _list(other) if isinstance(other, list) else NotImplemented

    def __le__(self, other):
        return self.copy() <= _list(other) if isinstance(other, list) else NotImplemented

    def __gt__(self, other):
        return self.copy() > _list(other) if isinstance(other, list) else NotImplemented

    def __ge__(self, other):
        return self.copy() >= _list(other) if isinstance(other, list) else NotImplemented

    def __add__(self, other):
        return self.copy() + _list(other)

    def __radd__(self, other):
        return other + self.copy()

    def __mul__(self, n):
        return self.copy() * n

    __rmul__ = __mul__

    def __repr__(self):
        return repr(self.copy())

    def __reduce_ex__(self, _):
        return list, (self.copy(),)

    # Operations that change them.

    def __setitem__(self, at, value):
        self._whole()[at] = value

    def __delitem__(self, at):
        del self._whole()[at]

    def __iadd__(self, other):
        self.extend(other)
        return self

    def __imul__(self, n):
        self._all = self._whole() * n
        return self

    def append(self, value):
        self._whole().append(value)

    def extend(self, others):
        self._whole().extend(_list(others))

    def insert(self, at, value):
        self._whole().insert(at, value)

    def pop(self, at=-1):
        return self._whole().pop(at)

    def remove(self, value):
        self._whole().remove(value)

    def clear(self):
        self._whole().clear()

    def reverse(self):
        self._whole().reverse()

    def sort(self, *, key=None, reverse=False):
        self._whole().sort(key=key, reverse=reverse)

    # groups.py calls this after their key.

    def keep(self):
        """Reads the rest, so that a caller that has kept the values can use them."""
        self.spool.read_all()


def _list(values):
    return values.copy() if type(values) is Values else values


def _let_json_take_values():
    """The C version of json takes only lists, and calls an encoder's default() for all else, also of a job's encoder."""
    iterencode = JSONEncoder.iterencode

    def with_values(self, o, _one_shot=False):
        if not getattr(self, "takes_values", False):
            default = self.default
            self.default = lambda o: o.copy() if type(o) is Values else default(o)
            self.takes_values = True
        return iterencode(self, o, _one_shot)

    JSONEncoder.iterencode = with_values


_let_json_take_values()
